"""What triage answers and takes orders for: the store and the processes, as views."""

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import ParamSpec, Protocol, TypedDict, TypeVar

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, selectinload

import headct
from headct.language import Phrase, _, pgettext, read_back
from headct.reasons import ReasonCode
from headct.safe_log import failure
from headct.terms.assessment import BundleIdentity
from headct.terms.review import Person
from headct.terms.urgency import Urgency
from orthanc_plugin.answer import PatientNameView, Words
from orthanc_plugin.cases import records, reviewing, worklist
from orthanc_plugin.cases.review_views import IdentityView, LabelsView, ReviewAnswer, ReviewRequest
from orthanc_plugin.cases.views import ImportView, SeriesView, StudyView, WorklistView
from orthanc_plugin.drift import monitoring
from orthanc_plugin.drift.views import DriftView
from orthanc_plugin.errors import ConflictError, NotFoundError, RefusedError, UnavailableError
from orthanc_plugin.health.views import DurationView, MetricsView, StatusView
from orthanc_plugin.kept import Kept
from orthanc_plugin.labelling import ranking
from orthanc_plugin.labelling.views import LabellingQueueView
from orthanc_plugin.models import folders, listing
from orthanc_plugin.models.views import ModelRequest, ModelsView
from orthanc_plugin.settings import PersonSettings, Role, Settings
from orthanc_plugin.states import PENDING, SeriesState, Window
from orthanc_plugin.store import disk, imports, model_history, queue, shadow, tables
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.preview_files import Folder
from orthanc_plugin.store.tables import Series

DRIFT_SECONDS = 60.0
"""How long the drift monitoring is not worked out again: it reads the results of a year."""
LABELLING_SECONDS = 5.0
"""The same for the labelling queue, for which nobody waits: it reads every case."""

ROLES = {
    Role.VIEWER: pgettext("role", "a viewer"),
    Role.READER: pgettext("role", "a reader"),
    Role.ADMINISTRATOR: pgettext("role", "an administrator"),
}

_log = logging.getLogger(__name__)
_P = ParamSpec("_P")
_R = TypeVar("_R")


class Processes(Protocol):
    """The workers, as the supervisor knows them."""

    restarts: int
    problem: str

    @property
    def alive(self) -> int:
        """Running now."""


class Follower(Protocol):
    """Whoever follows Orthanc."""

    error: str | None


def _answering(method: Callable[_P, _R]) -> Callable[_P, _R]:
    """A store that fails is said so, without its message: it may quote a row."""

    @functools.wraps(method)
    def call(*arguments: _P.args, **named: _P.kwargs) -> _R:
        try:
            return method(*arguments, **named)
        except SQLAlchemyError as error:
            _log.warning("the store cannot be used: %s", failure(error))
            raise UnavailableError(
                _("The store cannot be used ({kind}).", kind=type(error).__name__)
            ) from None

    return call


@dataclass(frozen=True, slots=True)
class Triage:
    """Answers from the store; light enough for Orthanc's interpreter."""

    database: Database
    settings: Settings
    supervisor: Processes
    arrivals: Follower
    orthanc_version: str
    authentication: bool
    _kept_drift: Kept[DriftView] = field(default_factory=lambda: Kept(DRIFT_SECONDS), repr=False)
    _kept_labelling: Kept[LabellingQueueView] = field(
        default_factory=lambda: Kept(LABELLING_SECONDS), repr=False
    )

    def status(self) -> StatusView:
        """Is the machine alive, and what is it doing?"""
        now = queue.utcnow()
        reason = self._why_stopped()
        counts: dict[SeriesState, int] = {}
        last = bundle = model_problem = None
        try:
            with self.database.reading() as session:
                counts = _counts(session)
                last = session.scalar(select(func.max(tables.Assessment.created_at)))
                bundle, model_problem = listing.active(session), listing.problem(session)
        except SQLAlchemyError as error:
            _log.warning("the store cannot be used: %s", failure(error))
            reason = _("The store cannot be used ({kind}).", kind=type(error).__name__)
        return StatusView(
            now=now,
            version=headct.__version__,
            orthanc_version=self.orthanc_version,
            running=reason is None,
            reason=Words.of(reason) if reason is not None else None,
            workers_alive=self.supervisor.alive,
            workers_wanted=self.settings.workers,
            judging=counts.get(SeriesState.JUDGING, 0),
            last_judgement=last,
            series=counts,
            free_disk_bytes=disk.free_bytes(self.settings),
            bundle=bundle,
            model_problem=model_problem,
            authentication=self.authentication,
            ohif_url=self.settings.ohif_url or None,
        )

    @_answering
    def worklist(self) -> WorklistView:
        """All studies in the order of work."""
        now = queue.utcnow()
        with self.database.reading() as session:
            studies = records.studies(session)
        return WorklistView(
            generated_at=now,
            rows=worklist.rows((s for s in studies if not s.earlier), now),
            earlier=worklist.rows((s for s in studies if s.earlier), now),
        )

    @_answering
    def study(self, study_id: str) -> StudyView:
        """One study in full."""
        now = queue.utcnow()
        with self.database.reading() as session:
            found = records.studies(session, study_id)
            shown = worklist.rows(found, now)
            if not shown:
                raise NotFoundError(_("No such study."))
            return StudyView(
                case=shown[0],
                series=tuple(
                    records.series_view(session.get_one(Series, s.id), session) for s in shown[0].series
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
        reader = self._person(login, Role.READER)
        by = Person(login, reader.name, reader.organisation)
        with self.database.writing() as session:
            return reviewing.review(session, series_id, by, asked, queue.utcnow())

    @_answering
    def labels(self) -> LabelsView:
        """What persons said of every series that is still here."""
        spoken_of = select(tables.Review.series_id)
        with self.database.reading() as session:
            found = session.scalars(
                select(Series)
                .where(Series.id.in_(spoken_of), Series.state != SeriesState.WITHDRAWN)
                .options(selectinload(Series.reviews), selectinload(Series.study))
                .order_by(Series.first_arrival, Series.id)
            )
            return LabelsView(labels=tuple(records.label(series) for series in found))

    @_answering
    def rerun(self, series_id: str, login: str) -> None:
        """Judge a series again."""
        self._person(login, Role.READER)
        with self.database.writing() as session:
            if session.get(Series, series_id) is None:
                raise NotFoundError(_("No such series."))
            if not queue.rerun(session, series_id, login, queue.utcnow()):
                raise RefusedError(_("The series is not in a final state."))

    @_answering
    def announce_import(self, study_instance_uids: Sequence[str], login: str, *, new: bool) -> ImportView:
        """Images of these studies are about to be stored from a medium."""
        self._person(login, Role.READER)
        if disk.is_low(self.settings):
            raise UnavailableError(_("The disk is nearly full, and what is left is for new patients."))
        now = queue.utcnow()
        with self.database.writing() as session:
            studies = imports.announce(session, study_instance_uids, new=new, actor=login, now=now)
        return ImportView(studies=studies)

    @_answering
    def models(self, login: str = "") -> ModelsView:
        """The models on this machine, and those that judged here once."""
        found, refusal = folders.offers(self.settings), self._refusal(login, Role.ADMINISTRATOR)
        with self.database.reading() as session:
            return listing.view(session, found, may_change=not refusal)

    @_answering
    def activate_model(self, name: str, login: str, asked: ModelRequest) -> None:
        """Put a model in service; workers change to it between two series."""
        self._person(login, Role.ADMINISTRATOR)
        identity = self._usable(name)
        with self.database.writing() as session:
            model_history.activate(session, identity, **_order(login, asked))

    @_answering
    def roll_back_model(self, login: str, asked: ModelRequest) -> None:
        """Put the model in service that was there before."""
        self._person(login, Role.ADMINISTRATOR)
        offers = folders.offers(self.settings)
        usable = {offer.bundle.digest for offer in offers if offer.bundle is not None}
        with self.database.writing() as session:
            model_history.roll_back(session, usable, **_order(login, asked))

    @_answering
    def begin_shadow(self, name: str, login: str, asked: ModelRequest) -> None:
        """Have a model judge in shadow."""
        self._person(login, Role.ADMINISTRATOR)
        identity = self._usable(name)
        with self.database.writing() as session:
            model_history.begin_shadow(session, identity, **_order(login, asked))

    @_answering
    def end_shadow(self, login: str, asked: ModelRequest) -> None:
        """No model judges in shadow any more."""
        self._person(login, Role.ADMINISTRATOR)
        with self.database.writing() as session:
            model_history.end_shadow(session, **_order(login, asked))

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
            return ranking.labelling_queue(
                records.studies(session),
                ranking.shadows(session),
                ranking.references(session),
                queue.utcnow(),
            )

    @_answering
    def metrics(self) -> MetricsView:
        """Figures for monitoring."""
        current = tables.Assessment.withdrawn_at.is_(None)
        with self.database.reading() as session:
            bundle, shadow_bundle = listing.active(session), listing.in_shadow(session)
            shadow_series = shadow.counts(session)
            counts = _counts(session)
            urgencies = session.execute(
                select(tables.Assessment.urgency, func.count())
                .where(current)
                .group_by(tables.Assessment.urgency)
            ).all()
            reasons = session.execute(
                select(Series.reason_code, func.count())
                .where(Series.reason_code.is_not(None))
                .group_by(Series.reason_code)
            ).all()
            oldest = session.scalar(select(func.min(Series.first_arrival)).where(Series.state.in_(PENDING)))
            judged = session.execute(
                select(
                    func.count(),
                    func.coalesce(func.sum(tables.Assessment.seconds), 0.0),
                    func.coalesce(func.sum(tables.Assessment.arrival_to_result_seconds), 0.0),
                )
            ).one()
        return MetricsView(
            series=counts,
            assessments={Urgency(u).name: n for u, n in urgencies},
            reasons={ReasonCode(str(code)): n for code, n in reasons},
            oldest_pending_seconds=(
                max(0.0, (queue.utcnow() - oldest).total_seconds()) if oldest is not None else 0.0
            ),
            judgement=DurationView(count=judged[0], seconds=judged[1]),
            arrival_to_result=DurationView(count=judged[0], seconds=judged[2]),
            workers_alive=self.supervisor.alive,
            worker_restarts=self.supervisor.restarts,
            running=self._why_stopped() is None,
            free_disk_bytes=disk.free_bytes(self.settings),
            bundle=bundle,
            shadow_bundle=shadow_bundle,
            shadow_series=shadow_series,
        )

    def identity(self, login: str) -> IdentityView:
        """Who a login is, and whether they may review."""
        person = self.settings.people.get(login) if self.authentication else None
        readers = (p.name for p in self.settings.people.values() if p.may(Role.READER))
        refusal = self._refusal(login, Role.READER)
        return IdentityView(
            login=login,
            name=PatientNameView.of(person.name if person else ""),
            role=person.role if person else Role.VIEWER,
            refusal=Words.of(refusal) if refusal is not None else None,
            readers=tuple(PatientNameView.of(name) for name in readers),
        )

    def _usable(self, name: str) -> BundleIdentity:
        """The model of a name, checked again now."""
        offers = [offer for offer in folders.offers(self.settings) if offer.name == name]
        if not offers:
            raise NotFoundError(_("There is no model {name} on this machine.", name=name))
        best = next((offer for offer in offers if offer.bundle is not None), offers[0])
        bundle, refusal = folders.check(best.folder)
        if best.bundle is None or bundle is None:
            raise ConflictError(
                _("{name} is refused: {why}.", name=name, why=read_back(best.refusal or refusal))
            )
        return bundle.identity

    def _person(self, login: str, role: Role) -> PersonSettings:
        """Who a login is, if they may what the role may."""
        refusal = self._refusal(login, role)
        if refusal is not None:
            raise RefusedError(refusal)
        return self.settings.people[login]

    def _refusal(self, login: str, role: Role) -> Phrase | None:
        """Why a login may not what the role may."""
        if not self.authentication:
            return _("Changes are refused unless Orthanc asks for a user and a password.")
        person = self.settings.people.get(login)
        if person is None:
            return _("The setting People does not say who you are: you may only look.")
        if not person.may(role):
            return _("This is for {needed}; you are {own}.", needed=ROLES[role], own=ROLES[person.role])
        return None

    def _why_stopped(self) -> Phrase | None:
        if disk.is_low(self.settings):
            free = disk.free_bytes(self.settings) / 2**30
            return _("The disk is nearly full ({free:.1f} GB free).", free=free)
        if self.arrivals.error is not None:
            return _("New images are not noticed ({kind}).", kind=self.arrivals.error)
        if self.settings.workers and not self.supervisor.alive:
            if not self.supervisor.problem:
                return _("No judging process is running.")
            return _("No judging process is running ({why}).", why=read_back(self.supervisor.problem))
        return None


def _counts(session: Session) -> dict[SeriesState, int]:
    rows = session.execute(select(Series.state, func.count()).group_by(Series.state)).all()
    return {SeriesState(state): count for state, count in rows}


class _Order(TypedDict):
    actor: str
    reason: str
    seen: str | None
    now: datetime


def _order(login: str, asked: ModelRequest) -> _Order:
    return {"actor": login, "reason": asked.reason, "seen": asked.based_on, "now": queue.utcnow()}
