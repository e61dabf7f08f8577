"""The page of models: which judges, which runs in shadow, how they compare, and who changed what."""

from collections.abc import Callable

from flask import Blueprint, Response

from headct.reasons import Language
from orthanc_plugin.errors import UnavailableError
from orthanc_plugin.models.views import FigureView, ModelsView, ShareView
from orthanc_plugin.web import words
from orthanc_plugin.web.contract import Triage


def figure(measured: FigureView, language: Language) -> str:
    """``sensitivity 0.81 (0.62–0.94)``."""
    return words.say(
        measured.kind.value,
        language,
        value=f"{measured.value:.2f}",
        low=f"{measured.low:.2f}",
        high=f"{measured.high:.2f}",
    )


def share(found: ShareView) -> str:
    """``12 / 14 = 86 % (57–98)``, nothing of nobody."""
    if not found.of:
        return "–"
    percent = 100 * found.count / found.of
    return f"{found.count} / {found.of} = {percent:.0f} % ({100 * found.low:.0f}–{100 * found.high:.0f})"


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
            trouble = str(error)
        return render(
            "models.html",
            triage.status(),
            view=view or ModelsView(models=()),
            trouble=trouble,
            figure=lambda measured: figure(measured, language),
            share=share,
        )
