"""The same images under a corrected patient: one case, which has waited since it first came.

An emergency patient's number is corrected later. The images then come again under the right one; what persons
said follows them, and the results under the first one are withdrawn.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import copies, reviews
from orthanc_plugin.store.tables import Series, Study
from orthanc_plugin.store.transitions import audit
from orthanc_plugin.store.withdrawal import withdraw


def same_images(
    session: Session, series: Series, study_instance_uid: str, *, withdrawn: bool = False
) -> Sequence[Series]:
    """Series of the same UIDs under other patients.

    Args:
        session: of one transaction.
        series: whose likes are looked for.
        study_instance_uid: of its study.
        withdrawn: those too that Orthanc no longer has.
    """
    wanted = (
        select(Series)
        .join(Study)
        .where(
            Study.study_instance_uid == study_instance_uid,
            Series.series_instance_uid == series.series_instance_uid,
            Series.id != series.id,
        )
    )
    return session.scalars(wanted if withdrawn else wanted.where(Series.state != SeriesState.WITHDRAWN)).all()


def supersede_others(session: Session, series: Series, pixel_digest: str | None, now: datetime) -> None:
    """Withdraw the same images under the patient they were first sent for; what was said of them follows.

    Orthanc may have deleted those before these were judged: then what persons said follows all the same.
    """
    relatives = copies.family(session, series)
    for other in same_images(session, series, series.study.study_instance_uid, withdrawn=True):
        # A copy that Orthanc made with the UIDs kept never takes what is still here off the worklist.
        if other.last_arrival > series.last_arrival or other in relatives:
            continue
        gone = other.state is SeriesState.WITHDRAWN
        said = other.current or (next(iter(other.assessments), None) if gone else None)
        # Two patients can share UIDs by a careless anonymiser; their pixels then differ.
        if said is not None:
            same = said.pixel_digest == pixel_digest
        elif gone:
            same = pixel_digest is None and other.instance_count == series.instance_count
        else:
            # Nobody knows yet whose the images are that are still to be judged.
            same = not other.state.pending
        if same or said is None:
            other.lost_unread = False  # it is here again
        if not same or other.instance_count > series.instance_count:
            continue
        reviews.carry_over(session, other, series, now)
        if not gone:
            withdraw(session, other.id, now, superseded_by=series.id)
            audit(session, "patient_corrected", series.id, now, predecessor=other.id)


def give_way(session: Session, series: Series, pixel_digest: str, now: datetime) -> None:
    """Judged only after the same images under a corrected patient, which count instead."""
    relatives = copies.family(session, series)
    for newer in same_images(session, series, series.study.study_instance_uid):
        if newer in relatives:
            continue
        said = newer.current
        if (
            newer.last_arrival > series.last_arrival
            and said is not None
            and said.pixel_digest == pixel_digest
        ):
            reviews.carry_over(session, series, newer, now)
            withdraw(session, series.id, now, superseded_by=newer.id)
            audit(session, "patient_corrected", newer.id, now, predecessor=series.id)
            return
