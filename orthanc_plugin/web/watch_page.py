"""The pages of the watch and of the reading list."""

from collections.abc import Callable, Container

from flask import Blueprint, Response, render_template
from markupsafe import Markup

from headct.reasons import Language
from orthanc_plugin.drift import words as drift_words
from orthanc_plugin.drift.views import WatchView
from orthanc_plugin.errors import UnavailableError
from orthanc_plugin.web import charts, words
from orthanc_plugin.web.contract import Triage


def add_routes(
    page: Blueprint,
    triage: Triage,
    render: Callable[..., Response],
    hidden_from: Callable[[Container[str]], bool],
) -> None:
    """The pages, on the blueprint of all pages.

    ``hidden_from`` says, by the logins who spoke of a case, whether its answers are hidden from who asks.
    """
    drawn: dict[Language, tuple[WatchView, Markup]] = {}
    """A page asks every two seconds, the watch is worked out once a minute: its plots are kept as long."""

    def plots(view: WatchView) -> Markup:
        language = words.requested_language()
        last = drawn.get(language)
        if last is None or last[0] is not view:
            html = render_template("_watch.html", view=view, charts=charts, words=drift_words)
            last = drawn[language] = view, Markup(html)  # the template has escaped it
        return last[1]

    @page.get("/watch")
    def watch() -> Response:
        view, trouble = None, ""
        try:
            view = triage.watch()
        except UnavailableError as error:
            trouble = str(error)
        return render(
            "watch.html",
            triage.status(),
            view=view,
            trouble=trouble,
            body=plots(view) if view is not None else "",
        )

    @page.get("/reading-list")
    def reading_list() -> Response:
        view, trouble = None, ""
        try:
            view = triage.reading_list()
        except UnavailableError as error:
            trouble = str(error)
        return render(
            "reading_list.html", triage.status(), view=view, trouble=trouble, hidden_from=hidden_from
        )
