from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headct.errors import ReviewError
from headct.terms.review import Action, Exclusion, Person, Review, ReviewFinding, Standing, verdict
from headct.terms.urgency import Urgency

SATO = Person("sato", "Sato^Hanako", "St. Elsewhere")
AT = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
COLOURS = st.none() | st.sampled_from(Urgency)


def said(urgency: Urgency | None, login: str = "sato", minute: int = 0) -> Review:
    return Review(
        by=Person(login, f"{login.title()}^Hanako", "St. Elsewhere"),
        at=AT + timedelta(minutes=minute),
        action=Action.EXCLUDE if urgency is None else Action.RELABEL,
        urgency=urgency,
        reason=Exclusion.REPEAT if urgency is None else None,
    )


@st.composite
def reviews(draw):
    findings = draw(st.dictionaries(st.sampled_from(ReviewFinding), st.just(True)))
    return replace(
        said(draw(COLOURS), draw(st.sampled_from(["sato", "ito", "abe"])), draw(st.integers(0, 99))),
        findings=findings,
        comment=draw(st.text(max_size=50)),
        blind=draw(st.booleans()),
    )


@given(reviews())
def test_round_trip(review):
    assert Review.from_json(review.to_json()) == review


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"urgency": None}, "has an urgency"),
        ({"action": Action.EXCLUDE, "urgency": None}, "has a reason"),
        ({"reason": Exclusion.REPEAT}, "has a reason"),
        ({"action": Action.EXCLUDE, "reason": Exclusion.REPEAT}, "has an urgency"),
        ({"action": Action.EXCLUDE, "urgency": None, "reason": Exclusion.OTHER, "comment": " "}, "comment"),
        ({"comment": "x" * 2001}, "2000"),
        ({"findings": {ReviewFinding.HAEMORRHAGE: False, ReviewFinding.EPIDURAL: True}}, "cannot both"),
    ],
)
def test_a_review_that_contradicts_itself_is_refused(change, says):
    with pytest.raises(ReviewError, match=says):
        replace(said(Urgency.RED), **change)


def test_nobody_has_spoken():
    found = verdict([])
    assert (found.standing, found.urgency, found.label, found.excluded) == (
        Standing.UNREVIEWED,
        None,
        None,
        False,
    )


@given(st.lists(COLOURS, min_size=1))
def test_of_one_person_the_last_word_counts(colours):
    found = verdict([said(c, minute=n) for n, c in enumerate(colours)])
    assert found.standing is Standing.REVIEWED
    assert found.urgency == found.label == colours[-1]
    assert found.excluded == (colours[-1] is None)


@given(COLOURS, COLOURS)
def test_two_who_differ_show_the_worse_and_teach_nothing(one, other):
    found = verdict([said(one), said(other, "ito")])
    if one == other:
        assert (found.standing, found.label) == (Standing.REVIEWED, one)
    else:
        assert (found.standing, found.label) == (Standing.DISPUTED, None)
        assert found.urgency == max(c for c in (one, other) if c is not None)
        assert not found.excluded


@given(COLOURS, COLOURS, COLOURS)
def test_a_third_settles(one, other, third):
    found = verdict([said(one), said(other, "ito"), said(third, "abe")])
    if one == other == third:
        assert found.standing is Standing.REVIEWED
    else:
        assert found.standing is Standing.SETTLED
        # Two who agree outvote a third; the third among three views decides.
        assert found.urgency == (one if one == other else third)
        assert found.label == found.urgency


def test_a_dispute_ends_when_one_is_persuaded():
    found = verdict([said(Urgency.RED), said(Urgency.GREEN, "ito"), said(Urgency.GREEN, minute=9)])
    assert (found.standing, found.urgency) == (Standing.REVIEWED, Urgency.GREEN)
    assert found.by is not None and found.by.by == SATO


@given(st.lists(reviews(), max_size=8))
def test_what_counts_is_somebodys_latest_word(given_reviews):
    found = verdict(given_reviews)
    latest = {r.by.login: r for r in given_reviews}
    assert (found.by is None) == (not given_reviews)
    if found.by is not None:
        assert found.by in latest.values() and found.by.urgency == found.urgency


def found(login: str, **findings: bool) -> Review:
    return replace(
        said(Urgency.YELLOW, login), findings={ReviewFinding(name): there for name, there in findings.items()}
    )


def test_findings_are_those_of_all_who_hold_what_counts():
    counted = verdict([found("sato", haemorrhage=True, fracture=False), found("ito", subdural=True)])
    assert counted.findings == {
        ReviewFinding.HAEMORRHAGE: True,
        ReviewFinding.FRACTURE: False,
        ReviewFinding.SUBDURAL: True,
    }
    other = replace(said(Urgency.GREEN, "abe"), findings={ReviewFinding.HAEMORRHAGE: False})
    assert verdict([found("sato", haemorrhage=True), other, found("ito")]).findings == {
        ReviewFinding.HAEMORRHAGE: True
    }


def test_on_what_they_differ_nothing_counts():
    counted = verdict([found("sato", haemorrhage=True, epidural=True), found("ito", haemorrhage=False)])
    assert counted.standing is Standing.REVIEWED and counted.findings == {}
