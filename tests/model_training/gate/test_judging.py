"""Which comparisons are made, on answers that need no network."""

import numpy as np
import pytest
from bundles import threshold_bundle

from headct.network.contents import TrainingData
from headct.terms.urgency import Urgency
from model_training.datasets.manifest import TEST, Entry, Manifest
from model_training.gate.endpoints import Share
from model_training.gate.judging import Answer, Case, choose, endpoints, trained_on
from model_training.gate.rules import Rules


def answer(flagged, score):
    urgency = Urgency.RED if flagged else Urgency.GREEN
    return Answer(flagged, urgency, score, 1 / (1 + np.exp(-score)))


def by_chance(seed, bleeding, clear, external, flags_external):
    """A good bundle in service, and a candidate whose answers have nothing to do with the truth.

    Its cut leaves 85 % of bleed-free patients alone, as everybody's; of another hospital's patients it may
    flag all, as they look different.
    """
    random = np.random.default_rng(seed)
    cases = []
    for number in range(bleeding + clear + external):
        elsewhere = number >= bleeding + clear
        bleeds = number < bleeding or elsewhere
        patient = Entry(
            f"P{number}",
            "elsewhere" if elsewhere else "here",
            bleeds,
            bleed_ml=None if elsewhere else 20.0 * bleeds,
            urgency=None if elsewhere else ("RED" if bleeds else "GREEN"),
            age_years=40.0,
        )
        flagged = bool(random.random() < 0.15 or (elsewhere and flags_external))
        good, chance = answer(bleeds, random.normal(2 if bleeds else -2)), answer(flagged, random.normal())
        cases.append(Case(patient, good, chance))
    return cases


@pytest.mark.parametrize(
    ("bleeding", "clear", "external", "flags_external"),
    [(3, 4, 0, False), (3, 4, 40, True), (3, 4, 40, False), (10, 20, 0, False)],
)
def test_labels_shuffled_in_training_are_stopped_even_by_few_patients(
    bleeding, clear, external, flags_external
):
    rules = Rules.read()
    stopped = [
        any(e.stops for e in endpoints(by_chance(s, bleeding, clear, external, flags_external), rules, 1))
        for s in range(50)
    ]
    assert np.mean(stopped) >= 0.95


@pytest.mark.parametrize(("bleeding", "clear", "external"), [(3, 4, 0), (3, 4, 40), (10, 20, 0)])
def test_a_candidate_as_good_as_the_one_in_service_passes(bleeding, clear, external):
    """It flags whom it should; its scores are its own and part the patients as well."""
    random, rules = np.random.default_rng(7), Rules.read()
    for seed in range(20):
        cases = [
            Case(
                c.patient,
                c.in_service,
                answer(c.patient.bleeding, random.normal(6 if c.patient.bleeding else -6)),
            )
            for c in by_chance(seed, bleeding, clear, external, flags_external=False)
        ]
        assert not [e.name for e in endpoints(cases, rules, 1) if e.stops]


def test_who_could_not_be_judged_is_judged_wrongly():
    cases = [Case(c.patient, c.in_service, Answer()) for c in by_chance(0, 10, 10, 0, False)]
    found = {e.name: e for e in endpoints(cases, Rules.read(), 1)}
    shares = [e for e in found.values() if isinstance(e, Share) and e.patients]
    assert {e.values for e in shares} == {(1.0, 0.0)}
    assert found["auc"].values[1] == 0.5


def test_patients_without_a_colour_or_a_volume_are_in_no_endpoint_that_needs_one():
    found = {e.name: e for e in endpoints(by_chance(0, 6, 8, 20, True), Rules.read(), 1)}
    patients = {name: e.patients for name, e in found.items()}
    assert patients["sensitivity"] == 26 and patients["sensitivity_5_ml_and_more"] == 6
    assert patients["sensitivity_under_5_ml"] == 0
    assert patients["alert_sensitivity"] == 6 and patients["colour"] == 14
    assert patients["auc"] == 14 and patients["alert_auc"] == 14
    assert patients["sensitivity_by_source: elsewhere"] == 20


def test_a_series_that_was_left_out_takes_nobody_out(tmp_path):
    """It was never read and has no digest; one in use without a digest may be known."""
    bundle = threshold_bundle(tmp_path / "b", data=TrainingData("0" * 64, 1, ("elsewhere",), ("a" * 64,)))
    manifest = Manifest(
        (
            Entry("P-1", "labelled", True, split=TEST, fold=0, pixel_digest="b" * 64),
            Entry("P-1.2", "labelled", True, person="P-1", exclusion="another series is in use"),
            Entry("P-2", "labelled", True, split=TEST, fold=0),
            Entry("P-3", "labelled", True, split=TEST, fold=0, pixel_digest="a" * 64),
        )
    )
    assert set(trained_on(bundle, manifest, "in service")) == {"P-2", "P-3"}
    assert [p.patient for p in choose(manifest, bundle, bundle).patients] == ["P-1"]
