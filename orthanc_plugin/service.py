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
from orthanc_plugin.drift.views import WatchView
from orthanc_plugin.errors import ConflictError, NotFoundError, RefusedError, UnavailableError
from orthanc_plugin.health.views import DurationView, MetricsView, StatusView
from orthanc_plugin.kept import Kept
from orthanc_plugin.labelling import ranking
from orthanc_plugin.labelling.views import ReadingListView
from orthanc_plugin.models import folders, listing
from orthanc_plugin.models.views import ModelRequest, ModelsView
from orthanc_plugin.settings import PersonSettings, Role, Settings
from orthanc_plugin.states import PENDING, SeriesState, Window
from orthanc_plugin.store import disk, imports, model_history, queue, shadow, tables
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.preview_files import Folder
from orthanc_plugin.store.tables import Series

WATCH_SECONDS = 60.0
"""How long the watch is not worked out again: it reads the results of a year."""
LIST_SECONDS = 5.0
"""The same for the reading list, for which nobody waits: it reads every case."""

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
            raise UnavailableError(f"the store cannot be used ({type(error).__name__})") from None

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
    _watched: Kept[WatchView] = field(default_factory=lambda: Kept(WATCH_SECONDS), repr=False)
    _listed: Kept[ReadingListView] = field(default_factory=lambda: Kept(LIST_SECONDS), repr=False)

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
            kind = type(error).__name__
            reason = Words(
                en=f"The store cannot be used ({kind}).", ja=f"データベースを使用できません（{kind}）。"
            )
        return StatusView(
            now=now,
            version=headct.__version__,
            orthanc_version=self.orthanc_version,
            running=reason is None,
            reason=reason,
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
                raise NotFoundError("no such study")
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
                raise NotFoundError("no such series")
            return records.series_view(found, session)

    @_answering
    def slice_png(self, series_id: str, number: int, window: Window) -> bytes:
        """A slice as PNG; 0 is at the feet."""
        with self.database.reading() as session:
            found = session.get(Series, series_id)
        if found is None or found.state is SeriesState.WITHDRAWN:
            raise NotFoundError("no such series")
        png = Folder.of(self.settings.previews_folder, found.id).read(number, window)
        if png is None:
            raise NotFoundError("no such slice, or not rendered yet")
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
                raise NotFoundError("no such series")
            if not queue.rerun(session, series_id, login, queue.utcnow()):
                raise RefusedError("the series is not in a final state")

    @_answering
    def announce_import(self, study_instance_uids: Sequence[str], login: str, *, new: bool) -> ImportView:
        """Images of these studies are about to be stored from a medium."""
        self._person(login, Role.READER)
        if disk.is_low(self.settings):
            raise UnavailableError("the disk is nearly full, and what is left is for new patients")
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
    def watch(self) -> WatchView:
        """Is what comes in and goes out still as it was? As of a minute ago at most."""
        return self._watched.get(self._watch)

    def _watch(self) -> WatchView:
        with self.database.reading() as session:
            return monitoring.watch(session, queue.utcnow())

    @_answering
    def reading_list(self) -> ReadingListView:
        """The cases whose labels would teach most, as of a few seconds ago at most."""
        return self._listed.get(self._list)

    def _list(self) -> ReadingListView:
        with self.database.reading() as session:
            return ranking.reading_list(
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
        return IdentityView(
            login=login,
            name=PatientNameView.of(person.name if person else ""),
            role=person.role if person else Role.VIEWER,
            refusal=self._refusal(login, Role.READER),
            readers=tuple(PatientNameView.of(name) for name in readers),
        )

    def _usable(self, name: str) -> BundleIdentity:
        """The model of a name, checked again now."""
        offers = [offer for offer in folders.offers(self.settings) if offer.name == name]
        if not offers:
            raise NotFoundError(f"There is no model {name} on this machine.")
        best = next((offer for offer in offers if offer.bundle is not None), offers[0])
        bundle, refusal = folders.check(best.folder)
        if best.bundle is None or bundle is None:
            raise ConflictError(f"{name} is refused: {best.refusal or refusal}.")
        return bundle.identity

    def _person(self, login: str, role: Role) -> PersonSettings:
        """Who a login is, if they may what the role may."""
        refusal = self._refusal(login, role)
        if refusal is not None:
            raise RefusedError(refusal.en)
        return self.settings.people[login]

    def _refusal(self, login: str, role: Role) -> Words | None:
        """Why a login may not what the role may."""
        if not self.authentication:
            return Words(
                en="Changes are refused unless Orthanc asks for a user and a password.",
                ja="Orthancが認証を求めない設定のため、変更はできません。",
            )
        person = self.settings.people.get(login)
        if person is None:
            return Words(
                en="The setting People does not say who you are: you may only look.",
                ja="設定 People にこのログインの登録がないため、閲覧のみ可能です。",
            )
        if not person.may(role):
            return Words(
                en=f"This is for a {role.value}; you are a {person.role.value}.",
                ja=f"この操作には {role.value} の権限が必要です（現在の権限：{person.role.value}）。",
            )
        return None

    def _why_stopped(self) -> Words | None:
        if disk.is_low(self.settings):
            free = disk.free_bytes(self.settings) / 2**30
            return Words(
                en=f"The disk is nearly full ({free:.1f} GB free).",
                ja=f"ディスクの空きが不足しています（{free:.1f} GB）。",
            )
        if self.arrivals.error is not None:
            kind = self.arrivals.error
            return Words(
                en=f"New images are not noticed ({kind}).", ja=f"新しい画像を検知できません（{kind}）。"
            )
        if self.settings.workers and not self.supervisor.alive:
            why = f" ({self.supervisor.problem})" if self.supervisor.problem else ""
            return Words(en=f"No judging process is running{why}.", ja=f"判定プロセスが動いていません{why}。")
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
