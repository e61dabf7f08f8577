"""Orthanc's change log to the store: what arrived, what is gone, and a sweep that trusts neither.

Runs inside Orthanc. Its calls hold Orthanc's interpreter lock, so they are few and small; it reads
identifiers and counts, never demographics and never pixels.
"""

import time
from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from headct.language import Phrase
from orthanc_plugin.housekeeping import disk
from orthanc_plugin.intake.contents import Contents, Get, Images, modality
from orthanc_plugin.intake.lineage import Jobs, copied_documents, original
from orthanc_plugin.rounds import Rounds, Troubles, all_of
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store import copies, outbox, positions, queue, withdrawal
from orthanc_plugin.store.clock import ClockWatch
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.queue import Seen
from orthanc_plugin.store.tables import Series
from orthanc_plugin.vouching import found

CHANGES = "changes"
"""Name of the log in the store."""
BATCH = 200
REMEMBERED = 1000
"""Studies whose UID is remembered."""
REPORTS = "SR"
"""Modality of structured reports."""
PAGE = 20
"""Series listed in one call of the sweep; a page of thin-slice series is a few hundred kilobytes."""
PAUSE_SECONDS = 0.5
"""Between two looks at the log while images pour in, and between two pages of the sweep."""
DELETED_SECONDS = 2.0
"""From a deleted image to the sweep, for others are deleted with it."""
STOP_SECONDS = 10.0
POLL_SECONDS = 5.0
"""Looks at the log without being woken: events live in memory only."""


class Arrivals:
    """Follows Orthanc; one instance, one thread."""

    def __init__(self, get: Get, database: Database, settings: Settings, clock: ClockWatch) -> None:
        self._get = get
        self._clock = clock
        self._database = database
        self._settings = settings
        self._contents = Contents(get)
        self._gone: list[str] = []
        self._deleted_images: dict[str, float] = {}
        self._study_uids: dict[str, str] = {}
        self._next_sweep = 0.0
        self.rounds = Rounds("arrivals", self._round, at_least=PAUSE_SECONDS)

    @property
    def trouble(self) -> Phrase | None:
        """What keeps it from its work, while that is so."""
        return self.rounds.trouble

    def wake(self) -> None:
        """Something changed; called from Orthanc's one event thread."""
        self.rounds.wake()

    def deleted(self, series_id: str) -> None:
        """A series was deleted; deletions are not in Orthanc's log."""
        self._gone.append(series_id)
        self.rounds.wake()

    def image_deleted(self, instance_id: str) -> None:
        """An image was deleted, its series is unknown: compare everything soon, unless it comes again."""
        self._deleted_images[instance_id] = time.monotonic()

    def start(self) -> None:
        """Begin to follow."""
        self.rounds.start()

    def stop(self) -> None:
        """End; waits for the transaction at hand."""
        self.rounds.stop(STOP_SECONDS)

    def _round(self) -> float:
        self.step()
        return POLL_SECONDS

    def step(self) -> None:
        """Handle what is new, and sweep when it is time."""
        if disk.is_low(self._settings):
            return  # the log keeps; what waits in it is handled when there is room again
        # Where the log cannot be read on, the sweep still sees what is new.
        all_of(self._handle_new, self._miss_images, self._sweep_in_time)

    def _sweep_in_time(self) -> None:
        if time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + self._settings.sweep_seconds
            try:
                self.sweep()  # images deleted meanwhile ask for the next one
            except Exception:
                self._next_sweep = 0.0
                raise

    def _handle_new(self) -> None:
        self._clock.look()  # before it is written when images came
        all_of(self._read_log, self._handle_deleted)

    def _read_log(self) -> None:
        try:
            while not self.rounds.ended and self.read_changes():
                self.rounds.pause(PAUSE_SECONDS)
        except Exception:
            self._next_sweep = 0.0  # until it can be read on, what is new is seen by comparing alone
            raise

    def read_changes(self) -> bool:
        """Handle one batch of the log; true when there is more."""
        with self._database.reading() as session:
            since = positions.position(session, CHANGES)
        answer = self._get(f"/changes?since={since}&limit={BATCH}")
        changes, last = answer["Changes"], int(answer["Last"])
        if not changes and since and (newest := int(self._get("/changes?last")["Last"])) < since:
            # The newest series was deleted, and the log's end with it; or Orthanc's index was made anew and
            # its log begins again. To read it again would have all in it judged again: the sweep sees what
            # differs.
            self._next_sweep, last = 0.0, newest
        if not changes and last >= since:
            return False
        touched, stored = self._touched_series(changes)
        recoloured = [c["ID"] for c in changes if c["ChangeType"] == "UpdatedMetadata"]
        now, jobs = queue.utcnow(), Jobs(self._get)
        with self._database.writing() as session:
            for series_id, answer_series in touched.items():
                copied = copied_documents(self._get, answer_series, jobs)
                copies.found(session, copied, now)
                if not copied and modality(answer_series) == REPORTS:
                    found.note(session, answer_series["ParentStudy"], answer_series["Instances"], now)
                images = self._contents.images(answer_series)
                if images is None:
                    withdrawal.withdraw(session, series_id, now)
                    continue
                seen = self._seen(answer_series, images, stored.get(series_id), jobs)
                if seen is not None:
                    queue.arrive(session, seen, now, self._settings)
            if recoloured:
                of_series = session.scalars(
                    select(Series.id).where(Series.id.in_(recoloured) | Series.study_id.in_(recoloured))
                ).all()
                outbox.want_publication(session, of_series, now)
            positions.set_position(session, CHANGES, last)
        return bool(changes) and not answer["Done"]

    def sweep(self) -> None:
        """Compare Orthanc's series with the store's: add, withdraw, or have judged again.

        Over those of years that takes half an hour, in which what comes is handled as ever.
        """
        listed, troubles = set[str](), Troubles()
        with self._database.reading() as session:
            known = {
                row.id: row
                for row in session.execute(select(Series.id, Series.state, Series.instance_count)).all()
            }
        shown = {i for i, row in known.items() if row.state is not SeriesState.WITHDRAWN}
        offset = 0
        while not self.rounds.ended:
            page = self._get(f"/series?since={offset}&limit={PAGE}&expand")
            offset += len(page)
            changed = {}
            for answer in page:
                listed.add(answer["ID"])
                row = known.get(answer["ID"])
                if (
                    row is None
                    or row.state is SeriesState.WITHDRAWN
                    or (len(answer["Instances"]) != row.instance_count)
                ):
                    changed[answer["ID"]] = answer
            self._arrive_swept(changed, shown, troubles)
            with troubles.kept(but=OperationalError):
                self._find_reports(a for a in page if modality(a) == REPORTS and original(a) is None)
            if len(page) < PAGE:
                break
            self.rounds.pause(PAUSE_SECONDS)
            with troubles.kept(but=OperationalError):
                self._handle_new()
        else:
            return
        self._withdraw_if_gone(shown - listed)
        troubles.raise_first()

    def _find_reports(self, series: Iterable[dict[str, Any]]) -> None:
        """Reports that the store does not know may be reviews given before it was lost."""
        for answer in series:
            with self._database.reading() as session:
                new = found.unknown(session, answer["Instances"])
            if new:
                with self._database.writing() as session:
                    found.note(session, answer["ParentStudy"], new, queue.utcnow())

    def _arrive_swept(self, changed: dict[str, Any], shown: Collection[str], troubles: Troubles) -> None:
        now, jobs = queue.utcnow(), Jobs(self._get)
        for series_id, answer in changed.items():
            with troubles.kept(but=OperationalError):
                self._arrive_one(series_id, answer, jobs, now, shown=series_id in shown)

    def _arrive_one(
        self, series_id: str, answer: dict[str, Any], jobs: Jobs, now: datetime, *, shown: bool
    ) -> None:
        images = self._contents.images(answer)
        if images is None:
            if shown:  # those it had were deleted
                with self._database.writing() as session:
                    withdrawal.withdraw(session, series_id, now)
            return
        seen = self._seen(answer, images, _time(answer.get("LastUpdate", "")), jobs)
        if seen is None:
            return
        with self._database.writing() as session:
            row = session.get(Series, series_id)
            # The same series under a corrected patient stays superseded while nothing is added to it.
            if row is not None and row.superseded_by and row.instance_count == seen.instance_count:
                return
            if (
                row is None
                or row.state is SeriesState.WITHDRAWN
                or (row.instance_count != seen.instance_count)
            ):
                queue.arrive(session, seen, now, self._settings)

    def _miss_images(self) -> None:
        """Sweep when an image stays away; one that was replaced is deleted first and is in the log as new."""
        since = min(self._deleted_images.copy().values(), default=None)
        if since is not None and time.monotonic() >= since + DELETED_SECONDS:
            self._deleted_images.clear()
            self._next_sweep = 0.0

    def _handle_deleted(self) -> None:
        while self._gone:  # to which Orthanc's event thread adds at any moment
            self._withdraw_if_gone(self._gone[:1])
            del self._gone[0]

    def _withdraw_if_gone(self, series_ids: Iterable[str]) -> None:
        for series_id in series_ids:
            if self._get(f"/series/{series_id}") is None:
                with self._database.writing() as session:
                    withdrawal.withdraw(session, series_id, queue.utcnow())

    def _touched_series(self, changes: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, datetime]]:
        """Series with new images, as Orthanc lists them now, and when their first image was stored."""
        touched: dict[str, Any] = {}
        stored: dict[str, datetime] = {}
        in_series: dict[str, str] = {}

        def look_at(series_id: str) -> None:
            if series_id not in touched:
                answer = self._get(f"/series/{series_id}")
                if answer is not None:
                    touched[series_id] = answer
                    in_series.update(dict.fromkeys(answer["Instances"], series_id))

        new = [c for c in changes if c["ChangeType"] == "NewSeries"]
        for change in new:
            look_at(change["ID"])
        for change in changes:
            if change["ChangeType"] != "NewInstance":
                continue
            self._deleted_images.pop(change["ID"], None)
            if change["ID"] not in in_series:
                instance = self._get(f"/instances/{change['ID']}")
                if instance is None:
                    continue
                look_at(instance["ParentSeries"])
            series_id = in_series.get(change["ID"])
            when = _time(change["Date"])
            if series_id is not None and when is not None:
                stored[series_id] = min(when, stored.get(series_id, when))
        return touched, stored

    def _seen(
        self, answer: dict[str, Any], images: Images, stored: datetime | None, jobs: Jobs
    ) -> Seen | None:
        study_uid = self._study_uid(answer["ParentStudy"])
        if study_uid is None:
            return None
        return Seen(
            series_id=answer["ID"],
            study_id=answer["ParentStudy"],
            series_instance_uid=answer["MainDicomTags"].get("SeriesInstanceUID", ""),
            study_instance_uid=study_uid,
            modality=images.modality,
            instance_count=len(answer["Instances"]),
            first_stored=stored,
            uploaded=images.uploaded,
            copied_from=original(answer),
            anonymised="AnonymizedFrom" in answer,
            joined=images.uploaded and original(answer) is None and jobs.joined(answer["ParentStudy"]),
        )

    def _study_uid(self, study_id: str) -> str | None:
        if study_id not in self._study_uids:
            study = self._get(f"/studies/{study_id}")
            if study is None:
                return None
            if len(self._study_uids) >= REMEMBERED:
                self._study_uids.clear()
            self._study_uids[study_id] = study["MainDicomTags"].get("StudyInstanceUID", "")
        return self._study_uids[study_id]


def _time(text: str) -> datetime | None:
    """Orthanc's times are UTC, ``YYYYMMDDTHHMMSS``."""
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
