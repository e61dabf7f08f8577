import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headct.reasons import Reason, ReasonCode
from headct.terms.assessment import (
    Assessment,
    BundleIdentity,
    Finding,
    FindingKind,
    KeySlice,
    Location,
    Outcome,
    State,
    Timings,
)
from headct.terms.quantities import Quantity
from headct.terms.urgency import Urgency

probabilities = st.floats(0, 1)
figures = st.none() | st.floats(-1e3, 1e3)
findings = st.builds(
    Finding,
    st.sampled_from(FindingKind),
    st.lists(st.integers(0, 300), max_size=5).map(tuple),
    figures,
    figures,
    st.none() | st.sampled_from(Location),
    figures,
    figures,
)
assessments = st.builds(
    Assessment,
    st.sampled_from(Urgency),
    probabilities,
    probabilities,
    st.lists(findings, max_size=4).map(tuple),
    st.lists(st.builds(KeySlice, st.integers(0, 300), st.text(max_size=64)), max_size=4).map(tuple),
    st.builds(BundleIdentity, st.text(), st.text(), st.text(), st.text()),
    st.text(),
    st.lists(st.text(), max_size=3).map(tuple),
    st.lists(st.text(), max_size=3).map(tuple),
    st.builds(Timings, *[st.floats(0, 100)] * 5),
    st.dictionaries(st.sampled_from(Quantity), st.floats(0, 1e3)),
)


@given(assessments)
def test_an_assessment_goes_through_json_and_back(assessment):
    assert Assessment.from_json(json.loads(json.dumps(assessment.to_json()))) == assessment


@given(assessments)
def test_an_assessment_from_before_inputs_were_kept_is_read(assessment):
    data = assessment.to_json()
    del data["inputs"]
    assert Assessment.from_json(data) == replace(assessment, inputs={})


@given(assessments)
def test_the_printed_object_has_what_was_promised(assessment):
    printed = json.loads(json.dumps(Outcome("1.2.3", State.ASSESSED, assessment).to_json()))
    assert {
        "series_instance_uid",
        "state",
        "reason",
        "urgency",
        "alert_probability",
        "haemorrhage_probability",
        "findings",
        "key_slices",
        "bundle",
        "seconds",
    } <= set(printed)
    assert printed["urgency"] == assessment.urgency.name
    assert printed["reason"] is None
    assert printed["seconds"] == pytest.approx(assessment.timings.total)


@pytest.mark.parametrize("state", [State.NOT_ANALYSED, State.FAILED])
def test_without_an_assessment_there_is_a_reason_and_nothing_else(state):
    printed = Outcome("1.2.3", state, reason=Reason(ReasonCode.PHANTOM)).to_json()
    assert printed["reason"] == "test object (phantom)"
    for key in ("urgency", "alert_probability", "haemorrhage_probability", "bundle", "seconds"):
        assert printed[key] is None
    assert printed["findings"] == printed["key_slices"] == []


def test_an_outcome_says_one_thing():
    with pytest.raises(ValueError, match="either"):
        Outcome("1.2.3", State.FAILED)
    with pytest.raises(ValueError, match="does not fit"):
        Outcome("1.2.3", State.ASSESSED, reason=Reason(ReasonCode.PHANTOM))
