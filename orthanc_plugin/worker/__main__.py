"""The judging process: claims series, judges, records, publishes, renders previews.

Started as ``python -m orthanc_plugin.worker`` by the supervisor, which writes one line of JSON to its
standard input and keeps that pipe open. The worker ends when the pipe closes or Orthanc refuses its token.
"""

import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from sqlalchemy.exc import OperationalError

from headct.errors import HeadCTError, NotAnalysedError, ReportError
from headct.images.reading import load_series
from headct.images.series import CTSeries, DicomSource
from headct.reasons import Reason, ReasonCode
from headct.terms.assessment import Outcome, State
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import (
    disk,
    model_history,
    outbox,
    queue,
    results,
    review_documents,
    shadow,
    withdrawal,
)
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.preview_files import Folder
from orthanc_plugin.store.queue import Claim
from orthanc_plugin.store.tables import Document, Series
from orthanc_plugin.worker import judging, previews
from orthanc_plugin.worker.judging import Completeness
from orthanc_plugin.worker.orthanc_client import OrthancClient, OrthancError, TokenError
from orthanc_plugin.worker.publishing import Publisher
from orthanc_plugin.worker.serving import Serving

log = logging.getLogger("orthanc_plugin.worker")

IDLE_SECONDS = 0.2
ERROR_SECONDS = 2.0
FETCH_THREADS = 4
SPOOL_FROM = 150
"""Images from which on a series is kept on disk while it is judged, not in memory."""
SHADOW_SECONDS = 2.0
"""Between two looks for something that a model in shadow may judge, while there is nothing."""
CHECKS_AT_ONCE = 5
HOUSEKEEPING_SECONDS = 600.0
FAILED, NO_TOKEN, TOO_LONG = 3, 4, 5
"""Exit statuses."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A series' files, as bytes or on disk."""

    sources: Sequence[DicomSource]
    folder: Path | None = None

    def remove(self) -> None:
        """Delete what lies on disk."""
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)


class Worker:
    """Does the work, one series after the other."""

    def __init__(
        self, name: str, client: OrthancClient, database: Database, settings: Settings, serving: Serving
    ) -> None:
        self._name = name
        self._client = client
        self._database = database
        self._settings = settings
        self._serving = serving
        self._publisher = Publisher(client, database, settings)
        self._last: tuple[str, int, CTSeries] | None = None
        """The series read last, for its previews."""
        self._next_housekeeping = 0.0
        self._next_shadow = 0.0
        self.claim: Claim | None = None
        """What is in hand."""
        self.busy_since: float | None = None
        """When the judging of a series began, for the model in service or the one in shadow."""

    def run(self, stopped: threading.Event) -> None:
        """Work until stopped.

        Raises
        ------
        TokenError
            Orthanc was restarted; its new supervisor starts new workers.
        """
        while not stopped.is_set():
            try:
                busy = self.step()
            except TokenError:
                raise
            except (OrthancError, OperationalError, OSError) as error:
                log.warning("%s", type(error).__name__)
                if self.claim is not None and self._is_refused(error):
                    reason = Reason(ReasonCode.UNREADABLE, "Orthanc does not give its files")
                    with self._database.writing() as session:
                        queue.record_failure(session, self.claim, reason, queue.utcnow(), self._settings)
                    self.claim = self.busy_since = None
                # Else Orthanc or the disk is in trouble, not the series: give it back and try again.
                self._release()
                stopped.wait(ERROR_SECONDS)
            else:
                if not busy:
                    stopped.wait(IDLE_SECONDS)

    def step(self) -> bool:
        """The most urgent piece of work; false when there was none."""
        if disk.is_low(self._settings):
            return False
        return (
            self._publisher.publish_next()
            or self._judge_next()
            or self._report_next_review()
            or self._render_next()
            or self._publisher.forward_next()
            or self._repeat_next()
            or self._check_some()
        )

    def _judge_next(self) -> bool:
        with self._database.writing() as session:
            # In one transaction: what is claimed after a change of the model is judged by the new one.
            changed = model_history.active(session) != self._serving.digest
            claim = None if changed else queue.claim(session, self._name, queue.utcnow(), self._settings)
        if changed:
            self._serving.follow()
            return True
        if claim is None:
            return False
        self.busy_since = time.monotonic()
        self.claim = claim
        fetched = self._fetch(claim)
        if fetched is not None:
            try:
                self._judge(claim, fetched)
            except (OrthancError, OperationalError, OSError):
                raise
            except Exception as error:  # this series is at fault, the next one goes on
                log.warning("judging failed: %s", type(error).__name__)
                reason = Reason(ReasonCode.INTERNAL_ERROR, type(error).__name__)
                with self._database.writing() as session:
                    queue.record_failure(session, claim, reason, queue.utcnow(), self._settings)
            finally:
                fetched.remove()
        self.claim = self.busy_since = None
        return True

    def _repeat_next(self) -> bool:
        """Have the model in shadow judge what was judged, once nobody waits for anything."""
        if time.monotonic() < self._next_shadow:
            return False
        with self._database.reading() as session:
            due_at_all = shadow.is_due(session)
        if not due_at_all:
            self._next_shadow = time.monotonic() + SHADOW_SECONDS
            return False
        with self._database.writing() as session:
            due = shadow.claim(session, self._name, queue.utcnow())
        if due is None:
            return False
        self.busy_since = time.monotonic()
        try:
            outcome = self._repeat(due)
        except (OrthancError, OSError):
            with self._database.writing() as session:
                shadow.give_back(session, due)
            raise
        with self._database.writing() as session:
            if outcome is None:
                shadow.give_back(session, due)
            else:
                shadow.record(session, due, outcome, queue.utcnow())
        self.busy_since = None
        return True

    def _repeat(self, due: shadow.Due) -> Outcome | None:
        """What the model in shadow says; ``None`` when it cannot be loaded."""
        classifier = self._serving.shadow(due.digest)
        if classifier is None:
            return None
        fetched = self._files(self._client.instances(due.series_id) or ()) or Fetched(())
        try:
            return judging.look(fetched.sources, classifier, given_up=True).outcome
        finally:
            fetched.remove()

    def _judge(self, claim: Claim, fetched: Fetched) -> None:
        settings = self._settings
        given_up = claim.quiet_seconds >= settings.long_quiet_seconds
        found = judging.look(fetched.sources, self._serving.classifier, given_up=given_up)
        outcome, now = found.outcome, queue.utcnow()
        description = judging.describe(fetched.sources, settings, now)
        slices = len(found.series.sop_instance_uids) if found.series is not None else 0
        self._last = (claim.series_id, claim.generation, found.series) if found.series is not None else None
        if found.completeness is Completeness.INCOMPLETE:
            with self._database.writing() as session:
                results.record_waiting(
                    session, claim, description, now, settings, judged=outcome.assessment is not None
                )
        elif outcome.assessment is not None and description is not None:
            judgement = judging.judgement(
                found,
                outcome.assessment,
                description,
                predecessor=lambda uid: self._predecessor(claim.series_id, uid),
                settings=settings,
                sent_at=datetime.now().astimezone(),
            )
            with self._database.writing() as session:
                results.record_assessed(session, claim, judgement, queue.utcnow(), settings)
        elif outcome.reason is not None:
            with self._database.writing() as session:
                if outcome.state is State.FAILED:
                    queue.record_failure(session, claim, outcome.reason, now, settings)
                else:
                    results.record_not_analysed(
                        session, claim, outcome.reason, description, now, slices=slices
                    )

    def _predecessor(self, series_id: str, uid: str) -> bytes | None:
        with self._database.reading() as session:
            earlier = results.last_structured_report(session, series_id, uid)
            return session.get_one(Document, earlier).content if earlier is not None else None

    def _report_next_review(self) -> bool:
        with self._database.reading() as session:
            due = review_documents.next_due(session)
        if due is None:
            return False
        try:
            report = review_documents.write(
                due,
                lambda: self._headers(due.series_id),
                datetime.now().astimezone(),
                self._settings.report_language,
            )
            with self._database.writing() as session:
                review_documents.record(session, due, report, queue.utcnow())
        except Exception as error:  # the review stands; what is behind it in the queue goes on
            if isinstance(error, OperationalError | OSError | OrthancError) and not self._is_refused(error):
                raise
            why = str(error) if isinstance(error, ReportError) else type(error).__name__
            log.warning("no report could be written of a review: %s", why)
            with self._database.writing() as session:
                review_documents.give_up(session, due, why, queue.utcnow())
        return True

    def _is_refused(self, error: Exception) -> bool:
        """Whether Orthanc is well and cannot give just these files, as when one is damaged on its disk."""
        return isinstance(error, OrthancError) and self._client.is_well()

    def _headers(self, series_id: str) -> list[Dataset]:
        """Of all images of a series that Orthanc has."""
        fetched = self._files(self._client.instances(series_id) or ())
        if fetched is None:
            raise ReportError("the series is too large to be read")
        try:
            found = (judging.first_header([source]) for source in fetched.sources)
            return [header for header in found if header is not None]
        finally:
            fetched.remove()

    def _fetch(self, claim: Claim) -> Fetched | None:
        """All files of the claimed series; ``None`` when its fate was decided without them."""
        instances = self._client.instances(claim.series_id)
        if not instances:
            with self._database.writing() as session:
                withdrawal.withdraw(session, claim.series_id, queue.utcnow())
            return None
        if claim.modality not in {"", "CT"}:
            instances = instances[:1]  # says what it is; a thousand MR images need not be moved for that
        fetched = self._files(instances)
        if fetched is None:
            detail = f"more than {self._settings.max_series_megabytes} MB"
            with self._database.writing() as session:
                results.record_not_analysed(
                    session, claim, Reason(ReasonCode.UNREADABLE, detail), None, queue.utcnow()
                )
        return fetched

    def _files(self, instances: Sequence[str]) -> Fetched | None:
        folder = None
        if len(instances) > SPOOL_FROM:
            folder = Path(tempfile.mkdtemp(prefix="series-", dir=work_folder(self._settings)))
        sources: list[DicomSource] = []
        total = 0
        try:
            with ThreadPoolExecutor(FETCH_THREADS) as pool:
                step = 4 * FETCH_THREADS  # in groups, so that only a few files are in memory at once
                for start in range(0, len(instances), step):
                    for data in pool.map(self._client.file, instances[start : start + step]):
                        if data is None:
                            continue  # deleted meanwhile: the series will be looked at again
                        total += len(data)
                        if total > self._settings.max_series_megabytes * 2**20:
                            Fetched((), folder).remove()
                            return None
                        sources.append(_kept(data, folder, len(sources)))
        except BaseException:
            Fetched((), folder).remove()
            raise
        return Fetched(sources, folder)

    def _render_next(self) -> bool:
        with self._database.reading() as session:
            due = outbox.preview_due(session)
            if due is None:
                return False
            series_id, generation = due
            current = session.get_one(Series, series_id).current
        if self._settings.previews:
            keys = [k["number"] for k in current.content["key_slices"]] if current is not None else []
            try:
                self._render(series_id, generation, keys)
            except Exception as error:  # the page does without them
                if isinstance(error, OrthancError | OSError) and not self._is_refused(error):
                    raise
                log.warning("rendering failed: %s", type(error).__name__)
        with self._database.writing() as session:
            outbox.previews_done(session, series_id, generation)
        return True

    def _render(self, series_id: str, generation: int, first: Sequence[int]) -> None:
        series = self._read(series_id, generation)
        if series is not None:
            folder = Folder.of(self._settings.previews_folder, series_id)
            previews.render(series, folder, first)

    def _read(self, series_id: str, generation: int) -> CTSeries | None:
        if self._last is not None and self._last[:2] == (series_id, generation):
            return self._last[2]
        instances = self._client.instances(series_id)
        fetched = self._files(instances) if instances else None
        if fetched is None:
            return None
        try:
            return load_series(fetched.sources)
        except NotAnalysedError:
            return None  # images changed since; it will be judged again, and rendered then
        finally:
            fetched.remove()

    def _check_some(self) -> bool:
        """Nothing else to do: compare some series with what Orthanc shows, and tidy up."""
        now = queue.utcnow()
        with self._database.writing() as session:
            outbox.want_checks(
                session, now - timedelta(seconds=self._settings.sweep_seconds), now, CHECKS_AT_ONCE
            )
        if time.monotonic() > self._next_housekeeping:
            self._next_housekeeping = time.monotonic() + HOUSEKEEPING_SECONDS
            disk.remove_old_previews(self._database, self._settings)
        return False

    def _release(self) -> None:
        claim, self.claim, self.busy_since = self.claim, None, None
        if claim is not None:
            give_back(self._database, claim)


def give_back(database: Database, claim: Claim) -> None:
    """Let another worker have the series, if the store can be told; else its lease will end."""
    try:
        with database.writing() as session:
            queue.release(session, claim, queue.utcnow())
    except OperationalError as error:
        log.warning("not released: %s", type(error).__name__)


def _kept(data: bytes, folder: Path | None, number: int) -> DicomSource:
    if folder is None:
        return data
    path = folder / f"{number:05d}.dcm"
    path.write_bytes(data)
    return path


def work_folder(settings: Settings) -> Path:
    """Where large series lie while they are judged."""
    folder = settings.storage / "work"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def heartbeat(worker: Worker, name: str, database: Database, settings: Settings) -> None:
    """Renew the lease for as long as a series may take, then end the process: a hung one helps nobody."""
    while True:
        time.sleep(min(5.0, settings.lease_seconds / 4))
        claim, since = worker.claim, worker.busy_since
        if since is not None and time.monotonic() - since > settings.series_limit_seconds:
            log.error("a series took longer than %g s", settings.series_limit_seconds)
            os._exit(TOO_LONG)
        try:
            with database.writing() as session:
                queue.sign_of_life(session, name, queue.utcnow())
                if claim is not None:
                    queue.renew(session, claim, queue.utcnow(), settings)
        except OperationalError as error:
            log.warning("no sign of life: %s", type(error).__name__)


def follow_pipe(worker: Worker, database: Database) -> None:
    """End with Orthanc, however it ended."""
    while sys.stdin.buffer.read(4096):
        pass
    claim = worker.claim
    if claim is not None:
        give_back(database, claim)
    os._exit(0)


def main() -> int:
    """Read the greeting and work; the exit status. Why it could not is said on standard output."""
    # Warnings alone of the libraries: some log what they copy from the patient's headers.
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for Orthanc, whose end we follow
    try:
        greeting = json.loads(sys.stdin.buffer.readline())
        _work(greeting, Settings.model_validate(greeting["settings"]))
    except TokenError:
        log.warning("Orthanc refuses the token")
        return NO_TOKEN
    except HeadCTError as error:
        print(error, flush=True)
        return FAILED
    except Exception as error:
        print(type(error).__name__, flush=True)
        # Frames alone: a message may quote a header, which names a patient.
        log.warning("%s at %s", type(error).__name__, traceback.extract_tb(error.__traceback__)[-1])
        return FAILED
    return 0


def _work(greeting: dict[str, Any], settings: Settings) -> None:
    os.nice(settings.worker_niceness)
    name = str(greeting["name"])
    database = Database(settings.database_url)
    with database.writing() as session:
        queue.sign_of_life(session, name, queue.utcnow())
    serving = Serving(name, database, settings)
    with OrthancClient(str(greeting["url"]), str(greeting["token"])) as client:
        worker = Worker(name, client, database, settings, serving)
        for target, arguments in (
            (heartbeat, (worker, name, database, settings)),
            (follow_pipe, (worker, database)),
        ):
            threading.Thread(target=target, args=arguments, daemon=True).start()
        try:
            worker.run(threading.Event())
        finally:
            if worker.claim is not None:
                give_back(database, worker.claim)


if __name__ == "__main__":
    sys.exit(main())
