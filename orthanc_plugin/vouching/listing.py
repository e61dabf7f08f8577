"""The list of reviews beside the key: whatever the store knows stands in it a moment later, sealed."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from headct.reports import review_report, vouching
from headct.reports.review_meaning import Beside, ReviewContent
from headct.reports.seals import KeyRing
from headct.reports.vouching import Entry, Named, Vouching, digest
from headct.terms.review import Review, in_order
from orthanc_plugin.store import reviews, tables
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.reviews import NONE_WRITTEN
from orthanc_plugin.store.tables import Document

AT_ONCE = 20
"""Reviews of one step, so that years of them keep nothing more urgent waiting when they are listed first."""


class ReviewList:
    """The list as one process knows it; several may write it."""

    def __init__(self, file: Path, ring: KeyRing) -> None:
        self._file = file
        self._ring = ring
        self._read_to = 0
        self._places: dict[str, list[int]] = {}
        self._listed: set[tuple[str, str, str]] = set()
        self._digests: dict[str, str] = {}
        self._due: list[int] = []
        self._last: int | None = None

    def of_series(self, series_id: str) -> list[Entry]:
        """What the list says of a series, in the order in which it was said."""
        self._read_on()
        found = (vouching.entry_at(self._file, at, self._ring) for at in self._places.get(series_id, ()))
        return in_order(
            (entry for entry in found if entry is not None),
            time=lambda entry: (entry.at, entry.request_id),
            name=lambda entry: entry.named,
            earlier=lambda entry: entry.said_before,
        )

    @property
    def vouching(self) -> Vouching:
        """What the keys and this list vouch for."""
        self._read_on()
        return Vouching(self._ring, self._digests)

    def add_some(self, database: Database) -> bool:
        """List some reviews that are not in it yet; false when there are none.

        What was listed under keys that are gone is listed again: the store still vouches for it.
        """
        with database.reading() as session:
            due = self._unlisted(session)[:AT_ONCE]
            entries = [_entry(session, session.get_one(tables.Review, one), self._ring) for one in due]
        if not entries:
            return False
        with self._alone():
            self._read_on()  # another worker may have been first
            lines = [entry.line(self._ring) for entry in entries if entry.key not in self._listed]
            if lines:
                vouching.add(self._file, "".join(lines))
            self._read_on()
        del self._due[: len(entries)]
        return True

    def _unlisted(self, session: Session) -> list[int]:
        """Reviews that the list may not have, the oldest first; all are compared once, then new ones."""
        if self._last is None:
            self._read_on()
        row = tables.Review
        wanted = select(row.id, row.series_id, row.login, row.request_id).where(row.id > (self._last or 0))
        for one, *key in session.execute(wanted.order_by(row.id)):
            self._last = one
            if tuple(key) not in self._listed:
                self._due.append(one)
        self._last = self._last or 0
        return self._due

    def _read_on(self) -> None:
        for begin, end, entry in vouching.entries(self._file, self._ring, self._read_to):
            self._read_to = end
            if entry is not None and entry.key not in self._listed:
                self._listed.add(entry.key)
                self._places.setdefault(entry.series_id, []).append(begin)
                if entry.report:
                    self._digests[entry.report] = entry.report_digest

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process writes the list meanwhile."""
        with self._file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _entry(session: Session, row: tables.Review, ring: KeyRing) -> Entry:
    """A review as it stands in the list."""
    document = session.get(Document, row.report_uid) if row.report_uid else None
    report = review_report.read(document.content) if document is not None else None
    sealed = report is None or Vouching(ring).doubt(report) is None
    had = row.rebuilt or _had_before_them(row, report)
    return Entry(
        series_id=row.series_id,
        series_instance_uid=row.series.series_instance_uid,
        study_instance_uid=row.series.study.study_instance_uid,
        review=Review.from_json(row.content),
        at=row.at,
        request_id=row.request_id,
        request_digest=row.request_digest,
        images=had["images"],
        case_identity=had["case_identity"],
        beside=tuple(map(Beside.parse, had["beside"])),
        said_before=_said_before(row),
        report="" if sealed or report is None else report.sop_instance_uid,
        report_digest="" if sealed or report is None else digest(report),
        reported=row.report_uid != NONE_WRITTEN,
    )


def _said_before(row: tables.Review) -> tuple[Named, ...]:
    """The last words that readers had said of the series before: as the list had it, else as they stand."""
    if row.rebuilt is not None and "said_before" in row.rebuilt:
        return tuple((login, request_id) for login, request_id in row.rebuilt["said_before"])
    return tuple({other.login: other.request_id for other in reviews.before(row)}.items())


def _had_before_them(row: tables.Review, report: ReviewContent | None) -> dict[str, Any]:
    """What a reader had before them, as :attr:`tables.Review.rebuilt` has it."""
    series = row.series
    if report is not None:
        images, identity = report.images, report.case_identity or ""
    elif row.assessment is not None:
        images, identity = series.instance_count, row.assessment.case_identity
    elif row.original is not None and series.assessments:
        images, identity = series.instance_count, series.assessments[0].case_identity
    else:
        images, identity = 0 if series.last_arrival > row.at else series.instance_count, ""
    return {
        "images": images,
        "case_identity": identity,
        "beside": [str(one) for one in reviews.beside(row.first)],
    }
