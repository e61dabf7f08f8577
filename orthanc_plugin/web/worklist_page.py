"""The page of the worklist: a part of it, what is found by words or by day, and who is next."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from urllib.parse import urlencode

from flask import Blueprint, Response, redirect, render_template, request
from markupsafe import Markup
from werkzeug.wrappers import Response as Redirection

from orthanc_plugin.cases.blinding import blinded_worklist, has_spoken
from orthanc_plugin.cases.selection import EVERYTHING, Asked
from orthanc_plugin.cases.views import CountsView, WorklistRow, WorklistView
from orthanc_plugin.errors import UnavailableError
from orthanc_plugin.health.views import StatusView
from orthanc_plugin.service import Triage
from orthanc_plugin.web import links, reading, words
from orthanc_plugin.web.conditional import asks_by_itself

ROWS = 50
"""On one page: more than anybody reads at a sitting, and some 100 kB."""
ROWS_DRAWN = 1000
"""Kept as drawn; about 4 MB."""
LONGEST_SEARCH = 100


def asked_for(blind_login: str | None) -> Asked:
    """The part of the list that the address wishes; what cannot be understood in it is not wished for."""
    try:
        day = date.fromisoformat(request.args.get("day", ""))
    except ValueError:
        day = None
    return Asked(
        offset=min(max(0, request.args.get("from", 0, type=int)), 10**9),
        most=ROWS,
        search=request.args.get("q", "")[:LONGEST_SEARCH].strip(),
        day=day,
        blind_for=blind_login,
    )


def summary(counts: CountsView) -> list[tuple[str, int]]:
    """How many studies of each kind there are, in the order of work."""
    return [(kind, count) for kind, count in counts.model_dump().items() if count]


class DrawnRows:
    """Rows as drawn, drawn again when they change."""

    def __init__(self) -> None:
        self._drawn: OrderedDict[tuple[object, ...], Markup] = OrderedDict()

    def draw(self, row: WorklistRow, status: StatusView, *, hidden: bool) -> Markup:
        """The row as HTML, without how old it is."""
        # All that a row is drawn from.
        shown_with = (words.requested_language(), hidden, status.ohif_url, status.replaces_images)
        key = (row.id, row.change, row.waiting_known, *shown_with)
        html = self._drawn.pop(key, None) if row.change else None
        if html is None:
            html = Markup(
                render_template("_row.html", case=row, status=status)
            )  # the template has escaped it
        self._drawn[key] = html
        while len(self._drawn) > ROWS_DRAWN:
            self._drawn.popitem(last=False)
        return html


def add_routes(
    page: Blueprint,
    triage: Triage,
    render: Callable[..., Response],
    reader: Callable[[], tuple[str, bool]],
    remember: Callable[[Redirection], None],
) -> None:
    """The page, on the blueprint of all pages.

    ``reader`` says who asks, and whether they read blind.
    """
    drawn = DrawnRows()

    def listed(asked: Asked) -> WorklistView:
        view = triage.worklist(asked)
        return blinded_worklist(view, asked.blind_for) if asked.blind_for is not None else view

    @page.get("/", strict_slashes=False)
    def worklist() -> Response:
        login, blind = reader()
        asked = asked_for(login if blind else None)
        view, trouble, alerts = None, "", 0
        try:
            view = listed(asked)
            # Whoever looks for an old case still sees that an alert has come.
            alerts = _alerts(view if _is_all(asked) else listed(replace(EVERYTHING, most=1)), blind=blind)
        except UnavailableError as error:
            trouble = error.sentence.say(words.requested_language())
        status = triage.recent_status() if asks_by_itself() else triage.status()
        status = links.with_viewer(status)
        return render(
            "worklist.html",
            status,
            worklist=view,
            asked=asked,
            trouble=trouble,
            summary=summary(view.counts) if view else [],
            alerts=alerts,
            part=lambda offset: _part(asked, offset),
            per_page=ROWS,
            drawn=lambda row: drawn.draw(row, status, hidden=blind and not has_spoken(row, login)),
        )

    @page.get("/next")
    def next_case() -> Redirection:
        login, blind = reader()
        asked = replace(EVERYTHING, blind_for=login if blind else None)
        found = triage.next_case(
            request.args.get("after", ""), asked, lambda row: reading.waits_for(row, login, blind=blind)
        )
        response = redirect(links.to("page.study", study_id=found) if found else links.to("page.worklist"))
        remember(response)
        return response


def _part(asked: Asked, offset: int) -> str:
    """The address of another part of the same list."""
    wishes = {"q": asked.search, "day": asked.day or "", "from": offset or ""}
    return f"?{urlencode({name: wish for name, wish in wishes.items() if wish})}"


def _is_all(asked: Asked) -> bool:
    return not asked.search and asked.day is None


def _alerts(view: WorklistView, *, blind: bool) -> int:
    """Alerts of the queue; to a blind reader those on the page that they spoke of."""
    if not blind:
        return view.counts.alert
    return sum(row.urgency is not None and row.urgency.alert for row in view.rows)
