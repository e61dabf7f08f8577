"""The page of models: which judges, which runs in shadow, how they compare, and who changed what."""

from collections.abc import Callable

from flask import Blueprint, Response

from headct.language import Phrase, read_back
from orthanc_plugin.errors import UnavailableError
from orthanc_plugin.models.views import FigureView, ModelChangeView, ModelsView, ShareView
from orthanc_plugin.service import Triage
from orthanc_plugin.store.model_history import PROGRAM
from orthanc_plugin.web import words


def figure(measured: FigureView) -> Phrase:
    """``sensitivity 0.81 (0.62–0.94)``."""
    figures = {"value": measured.value, "low": measured.low, "high": measured.high}
    return words.FIGURES[measured.kind].filled(**figures)


def share(found: ShareView) -> str:
    """``12 / 14 = 86 % (57–98)``, nothing of nobody."""
    if not found.of:
        return "–"
    percent = 100 * found.count / found.of
    return f"{found.count} / {found.of} = {percent:.0f} % ({100 * found.low:.0f}–{100 * found.high:.0f})"


def changed_why(change: ModelChangeView) -> Phrase:
    """Why a model was changed: a person's own words, or the program's in the reader's language."""
    if change.by == PROGRAM:
        return read_back(change.reason)
    return Phrase("{text}", {"text": change.reason})


def add_routes(
    page: Blueprint, triage: Triage, render: Callable[..., Response], login: Callable[[], str]
) -> None:
    """The page, on the blueprint of all pages."""

    @page.get("/models")
    def models() -> Response:
        language = words.requested_language()
        view, trouble = None, ""
        try:
            view = triage.models(login())
        except UnavailableError as error:
            trouble = error.sentence.say(language)
        return render(
            "models.html",
            triage.status(),
            view=view or ModelsView(models=()),
            trouble=trouble,
            figure=figure,
            share=share,
            changed_why=changed_why,
        )
