"""The pages: the worklist, one study, and errors; rendered here, refreshed by htmx."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request
from werkzeug.wrappers import Response as Redirection

from headct import wording
from headct.language import LANGUAGES, Language, Phrase, _, pgettext
from headct.reasons import ReasonCode
from headct.terms.assessment import FindingKind
from headct.terms.review import BLEED_TYPES, Exclusion, Standing
from headct.terms.urgency import Urgency
from headct.triage.rubric import MIDLINE_NOISE_MM
from orthanc_plugin.answer import PatientNameView, Words
from orthanc_plugin.cases.blinding import blinded_study, has_spoken
from orthanc_plugin.cases.views import FindingView, SeriesSummary, SeriesView, WorklistRow
from orthanc_plugin.health.views import StatusView
from orthanc_plugin.service import Triage
from orthanc_plugin.states import PENDING, CaseState, SeriesState, Window
from orthanc_plugin.web import drift_page, links, models_page, reading, words, worklist_page
from orthanc_plugin.web.ages import age_of, around, with_ages
from orthanc_plugin.web.conditional import asks_by_itself, tag_of, unless_known

BLIND_COOKIE = "headct_blind"
"""Blind reading, until the browser is closed or the reader ends it."""
_ROW_FINDINGS = 3


@dataclass(frozen=True, slots=True)
class Sign:
    """How an urgency or a state looks: a tone for the style sheet, a shape, a word, a sentence."""

    tone: str
    title: str
    sentence: str = ""


def sign(item: WorklistRow | SeriesSummary, language: Language) -> Sign:
    """The sign of a study or a series; a state counts only where there is no urgency."""
    if item.urgency is not None:
        if isinstance(item, WorklistRow) and item.by_person:
            return person_sign(item.urgency, language)
        return urgency_sign(item.urgency, language, unsure=item.unsure)
    tone = {
        CaseState.ASSESSED: "to_read",
        SeriesState.ASSESSED: "to_read",
        CaseState.NOT_ANALYSED: "not_analysed",
        CaseState.FAILED: "failed",
        SeriesState.WITHDRAWN: "withdrawn",
    }.get(item.state, "pending")
    hint = words.HINTS[tone].say(language) if tone in words.HINTS else ""
    return Sign(tone, words.TONES[tone].say(language), hint)


def urgency_sign(urgency: Urgency, language: Language, *, unsure: bool = False) -> Sign:
    """The sign of a machine's urgency."""
    tone, meaning = urgency.name.lower(), wording.urgency_words(urgency, language, unsure=unsure)
    # No colour's name where it says more than a machine can know: *green* reads as all clear, and on the
    # triage tag *black* is beyond help.
    if urgency in {Urgency.GREEN, Urgency.BLACK}:
        return Sign(tone, meaning[:1].upper() + meaning[1:])
    return Sign(tone, wording.colour(urgency, language).upper(), meaning)


def person_sign(urgency: Urgency, language: Language) -> Sign:
    """The sign of what a person said; only a person says more than what an image can know."""
    meaning = wording.urgency_words(urgency, language, by_person=True)
    return Sign(urgency.name.lower(), wording.colour(urgency, language).upper(), meaning)


def progress(row: WorklistRow, language: Language) -> str:
    """What a pending study waits for: its furthest series."""
    for state, phrase in reversed(words.PROGRESS.items()):
        images = [s.images for s in row.series if s.state is state]
        if images:
            return phrase.filled(count=sum(images)).say(language)
    return ""


def series_tally(row: WorklistRow, language: Language) -> str:
    """The series of a study in one line: ``5 series: 1 assessed, 4 not analysed``."""
    shown = [s for s in row.series if s.state is not SeriesState.WITHDRAWN]
    groups = (
        (_("{count} assessed"), (SeriesState.ASSESSED,)),
        (_("{count} not analysed"), (SeriesState.NOT_ANALYSED,)),
        (_("{count} failed"), (SeriesState.FAILED,)),
        (_("{count} pending"), PENDING),
    )
    counts = ((phrase, sum(s.state in states for s in shown)) for phrase, states in groups)
    parts = [phrase.filled(count=count).say(language) for phrase, count in counts if count]
    comma = pgettext("between counts", ", ").say(language)
    return _("{count} series: {parts}", count=len(shown), parts=comma.join(parts)).say(language)


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
    return finding.offset_mm is not None and abs(finding.offset_mm) >= MIDLINE_NOISE_MM


def verdicts(row: WorklistRow, language: Language) -> str:
    """What the series of a discordant study say, worst first."""
    found = sorted({s.urgency for s in row.series if s.urgency is not None}, reverse=True)
    return " / ".join(urgency_sign(urgency, language).title for urgency in found)


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
        "version": _version_of(chosen),
        "key_slices": keys,
        "number": min(max(number, 0), chosen.slices - 1),
        "window": Window(wish) if wish in list(Window) else Window.BRAIN,
    }


# Long, for it names all that templates call.
def context() -> dict[str, Any]:
    """Helpers for every template, in the language of the request."""
    language = words.requested_language()

    def pick(both: Words) -> str:
        return both.ja if language == "ja" else both.en

    return {
        "language": language,
        "languages": LANGUAGES,
        "_": lambda message, **figures: Phrase(message, figures).say(language),
        "pgettext": lambda where, message, **figures: Phrase(message, figures, where).say(language),
        "say": lambda phrase: phrase.say(language),
        "pick": pick,
        "words": words,
        "notice": wording.notice(language),
        "places": words.PLACES,
        "sign": lambda item: sign(item, language),
        "urgency_sign": lambda urgency: urgency_sign(urgency, language),
        "progress": lambda row: progress(row, language),
        "has_pending": lambda row: any(s.state.pending for s in row.series),
        "has_failed": lambda row: any(s.state is SeriesState.FAILED for s in row.series),
        "telling": telling,
        "verdicts": lambda row: verdicts(row, language),
        "series_tally": lambda row: series_tally(row, language),
        "rule": lambda name: wording.rule_words(name, language),
        "duration": lambda seconds: words.duration(seconds).say(language),
        "spans": words.spans(language),
        "age_of": age_of,
        "around": around,
        "for_scripts": words.for_scripts,
        "clock": words.clock,
        "moment": words.moment,
        "minute": words.minute,
        "written_date": words.date_as_written,
        "written_time": words.time_as_written,
        "written_age": lambda age: words.age_as_written(age, language),
        "name_parts": lambda name: words.name_parts(name, language),
        "windows": list(Window),
        "timeline": lambda series: reading.timeline(series, language),
        "given_title": lambda said: reading.given_title(said, language),
        "unverified_words": lambda found: reading.unverified_words(found, language),
        "reader_name": lambda said: words.name_parts(PatientNameView.of(said.reader), language)[0],
        "person_sign": lambda urgency: person_sign(urgency, language),
        "blind": blind_reading(),
        "is_hidden": lambda row: blind_reading() and not has_spoken(row, login()),
        "FINDING_KEYS": reading.FINDING_KEYS,
        "BLEED_TYPES": BLEED_TYPES,
        "finding_words": lambda f, present=None: wording.review_finding_words(f, language, present=present),
        "licence_words": lambda licence: wording.licence_words(licence, language),
        "use_words": lambda use: wording.use_words(use, language),
        "exclusion_words": lambda reason: wording.exclusion_words(reason, language),
        "Exclusion": Exclusion,
        "Standing": Standing,
        "Urgency": Urgency,
        "asset": _asset,
        "is_worklist": links.is_worklist(),
        "poll_url": _poll_url(),
        "SeriesState": SeriesState,
        "CaseState": CaseState,
        "ReasonCode": ReasonCode,
    }


@cache
def _digest(filename: str) -> str:
    path = Path(__file__).parent / "static" / filename
    # Without htmx the page is still served, and says by itself that it is not being updated.
    return sha256(path.read_bytes()).hexdigest()[:16] if path.exists() else "missing"


def _asset(filename: str) -> str:
    """Address of a file of our own, which changes with its content and may be cached for ever."""
    return links.to("static", filename=filename, v=_digest(filename))


def _poll_url() -> str:
    """This page without the choice of language, which is remembered once, and as blind as it was opened."""
    rest = [(k, v) for k, v in request.args.items(multi=True) if k not in {"lang", "blind"}]
    query = urlencode([*rest, ("blind", int(blind_reading()))])
    return f"?{query}"


def _version_of(series: SeriesView) -> str:
    """Changes with the assessment or the images, so that a page never mixes slices of two."""
    said = series.assessment
    return f"{said.judged_at:%Y%m%d%H%M%S%f}" if said else f"{series.images}"


def blind_reading() -> bool:
    """Whether the machine's answer is hidden from this browser until the reader has given theirs."""
    return request.args.get("blind", words.cookie(BLIND_COOKIE)) == "1"


def login() -> str:
    """Who asks; empty where Orthanc asks nobody."""
    return request.remote_user or ""


def to_review(series: tuple[SeriesView, ...], viewer: dict[str, Any] | None) -> SeriesView | None:
    """The series a review is about: what is shown, else what the address wishes, else the first."""
    if viewer:
        return cast(SeriesView, viewer["series"])
    return next((s for s in series if s.id == request.args.get("series")), series[0] if series else None)


def _render(template: str, status: StatusView, code: int = 200, **values: Any) -> Response:
    """A whole page; or only its living part when htmx asks for it, if that is another than it has."""
    living = asks_by_itself()
    html = render_template(
        template,
        layout="_living.html" if living else "_page.html",
        living=living,
        status=links.with_viewer(status),
        **values,
    )
    if living:
        response = unless_known(tag_of(html), lambda: Response(html, code))
        response.headers["Triage-Time"] = words.for_scripts(status.now)
    else:
        response = Response(with_ages(html, status.now), code)
    response.vary.add("HX-Request")
    _remember(response)
    return response


def _remember(response: Response | Redirection) -> None:
    """Choices made in the address: the language for a year, blind reading until the browser is closed.

    They hold for the whole host: under which path a proxy shows us is not known.
    """
    wish = request.args.get("lang")
    if wish in LANGUAGES:
        response.set_cookie(words.COOKIE, wish, max_age=365 * 86400, httponly=True, samesite="Strict")
    blind = request.args.get("blind")
    if blind in {"0", "1"} and "HX-Request" not in request.headers:
        response.set_cookie(BLIND_COOKIE, blind, httponly=True, samesite="Strict")


def error_page(code: int, message: str) -> Response:
    """An error in words; needs nothing of triage, so that it can always be shown."""
    return Response(render_template("error.html", message=message, code=code, **context()), code)


def blueprint(triage: Triage) -> Blueprint:
    """Pages bound to one triage."""
    page = Blueprint("page", __name__, url_prefix="/triage", template_folder="templates")
    page.app_context_processor(lambda: {**context(), "me": triage.identity(login())})

    @page.get("/studies/<study_id>")
    def study(study_id: str) -> Response:
        view = triage.study(study_id)
        hidden = blind_reading() and not has_spoken(view.case, login())
        if hidden:
            view = blinded_study(view)
        shown = viewer(view.series)
        return _render(
            "study.html",
            triage.status(),
            case=view.case,
            series=view.series,
            viewer=shown,
            chosen=to_review(view.series, shown),
            hidden=hidden,
        )

    @page.get("/import")
    def media_import() -> Response:
        return _render("import.html", triage.status())

    worklist_page.add_routes(page, triage, _render, lambda: (login(), blind_reading()), _remember)
    models_page.add_routes(page, triage, _render, login)
    drift_page.add_routes(page, triage, _render, lambda readers: blind_reading() and login() not in readers)
    return page
