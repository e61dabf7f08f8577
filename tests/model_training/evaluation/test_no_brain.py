from dataclasses import replace

import numpy as np
import pytest
from drawn_heads import head
from drawn_heads import volume as wrapped

from headct.terms.urgency import Urgency
from model_training.datasets.manifest import Entry
from model_training.datasets.sample import Sample, sample_path
from model_training.evaluation.cohort import Cohort
from model_training.evaluation.no_brain import BASELINES, baselines, no_brain_scores
from model_training.evaluation.statistics import auc

PATIENTS, FOLDS = 16, 2


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The same head for everybody: only what is known beside the picture differs."""
    folder = tmp_path_factory.mktemp("data")
    made = Sample(wrapped(head(2)), np.zeros((2, 192, 160), bool))
    for i in range(PATIENTS):
        made.write(sample_path(folder, Entry(f"P{i}", "drawn", False)))
    return folder


def cohort(bleeding) -> Cohort:
    random = np.random.default_rng(0)
    patients = tuple(
        Entry(
            f"P{i}",
            "drawn",
            bool(b),
            labels={"fracture": bool(b)} if i != 3 else {},
            age_years=float(random.uniform(1, 90)) if i % 7 else None,
            sex=("M" if random.random() < 0.5 else "F") if i % 5 else None,
            slices=int(random.integers(20, 40)),
            pixel_mm=float(random.uniform(0.8, 1.1)),
            fold=i % FOLDS,
        )
        for i, b in enumerate(bleeding)
    )
    return Cohort(patients, tuple(Urgency.RED if b else Urgency.GREEN for b in bleeding))


BLEEDING = np.arange(PATIENTS) // FOLDS % 2 == 0


def area(truth, scores):
    return float(auc(truth, scores)(np.ones((1, len(truth))))[0])


def test_what_is_known_beside_the_picture_is_used_and_nothing_else(data):
    found = no_brain_scores(data, cohort(BLEEDING))
    assert set(found) == set(BASELINES)
    assert area(BLEEDING, found["no_brain_with_fracture"]["haemorrhage"]) > 0.95
    assert area(BLEEDING, found["no_brain"]["haemorrhage"]) < 0.8
    # The same scalp for everybody tells nothing.
    assert found["no_brain_with_scalp"]["alert"] == pytest.approx(found["no_brain"]["alert"])


def test_a_patients_own_label_has_no_part_in_the_score(data):
    people = cohort(BLEEDING)
    flipped = replace(people.patients[0], bleeding=not people.patients[0].bleeding)
    other = Cohort((flipped, *people.patients[1:]), people.colours)
    before, after = no_brain_scores(data, people), no_brain_scores(data, other)
    own = people.fold == people.fold[0]
    for name in BASELINES:
        assert (before[name]["haemorrhage"][own] == after[name]["haemorrhage"][own]).all()
        assert (before[name]["haemorrhage"][~own] != after[name]["haemorrhage"][~own]).all()


def test_patients_of_unknown_colour_do_not_teach_the_alert(data):
    people = cohort(BLEEDING)
    unknown = Cohort(people.patients, (None, *people.colours[1:]))
    before, after = no_brain_scores(data, people), no_brain_scores(data, unknown)
    assert (before["no_brain"]["haemorrhage"] == after["no_brain"]["haemorrhage"]).all()
    assert (before["no_brain"]["alert"] != after["no_brain"]["alert"]).any()


def test_the_difference_to_a_network_is_given_with_its_interval(data):
    people = cohort(BLEEDING)
    perfect = np.array([BLEEDING, BLEEDING + 0.0])
    found = baselines(people, perfect, no_brain_scores(data, people))["no_brain"]["haemorrhage"]
    assert found["main_minus_baseline"]["value"] == pytest.approx(1 - found["auc"]["value"])
    assert found["main_minus_baseline"]["low"] > 0
    assert found["main_minus_baseline"]["high"] <= 1


def test_one_kind_of_patient_alone_tells_nothing(data):
    found = no_brain_scores(data, cohort(np.zeros(PATIENTS, bool)))
    assert (found["no_brain"]["haemorrhage"] == 0).all()
