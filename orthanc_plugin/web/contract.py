"""What the web application asks of triage."""

from collections.abc import Sequence
from typing import Protocol

from orthanc_plugin.cases.review_views import IdentityView, LabelsView, ReviewAnswer, ReviewRequest
from orthanc_plugin.cases.views import ImportView, SeriesView, StudyView, WorklistView
from orthanc_plugin.drift.views import DriftView
from orthanc_plugin.health.views import MetricsView, StatusView
from orthanc_plugin.labelling.views import LabellingQueueView
from orthanc_plugin.models.views import ModelRequest, ModelsView
from orthanc_plugin.states import Window


class Triage(Protocol):
    """Answers questions, takes orders.

    Raises
    ------
    NotFoundError
        No study, series or slice of that name.
    RefusedError
        Who asks may not do that.
    ConflictError
        As things stand now it cannot be done.
    UnavailableError
        Triage cannot answer now. :meth:`status` always answers.
    """

    def status(self) -> StatusView:
        """Is the machine alive, and what is it doing?"""

    def worklist(self) -> WorklistView:
        """All studies in the order of work."""

    def study(self, study_id: str) -> StudyView:
        """One study in full."""

    def series(self, series_id: str) -> SeriesView:
        """One series in full."""

    def slice_png(self, series_id: str, number: int, window: Window) -> bytes:
        """A slice as PNG; 0 is at the feet."""

    def review(self, series_id: str, login: str, asked: ReviewRequest) -> ReviewAnswer:
        """Record what a reader says of a series; :class:`ReviewError` when it contradicts itself."""

    def identity(self, login: str) -> IdentityView:
        """Who a login is, and whether they may review; always answers."""

    def labels(self) -> LabelsView:
        """What persons said of every series."""

    def rerun(self, series_id: str, login: str) -> None:
        """Judge a series again."""

    def announce_import(self, study_instance_uids: Sequence[str], login: str, *, new: bool) -> ImportView:
        """Images of these studies are about to be stored from a medium."""

    def models(self, login: str = "") -> ModelsView:
        """The models on this machine, and whether who asks may change them."""

    def activate_model(self, name: str, login: str, asked: ModelRequest) -> None:
        """Put a model in service; ``name`` is NAME-VERSION. In-flight series end with the one before."""

    def roll_back_model(self, login: str, asked: ModelRequest) -> None:
        """Put the model in service that was there before."""

    def begin_shadow(self, name: str, login: str, asked: ModelRequest) -> None:
        """Have a model judge in shadow."""

    def end_shadow(self, login: str, asked: ModelRequest) -> None:
        """No model judges in shadow any more."""

    def drift(self) -> DriftView:
        """Is what comes in and goes out still as it was?"""

    def labelling_queue(self) -> LabellingQueueView:
        """The cases whose labels would teach most."""

    def metrics(self) -> MetricsView:
        """Figures for monitoring."""
