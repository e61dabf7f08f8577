"""``headct-train slices``: figures on slices, by slice, with a judge beside it who never looks."""

import json
from pathlib import Path

import numpy as np
import pytest
from bundles import threshold_bundle
from click.testing import CliRunner
from layouts import write_rsna_slices

from headct.network.contents import InputContract
from headct.network.preprocessing import Missing
from model_training.cli import main
from model_training.datasets.pictures import Picture
from model_training.datasets.source import ANY, BLEEDS
from model_training.evaluation.statistics import interval
from model_training.slices.judging import Scored
from model_training.slices.table import by_patient, in_words, sensitivity_at, table


def scored(number: int, *, blood: bool, score: float, width: float = 80, person: str = "") -> Scored:
    name = f"S{number}"
    labels = {ANY: blood, **{kind: blood and kind == "sdh" for kind in BLEEDS}}
    return Scored(Picture(name, person or name, Path(name), labels, width, 0.2), score)


def some(count: int = 200) -> list[Scored]:
    random = np.random.default_rng(0)
    return [
        scored(n, blood=n % 4 == 0, score=random.normal(2.0 * (n % 4 == 0)), width=(80, 80, 150)[n % 3])
        for n in range(count)
    ]


def test_figures_of_slices():
    figures = table(some())
    assert figures["slices"] == 200 and figures["with_blood"] == 50
    assert figures["any"]["auc"]["value"] == pytest.approx(0.92, abs=0.05)
    assert figures["any"]["auc"]["low"] < figures["any"]["auc"]["value"] < figures["any"]["auc"]["high"]
    assert figures["kinds"]["subdural"] == figures["any"]
    assert figures["kinds"]["epidural"]["auc"]["value"] is None, "no figure of what is not there"
    assert figures["windows_60_to_86"]["with"] + figures["other_windows"]["with"] == 50
    trivial = figures["width_and_brain_share_alone"]
    assert trivial["auc"]["value"] < 0.65 and trivial["network_minus_it"]["low"] > 0
    words = in_words(figures)
    assert "says nothing of patients" in words and "too few slices" in words
    json.dumps(figures, allow_nan=False)


def test_a_window_width_that_tells_the_label_is_shown_to():
    told = [scored(n, blood=n % 4 == 0, score=0.0, width=150 if n % 4 == 0 else 80) for n in range(200)]
    assert table(told)["width_and_brain_share_alone"]["auc"]["value"] > 0.95


def test_sensitivity_leaves_the_share_of_clear_slices_alone():
    truth = np.array([False] * 10 + [True] * 4)
    scores = np.array([*range(10), 8.5, 8.0, 9.5, 7.5], float)
    # Nine of ten are left alone up to a score of 8.
    assert sensitivity_at(truth, scores, 0.9)(np.ones((1, 14)))[0] == 0.5


def test_slices_of_a_patient_are_drawn_together():
    patients = np.array([0, 0, 0, 1, 2, 3])
    truth = np.array([True, False, False, True, False, False])
    weights = by_patient(truth, patients)
    assert (weights[:, 0] == weights[:, 1]).all() and (weights[:, 1] == weights[:, 2]).all()
    assert interval(lambda w: w[:, truth].sum(axis=1), weights)["value"] == 2


@pytest.mark.parametrize("missing", Missing)
def test_the_command_judges_a_folder_with_a_bundle(tmp_path, missing):
    rows = [{"image_id": f"ID_{n}", "any": n % 2, "subdural": n % 2} for n in range(4)]
    write_rsna_slices(tmp_path / "rsna", [*rows, {"image_id": "ID_x", "brain_fraction": 0.0}])
    bundle = threshold_bundle(tmp_path / "bundle", input=InputContract(missing=missing))
    asked = ["slices", str(tmp_path / "rsna"), "--bundle", str(bundle.folder), "--json"]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert figures["slices"] == 4 and figures["with_blood"] == 2
    assert figures["bundle"]["name"] == "threshold" and figures["width_and_brain_share_alone"] is None


def test_it_is_told_who_judges(tmp_path):
    write_rsna_slices(tmp_path / "rsna", [{"image_id": "ID_a"}])
    result = CliRunner().invoke(main, ["slices", str(tmp_path / "rsna")])
    assert result.exit_code == 2 and "name a bundle" in result.output
