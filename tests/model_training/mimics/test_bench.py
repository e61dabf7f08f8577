"""The bench counts heads, paired, and never mixes patients with drawings."""

import json
from dataclasses import replace

import numpy as np
import pytest
from bundles import threshold_bundle
from click.testing import CliRunner

from headct.network.contents import TrainingData
from model_training.cli import main
from model_training.datasets.manifest import Manifest
from model_training.datasets.sample import Sample, sample_path
from model_training.mimics.bench import Pair, Verdict, figures
from model_training.mimics.classes import MIMICS
from model_training.mimics.heads import GENERATED, REAL, generated, unseen
from model_training.mimics.space import Space
from tests.model_training.made_heads import made_head
from tests.model_training.vaults import vault

NO, YES = Verdict(False, False, -3.0), Verdict(True, False, 1.0)


def pair(number, before, after, kind=REAL, mimic="falx"):
    return Pair(f"P{number}", kind, mimic, before, after)


def test_what_counts_is_the_same_head_without_it():
    found = [pair(0, NO, YES), pair(1, YES, YES), pair(2, NO, NO), pair(3, YES, NO)]
    found.append(pair(4, NO, YES, GENERATED))
    row = figures(found, MIMICS[:1])[0]
    real, generated = row[REAL], row[GENERATED]
    assert (real["flagged"]["count"], real["flagged"]["of"]) == (2, 4)
    assert (real["newly_flagged"]["count"], real["newly_flagged"]["of"]) == (1, 2)
    assert real["difference"]["value"] == 0
    assert real["difference"]["low"] < 0 < real["difference"]["high"]
    assert (generated["flagged"]["count"], generated["flagged"]["of"]) == (1, 1)
    assert figures([], MIMICS[:1])[0][REAL]["flagged"]["value"] is None


@pytest.fixture
def data(tmp_path):
    """Two patients without blood, and one with."""
    folder = tmp_path / "data"
    folder.mkdir()
    patients = []
    for number in (0, 1, 2):
        entry = replace(made_head(number)[0], pixel_digest=f"{number:064x}")
        Sample(vault(number), np.zeros(vault().hu.shape, bool)).write(sample_path(folder, entry))
        patients.append(entry)
    Manifest(tuple(patients), licences={"made": "none"}).write(folder)
    return folder


def knowing(folder, *numbers):
    """A bundle that was trained on some of them."""
    digests = tuple(f"{n:064x}" for n in numbers)
    return threshold_bundle(folder, data=TrainingData("0" * 64, 1, ("made",), digests))


def test_heads_that_a_bundle_was_trained_on_are_left_out(data, tmp_path):
    patients, left_out = unseen(Manifest.read(data), knowing(tmp_path / "bundle", 0, 1))
    assert [p.patient for p in patients] == ["P2"]
    assert sum(left_out.values()) == 1


def test_the_command_measures_draws_and_says_what_it_measured(data, tmp_path):
    knowing(tmp_path / "bundle", 0, 1)
    arguments = ["mimics", "--data", str(data), "--bundle", str(tmp_path / "bundle"), "--generated", "0"]
    chosen = ["--mimic", "tumour", "--mimic", "pineal", "--out", str(tmp_path / "out")]
    said = CliRunner().invoke(main, [*arguments, *chosen])
    assert said.exit_code == 0, said.output
    assert "calcified pineal gland" in said.output
    written = json.loads((tmp_path / "out" / "mimics.json").read_text(encoding="utf-8"))
    assert written["heads"] == {"real": 1, "generated": 0}
    assert [row["mimic"] for row in written["classes"]] == ["pineal", "tumour"]
    assert {p.name for p in (tmp_path / "out").glob("*.png")} == {"pineal.png", "tumour.png"}
    knowing(tmp_path / "knows", 0, 1, 2)
    refused = CliRunner().invoke(
        main, ["mimics", "--data", str(data), "--bundle", str(tmp_path / "knows"), "--generated", "0"]
    )
    assert refused.exit_code == 2


def test_a_generated_head_is_the_same_each_time_and_has_a_vault():
    first, again = (next(generated(1)) for _ in range(2))
    assert first.name == again.name
    assert (first.volume.hu == again.volume.hu).all()
    assert Space.of(first.volume) is not None
