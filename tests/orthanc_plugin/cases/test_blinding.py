"""Blind reading: two studies that differ only in what was said of them look the same."""

from datetime import timedelta
from typing import Any

from fake_cases import DEEP, HUGE, MIDLINE, NOW, case, in_full, summary
from hypothesis import given
from hypothesis import strategies as st

from headct.reasons import ReasonCode
from headct.terms.review import Action, ReviewFinding, Standing
from headct.terms.urgency import Urgency
from orthanc_plugin.cases.blinding import (
    blinded_row,
    blinded_series,
    blinded_study,
    blinded_worklist,
    has_spoken,
)
from orthanc_plugin.cases.review_views import ReviewView, VerdictView
from orthanc_plugin.cases.views import (
    CautionView,
    DocumentView,
    FindingView,
    StudyView,
    WorklistRow,
    WorklistView,
)
from orthanc_plugin.states import DocumentKind, SeriesState

URGENCY = st.sampled_from(list(Urgency))
FINDINGS = st.lists(st.sampled_from([DEEP, HUGE, MIDLINE]), max_size=3)


def said_by(login: str, urgency: Urgency = Urgency.RED) -> ReviewView:
    return ReviewView(
        action=Action.RELABEL,
        urgency=urgency,
        findings={ReviewFinding.SUBDURAL: True},
        reason=None,
        comment="thin",
        blind=False,
        login=login,
        reader=f"{login.title()}^Hanako",
        organisation="St. Elsewhere",
        at=NOW,
    )


@st.composite
def answers(draw: st.DrawFn) -> StudyView:
    """One study of two series, one judged and one perhaps early; whatever was said of it."""
    early = draw(st.none() | URGENCY)
    urgency = draw(URGENCY)
    reviews = tuple(said_by(login, draw(URGENCY)) for login in draw(st.sets(st.sampled_from(["ito", "abe"]))))
    series = [
        summary("one", urgency=urgency, number="3"),
        summary("two", SeriesState.WAITING, urgency=early, preliminary=early is not None, number="2"),
    ]
    if draw(st.booleans()):
        series.reverse()  # the best first
    findings = tuple(draw(FINDINGS))
    row = case(
        "study",
        "A^B",
        9,
        *series,
        urgency=draw(st.none() | URGENCY),
        by_person=draw(st.booleans()),
        findings=findings,
        discordant=draw(st.booleans()),
        machine_urgency=urgency,
        reviewed=draw(st.booleans()),
        disputed=draw(st.booleans()),
        reopened=draw(st.booleans()),
        preliminary=draw(st.booleans()),
        reviews=reviews,
        cautions=tuple(CautionView.of(c) for c in draw(st.sets(st.sampled_from(["child", "partial"])))),
    )
    verdict = VerdictView(standing=draw(st.sampled_from(Standing)), urgency=draw(st.none() | URGENCY))
    changes: dict[str, Any] = {"reviews": reviews, "verdict": verdict, "disagreement": draw(st.booleans())}
    region = DocumentView(kind=DocumentKind.SEGMENTATION, sop_instance_uid="1.2.9", created_at=NOW)
    drawn = (region,) if draw(st.booleans()) else ()
    full = tuple(
        one.model_copy(update={**changes, "documents": one.documents + drawn})
        for one in (in_full(row, s) for s in series)
    )
    return StudyView(case=row, series=full)


@given(answers(), answers())
def test_whatever_was_said_it_looks_the_same(one: StudyView, other: StudyView) -> None:
    assert blinded_study(one) == blinded_study(other)


@given(answers())
def test_patient_and_images_stay(study: StudyView) -> None:
    blind = blinded_study(study)
    for field in ("id", "patient_name", "patient_id", "first_arrival", "study_description", "age"):
        assert getattr(blind.case, field) == getattr(study.case, field)
    judged = next(s for s in blind.series if s.number == "3")
    assert judged.slices == 33 and judged.based_on == blinded_series(judged).based_on


def test_a_series_that_says_nothing_of_the_answer_keeps_its_reason() -> None:
    bone = summary("bone", SeriesState.NOT_ANALYSED, reason=ReasonCode.BONE_KERNEL)
    (left,) = blinded_row(case("x", "A^B", 1, bone)).series
    assert left.reason is not None and left.reason.code is ReasonCode.BONE_KERNEL


def test_the_list_is_by_arrival_and_what_the_reader_spoke_of_comes_last_and_open() -> None:
    def row(key: str, minutes: float, urgency: Urgency, *logins: str) -> WorklistRow:
        reviews = tuple(said_by(login) for login in logins)
        made = summary(key, urgency=urgency)
        return case(key, key, minutes, made, urgency=urgency, findings=(DEEP,), reviews=reviews)

    rows = (
        row("new", 1, Urgency.BLACK),
        row("old", 50, Urgency.GREEN, "ito"),
        row("mine", 90, Urgency.RED, "sato", "ito"),
        row("middle", 20, Urgency.RED),
    )
    view = blinded_worklist(
        WorklistView(generated_at=NOW + timedelta(hours=1), rows=rows, earlier=rows), "sato"
    )
    for shown in (view.rows, view.earlier):
        assert [r.patient_name.alphabetic for r in shown] == ["old", "middle", "new", "mine"]
        assert [r.urgency for r in shown] == [None, None, None, Urgency.RED]
        assert [has_spoken(r, "sato") for r in shown] == [False, False, False, True]
        assert shown[-1].findings == (FindingView.of(DEEP),)
