"""On real heads: the network that ships against the same one gone blind to small bleeds.

The network was trained on these patients, so nothing here says how good it is. What is shown is that the gate
notices what was taken from it.
"""

from dataclasses import replace

import numpy as np
import pytest
from data import SHARED, needs_shared_data

from headct.images.reading import load_series, read_headers
from headct.network.bundle import default_bundle, load_bundle, write_bundle
from headct.network.contents import TrainingData
from headct.network.preprocessing import head_volume
from model_training.datasets.manifest import TEST, Entry, Manifest
from model_training.datasets.sample import Sample, sample_path
from model_training.datasets.sources.tables import rows_of
from model_training.gate.gate import gate
from model_training.gate.judging import LARGE_ML, endpoints
from model_training.gate.paired import Settled
from model_training.gate.rules import Rules, WhenUnsure

pytestmark = needs_shared_data
SMALL, CLEAR = 5, 3
"""How many patients."""
LARGE = ("CTICH-075", "CTICH-077", "CTICH-081")
"""Bleeds of 24 ml and more that are dense: a network finds them as large as they are."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("real") / "data"
    rows = rows_of(SHARED / "ct_ich" / "patients.csv")
    bleeds = [(float(row["bleed_ml"]), row["patient"]) for row in rows if row["any_ich"] == "1"]
    # The largest of the small ones: those that any network worth the name sees.
    small = sorted(b for b in bleeds if b[0] < LARGE_ML)[-SMALL:]
    clear = [(0.0, row["patient"]) for row in rows if row["any_ich"] == "0"][:CLEAR]
    patients = []
    large = [b for b in bleeds if b[1] in LARGE]
    for ml, name in (*small, *large, *clear):
        files = sorted((SHARED / "ct_ich" / "series" / name).glob("*.dcm"))
        series = load_series(files, read_headers(files))
        volume = head_volume(series)
        colour = "RED" if ml >= LARGE_ML else "YELLOW" if ml else "GREEN"
        patient = Entry(
            name,
            "ct_ich",
            ml > 0,
            bleed_ml=ml,
            urgency=colour,
            split=TEST,
            slices=len(files),
            pixel_digest=series.pixel_digest,
        )
        Sample(volume, np.zeros(volume.hu.shape, bool)).write(sample_path(folder, patient))
        patients.append(patient)
    Manifest(tuple(patients)).write(folder)
    return folder


@pytest.fixture(scope="module")
def verdict(data, tmp_path_factory):
    ships = load_bundle(default_bundle())
    folder = tmp_path_factory.mktemp("bundles")

    def bundle(version, cut):
        contents = replace(
            ships.contents,
            version=version,
            thresholds=replace(ships.contents.thresholds, haemorrhage=cut),
            data=TrainingData("0" * 64, 1, ("elsewhere",)),
        )
        card = "# For a test of the gate\n"
        return write_bundle(folder / version, contents, ships.networks[0].read_bytes(), card).folder

    blind = bundle("blind", float(np.log10(LARGE_ML)))
    return gate(blind, bundle("good", ships.contents.thresholds.haemorrhage), data, Rules.read())


def test_a_candidate_worse_only_on_small_bleeds_is_stopped(verdict):
    found = {e.name: e for e in verdict.endpoints}
    assert found["sensitivity_5_ml_and_more"].values == (1.0, 1.0)
    small = found["sensitivity_under_5_ml"]
    in_service, candidate = small.values
    assert small.patients == SMALL and in_service - candidate >= 0.6
    assert small.stops and not verdict.passed
    assert any(reason.startswith("sensitivity_under_5_ml") for reason in verdict.reasons)


def test_where_rules_let_doubt_pass_the_gate_says_that_it_lacks_the_power(verdict):
    rules = Rules.read()
    lenient = {n: replace(m, when_unsure=WhenUnsure.WARN) for n, m in rules.endpoints.items()}
    lost = [c for c in verdict.cases if c.in_service.flagged and not c.candidate.flagged]
    again = endpoints(lost[:2], replace(rules, endpoints=lenient), seed=1)
    small = next(e for e in again if e.name == "sensitivity_under_5_ml")
    assert small.patients == 2 and small.settled is Settled.CANNOT_TELL and not small.stops
    assert small.values == (1.0, 0.0) and small.smallest_harm is None
