import pytest
from hypothesis import given
from hypothesis import strategies as st

from headct import wording
from headct.terms.assessment import Finding, FindingKind, Location, State
from headct.terms.review import Action, Exclusion, ReviewFinding
from headct.terms.urgency import Urgency
from headct.triage.rubric import Rule
from headct.wording import (
    action_words,
    blind_words,
    caution_words,
    colour,
    exclusion_words,
    finding_words,
    findings_words,
    notice,
    review_finding_words,
    rule_words,
    state_words,
    urgency_words,
    volume_words,
)

LANGUAGES = ("en", "ja")
CAUTIONS = tuple(wording._CAUTIONS)


def everything(language):
    yield notice(language)
    for urgency in Urgency:
        yield colour(urgency, language)
        yield urgency_words(urgency, language)
        yield urgency_words(urgency, language, by_person=True)
    yield from (state_words(state, language) for state in State)
    yield from (caution_words(code, language) for code in CAUTIONS)
    yield from (rule_words(rule, language) for rule in Rule)
    yield from (action_words(action, language) for action in Action)
    yield from (exclusion_words(reason, language) for reason in Exclusion)
    yield blind_words(language)
    for said in ReviewFinding:
        yield from (review_finding_words(said, language, present=p) for p in (None, True, False))
    for kind in FindingKind:
        for place in (None, *Location):
            yield finding_words(Finding(kind, (3, 4, 9), 23.4, 12.3, place, 55.0, -7.0), language)
            yield finding_words(Finding(kind), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_ever_says_normal_or_claims_a_guideline_tier(language):
    for words in everything(language):
        lower = words.lower()
        assert words.strip()
        assert "{" not in words
        for never in (
            "normal",
            "healthy",
            "no bleed",
            "no haemorrhage",
            "正常",
            "異常なし",
            "big 1",
            "big 2",
            "big 3",
        ):
            assert never not in lower


def test_both_languages_say_as_much():
    english, japanese = (list(everything(language)) for language in LANGUAGES)
    assert len(english) == len(japanese)
    for words in english:
        assert words.isascii()
    for words in japanese:
        assert not words.isascii()


def test_a_machine_never_says_that_treatment_will_not_help():
    assert urgency_words(Urgency.BLACK) == "suspected extreme severity, specialist now"
    assert urgency_words(Urgency.BLACK, "ja") == "最重症疑い・直ちに専門医へ"
    assert "outcome" in urgency_words(Urgency.BLACK, by_person=True)
    assert urgency_words(Urgency.GREEN) == "nothing flagged"


def test_the_notice_leaves_the_decision_to_the_physician():
    assert "physician makes the final judgement" in notice()
    assert "最終判断は医師" in notice("ja")


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        (
            Finding(FindingKind.HAEMORRHAGE, (12, 13, 14, 17), 23.4, 31.4, Location.DEEP, 61.0),
            "deep bleed, about 23 ml, about 31 mm thick, slices 12-14, 17",
        ),
        (
            Finding(FindingKind.HAEMORRHAGE, (4,), 0.4, 0.3, Location.PERIPHERAL, 61.0),
            "bleed near the inner table of the skull, under 1 ml, about 1 mm thick, slice 4",
        ),
        (Finding(FindingKind.OLD_COLLECTION, volume_ml=28.6), "old collection of low density, about 29 ml"),
        (
            Finding(FindingKind.MIDLINE_OFFSET, offset_mm=7.4),
            "midline offset about 7 mm towards the patient's left",
        ),
        (
            Finding(FindingKind.MIDLINE_OFFSET, offset_mm=-16.8),
            "midline offset about 17 mm towards the patient's right",
        ),
        (
            Finding(FindingKind.MIDLINE_OFFSET, offset_mm=-2.0),
            "midline offset under 4 mm, within the noise of the measure",
        ),
        (Finding(FindingKind.MIDLINE_OFFSET), "midline offset not measurable"),
    ],
)
def test_findings_in_words(finding, words):
    assert finding_words(finding) == words


@pytest.mark.parametrize(
    ("ml", "words"),
    [
        (0.1, "under 1 ml"),
        (1.4, "about 1 ml"),
        (49.4, "about 49 ml"),
        (73.0, "about 75 ml"),
        (117, "about 120 ml"),
    ],
)
def test_volumes_are_no_more_exact_than_known(ml, words):
    assert volume_words(ml) == words


def test_many_findings_are_counted_and_never_left_unsaid():
    midline = Finding(FindingKind.MIDLINE_OFFSET, offset_mm=7.0)
    many = [Finding(FindingKind.HAEMORRHAGE, volume_ml=9.0 - k) for k in range(9)]
    lines = findings_words((*many, midline), limit=6)
    assert len(lines) == 8
    assert lines[6] == "and 3 smaller, about 6 ml together"
    assert "midline" in lines[7]
    assert len(findings_words((*many[:6], midline), limit=6)) == 7
    assert "3 か所" in findings_words(many, "ja", limit=6)[6]


@given(st.floats(0.1, 500))
def test_rounding_stays_close(ml):
    words = volume_words(ml)
    if ml >= 1:
        assert abs(int(words.split()[1]) - ml) <= max(0.5, 0.055 * ml)


def test_an_unknown_code_is_shown_as_it_is():
    assert caution_words("far_away", "ja") == "far away"
    assert rule_words("rule_of_an_older_version") == "rule of an older version"


def test_rules_quote_the_rubric_that_was_used():
    assert "8 mm" in rule_words("thickness")
    assert "Brain Injury Guidelines" in rule_words("thickness", "ja")
