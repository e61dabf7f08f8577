"""What triage answers and takes orders for: the store and the processes, as views."""

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ParamSpec, TypeVar

from sqlalchemy.exc import SQLAlchemyError

import headct
from headct.language import Phrase, _
from headct.safe_log import failure
from headct.terms.review import Person
from orthanc_plugin.access.roles import Role
from orthanc_plugin.answer import Words
from orthanc_plugin.audit import export
from orthanc_plugin.cases import judged, records, reviewing, selection, worklist
from orthanc_plugin.cases.judged import MOST_CASES
from orthanc_plugin.cases.kept_lists import KeptLists
from orthanc_plugin.cases.records import MOST_LABELS
from orthanc_plugin.cases.review_views import JudgedCasesView, LabelsView, ReviewAnswer, ReviewRequest
from orthanc_plugin.cases.selection import EVERYTHING, Asked
from orthanc_plugin.cases.views import ImportView, SeriesView, StudyView, WorklistRow, WorklistView
from orthanc_plugin.drift import monitoring
from orthanc_plugin.drift.views import DriftView
from orthanc_plugin.errors import NotFoundError, RefusedError, UnavailableError
from orthanc_plugin.forwarding import deliveries
from orthanc_plugin.health import figures, ports
from orthanc_plugin.health.ends import Ends
from orthanc_plugin.health.figures import Known
from orthanc_plugin.health.running import Auditor, Follower, Keeper, Processes, troubles, why_stopped
from orthanc_plugin.health.views import MetricsView, StatusView, UnexpectedEndView
from orthanc_plugin.housekeeping import disk
from orthanc_plugin.kept import Kept
from orthanc_plugin.labelling_queue import kept
from orthanc_plugin.labelling_queue.views import LabellingQueueView
from orthanc_plugin.models import folders, listing, promises
from orthanc_plugin.models.views import ModelRequest, ModelsView
from orthanc_plugin.people import IdentityView, People
from orthanc_plugin.recycling import unread
from orthanc_plugin.recycling.views import RecyclingView
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import SeriesState, Window
from orthanc_plugin.store import imports, model_history, queue
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.preview_files import Folder
from orthanc_plugin.store.tables import Series
from orthanc_plugin.system_words import cause_of

DRIFT_SECONDS = 60.0
"""How long the drift monitoring is not worked out again: it reads the figures of a year."""
LABELLING_SECONDS = 5.0
"""The same for the labelling queue, for which nobody waits."""

STATUS_SECONDS = 1.0
"""The same for the status, for pages that ask by themselves."""

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _answering(method: Callable[_P, _R]) -> Callable[_P, _R]:
    """A store that fails is said so, without its message: it may quote a row."""

    @functools.wraps(method)
    def call(*arguments: _P.args, **named: _P.kwargs) -> _R:
        try:
            return method(*arguments, **named)
        except SQLAlchemyError as error:
            raise UnavailableError(_unusable(error)) from None

    return call


def _unusable(error: SQLAlchemyError) -> Phrase:
    _log.warning("the store cannot be used: %s", failure(error))
    return _("The store cannot be used ({kind}).", kind=cause_of(error))


@dataclass(frozen=True)
class Triage:
    """Answers from the store; light enough for Orthanc's interpreter.

    Raises:
        NotFoundError: no study, series or slice of that name.
        RefusedError: who asks may not do that.
        ConflictError: as things stand now it cannot be done.
        UnavailableError: triage cannot answer now. :meth:`status` and :meth:`identity` always answer.
    """

    database: Database
    settings: Settings
    supervisor: Processes
    arrivals: Follower
    orthanc_version: str
    authentication: bool
    replaces_images: bool = True
    keeper: Keeper | None = None
    keys_problem: Phrase | None = None
    """Of :class:`orthanc_plugin.vouching.keys.Keys`."""
    _kept_status: Kept[StatusView] = field(default_factory=lambda: Kept(STATUS_SECONDS), repr=False)
    ends: Ends | None = None
    auditor: Auditor | None = None
    _kept_lists: KeptLists = field(default_factory=KeptLists, repr=False)
    _kept_drift: Kept[DriftView] = field(default_factory=lambda: Kept(DRIFT_SECONDS), repr=False)
    _kept_labelling: Kept[LabellingQueueView] = field(
        default_factory=lambda: Kept(LABELLING_SECONDS), repr=False
    )

    def status(self) -> StatusView:
        """Is the machine alive, and what is it doing?"""
        reason, known, now, room = self._why_stopped(), Known(), queue.utcnow(), self._disk
        try:
            with self.database.reading() as session:
                known = Known.of(session, self.settings, now)
        except SQLAlchemyError as error:
            reason = _unusable(error)
        return StatusView(
            now=now,
            version=headct.__version__,
            orthanc_version=self.orthanc_version,
            running=reason is None,
            reason=Words.of(reason) if reason is not None else None,
            troubles=tuple(map(Words.of, troubles(self.supervisor, self.keeper, self.auditor))),
            workers_alive=self.supervisor.alive,
            workers_wanted=self.settings.workers,
            judging=known.series.get(SeriesState.JUDGING, 0),
            last_judgement=known.last_judgement,
            series=known.series,
            free_disk_bytes=room.free if room is not None else None,
            takes_images=room is None or not room.is_full,
            bundle=known.bundle,
            model_problem=known.model_problem,
            receivers=known.receivers,
            recycling=self._recycling,
            lost_unread=known.lost_unread,
            without_images=known.without_images,
            keys_problem=Words.of(self.keys_problem) if self.keys_problem is not None else None,
            unverified=known.unverified,
            unknown_keys=known.unknown_keys,
            audit_faults=self._audit_faults,
            clock_set=known.clock_set,
            unexpected_end=self._unexpected_end(now),
            replaces_images=self.replaces_images,
            authentication=self.authentication,
            open_ports=tuple(Words.of(ports.sentence(port)) for port in self.settings.open_ports),
            ohif_url=self.settings.ohif_url or None,
        )

    def recent_status(self) -> StatusView:
        """The same as of a second ago at most: for pages, which ask by themselves."""
        return self._kept_status.get(self.status).model_copy(update={"now": queue.utcnow()})

    @_answering
    def worklist(self, asked: Asked = EVERYTHING) -> WorklistView:
        """Studies in the order of work."""
        return self._kept_lists.get(self.database, asked, queue.utcnow(), self._read_stay)

    @_answering
    def next_case(self, after: str, asked: Asked, wanted: Callable[[WorklistRow], bool]) -> str | None:
        """The study to open next: the first after this one that is wanted, else the first of all.

        Args:
            after: identifier of the study that is open; empty for none.
            asked: the list and its order.
            wanted: whether a study waits for the reader.
        """
        now = queue.utcnow()
        with self.database.reading() as session:
            rows = selection.following(session, after, asked, now, self._read_stay)
            return next((row.id for row in rows if wanted(row)), None)

    @_answering
    def study(self, study_id: str) -> StudyView:
        """One study in full."""
        now = queue.utcnow()
        with self.database.reading() as session:
            shown = next((s for s in records.studies(session, [study_id]) if s.shown), None)
            if shown is None:
                raise NotFoundError(_("No such study."))
            case = worklist.row(shown, now)
            return StudyView(
                case=case,
                series=tuple(
                    records.series_view(session.get_one(Series, s.id), session) for s in case.series
                ),
            )

    @_answering
    def series(self, series_id: str) -> SeriesView:
        """One series in full, withdrawn ones too."""
        with self.database.reading() as session:
            found = session.get(Series, series_id)
            if found is None:
                raise NotFoundError(_("No such series."))
            return records.series_view(found, session)

    @_answering
    def slice_png(self, series_id: str, number: int, window: Window) -> bytes:
        """A slice as PNG; 0 is at the feet."""
        with self.database.reading() as session:
            found = session.get(Series, series_id)
        if found is None or found.state is SeriesState.WITHDRAWN:
            raise NotFoundError(_("No such series."))
        png = Folder.of(self.settings.previews_folder, found.id).read(number, window)
        if png is None:
            raise NotFoundError(_("No such slice, or not rendered yet."))
        return png

    @_answering
    def review(self, series_id: str, login: str, asked: ReviewRequest) -> ReviewAnswer:
        """Record what a reader says of a series."""
        by = self.require(login, Role.READER)
        with self.database.writing() as session:
            return reviewing.review(session, series_id, by, asked, queue.utcnow())

    @_answering
    def labels(self, after: int = 0, most: int = MOST_LABELS) -> LabelsView:
        """What persons said of series that are still here, arguments as of :func:`records.labels`."""
        with self.database.reading() as session:
            return records.labels(session, after, most)

    @_answering
    def judged(
        self, bundle: str, since: datetime | None = None, after: int = 0, most: int = MOST_CASES
    ) -> JudgedCasesView:
        """What a model judged, read or not, arguments as of :func:`judged.cases`."""
        with self.database.reading() as session:
            return judged.cases(session, bundle, since, after, most)

    @_answering
    def rerun(self, series_id: str, login: str) -> None:
        """Judge a series again."""
        self.require(login, Role.READER)
        with self.database.writing() as session:
            if session.get(Series, series_id) is None:
                raise NotFoundError(_("No such series."))
            if not queue.rerun(session, series_id, login, queue.utcnow()):
                raise RefusedError(_("The series is not in a final state."))

    @_answering
    def announce_import(self, study_instance_uids: Sequence[str], login: str, *, new: bool) -> ImportView:
        """Images of these studies are about to be stored from a medium."""
        self.require(login, Role.SERVICE)
        if self._disk is None or self._disk.is_full:
            raise UnavailableError(_("No image can be stored: the disk is full, or cannot be written."))
        if disk.is_low(self.settings):
            raise UnavailableError(_("The disk is nearly full, and what is left is for new patients."))
        now = queue.utcnow()
        with self.database.writing() as session:
            studies = imports.announce(session, study_instance_uids, new=new, actor=login, now=now)
        return ImportView(studies=studies)

    @_answering
    def note_loss(self, study_id: str, login: str) -> None:
        """A reader knows that a study was deleted with an unread alert."""
        self.require(login, Role.READER)
        with self.database.writing() as session:
            if not unread.note_loss(session, study_id, login, queue.utcnow()):
                raise NotFoundError(_("No such study."))

    @_answering
    def send_again(self, receiver: str, login: str) -> None:
        """Send all again that a DICOM modality does not have."""
        self.require(login, Role.READER)
        with self.database.writing() as session:
            named = receiver in self.settings.forward_to
            if not named or not deliveries.again(session, receiver, login, queue.utcnow()):
                raise NotFoundError(_("Nothing is sent on to a modality of that name."))

    @_answering
    def models(self, login: str = "") -> ModelsView:
        """The models on this machine, and those that judged here once."""
        found, refusal = folders.offers(self.settings), self._people.refusal(login, Role.ADMINISTRATOR)
        promised = promises.of_offers(found, self.settings, lambda: self._kept_drift.get(self._drift).alarms)
        with self.database.reading() as session:
            return listing.view(session, found, promised, may_change=not refusal)

    @_answering
    def activate_model(self, name: str, login: str, asked: ModelRequest) -> None:
        """Put a model in service; workers change to it between two series."""
        self.require(login, Role.ADMINISTRATOR)
        bundle = folders.usable(self.settings, name)
        with self.database.writing() as session:
            model_history.activate(session, bundle.identity, **asked.order(login, queue.utcnow()))
            model_history.keep_licence(session, bundle.digest, bundle.licence)

    @_answering
    def roll_back_model(self, login: str, asked: ModelRequest) -> None:
        """Put the model in service that was there before."""
        self.require(login, Role.ADMINISTRATOR)
        offers = folders.offers(self.settings)
        usable = {offer.bundle.digest for offer in offers if offer.bundle is not None}
        with self.database.writing() as session:
            model_history.roll_back(session, usable, **asked.order(login, queue.utcnow()))

    @_answering
    def begin_shadow(self, name: str, login: str, asked: ModelRequest) -> None:
        """Have a model judge in shadow."""
        self.require(login, Role.ADMINISTRATOR)
        bundle = folders.usable(self.settings, name)
        with self.database.writing() as session:
            model_history.begin_shadow(session, bundle.identity, **asked.order(login, queue.utcnow()))
            model_history.keep_licence(session, bundle.digest, bundle.licence)

    @_answering
    def end_shadow(self, login: str, asked: ModelRequest) -> None:
        """No model judges in shadow any more."""
        self.require(login, Role.ADMINISTRATOR)
        with self.database.writing() as session:
            model_history.end_shadow(session, **asked.order(login, queue.utcnow()))

    @_answering
    def drift(self) -> DriftView:
        """Is what comes in and goes out still as it was? As of a minute ago at most."""
        return self._kept_drift.get(self._drift)

    def _drift(self) -> DriftView:
        with self.database.reading() as session:
            return monitoring.drift(session, queue.utcnow())

    @_answering
    def labelling_queue(self) -> LabellingQueueView:
        """The cases whose labels would teach most, as of a few seconds ago at most."""
        return self._kept_labelling.get(self._labelling_queue)

    def _labelling_queue(self) -> LabellingQueueView:
        with self.database.reading() as session:
            return kept.view(session, queue.utcnow())

    @_answering
    def metrics(self) -> MetricsView:
        """Figures for monitoring."""
        room = self._disk
        with self.database.reading() as session:
            known = figures.metrics(session, self.settings, queue.utcnow())
        return known.model_copy(
            update={
                "workers_alive": self.supervisor.alive,
                "worker_restarts": self.supervisor.restarts,
                "unexpected_ends": self.ends.count if self.ends is not None else 0,
                "running": self._why_stopped() is None,
                "recycling": self._recycling,
                "audit_faults": len(self._audit_faults),
                "free_disk_bytes": room.free if room is not None else None,
            }
        )

    @_answering
    def audit(self, login: str, after: int, most: int) -> str:
        """Who did what, as a table; see :func:`orthanc_plugin.audit.export.table`."""
        self.require(login, Role.ADMINISTRATOR)
        with self.database.reading() as session:
            return export.table(session, after, most)

    def require(self, login: str, role: Role) -> Person:
        """Who asks for a change, if they may."""
        return self._people.require(login, role)

    def identity(self, login: str) -> IdentityView:
        """Who a login is, and whether they may review; always answers."""
        return self._people.identity(login)

    @property
    def _read_stay(self) -> timedelta | None:
        """How long a case stays on the list once it was read."""
        hours = self.settings.read_leave_after_hours
        return timedelta(hours=hours) if hours else None

    @property
    def _people(self) -> People:
        return People(self.settings.people, self.authentication)

    @property
    def _disk(self) -> disk.Disk | None:
        """``None`` where the folder of the store is gone, which is said elsewhere."""
        try:
            return disk.Disk.of(self.settings)
        except OSError:
            return None

    @property
    def _audit_faults(self) -> tuple[Words, ...]:
        faults = self.auditor.faults if self.auditor is not None else ()
        return tuple(Words.of(fault.sentence) for fault in faults)

    @property
    def _recycling(self) -> RecyclingView | None:
        return self.keeper.fill.view() if self.keeper is not None else None

    def _unexpected_end(self, now: datetime) -> UnexpectedEndView | None:
        end = self.ends.told(now) if self.ends is not None else None
        return UnexpectedEndView(at=end.at, again=end.again) if end is not None else None

    def _why_stopped(self) -> Phrase | None:
        return why_stopped(self.settings, self.supervisor, self.arrivals)
