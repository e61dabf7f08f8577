from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import headct.triage.rubric
from headct.errors import RubricError
from headct.terms.assessment import Finding, FindingKind, Location
from headct.terms.urgency import Urgency
from headct.triage.rubric import Rubric, Rule, default_rubric

SHIPPED = Path(headct.triage.rubric.__file__).with_name("rubric.toml")
GREEN, YELLOW, RED, BLACK = Urgency


def bleed(ml=5.0, mm=4.0, location=Location.PERIPHERAL, kind=FindingKind.HAEMORRHAGE):
    return Finding(kind, (3, 4), volume_ml=ml, thickness_mm=mm, location=location, mean_hu=55.0)


def old(ml=5.0, mm=4.0):
    return bleed(ml, mm, kind=FindingKind.OLD_COLLECTION)


def midline(mm):
    return Finding(FindingKind.MIDLINE_OFFSET, offset_mm=mm)


VENTRICULAR = Finding(FindingKind.INTRAVENTRICULAR_BLOOD, (5,), volume_ml=2.0)
DEEP = Location.DEEP


@pytest.mark.parametrize(
    ("findings", "urgency", "worst"),
    [
        ((), GREEN, None),
        ((midline(2.0),), GREEN, None),
        ((midline(None),), GREEN, None),
        ((bleed(0.1, 1.0),), YELLOW, Rule.ANY_BLEED),
        ((bleed(29.9, 7.9),), YELLOW, Rule.ANY_BLEED),
        ((bleed(1.0, 8.0),), RED, Rule.THICKNESS),
        ((bleed(1.0, 3.0, DEEP),) * 2, YELLOW, Rule.ANY_BLEED),
        ((bleed(1.0, 3.0, DEEP),) * 3, RED, Rule.DEEP_COUNT),
        ((bleed(1.0, 3.0),) * 9, YELLOW, Rule.ANY_BLEED),
        ((bleed(30.1, 7.0),), RED, Rule.PERIPHERAL_VOLUME),
        ((bleed(19.9, 7.0, DEEP),), YELLOW, Rule.ANY_BLEED),
        ((bleed(20.0, 7.0, DEEP),), RED, Rule.DEEP_VOLUME),
        ((bleed(15.0, 7.0), bleed(15.0, 7.0)), RED, Rule.TOTAL_VOLUME),
        ((VENTRICULAR,), RED, Rule.VENTRICULAR),
        ((bleed(1.0, 2.0), midline(5.9)), YELLOW, Rule.ANY_BLEED),
        ((bleed(1.0, 2.0), midline(6.0)), RED, Rule.MIDLINE),
        ((bleed(1.0, 2.0), midline(-6.0)), RED, Rule.MIDLINE),
        ((midline(-11.0),), YELLOW, Rule.MIDLINE_ALONE),
        ((bleed(100.0, 30.0),), RED, Rule.THICKNESS),
        ((bleed(100.1, 30.0),), BLACK, Rule.TOTAL_BLACK),
        ((bleed(50.1, 30.0), bleed(50.0, 30.0)), BLACK, Rule.TOTAL_BLACK),
        ((bleed(57.0, 30.0), VENTRICULAR), RED, Rule.THICKNESS),
        ((bleed(58.1, 30.0), VENTRICULAR), BLACK, Rule.VENTRICULAR_BLACK),
        # An old collection is a finding, but not one of acute size criteria.
        ((old(28.6, 12.2),), YELLOW, Rule.ANY_BLEED),
        ((old(30.0, 12.0),), RED, Rule.TOTAL_VOLUME),
        ((old(150.0, 25.0),), RED, Rule.TOTAL_VOLUME),
        ((old(10.0, 9.0), midline(8.0)), RED, Rule.MIDLINE),
        # Figures that were not measured.
        ((Finding(FindingKind.HAEMORRHAGE),), YELLOW, Rule.ANY_BLEED),
    ],
)
def test_the_table(findings, urgency, worst):
    judgement = default_rubric().judge(findings)
    assert judgement.urgency is urgency
    assert (judgement.rules[0] if judgement.rules else None) == worst


def test_rules_are_given_worst_first():
    judgement = default_rubric().judge((bleed(120.0, 40.0, DEEP), midline(12.0)))
    assert judgement.rules == (
        Rule.TOTAL_BLACK,
        Rule.THICKNESS,
        Rule.DEEP_VOLUME,
        Rule.TOTAL_VOLUME,
        Rule.MIDLINE,
        Rule.ANY_BLEED,
    )


collections = st.builds(
    bleed,
    st.floats(0.1, 150),
    st.floats(0.5, 60),
    st.sampled_from(Location),
    st.sampled_from(
        [FindingKind.HAEMORRHAGE, FindingKind.OLD_COLLECTION, FindingKind.INTRAVENTRICULAR_BLOOD]
    ),
)
cases = st.lists(collections, max_size=6)


@given(cases, collections)
def test_another_bleed_never_lowers_the_urgency(found, more):
    assert default_rubric().judge((*found, more)).urgency >= default_rubric().judge(tuple(found)).urgency


@given(cases.filter(bool), st.data())
def test_a_larger_bleed_never_lowers_the_urgency(found, data):
    which = data.draw(st.integers(0, len(found) - 1))
    larger = list(found)
    larger[which] = replace(
        found[which],
        volume_ml=found[which].volume_ml + data.draw(st.floats(0, 100)),
        thickness_mm=found[which].thickness_mm + data.draw(st.floats(0, 30)),
    )
    assert default_rubric().judge(tuple(larger)).urgency >= default_rubric().judge(tuple(found)).urgency


@given(cases, st.floats(-30, 30), st.floats(0, 20))
def test_the_midline_only_raises(found, offset, more):
    plain = default_rubric().judge(tuple(found)).urgency
    with_offset = default_rubric().judge((*found, midline(offset))).urgency
    further = (
        default_rubric().judge((*found, midline(offset + more if offset >= 0 else offset - more))).urgency
    )
    assert plain <= with_offset <= further
    assert default_rubric().judge((*found, midline(None))).urgency == plain


@given(cases)
def test_green_exactly_when_nothing_was_found(found):
    assert (default_rubric().judge(tuple(found)).urgency is GREEN) == (not found)


def test_a_hospital_can_pass_its_own_file(tmp_path):
    own = tmp_path / "own.toml"
    text = SHIPPED.read_text().replace('version = "1"', 'version = "hospital-3"')
    own.write_text(
        text.replace("[rules.thickness_red_mm]\nvalue = 8", "[rules.thickness_red_mm]\nvalue = 10")
    )
    rubric = Rubric.load(own)
    assert rubric.version == "hospital-3"
    assert rubric.judge((bleed(1.0, 9.0),)).urgency is YELLOW
    assert default_rubric().judge((bleed(1.0, 9.0),)).urgency is RED


def test_every_value_that_ships_has_its_source():
    rubric = default_rubric()
    names = {*rubric.limits.__dataclass_fields__, *rubric.thresholds.__dataclass_fields__}
    assert set(rubric.sources) == names
    words = " ".join(rubric.sources.values())
    for source in ("Joseph", "Bullock", "Hemphill", "Broderick", "ours"):
        assert source in words
    # The size criteria alone are used, so no tier may be claimed.
    assert not any(tier in SHIPPED.read_text() for tier in ("BIG 1", "BIG 2", "BIG 3"))


@pytest.mark.parametrize(
    ("old_text", "new_text", "says"),
    [
        ("format = 1", "format = 2", "format 2"),
        ("format = 1", "", "format None"),
        ('version = "1"', "version = 1", "no version"),
        ("[rules.deep_red_ml]", "[rules.deep_red]", "deep_red_ml is missing"),
        ("[measurement.old_max_hu]", "[measurement.old]", "old_max_hu is missing"),
        ("[rules.thickness_red_mm]\nvalue = 8", "[rules.thickness_red_mm]\nvalue = -8", "above 0"),
        ("[rules.thickness_red_mm]\nvalue = 8", "[rules.thickness_red_mm]\nvalue = 0", "above 0"),
        ("[rules.thickness_red_mm]\nvalue = 8", "[rules.thickness_red_mm]\nvalue = nan", "above 0"),
        ("[rules.thickness_red_mm]\nvalue = 8", "[rules.thickness_red_mm]\nvalue = inf", "above 0"),
        ("[rules.thickness_red_mm]\nvalue = 8", "[rules.thickness_red_mm]\nvalue = true", "above 0"),
        ("[rules.thickness_red_mm]\nvalue = 8", '[rules.thickness_red_mm]\nvalue = "8"', "above 0"),
        ("[rules.thickness_red_mm]\nvalue = 8", "[rules.thickness_red_mm]\nvalu = 8", "a value and a source"),
        ("[rules.deep_count_red]\nvalue = 3", "[rules.deep_count_red]\nvalue = 2.5", "whole number"),
        (
            "[rules.total_black_ml]\nvalue = 100",
            "[rules.total_black_ml]\nvalue = 50",
            "is above total_black_ml",
        ),
        ("[rules.ventricular_black_ml]\nvalue = 60", "[rules.ventricular_black_ml]\nvalue = 20", "is above"),
        (
            "[measurement.old_max_hu]\nvalue = 30",
            "[measurement.old_max_hu]\nvalue = 130",
            "is above blood_max_hu",
        ),
        (
            "[rules.midline_mm]",
            "[rules.x]\nvalue = 1\nsource = 'a'\n[rules.midline_mm]",
            "rules.x is not known",
        ),
        ("format = 1", "format = 1\nhospital = 'x'", "hospital is not known"),
        ("format = 1", "format = = 1", "cannot be read"),
    ],
)
def test_nonsense_is_refused_in_one_sentence(tmp_path, old_text, new_text, says):
    text = SHIPPED.read_text()
    assert old_text in text
    own = tmp_path / "own.toml"
    own.write_text(text.replace(old_text, new_text, 1))
    with pytest.raises(RubricError, match=says) as raised:
        Rubric.load(own)
    assert "\n" not in str(raised.value)


def test_a_value_without_source_is_refused(tmp_path):
    text = SHIPPED.read_text()
    start = text.index('source = "', text.index("[rules.deep_red_ml]"))
    own = tmp_path / "own.toml"
    own.write_text(text[:start] + 'source = " "' + text[text.index("\n", start) :])
    with pytest.raises(RubricError, match="no source"):
        Rubric.load(own)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(RubricError, match="cannot be read"):
        Rubric.load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b"format = 1 # \xff")
    with pytest.raises(RubricError, match="cannot be read"):
        Rubric.load(tmp_path / "latin.toml")
