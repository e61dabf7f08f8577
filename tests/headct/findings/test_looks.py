"""Several networks look: what decides, and what is not sure."""

from dataclasses import replace

import numpy as np
import pytest
from bundles import THREE, contents
from drawn_heads import head, volume
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.findings.conclusion import conclude
from headct.findings.looks import answer
from headct.findings.scoring import score
from headct.network.contents import Thresholds
from headct.terms.assessment import Unsure
from headct.terms.urgency import Urgency
from headct.triage.rubric import default_rubric

SLABS = 6
HEAD = volume(head(SLABS))
ABOUT = contents(thresholds=Thresholds(0.5, 0.0), networks=THREE)
RUBRIC = default_rubric()


def look(rows=0, columns=0, slabs=2, chance=0.99):
    """What a network gives that sees a box of blood, so many millimetres wide, amid the head."""
    given = np.zeros(HEAD.hu.shape, np.float32)
    given[:slabs, 80 : 80 + rows, 50 : 50 + columns] = chance
    return given


BLACK, RED, YELLOW, GREEN = look(60, 70, SLABS), look(10, 10), look(6, 50), look()
"""By volume, by thickness, any bleed, none."""


def said(*looks, about=ABOUT, **how):
    return answer(HEAD, looks, about, RUBRIC, **how)


def test_the_looks_give_these_colours():
    found = [said(one).conclusion.urgency for one in (GREEN, YELLOW, RED, BLACK)]
    assert found == list(Urgency)


@pytest.mark.parametrize("one", [RED, YELLOW, GREEN])
def test_one_network_is_concluded_from_as_ever_and_never_divided(one):
    found, alone = said(one), conclude(HEAD, one, ABOUT, RUBRIC)
    assert found.doubts == ()
    assert (found.conclusion.urgency, found.conclusion.findings) == (alone.urgency, alone.findings)


@pytest.mark.parametrize("one", [RED, YELLOW, GREEN])
def test_networks_that_agree_are_sure(one):
    found = said(one, one, one)
    assert found.doubts == ()
    assert found.conclusion.urgency is said(one).conclusion.urgency


def test_one_that_sees_nothing_leaves_the_colour_of_the_mean_and_a_doubt():
    found = said(YELLOW, GREEN, YELLOW)
    assert (
        found.conclusion.urgency is said((YELLOW + GREEN + YELLOW) / 3).conclusion.urgency is Urgency.YELLOW
    )
    assert found.doubts == (Unsure.DIVIDED,)


def test_one_that_sees_something_where_the_mean_is_green():
    found = said(GREEN, GREEN, YELLOW)
    assert found.conclusion.urgency is Urgency.GREEN
    assert found.doubts == (Unsure.DIVIDED,)


def test_score_mask_and_findings_are_of_the_mean():
    looks = [look(20, 20, chance=chance) for chance in (0.9, 0.8, 0.7)]
    found, mean = said(*looks), sum(looks) / 3
    assert found.conclusion.bleeding.score == pytest.approx(
        score(HEAD, mean, ABOUT.thresholds).score, abs=1e-5
    )
    assert np.allclose(found.probabilities, mean, atol=1e-6)


def test_an_alert_of_the_first_stands():
    alone, found = said(RED), said(RED, GREEN, GREEN)
    assert said(GREEN, RED, GREEN).conclusion.urgency < Urgency.RED, "of another one it does not"
    assert found.conclusion.urgency is Urgency.RED
    assert found.conclusion.findings == alone.conclusion.findings, "what is said is what gave the colour"
    assert np.array_equal(found.conclusion.bleeding.mask, alone.conclusion.bleeding.mask)
    assert np.array_equal(found.probabilities, RED)
    assert found.doubts == (Unsure.DIVIDED,)
    together = conclude(HEAD, RED / 3, ABOUT, RUBRIC)
    assert found.conclusion.alert_probability == pytest.approx(together.alert_probability, abs=1e-5)


def test_red_and_black_are_one_answer():
    found = said(BLACK, RED, BLACK)
    assert (found.conclusion.urgency, found.doubts) == (Urgency.BLACK, ())


def test_who_waits_is_told_of_an_alert_before_the_others_look():
    told = []

    def looks(first):
        yield first
        told.append("others look")
        yield GREEN
        yield GREEN

    answer(HEAD, looks(RED), ABOUT, RUBRIC, on_alert=lambda early: told.append(early.conclusion.urgency))
    assert told == [Urgency.RED, "others look"]
    told.clear()
    answer(HEAD, looks(YELLOW), ABOUT, RUBRIC, on_alert=told.append)
    assert told == ["others look"]


def test_one_network_alone_tells_nobody_early():
    about = replace(ABOUT, networks=("one.tflite",))
    said(RED, about=about, on_alert=pytest.fail)


@pytest.mark.parametrize(("beyond", "turned"), [(-0.15, False), (-0.05, True), (0.05, True), (0.15, False)])
def test_near_the_threshold_a_disturbance_turns_it(beyond, turned):
    at = said(YELLOW).conclusion.bleeding.score - beyond
    about = replace(ABOUT, thresholds=Thresholds(0.5, at, margin=0.1))
    found = said(YELLOW, YELLOW, YELLOW, about=about)
    assert found.conclusion.urgency is (Urgency.YELLOW if beyond > 0 else Urgency.GREEN)
    assert found.doubts == ((Unsure.TURNED,) if turned else ())


def test_without_a_margin_nothing_is_turned():
    at = said(YELLOW).conclusion.bleeding.score
    assert said(YELLOW, about=replace(ABOUT, thresholds=Thresholds(0.5, at))).doubts == ()


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.sampled_from([RED, YELLOW, GREEN, look(6, 50, chance=0.4)]), min_size=1, max_size=3),
    st.floats(0.0, 1.0),
)
def test_doubt_changes_no_colour(looks, margin):
    doubtful = replace(ABOUT, thresholds=Thresholds(0.5, 0.0, margin=margin))
    found, plain = said(*looks, about=doubtful), said(*looks)
    assert found.conclusion.urgency is plain.conclusion.urgency
    assert set(plain.doubts) <= set(found.doubts)
    first = said(looks[0]).conclusion.urgency
    assert found.conclusion.urgency >= first or not first.alert
