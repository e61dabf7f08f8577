"""What a reader may see before they have spoken: patient and images, nothing that anyone said of them.

The answer is taken out of the views themselves, so that no page or answer made of them can hold it.
"""

import re
from collections.abc import Iterable

from headct.terms.review import Standing
from orthanc_plugin.cases.review_views import VerdictView
from orthanc_plugin.cases.views import SeriesSummary, SeriesView, StudyView, WorklistRow, WorklistView
from orthanc_plugin.states import PENDING, CaseState, SeriesState


def has_spoken(case: WorklistRow, login: str) -> bool:
    """Whether this reader has given an answer on some series of a study: then the study is open to them."""
    return any(review.login == login for review in case.reviews)


def blinded_worklist(view: WorklistView, login: str) -> WorklistView:
    """All studies by arrival: first those that this reader has not spoken of, without their answers."""

    def arranged(rows: Iterable[WorklistRow]) -> tuple[WorklistRow, ...]:
        shown = [row if has_spoken(row, login) else blinded_row(row) for row in rows]
        return tuple(sorted(shown, key=lambda row: (has_spoken(row, login), row.first_arrival, row.id)))

    return view.model_copy(update={"rows": arranged(view.rows), "earlier": arranged(view.earlier)})


def blinded_study(view: StudyView) -> StudyView:
    """A study without its answers, its series by number: the best first would tell which is the worst."""
    series = sorted((blinded_series(s) for s in view.series), key=_plain_order)
    return StudyView(case=blinded_row(view.case), series=tuple(series))


def blinded_row(case: WorklistRow) -> WorklistRow:
    """A row without its answers; its state is that of a study of which nothing was said early."""
    series = sorted((_summary(s) for s in case.series), key=_plain_order)
    return case.model_copy(
        update={
            "state": _state(series),
            "urgency": None,
            "by_person": False,
            "machine_urgency": None,
            "unsure": False,
            "doubts": (),
            "preliminary": False,
            "discordant": False,
            "reason": None,
            "findings": (),
            "cautions": (),
            "judged_at": None,
            "result_age_seconds": None,
            "preview": None,
            "series": tuple(series),
            "reviewed": False,
            "disputed": False,
            "reviews": (),
            "reopened": False,
            "unverified": (),
        }
    )


def blinded_series(series: SeriesView) -> SeriesView:
    """A series without its answers. Slices early on would tell of an early alert."""
    return series.model_copy(
        update={
            "urgency": None,
            "unsure": False,
            "preliminary": False,
            "attempts": 0,
            "assessment": None,
            "reviews": (),
            "unverified": (),
            "verdict": VerdictView(standing=Standing.UNREVIEWED),
            "disagreement": False,
            "history": (),
            "documents": (),
            "slices": 0 if series.state.pending else series.slices,
        }
    )


def _summary(series: SeriesSummary) -> SeriesSummary:
    return series.model_copy(update={"urgency": None, "unsure": False, "preliminary": False})


def _state(series: Iterable[SeriesSummary]) -> CaseState:
    states = {s.state for s in series}
    if states & PENDING or not states:
        return CaseState.PENDING
    if SeriesState.ASSESSED in states:
        return CaseState.ASSESSED
    return CaseState.FAILED if SeriesState.FAILED in states else CaseState.NOT_ANALYSED


def _plain_order(series: SeriesSummary) -> tuple[bool, list[int], str]:
    """Those that were judged first, then by their number."""
    digits = [int(part) for part in re.findall(r"\d+", series.number)]
    return series.state is not SeriesState.ASSESSED, digits, series.id
