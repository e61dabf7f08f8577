"""The loop: the most urgent piece of work first, one series after the other."""

import gc
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.exc import OperationalError, SQLAlchemyError

from headct.errors import HeadCTError
from headct.images.sop_classes import CT_IMAGE
from headct.language import pgettext
from headct.memory import ran_out
from headct.reasons import Reason, ReasonCode
from headct.safe_log import failure
from headct.terms.assessment import Assessment, State
from orthanc_plugin.housekeeping import aged_documents, disk, work_folders
from orthanc_plugin.rounds import all_of, back_off
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import imports, model_history, outbox, queue, results, withdrawal
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.queue import Claim
from orthanc_plugin.store.results import Description, Judgement
from orthanc_plugin.store.tables import Document
from orthanc_plugin.worker import copies, judging
from orthanc_plugin.worker.fetching import Fetched, digest, fetch
from orthanc_plugin.worker.in_hand import InHand
from orthanc_plugin.worker.judging import Completeness, Look
from orthanc_plugin.worker.orthanc_client import OrthancClient, OrthancError, TokenError
from orthanc_plugin.worker.publishing import Publisher
from orthanc_plugin.worker.rendering import Renderer
from orthanc_plugin.worker.reporting import report_next
from orthanc_plugin.worker.serving import Serving
from orthanc_plugin.worker.shadowing import Shadowing
from orthanc_plugin.worker.summing import sum_next
from orthanc_plugin.worker.verifying import Verifier

log = logging.getLogger(__name__)

IDLE_SECONDS = 0.2
RESTING_SECONDS = 1.0
"""Between two looks for work while no series waits and nothing is written: all that then comes due was put
off, and for longer than that."""
CHECKED_A_SWEEP = 300
"""Series at most that are compared with Orthanc in the time of a sweep, the longest unseen first: what that
costs Orthanc does not grow with what it has. A hospital of years comes round in a day."""
HOUSEKEEPING_SECONDS = 600.0
STEP_SECONDS = 1.0
"""Between two steps of what takes many."""


@dataclass(slots=True)
class _Duty:
    """A kind of work; the more urgent ones come first."""

    work: Callable[[], bool]
    """Does a piece of it; false when there was none."""
    failed: int = 0
    """How often in a row."""
    rests_until: float = 0.0


class OutOfMemoryError(HeadCTError):
    """A series needed more memory than this process may take, and was put down; another had better go on."""


class Worker:
    """Does the work."""

    def __init__(
        self, name: str, client: OrthancClient, database: Database, settings: Settings, serving: Serving
    ) -> None:
        self._name = name
        self._client = client
        self._database = database
        self._settings = settings
        self._serving = serving
        self._publisher = Publisher(client, database, settings)
        self._renderer = Renderer(name, client, database, settings)
        self._verifier = Verifier(client, database, settings)
        self._shadowing = Shadowing(name, client, database, settings, serving)
        self._next_check = self._next_housekeeping = 0.0
        self._out_of_memory = False
        self._anything_waits = True
        self.in_hand = InHand()
        self._duties = (
            _Duty(self._publisher.publish_next),
            _Duty(self._judge_next),
            _Duty(lambda: copies.compare_next(client, database, settings)),
            _Duty(lambda: copies.withdraw_next(client, database)),
            _Duty(self._verifier.look_next),
            _Duty(lambda: report_next(client, database, settings, self._verifier.keys.ring)),
            _Duty(self._verifier.list_next),
            _Duty(self._renderer.render_next),
            _Duty(lambda: sum_next(database)),
            _Duty(self._shadowing.repeat_next),
            _Duty(self._check_some),
        )
        self._tidying = _Duty(self._tidy_up)

    def run(self, stopped: threading.Event) -> None:
        """Work until stopped.

        Raises:
            TokenError: Orthanc was restarted; its new supervisor starts new workers.
            OutOfMemoryError: this process is to be replaced.
        """
        while not stopped.is_set():
            before = self._database.version()
            if not self.step():
                self._rest(stopped, before)

    def _rest(self, stopped: threading.Event, before: int | None) -> None:
        """Until there may be work: whether anybody wrote is asked for a thousandth of what a look costs."""
        stopped.wait(IDLE_SECONDS)
        if before is None or self._anything_waits:
            return
        until = time.monotonic() + RESTING_SECONDS - IDLE_SECONDS
        while time.monotonic() < until and self._database.version() == before and not stopped.is_set():
            stopped.wait(IDLE_SECONDS)

    def step(self) -> bool:
        """The most urgent piece of work; false when there was none, or none that could be done."""
        if disk.is_low(self._settings):
            return self._done(self._tidying)  # may make room
        return any(self._done(duty) for duty in self._duties) or self._done(self._tidying)

    def _done(self, duty: "_Duty") -> bool:
        """Do such a piece of work; where it fails, the other kinds go on and this one rests."""
        if time.monotonic() < duty.rests_until:
            return False
        self.in_hand.take()
        try:
            busy = duty.work()
        except (TokenError, OutOfMemoryError):
            raise
        except Exception as error:
            duty.failed += 1
            duty.rests_until = time.monotonic() + back_off(duty.failed)
            self._trouble(error)
            return False
        duty.failed = 0
        self.in_hand.put_down()
        return busy

    def _trouble(self, error: Exception) -> None:
        """Something failed that is not known to be the fault of the series in hand."""
        about = isinstance(error, OrthancError | OperationalError | OSError)
        what = "trouble with Orthanc, the store or the disk" if about else "trouble of another kind"
        log.warning("%s: %s", what, failure(error))
        if (claim := self.in_hand.claim) is not None and (not about or self._client.refuses(error)):
            refused = Reason(
                ReasonCode.UNREADABLE, str(pgettext("detail", "Orthanc does not give its files"))
            )
            unknown = Reason(ReasonCode.INTERNAL_ERROR, type(error).__name__)
            try:
                self._failed(claim, refused if about else unknown)
                self.in_hand.put_down()
            except SQLAlchemyError as again:
                log.warning("not recorded: %s", failure(again))
        self.in_hand.give_back(self._database, setback=True)

    def _judge_next(self) -> bool:
        with self._database.writing() as session:
            # In one transaction: what is claimed after a change of the model is judged by the new one.
            changed = model_history.active(session) != self._serving.digest
            claim = None if changed else queue.claim(session, self._name, queue.utcnow(), self._settings)
            self._anything_waits = changed or claim is not None or queue.anything_waits(session)
        if changed:
            self._serving.follow()
            return True
        if claim is None:
            return False
        self.in_hand.take(claim)
        self._verifier.seek(claim.series_id)
        self._renderer.keep(claim.series_id, claim.generation, None)  # two at once need twice the memory
        failed: Reason | None = None
        try:
            self._fetch_and_judge(claim)
        except Exception as error:  # this series is at fault, the next one goes on
            self._out_of_memory = ran_out(error)
            if isinstance(error, OrthancError | OperationalError | OSError) and not self._out_of_memory:
                raise
            log.warning("judging failed: %s", failure(error))
            failed = Reason(ReasonCode.INTERNAL_ERROR, type(error).__name__)
        if self._out_of_memory and failed is not None:
            gc.collect()  # what the error held on to is needed to write this down
            with self._database.writing() as session:
                too_large = Reason(ReasonCode.TOO_LARGE)
                results.record_not_analysed(session, claim, too_large, None, queue.utcnow())
        elif failed is not None:
            self._failed(claim, failed)
        self.in_hand.put_down()
        if self._out_of_memory:
            raise OutOfMemoryError
        return True

    def _fetch_and_judge(self, claim: Claim) -> None:
        left = min(queue.HEAD_START_SECONDS, self._settings.quiet_seconds - claim.quiet_seconds)
        quiet_at = time.monotonic() + left
        fetched = self._fetch(claim)
        if fetched is None:
            return
        try:
            self._judge(claim, fetched, quiet_at)
        finally:
            fetched.remove()

    def _fetch(self, claim: Claim) -> Fetched | None:
        """All files of the claimed series; ``None`` when its fate was decided without them."""
        instances = self._client.instances(claim.series_id)
        if not instances:
            with self._database.writing() as session:
                withdrawal.withdraw(session, claim.series_id, queue.utcnow())
            return None
        if claim.modality not in {"", "CT"} and not self._has_ct(claim.series_id):
            instances = instances[:1]  # says what it is; a thousand MR images need not be moved for that
        fetched = fetch(self._client, instances, self._settings)
        if fetched is None:
            detail = pgettext("detail", "more than {size} MB", size=self._settings.max_series_megabytes)
            with self._database.writing() as session:
                results.record_not_analysed(
                    session, claim, Reason(ReasonCode.UNREADABLE, str(detail)), None, queue.utcnow()
                )
        return fetched

    def _has_ct(self, series_id: str) -> bool:
        """Whether there are CT images in a series that Orthanc calls by another object, stored first."""
        return any(map(CT_IMAGE.fullmatch, self._client.sop_classes(series_id)))

    def _judge(self, claim: Claim, fetched: Fetched, quiet_at: float) -> None:
        settings = self._settings
        given_up = claim.quiet_seconds >= settings.long_quiet_seconds
        found = judging.look(
            fetched.sources,
            self._serving.classifier,
            given_up=given_up,
            on_alert=lambda early: self._tell(claim, fetched, early),
        )
        outcome = found.outcome
        # Without Orthanc's identifier, which is made from the patient's.
        log.info("%d images: %s, %s", claim.instance_count, outcome.state, found.completeness.name.lower())
        description = self._described(fetched)
        # Of less than the whole series nobody could say later that the same came again.
        files = digest(fetched.sources) if len(fetched.sources) == claim.instance_count else None
        slices = len(found.series.sop_instance_uids) if found.series is not None else 0
        self._renderer.keep(claim.series_id, claim.generation, found.series)
        complete = found.completeness is not Completeness.INCOMPLETE
        judgement = (
            self._judgement(claim, found, outcome.assessment, description)
            if complete and outcome.assessment is not None and description is not None
            else None
        )
        if not found.final or judgement is None:  # another image may come, which takes the claim away
            time.sleep(max(0.0, quiet_at - time.monotonic()))
        now = queue.utcnow()
        if found.completeness is Completeness.INCOMPLETE:
            with self._database.writing() as session:
                results.record_waiting(
                    session, claim, description, now, settings, judged=outcome.assessment is not None
                )
        elif judgement is not None:
            with self._database.writing() as session:
                results.record_assessed(session, claim, judgement, now, settings, files_digest=files)
        elif outcome.reason is not None and outcome.state is State.FAILED:
            self._failed(claim, outcome.reason)
        elif outcome.reason is not None:
            self._out_of_memory = outcome.reason.code is ReasonCode.TOO_LARGE
            with self._database.writing() as session:
                results.record_not_analysed(
                    session,
                    claim,
                    outcome.reason,
                    description,
                    now,
                    slices=slices,
                    files_digest=files,
                )

    def _tell(self, claim: Claim, fetched: Fetched, early: Look) -> None:
        """An alert of the first of several networks goes out before the others have looked."""
        said = early.outcome.assessment
        try:
            description = self._described(fetched)
            if said is None or description is None:
                return
            judgement = self._judgement(claim, early, said, description)
            with self._database.writing() as session:
                told = results.record_early(session, claim, judgement, queue.utcnow())
            if told:
                self._publisher.publish_next()
        except Exception as error:  # it is said in the end too, and whatever is wrong comes up there again
            log.warning("an early alert did not go out: %s", failure(error))

    def _described(self, fetched: Fetched) -> Description | None:
        with self._database.reading() as session:
            today = imports.today(session, self._settings.earlier_after_days, queue.utcnow())
        return judging.describe(fetched.sources, self._settings, today)

    def _judgement(
        self, claim: Claim, found: Look, assessment: Assessment, description: Description
    ) -> Judgement:
        return judging.judgement(
            found,
            assessment,
            description,
            predecessor=lambda uid: self._predecessor(claim.series_id, uid),
            settings=self._settings,
            sent_at=datetime.now().astimezone(),
        )

    def _predecessor(self, series_id: str, uid: str) -> bytes | None:
        with self._database.reading() as session:
            earlier = results.last_structured_report(session, series_id, uid)
            return session.get_one(Document, earlier).content if earlier is not None else None

    def _failed(self, claim: Claim, reason: Reason) -> None:
        with self._database.writing() as session:
            queue.record_failure(session, claim, reason, queue.utcnow(), self._settings)

    def _check_some(self) -> bool:
        """Nothing else to do: compare some series with what Orthanc shows."""
        if time.monotonic() > self._next_check:
            self._next_check = time.monotonic() + self._settings.sweep_seconds / CHECKED_A_SWEEP
            now = queue.utcnow()
            with self._database.writing() as session:
                outbox.want_checks(session, now - timedelta(seconds=self._settings.sweep_seconds), now, 1)
        return False

    def _tidy_up(self) -> bool:
        """At intervals, when there is nothing else to do: delete what nobody needs."""
        if time.monotonic() < self._next_housekeeping:
            return False
        self._next_housekeeping = time.monotonic() + HOUSEKEEPING_SECONDS
        all_of(
            lambda: work_folders.remove_dead(self._settings),
            lambda: disk.remove_old_previews(self._database, self._settings),
            self._age_documents,
        )
        return False

    def _age_documents(self) -> None:
        with self._database.writing() as session:
            more = aged_documents.age(session, queue.utcnow())
        self._database.shrink()
        if more:  # in small steps, between which whatever came is judged
            self._next_housekeeping = time.monotonic() + STEP_SECONDS
