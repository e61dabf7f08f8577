"""The pages: the worklist, one study, and errors; rendered here, refreshed by htmx."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request, url_for

from headct import wording
from headct.assessment import FindingKind
from headct.reasons import Language
from headct.urgency import Urgency
from orthanc_plugin.views import (
    AssessmentView,
    CaseState,
    FindingView,
    SeriesState,
    SeriesSummary,
    SeriesView,
    StatusView,
    UnavailableError,
    Window,
    Words,
    WorklistRow,
    WorklistView,
)
from orthanc_plugin.web import words
from orthanc_plugin.web.contract import Triage

PLACES = (("page.worklist", "queue"), ("page.media_import", "import_title"))
"""Where the bar leads: an endpoint and the key of its words each."""
_ROW_FINDINGS = 3
_PENDING = (SeriesState.ARRIVING, SeriesState.WAITING, SeriesState.JUDGING)
_PENDING_WORDS = {
    SeriesState.ARRIVING: "arriving",
    SeriesState.WAITING: "waiting_more",
    SeriesState.JUDGING: "being_judged",
}


@dataclass(frozen=True, slots=True)
class Sign:
    """How an urgency or a state looks: a tone for the style sheet, a shape, a word, a sentence."""

    tone: str
    title: str
    sentence: str = ""


def sign(item: WorklistRow | SeriesSummary, language: Language) -> Sign:
    """The sign of a study or a series; a state counts only where there is no urgency."""
    if item.urgency is not None:
        return urgency_sign(item.urgency, language)
    tone = {
        CaseState.NOT_ANALYSED: "not_analysed",
        CaseState.FAILED: "failed",
        SeriesState.WITHDRAWN: "withdrawn",
    }.get(item.state, "pending")
    sentence = words.say("not_analysed_hint", language) if tone in {"not_analysed", "failed"} else ""
    return Sign(tone, words.say(tone, language), sentence)


def urgency_sign(urgency: Urgency, language: Language) -> Sign:
    """The sign of a machine's urgency."""
    tone, meaning = urgency.name.lower(), wording.urgency_words(urgency, language)
    # No colour's name where it says more than a machine can know: *green* reads as all clear, and on the
    # triage tag *black* is beyond help.
    if urgency in {Urgency.GREEN, Urgency.BLACK}:
        return Sign(tone, meaning[:1].upper() + meaning[1:])
    return Sign(tone, wording.colour(urgency, language).upper(), meaning)


def progress(row: WorklistRow, language: Language) -> str:
    """What a pending study waits for: its furthest series."""
    for state in reversed(_PENDING):
        images = [s.images for s in row.series if s.state is state]
        if images:
            return words.say(_PENDING_WORDS[state], language, count=sum(images))
    return ""


def series_tally(row: WorklistRow, language: Language) -> str:
    """The series of a study in one line: ``5 series: 1 assessed, 4 not analysed``."""
    shown = [s for s in row.series if s.state is not SeriesState.WITHDRAWN]
    groups = (
        ("series_assessed", (SeriesState.ASSESSED,)),
        ("series_not_analysed", (SeriesState.NOT_ANALYSED,)),
        ("series_failed", (SeriesState.FAILED,)),
        ("series_pending", _PENDING),
    )
    counts = ((key, sum(s.state in states for s in shown)) for key, states in groups)
    parts = [words.say(key, language, count=count) for key, count in counts if count]
    total = words.say("series_count", language, count=len(shown))
    return f"{total}: {', '.join(parts)}" if language == "en" else f"{total}（{'・'.join(parts)}）"


def telling(findings: tuple[FindingView, ...]) -> tuple[tuple[FindingView, ...], int]:
    """The few findings for a row, in their order, and how many more there are.

    Of each kind the first, then what there is room for.

    A midline within the noise of its measure, or not measurable, is no news; the detail view has it.
    """
    news = [f for f in findings if f.kind is not FindingKind.MIDLINE_OFFSET or _is_shift(f)]
    kinds = [f.kind for f in news]
    first_of_kind = [kinds.index(f.kind) == at for at, f in enumerate(news)]
    chosen = sorted(range(len(news)), key=lambda at: (not first_of_kind[at], at))[:_ROW_FINDINGS]
    return tuple(news[at] for at in sorted(chosen)), len(news) - len(chosen)


def _is_shift(finding: FindingView) -> bool:
    return finding.offset_mm is not None and abs(finding.offset_mm) >= wording.MIDLINE_NOISE_MM


def verdicts(row: WorklistRow, language: Language) -> str:
    """What the series of a discordant study say, worst first."""
    found = sorted({s.urgency for s in row.series if s.urgency is not None}, reverse=True)
    return " / ".join(urgency_sign(urgency, language).title for urgency in found)


def summary(rows: tuple[WorklistRow, ...]) -> list[tuple[str, int]]:
    """How many studies of each kind wait, in the order of work."""

    def kind(row: WorklistRow) -> str:
        if row.urgency is not None:
            return "alert" if row.urgency.alert else row.urgency.name.lower()
        return "pending" if row.state is CaseState.PENDING else "unknown"

    kinds = [kind(row) for row in rows]
    return [(k, kinds.count(k)) for k in ("alert", "unknown", "yellow", "pending", "green") if k in kinds]


def viewer(series: tuple[SeriesView, ...]) -> dict[str, Any] | None:
    """What the slice viewer shows: what the address wishes, else the first key slice of the best series."""
    shown = [s for s in series if s.slices]
    if not shown:
        return None
    chosen = next((s for s in shown if s.id == request.args.get("series")), shown[0])
    keys = [k.number for k in chosen.assessment.key_slices] if chosen.assessment else []
    keys = [k for k in keys if k < chosen.slices]
    number = request.args.get("slice", keys[0] if keys else chosen.slices // 2, type=int)
    wish = request.args.get("window", "")
    return {
        "series": chosen,
        "choices": shown,
        "key_slices": keys,
        "number": min(max(number, 0), chosen.slices - 1),
        "window": Window(wish) if wish in list(Window) else Window.BRAIN,
    }


def context() -> dict[str, Any]:
    """Helpers for every template, in the language of the request."""
    language = words.requested_language()

    def pick(both: Words) -> str:
        return both.ja if language == "ja" else both.en

    return {
        "language": language,
        "languages": words.LANGUAGES,
        "t": lambda key, **figures: words.say(key, language, **figures),
        "pick": pick,
        "notice": wording.notice(language),
        "places": PLACES,
        "sign": lambda item: sign(item, language),
        "urgency_sign": lambda urgency: urgency_sign(urgency, language),
        "progress": lambda row: progress(row, language),
        "has_pending": lambda row: any(s.state in _PENDING for s in row.series),
        "has_failed": lambda row: any(s.state is SeriesState.FAILED for s in row.series),
        "telling": telling,
        "verdicts": lambda row: verdicts(row, language),
        "series_tally": lambda row: series_tally(row, language),
        "rule": lambda name: wording.rule_words(name, language),
        "duration": lambda seconds: words.duration(seconds, language),
        "clock": words.clock,
        "moment": words.moment,
        "written_date": words.date_as_written,
        "written_time": words.time_as_written,
        "written_age": lambda age: words.age_as_written(age, language),
        "name_parts": lambda name: words.name_parts(name, language),
        "windows": list(Window),
        "version_of": _version_of,
        "asset": _asset,
        "poll_url": _poll_url(),
        "SeriesState": SeriesState,
        "CaseState": CaseState,
    }


@cache
def _digest(filename: str) -> str:
    path = Path(__file__).parent / "static" / filename
    # Without htmx the page is still served, and says by itself that it is not being updated.
    return sha256(path.read_bytes()).hexdigest()[:16] if path.exists() else "missing"


def _asset(filename: str) -> str:
    """Address of a file of our own, which changes with its content and may be cached for ever."""
    return url_for("static", filename=filename, v=_digest(filename))


def _poll_url() -> str:
    """This page without the choice of language, which is remembered once."""
    rest = urlencode([(k, v) for k, v in request.args.items(multi=True) if k != "lang"])
    return request.script_root + request.path + (f"?{rest}" if rest else "")


def _version_of(assessment: AssessmentView | None) -> str:
    """Changes with the assessment, so that a page never mixes slices of two."""
    return f"{assessment.judged_at:%Y%m%d%H%M%S%f}" if assessment else "0"


def _worklist_or_reason(triage: Triage) -> tuple[WorklistView | None, str]:
    try:
        return triage.worklist(), ""
    except UnavailableError as error:
        return None, str(error)


def _render(template: str, status: StatusView, code: int = 200, **values: Any) -> Response:
    """A whole page, or only its living part when htmx asks for it."""
    living = request.headers.get("HX-Request") == "true"
    html = render_template(
        template, layout="_living.html" if living else "_page.html", status=status, **values
    )
    response = Response(html, code)
    response.vary.add("HX-Request")
    wish = request.args.get("lang")
    if wish in words.LANGUAGES:
        path = url_for("page.worklist")
        response.set_cookie(
            words.COOKIE, wish, max_age=365 * 86400, path=path, httponly=True, samesite="Strict"
        )
    return response


def error_page(code: int, message: str) -> Response:
    """An error in words; needs nothing of triage, so that it can always be shown."""
    return Response(render_template("error.html", message=message, code=code, **context()), code)


def blueprint(triage: Triage) -> Blueprint:
    """Pages bound to one triage."""
    page = Blueprint("page", __name__, url_prefix="/triage", template_folder="templates")
    page.app_context_processor(context)

    @page.get("/", strict_slashes=False)
    def worklist() -> Response:
        view, trouble = _worklist_or_reason(triage)
        rows = view.rows if view else ()
        return _render(
            "worklist.html",
            triage.status(),
            worklist=view,
            trouble=trouble,
            summary=summary(rows),
            alerts=sum(row.urgency is not None and row.urgency.alert for row in rows),
        )

    @page.get("/studies/<study_id>")
    def study(study_id: str) -> Response:
        view = triage.study(study_id)
        return _render(
            "study.html", triage.status(), case=view.case, series=view.series, viewer=viewer(view.series)
        )

    @page.get("/import")
    def media_import() -> Response:
        return _render("import.html", triage.status())

    return page
