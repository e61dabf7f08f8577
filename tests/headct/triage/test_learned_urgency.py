import json
from dataclasses import replace

import numpy as np
import pytest
from bundles import threshold_bundle
from drawn_heads import BLOOD, ball, whole_head, write_series
from hypothesis import given
from hypothesis import strategies as st

from headct.errors import BundleError
from headct.generator.generation import generate, write
from headct.network.bundle import default_bundle, load_bundle, write_bundle
from headct.network.classifier import Classifier
from headct.pipeline import assess
from headct.terms.assessment import Finding, FindingKind, Location
from headct.terms.urgency import Urgency
from headct.triage.learned_urgency import FEATURES, LEARNED, LearnedUrgency, features
from headct.triage.rubric import Judgement, default_rubric

HEAD = LearnedUrgency(
    coefficients=(0.5, 1.0, 0.2, 0.4, 0.1, 0.1, 0.3, 1.0, 0.2, 0.3),
    thresholds=(1.0, 3.0, 6.0),
    probability_threshold=0.4,
    patients=50,
    figures={"weighted_kappa": {"value": 0.8, "low": 0.7, "high": 0.9}},
)

weights = st.lists(st.floats(0, 5), min_size=len(FEATURES), max_size=len(FEATURES))
severities = st.lists(st.floats(0, 50), min_size=len(FEATURES), max_size=len(FEATURES))
heads = st.builds(
    lambda w, first, steps, cut: LearnedUrgency(
        tuple(w), tuple(np.cumsum([first, *steps]).tolist()), cut, patients=40
    ),
    weights,
    st.floats(-5, 5),
    st.lists(st.floats(0, 5), min_size=1, max_size=2),
    st.floats(0.05, 0.5),
)
colours = st.sampled_from(list(Urgency))
bleeds = st.lists(
    st.builds(
        Finding,
        kind=st.sampled_from([k for k in FindingKind if k is not FindingKind.MIDLINE_OFFSET]),
        volume_ml=st.none() | st.floats(0.1, 150),
        thickness_mm=st.none() | st.floats(1, 60),
        location=st.none() | st.sampled_from(list(Location)),
    ),
    max_size=5,
)


@given(heads, severities)
def test_probabilities_are_probabilities(head, values):
    told = head.probabilities(values)
    assert told.shape == (4,) and told.sum() == pytest.approx(1)
    assert (told >= 0).all()
    assert head.alert(values) == pytest.approx(told[Urgency.RED] + told[Urgency.BLACK])
    many = head.probabilities(np.array([values, values]))
    assert many.shape == (2, 4) and many[1] == pytest.approx(told)


@given(heads, severities, severities, colours, colours)
def test_more_severe_is_never_less_urgent(head, values, more, a, b):
    worse = np.add(values, more)
    assert (head.at_least(worse) >= head.at_least(values)).all()
    mild, severe = Judgement(min(a, b), ()), Judgement(max(a, b), ())
    assert head.judge(worse, severe) >= head.judge(values, mild)


@given(heads, severities, colours)
def test_the_head_stays_within_what_the_rubric_leaves_open(head, values, by_rubric):
    found = head.judge(values, Judgement(by_rubric, ()))
    assert found >= by_rubric - 1
    assert (found is Urgency.GREEN) == (by_rubric is Urgency.GREEN)
    if by_rubric is Urgency.BLACK:
        assert found.alert


def test_a_head_that_never_learnt_black_leaves_it_to_the_rubric():
    head = replace(HEAD, thresholds=(50.0, 60.0))
    nothing = np.zeros(len(FEATURES))
    assert head.judge(nothing, Judgement(Urgency.BLACK, ())) is Urgency.BLACK
    assert head.judge(nothing, Judgement(Urgency.RED, ())) is Urgency.YELLOW
    assert head.probabilities(nothing + 1e3)[Urgency.BLACK] == 0


@given(bleeds, st.floats(-3, 3), st.floats(0, 20), st.floats(0, 100), st.floats(0, 5))
def test_features_rise_with_severity(findings, score, offset, more_ml, more_score):
    def with_offset(mm):
        return (*findings, Finding(FindingKind.MIDLINE_OFFSET, offset_mm=mm))

    base = features(with_offset(None), score)
    assert base.shape == (len(FEATURES),) and np.isfinite(base).all()
    shifted = features(with_offset(-offset), score)
    assert (shifted >= base).all()
    assert (shifted == features(with_offset(offset), score)).all()
    grown = [replace(f, volume_ml=(f.volume_ml or 0.0) + more_ml) for f in findings]
    assert (features(grown, score + more_score) >= base - 1e-12).all()
    another = Finding(FindingKind.HAEMORRHAGE, (), 3.0, 5.0, Location.DEEP)
    assert (features([*findings, another], score) >= base).all()


def test_features_of_a_known_case():
    findings = (
        Finding(FindingKind.HAEMORRHAGE, (1,), 9.0, 12.0, Location.DEEP, 60.0),
        Finding(FindingKind.HAEMORRHAGE, (1,), 90.0, 20.0, Location.PERIPHERAL, 60.0),
        Finding(FindingKind.OLD_COLLECTION, (2,), 99.0, 30.0, Location.PERIPHERAL, 20.0),
        Finding(FindingKind.MIDLINE_OFFSET, offset_mm=-7.0),
    )
    values = dict(zip(FEATURES, features(findings, 1.5), strict=True))
    assert values == pytest.approx(
        {
            "any_bleed": 1.0,
            "fresh_log_ml": 2.0,
            "peripheral_log_ml": np.log10(91),
            "deep_log_ml": 1.0,
            "old_log_ml": 2.0,
            "thickness_mm": 20.0,
            "deep_count": 1.0,
            "ventricular": 0.0,
            "midline_mm": 3.0,
            "bleed_score": 1.5,
        }
    )


@given(heads)
def test_json_round_trip(head):
    assert LearnedUrgency.from_json(json.loads(json.dumps(head.to_json()))) == head


def test_a_bundle_keeps_its_head(tmp_path):
    written = threshold_bundle(tmp_path / "with", learned_urgency=HEAD)
    assert load_bundle(tmp_path / "with").contents.learned_urgency == HEAD
    without = threshold_bundle(tmp_path / "without")
    assert without.contents.learned_urgency is None
    assert "urgency_head" not in json.loads((without.folder / "bundle.json").read_text())
    assert written.device_uid != without.device_uid


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h["coefficients"].update(thickness_mm=-0.1),
        lambda h: h["coefficients"].update(weather=0.1),
        lambda h: h["coefficients"].pop("deep_count"),
        lambda h: h["thresholds"].update(RED=99.0),
        lambda h: h.update(thresholds={"YELLOW": 1.0}),
        lambda h: h.update(thresholds={"YELLOW": 1.0, "BLACK": 2.0}),
        lambda h: h.update(cut=0.9),
        lambda h: h.update(cut="half"),
        lambda h: h.update(patients=0),
        lambda h: h.update(coefficients=[1, 2, 3]),
        lambda h: h.pop("figures"),
        lambda h: h.clear(),
    ],
)
def test_a_head_that_cannot_be_is_refused_with_its_bundle(tmp_path, change):
    import headct.network.bundle

    folder = threshold_bundle(tmp_path / "with", learned_urgency=HEAD).folder
    body = json.loads((folder / "bundle.json").read_text())
    change(body["urgency_head"])
    body["device_uid"] = headct.network.bundle._device_uid(body)
    (folder / "bundle.json").write_text(json.dumps(body))
    with pytest.raises(BundleError, match=r"incomplete|cannot be"):
        load_bundle(folder)


@pytest.fixture(scope="module")
def bleeding(tmp_path_factory):
    """A ball of 14 mm: RED by its thickness."""
    folder = tmp_path_factory.mktemp("bleeding")
    write_series(folder, np.where(ball(28, 7, row=10, column=30), BLOOD, whole_head(28)), PatientAge="050Y")
    return sorted(folder.glob("*.dcm"))


def judged(folder, files, head, **changes):
    bundle = threshold_bundle(folder, learned_urgency=head, **changes)
    return assess(files, Classifier(bundle)).outcome


def test_the_pipeline_asks_the_head(tmp_path, bleeding):
    plain = judged(tmp_path / "none", bleeding, None)
    by_rubric = plain.assessment
    assert by_rubric.urgency is Urgency.RED and LEARNED not in by_rubric.cautions
    calm = judged(tmp_path / "calm", bleeding, replace(HEAD, thresholds=(0.0, 40.0, 50.0)))
    found = calm.assessment
    assert found.urgency is Urgency.YELLOW and LEARNED in found.cautions
    # What was found and which criteria it meets is said as before.
    assert found.findings == by_rubric.findings and found.rules == by_rubric.rules
    assert found.alert_probability < 1e-6 < by_rubric.alert_probability
    assert set(calm.to_json()) == set(plain.to_json())
    alarmed = judged(tmp_path / "alarmed", bleeding, replace(HEAD, thresholds=(-40.0, -30.0, -20.0)))
    assert alarmed.assessment.urgency is Urgency.BLACK and alarmed.assessment.alert_probability > 0.999
    agreeing = judged(tmp_path / "agrees", bleeding, replace(HEAD, thresholds=(-40.0, -30.0, 90.0)))
    assert agreeing.assessment.urgency is Urgency.RED and agreeing.assessment.cautions == ()


def test_beside_another_rubric_that_rubric_decides(tmp_path, bleeding):
    calm = replace(HEAD, thresholds=(0.0, 40.0, 50.0))
    classifier = Classifier(threshold_bundle(tmp_path / "calm", learned_urgency=calm))
    own = replace(default_rubric(), version="own")
    found = assess(bleeding, classifier, rubric=own).outcome.assessment
    assert found.urgency is Urgency.RED and LEARNED not in found.cautions
    assert found.alert_probability > 1e-6


@pytest.mark.long
def test_a_generated_series_end_to_end(tmp_path):
    """From DICOM files through the network that ships to a colour, with a head beside it."""
    shipped = load_bundle(default_bundle())
    calm = replace(HEAD, thresholds=(0.0, 40.0, 50.0))
    with_head = write_bundle(
        tmp_path / "with-head",
        replace(shipped.contents, rubric_version=default_rubric().version, learned_urgency=calm),
        shipped.networks[0].read_bytes(),
        "# Of tests\n",
    )
    files = write(generate("intracerebral", matrix=192), tmp_path / "series")
    plain, learned = (assess(files, Classifier(b)).outcome.assessment for b in (shipped, with_head))
    assert plain.urgency.alert
    assert learned.urgency is Urgency(plain.urgency - 1) and LEARNED in learned.cautions
    assert learned.findings == plain.findings
    assert learned.alert_probability < plain.alert_probability
