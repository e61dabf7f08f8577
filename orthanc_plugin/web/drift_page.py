"""The pages of the drift monitoring and of the labelling queue."""

from collections.abc import Callable, Container

from flask import Blueprint, Response, render_template
from markupsafe import Markup

from headct.language import Language
from orthanc_plugin.drift import words as drift_words
from orthanc_plugin.drift.views import DriftView
from orthanc_plugin.errors import UnavailableError
from orthanc_plugin.service import Triage
from orthanc_plugin.web import charts, words


def add_routes(
    page: Blueprint,
    triage: Triage,
    render: Callable[..., Response],
    hidden_from: Callable[[Container[str]], bool],
) -> None:
    """The pages, on the blueprint of all pages.

    ``hidden_from`` says, by the logins who spoke of a case, whether its answers are hidden from who asks.
    """
    drawn: dict[Language, tuple[DriftView, Markup]] = {}
    """A page asks every two seconds, the figures change once a minute: their plots are kept as long."""

    def plots(view: DriftView) -> Markup:
        language = words.requested_language()
        last = drawn.get(language)
        if last is None or last[0] is not view:
            html = render_template("_drift.html", view=view, charts=charts, drift=drift_words)
            last = drawn[language] = view, Markup(html)  # the template has escaped it
        return last[1]

    @page.get("/drift")
    def drift() -> Response:
        view, trouble = None, ""
        try:
            view = triage.drift()
        except UnavailableError as error:
            trouble = error.sentence.say(words.requested_language())
        return render(
            "drift.html",
            triage.status(),
            view=view,
            trouble=trouble,
            body=plots(view) if view is not None else "",
        )

    @page.get("/labelling")
    def labelling() -> Response:
        view, trouble = None, ""
        try:
            view = triage.labelling_queue()
        except UnavailableError as error:
            trouble = error.sentence.say(words.requested_language())
        return render("labelling.html", triage.status(), view=view, trouble=trouble, hidden_from=hidden_from)
