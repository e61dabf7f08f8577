"""What the tests of the store put into it."""

import atexit
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from sqlalchemy.orm import Session

from headct.reasons import Reason, ReasonCode
from headct.terms.assessment import Assessment, BundleIdentity, KeySlice, Timings, Unsure
from headct.terms.demographics import Demographics
from headct.terms.urgency import Urgency
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import DocumentKind, SeriesState
from orthanc_plugin.store import queue, results
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.queue import Claim, Seen
from orthanc_plugin.store.results import Description, Judgement, NewDocument
from orthanc_plugin.store.tables import Series

START = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)

NOT_COVERED = Reason(ReasonCode.HEAD_NOT_COVERED)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def settings(folder: Path, **changes: object) -> Settings:
    values: dict[str, object] = {"storage": folder, "quiet_seconds": 2, "long_quiet_seconds": 60}
    return Settings.model_validate({**values, **changes})


MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""For stores of thousands of small transactions: a disk would spend its time on flushing them."""


@cache
def _empty_store() -> Database:
    """Migrated once a process."""
    folder = Path(tempfile.mkdtemp(prefix="triage-template-", dir=MEMORY))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    database = Database(f"sqlite:///{folder / 'triage.sqlite'}")
    database.migrate()
    database.close()
    return database


def open_store(folder: Path) -> Database:
    """A new store that is still empty, in a folder that is there."""
    return open_another(shutil.copy(str(_empty_store().engine.url.database), folder))


def open_another(file: str | Path) -> Database:
    """A migrated store that is there; no statement is compiled again that another store of ours compiled.

    Where little is asked it takes as long as all else, and each engine would do it for itself.
    """
    database, first = Database(f"sqlite:///{file}"), _empty_store().engine
    for engine in (database.engine, database._writer):
        engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache
    return database


def seen(series: str = "s1", study: str = "st1", count: int = 33, **changes: object) -> Seen:
    values: dict[str, object] = {
        "series_id": series,
        "study_id": study,
        "series_instance_uid": f"1.2.{series}",
        "study_instance_uid": f"1.3.{study}",
        "modality": "CT",
        "instance_count": count,
    }
    return Seen(**{**values, **changes})  # type: ignore[arg-type]


def assessment(urgency: Urgency = Urgency.RED, bundle: str = "b" * 64, *, unsure: bool = False) -> Assessment:
    return Assessment(
        urgency=urgency,
        alert_probability=0.9,
        haemorrhage_probability=0.95,
        findings=(),
        key_slices=(KeySlice(3, "1.2.3.4"),),
        bundle=BundleIdentity("net", "1.0", "2.25.1", bundle),
        rubric_version="1",
        doubts=(Unsure.DIVIDED,) if unsure else (),
        timings=Timings(read=0.5),
    )


def judgement(
    urgency: Urgency = Urgency.RED,
    images: str = "all",
    *,
    preliminary: bool = False,
    bundle: str = "b" * 64,
    series: str = "s1",
    pixels: str | None = None,
    drawn: bool = False,
    unsure: bool = False,
) -> Judgement:
    """As the worker makes it: documents named by what was judged and by whom, none while preliminary.

    ``drawn``: in the annotation profile, with a bleed.
    """
    uid = f"2.25.{abs(hash((series, images, bundle))) % 10**12}"
    kinds = () if preliminary else (DocumentKind.STRUCTURED_REPORT, DocumentKind.KEY_OBJECTS)
    if drawn and kinds:
        kinds = (*kinds, DocumentKind.SEGMENTATION)
    return Judgement(
        assessment=assessment(urgency, bundle, unsure=unsure),
        case_identity=f"{series}/{images}",
        pixel_digest=pixels or images,
        preliminary=preliminary,
        description=Description(Demographics("P1", "Yamada^Tarou", study_date="20260301")),
        documents=tuple(NewDocument(f"{uid}.{n}", kind, b"%d" % n) for n, kind in enumerate(kinds, start=1)),
        slices=33,
    )


def owner_of(claim: Claim | None) -> str:
    assert claim is not None
    return claim.series_id


def claimed(session: Session, options: Settings, at: float, owner: str = "w") -> Claim:
    claim = queue.claim(session, owner, after(at), options)
    assert claim is not None
    return claim


def state(session: Session, series: str = "s1") -> SeriesState:
    return session.get_one(Series, series).state


def arrive_and_judge(
    session: Session, options: Settings, at: float = 0.0, urgency: Urgency = Urgency.RED, images: str = "all"
) -> None:
    queue.arrive(session, seen(), after(at), options)
    claim = claimed(session, options, at + 3)
    assert results.record_assessed(session, claim, judgement(urgency, images), after(at + 4), options)
