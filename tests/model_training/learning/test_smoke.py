"""From data to bundle on a few made heads: every step runs. What it takes to be learnt is set by hand."""

import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from headct.network.bundle import load_bundle
from headct.network.classifier import Classifier
from headct.terms.quantities import Quantity
from model_training.cli import main
from model_training.datasets.manifest import Entry, Manifest
from model_training.datasets.sample import sample_path
from model_training.learning.train import WEIGHTS
from tests.model_training.bright_network import bright_is_blood
from tests.model_training.made_heads import made_head

WIDTHS = (4, 8)
CONFIG = f"""
seeds = [1]
widths = {list(WIDTHS)}
epochs = 2
steps = 1
batch = 2
learning_rate = 5e-3
[sampling]
bloody = 0.5
[augmentation]
window = [32, 32]
"""


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    made = [made_head(n) for n in range(8)]
    for patient, sample in made:
        sample.write(sample_path(folder, patient))
    external = Entry("X", "elsewhere", True, masked=False, split="external")
    made[1][1].write(sample_path(folder, external))
    Manifest((*(p for p, _ in made), external), licences={"made": "none", "elsewhere": "none"}).write(folder)
    (tmp_path / "config.toml").write_text(CONFIG)
    return folder


def command(*arguments):
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.usefixtures("short_measurements", "one_precision")
def test_data_to_bundle(data, tmp_path):
    run, config = tmp_path / "run", tmp_path / "config.toml"
    common = ("--data", data, "--run", run, "--config", config)
    refused = CliRunner().invoke(
        main, ["export", *map(str, common), "--version", "9", "--models", str(tmp_path)]
    )
    assert refused.exit_code == 2 and "headct-train evaluate" in refused.output

    command("train", *common, "--final")
    final = run / "seed-1" / "final"
    losses = [float(line.split(",")[1]) for line in (final / "log.csv").read_text().split()[1:]]
    assert len(losses) == 2 and np.isfinite(losses).all()
    # What so few steps teach differs from processor to processor.
    bright_is_blood(widths=WIDTHS).save_weights(final / WEIGHTS)
    for fold in (0, 1):
        shutil.copytree(final, run / "seed-1" / f"fold-{fold}")
    assert "area under the curve" in command("evaluate", *common)
    figures = json.loads((run / "evaluation.json").read_text())
    assert figures["patients"] == 8 and len(figures["scores"]) == 8
    assert figures["external"]["sensitivity"]["of"] == 1
    assert sum(sum(row.values()) for row in figures["colours"]["table"].values()) == 8

    models = ("--models", tmp_path / "models", "--version", "0.0.1")
    command("export", *common, *models, "--precision", "float32", "--repeats", 1)
    bundle = load_bundle(tmp_path / "models" / "headct-bleed-0.0.1")
    said = bundle.contents.figures
    assert said["haemorrhage"]["auc"] == figures["haemorrhage"]["auc"]
    assert said["export"] == json.loads((run / "export.json").read_text())
    assert said["judging"] == json.loads((run / "judging.json").read_text())
    table = {row["precision"]: row for row in said["export"]["precisions"]}
    assert list(table) == ["float32", "float16", "dynamic_int8", "full_int8"]
    assert table["float32"]["agreement"]["largest_difference"] < 1e-3
    # The same networks on the same patients: what evaluation found, but for rounding of kept outputs.
    again = table["float32"]["accuracy"]["auc_haemorrhage"]["value"]
    assert again == pytest.approx(figures["haemorrhage"]["auc"]["value"], abs=0.01)
    assert bundle.contents.data.patients == len(Manifest.read(data).part("train", "validation"))
    known = bundle.contents.reference.histograms
    assert known[Quantity.HAEMORRHAGE_PROBABILITY].total == known[Quantity.NOISE_HU].total == 8
    card = (bundle.folder / "MODEL_CARD.md").read_text()
    auc = figures["haemorrhage"]["auc"]["value"]
    assert f"{auc:.3f}" in card and "None" not in card and "nan" not in card
    assert "float32 was asked for" in card
    _, sample = made_head(1)
    probabilities = Classifier(bundle).predict(sample.volume)
    assert (
        probabilities.shape == sample.volume.hu.shape and 0 <= probabilities.min() <= probabilities.max() <= 1
    )
