"""A triage in memory with one study of every kind, for tests of the page and the REST interface."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from drift_samples import drifted, queued
from fake_cases import BUNDLE, NOW, case, draw_slice, in_full, rows, summary

from headct.language import _
from headct.reasons import ReasonCode
from headct.terms.licence import Use
from headct.terms.review import Person
from headct.terms.urgency import Urgency
from orthanc_plugin.access.roles import Role
from orthanc_plugin.answer import ImportedStudyView, LicensedBundleView, PatientNameView
from orthanc_plugin.audit import export
from orthanc_plugin.cases.review_views import JudgedCasesView, LabelsView, ReviewAnswer, ReviewRequest
from orthanc_plugin.cases.selection import EVERYTHING, Asked
from orthanc_plugin.cases.views import (
    CountsView,
    ImportView,
    SeriesView,
    StudyView,
    WorklistRow,
    WorklistView,
)
from orthanc_plugin.drift.views import DriftView
from orthanc_plugin.errors import NotFoundError, RefusedError, UnavailableError
from orthanc_plugin.health.views import DurationView, MetricsView, StatusView
from orthanc_plugin.labelling_queue.views import LabellingQueueView
from orthanc_plugin.models.views import ModelRequest, ModelState, ModelsView, ModelView
from orthanc_plugin.people import IdentityView
from orthanc_plugin.service import Triage
from orthanc_plugin.states import CaseState, SeriesState, Window

MAY_NOT = _("The setting People does not say who you are: you may only look.")
CLOSED = _("Changes are refused unless Orthanc asks for a user and a password.")
SERVING = LicensedBundleView(**BUNDLE.model_dump(), licence="Apache-2.0; trained on nobody", use=Use.ANY)
MODEL = ModelView(id="bleed25d-0.1.0", state=ModelState.ACTIVE, **SERVING.model_dump())


class FakeTriage(Triage):
    """Answers from memory; what it answers can be replaced."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget whatever a test replaced."""
        self.__dict__.clear()
        self.current = StatusView(
            now=NOW,
            version="0.1.0",
            orthanc_version="1.10.1",
            running=True,
            workers_alive=1,
            judging=1,
            last_judgement=NOW - timedelta(seconds=18),
            series={SeriesState.ASSESSED: 6, SeriesState.ARRIVING: 1},
            free_disk_bytes=112_000_000_000,
            bundle=SERVING,
            authentication=True,
            ohif_url="http://127.0.0.1:3000/viewer?StudyInstanceUIDs=",
        )
        self.rows = rows()
        self.earlier = (
            case("old", "Earlier^Study", 9000, summary("old", urgency=Urgency.GREEN), urgency=Urgency.GREEN),
        )
        name = PatientNameView.of("Sato^Hanako=佐藤^花子")
        self.me = IdentityView(login="sato", name=name, role=Role.READER, readers=(name,))
        self.trouble: Exception | None = None
        self.reruns: list[tuple[str, str]] = []
        self.announced: list[tuple[tuple[str, ...], bool, str]] = []

    def status(self) -> StatusView:
        return self.current

    def recent_status(self) -> StatusView:
        return self.status()

    def worklist(self, asked: Asked = EVERYTHING) -> WorklistView:
        """All rows, whatever is asked for."""
        self._stumble()
        kinds = Counter(
            ("alert" if row.urgency.alert else row.urgency.name.lower())
            if row.urgency is not None
            else "pending"
            if row.state is CaseState.PENDING
            else "unknown"
            for row in self.rows
        )
        return WorklistView(
            generated_at=self.current.now,
            rows=self.rows,
            earlier=self.earlier,
            total=len(self.rows),
            total_earlier=len(self.earlier),
            counts=CountsView(**kinds),
        )

    def next_case(self, after: str, asked: Asked, wanted: Callable[[WorklistRow], bool]) -> str | None:
        return next((row.id for row in self.rows if row.id != after and wanted(row)), None)

    def study(self, study_id: str) -> StudyView:
        self._stumble()
        for row in (*self.rows, *self.earlier):
            if row.id == study_id:
                return StudyView(case=row, series=tuple(in_full(row, s) for s in row.series))
        raise NotFoundError(_("No such study."))

    def series(self, series_id: str) -> SeriesView:
        self._stumble()
        for row in (*self.rows, *self.earlier):
            for series in row.series:
                if series.id == series_id:
                    return in_full(row, series)
        raise NotFoundError(_("No such series."))

    def slice_png(self, series_id: str, number: int, window: Window) -> bytes:
        if number >= self.series(series_id).slices:
            raise NotFoundError(_("No such slice, or not rendered yet."))
        return draw_slice(number, window)

    def review(self, series_id: str, login: str, asked: ReviewRequest) -> ReviewAnswer:
        raise RefusedError(MAY_NOT)

    def require(self, login: str, role: Role) -> Person:
        if not self.current.authentication:
            raise RefusedError(CLOSED)
        if role is Role.ADMINISTRATOR:
            raise RefusedError(MAY_NOT)
        return Person(login, login, "")

    def identity(self, login: str) -> IdentityView:
        return self.me

    def labels(self, after: int = 0, most: int = 500) -> LabelsView:
        return LabelsView(labels=())

    def judged(
        self, bundle: str, since: datetime | None = None, after: int = 0, most: int = 200
    ) -> JudgedCasesView:
        return JudgedCasesView(cases=())

    def audit(self, login: str, after: int, most: int) -> str:
        self._stumble()
        self.require(login, Role.ADMINISTRATOR)
        return export.lines([export.COLUMNS])

    def rerun(self, series_id: str, login: str) -> None:
        self.series(series_id)
        self.reruns.append((series_id, login))

    def announce_import(self, study_instance_uids: Sequence[str], login: str, *, new: bool) -> ImportView:
        self._stumble()
        self.announced.append((tuple(study_instance_uids), new, login))
        return ImportView(
            studies=tuple(
                ImportedStudyView(study_instance_uid=uid, known=False, earlier=not new)
                for uid in study_instance_uids
            )
        )

    def models(self, login: str = "") -> ModelsView:
        return ModelsView(models=(MODEL,), may_change=login == "admin")

    def activate_model(self, name: str, login: str, asked: ModelRequest) -> None:
        raise RefusedError(MAY_NOT)

    def roll_back_model(self, login: str, asked: ModelRequest) -> None:
        raise RefusedError(MAY_NOT)

    def begin_shadow(self, name: str, login: str, asked: ModelRequest) -> None:
        raise RefusedError(MAY_NOT)

    def end_shadow(self, login: str, asked: ModelRequest) -> None:
        raise RefusedError(MAY_NOT)

    def labelling_queue(self) -> LabellingQueueView:
        self._stumble()
        return queued()

    def drift(self) -> DriftView:
        self._stumble()
        return drifted()

    def metrics(self) -> MetricsView:
        return MetricsView(
            series={SeriesState.ASSESSED: 6},
            assessments={"RED": 2},
            reasons={ReasonCode.LOCALIZER: 1},
            judgement=DurationView(count=6, seconds=3.7),
            workers_alive=1,
            free_disk_bytes=10,
        )

    def _stumble(self) -> None:
        if self.trouble is not None:
            raise self.trouble


def unavailable() -> UnavailableError:
    """What a triage without a store says."""
    return UnavailableError(_("The store cannot be used ({kind}).", kind="OperationalError"))
