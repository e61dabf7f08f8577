"""Reviews that an earlier store knew, added again: from their reports in Orthanc, and from the list."""

from collections.abc import Iterable
from datetime import datetime
from itertools import pairwise

from sqlalchemy import select
from sqlalchemy.orm import Session

from headct.reports.review_meaning import ReviewContent
from headct.reports.vouching import Entry
from headct.terms.review import in_order
from orthanc_plugin.states import DocumentKind, SeriesState
from orthanc_plugin.store import reviews, tables, times
from orthanc_plugin.store.reviews import NONE_WRITTEN, UNKNOWN_REQUEST
from orthanc_plugin.store.tables import Document, FoundReport, Series


def from_report(
    session: Session, found: FoundReport, report: ReviewContent, file: bytes, now: datetime
) -> bool:
    """Have a report that is vouched for count; false while the images that it speaks of are not here.

    Args:
        session: of one transaction.
        found: where it lies.
        report: what it says.
        file: its bytes.
        now: when.
    """
    series = session.scalar(
        select(Series).where(
            Series.study_id == found.study_id, Series.series_instance_uid == report.series_instance_uid
        )
    )
    if series is None or (series.state is SeriesState.WITHDRAWN and series.superseded_by is None):
        return False
    row = _known(series, report.review.by.login, report.request_id)
    if row is None:
        row = tables.Review(
            series_id=series.id,
            login=report.review.by.login,
            request_id=report.request_id,
            request_digest=UNKNOWN_REQUEST,
            at=report.review.at,
            urgency=report.review.urgency,
            content=report.review.to_json(),
            rebuilt={
                "images": report.images,
                "case_identity": report.case_identity or "",
                "beside": [str(one) for one in report.beside],
            },
        )
        _add(session, series, row, now)
    if row.report_uid is None and session.get(Document, report.sop_instance_uid) is None:
        row.report_uid = report.sop_instance_uid
        session.add(
            Document(
                sop_instance_uid=report.sop_instance_uid,
                series_id=series.id,
                kind=DocumentKind.REVIEW,
                content=file,
                predecessor_uid=next(iter(report.predecessor_uids), None),
                created_at=report.review.at,
                orthanc_id=found.instance_id,
                sent_at=now,
                withdrawn_at=now if series.state is SeriesState.WITHDRAWN else None,
            )
        )
    if row.rebuilt is not None:
        row.rebuilt = {**row.rebuilt, "reported_before": report.said_before}
    session.flush()
    _keep_order(session, series)
    return True


def from_list(session: Session, series: Series, entries: Iterable[Entry], now: datetime) -> None:
    """Have what the list says of a series count; reports of it that are in Orthanc are found later."""
    for entry in entries:
        if _known(series, entry.review.by.login, entry.request_id) is None:
            row = tables.Review(
                series_id=series.id,
                login=entry.review.by.login,
                request_id=entry.request_id,
                request_digest=entry.request_digest,
                at=entry.at,
                urgency=entry.review.urgency,
                content=entry.review.to_json(),
                rebuilt={
                    "images": entry.images,
                    "case_identity": entry.case_identity,
                    "beside": [str(one) for one in entry.beside],
                    "said_before": entry.said_before,
                },
                report_uid=None if entry.reported else NONE_WRITTEN,
            )
            _add(session, series, row, now)
            _keep_order(session, series)


def seek_waiting(session: Session, series: Series) -> None:
    """The images have come of which reports speak that wait: they are looked at once more."""
    for row in session.scalars(
        select(FoundReport).where(
            FoundReport.study_id == series.study_id,
            FoundReport.series_instance_uid == series.series_instance_uid,
            FoundReport.waits,
        )
    ):
        row.looked_at = None


def _known(series: Series, login: str, request_id: str) -> tables.Review | None:
    return next((r for r in series.reviews if (r.login, r.request_id) == (login, request_id)), None)


def _add(session: Session, series: Series, row: tables.Review, now: datetime) -> None:
    reviews.rebuild(session, series, row, now)
    for other in series.study.series:
        reviews.seen_before(session, other)
    if series.superseded_by is not None:
        newer = session.get_one(Series, series.superseded_by)
        reviews.carry_over(session, series, newer, now)


def _keep_order(session: Session, series: Series) -> None:
    """Readers' words count as they were given, though the clock that gave them their times was set back."""
    named = {(row.login, row.request_id): row.id for row in series.reviews}
    reported = {row.report_uid: row.id for row in series.reviews if row.report_uid}

    def earlier(row: tables.Review) -> list[int | None]:
        known = row.rebuilt or {}
        listed = [named.get((login, request)) for login, request in known.get("said_before", ())]
        return [*listed, *map(reported.get, known.get("reported_before", ()))]

    said = in_order(
        series.reviews, time=lambda row: (row.at, row.id), name=lambda row: row.id, earlier=earlier
    )
    for before, row in pairwise(said):
        if (row.at, row.id) < (before.at, before.id):
            _move(session, row, times.later_than(row.at, before.at))
    session.expire(series, ["reviews"])


def _move(session: Session, row: tables.Review, at: datetime) -> None:
    """Of a review and of its copies under other patients."""
    row.at = at
    for copy in session.scalars(select(tables.Review).where(tables.Review.copy_of == row.id)):
        _move(session, copy, at)
