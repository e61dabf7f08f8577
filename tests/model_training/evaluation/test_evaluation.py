"""The whole evaluation of drawn heads by a network that calls every voxel of 45 to 95 HU blood."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn_heads import BLOOD, grid, head
from drawn_heads import volume as wrapped

from headct.errors import UnusableInputError
from headct.network.classifier import LiteRTRuntime
from headct.network.preprocessing import CROP_COLUMNS, CROP_ROWS
from model_training.datasets.manifest import EXTERNAL, PROVISIONAL, SPECIALIST, TRAIN, Entry, Manifest
from model_training.datasets.sample import Sample, sample_path
from model_training.evaluation import judging, members
from model_training.evaluation.data_description import describe_data
from model_training.evaluation.evaluate import evaluate
from model_training.evaluation.summary import summary
from model_training.learning.config import TrainingConfig
from tests.model_training.evaluation_example import evaluation_example

pytestmark = pytest.mark.usefixtures("short_measurements")

NETWORK = Path(__file__).parents[2] / "headct" / "network" / "threshold.tflite"
SLABS, FOLDS = 6, 2
RADIUS = (11.0, 0.0, 3.0, 0.0, 9.0, 0.0, 12.0, 0.0)
"""Of the bleed in each patient, in crop pixels; 0 for none."""


def sample(radius: float, number: int) -> Sample:
    random = np.random.default_rng(number)
    z, y, x = grid(SLABS)
    hu = head(SLABS, fluid=False) + random.normal(0, 2, (SLABS, CROP_ROWS, CROP_COLUMNS))
    mask = (np.hypot(y - random.uniform(-20, 20), x - 30) <= radius) & (np.abs(z) <= 1) & (radius > 0)
    return Sample(wrapped(np.where(mask, BLOOD, hu)), mask)


@pytest.fixture
def folders(tmp_path, monkeypatch):
    data, run = tmp_path / "data", tmp_path / "run"
    data.mkdir()
    patients = []
    for n, radius in enumerate(RADIUS):
        made = sample(radius, n)
        ml = float(made.mask.sum(axis=(1, 2)) @ made.volume.voxel_ml)
        patients.append(
            Entry(
                f"P{n}",
                "drawn",
                radius > 0,
                labels={"fracture": n % 3 == 0},
                bleed_ml=ml,
                urgency=("RED" if radius > 6 else "YELLOW") if radius else "GREEN",
                urgency_by=PROVISIONAL,
                age_years=10.0 * n,
                sex="MF"[n % 2],
                slices=SLABS,
                pixel_mm=1.0,
                doubtful="drawn twice" if n == 3 else "",
                split=TRAIN,
                fold=n // 2 % FOLDS,
            )
        )
        made.write(sample_path(data, patients[-1]))
    # A specialist saw more in it than its size.
    patients[2] = replace(patients[2], urgency="RED", urgency_by=SPECIALIST)
    other = Entry("X", "elsewhere", True, masked=False, split=EXTERNAL)
    sample(10, 99).write(sample_path(data, other))
    Manifest((*patients, other)).write(data)
    for name in [f"seed-{seed}/fold-{fold}" for seed in (1, 2) for fold in range(FOLDS)] + ["seed-1/final"]:
        (run / name).mkdir(parents=True)
        (run / name / judging.WEIGHTS).write_bytes(b"")
    monkeypatch.setattr(
        judging, "litert", lambda folder, config: LiteRTRuntime(NETWORK, (CROP_ROWS, CROP_COLUMNS, 3))
    )
    return data, run


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.toml"
    path.write_text("seeds = [1, 2]\n")
    return TrainingConfig.read(path)


def keys(value, path=""):
    """Every path of keys; names of patients, classes of tables and settings are data, not shape."""
    if path.rpartition("/")[2] in ("config", "data", "worklist", "table", "features"):
        return {path}
    if path == "/scores" or path.endswith("erased/patients"):
        return keys(next(iter(value.values())), f"{path}/*")
    if isinstance(value, dict):
        return set().union(*(keys(v, f"{path}/{k}") for k, v in value.items())) or {path}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return keys(value[0], f"{path}/[]")
    return {path}


def _two_networks_of_one_answer(together, alone):
    """The networks of both seeds are one and the same here: their mean is, too, and they never divide."""
    assert together["seeds"] == [1, 2]
    assert together["scores"] == pytest.approx(
        {name: said["scores"][0] for name, said in alone["scores"].items()}, abs=1e-3
    )
    assert together["agree"]["count"] == len(RADIUS)
    assert together["wrong_about_bleeding"]["divided"]["of"] == 0
    assert together["cuts"]["margin"] == pytest.approx(0.0, abs=1e-3), "a mirrored head bleeds as much"
    assert together["external"] is None, "the second seed's network of all patients is not there"


def test_evaluation_of_drawn_heads(folders, config, monkeypatch):
    data, run = folders
    rows = {"scores": {f"P{n}": float(n) for n in range(len(RADIUS))}}
    (run / "reproduction.json").write_text(
        json.dumps({"by_image": {"alert": rows}, "by_patient": {"alert": rows}})
    )
    found = evaluate(data, run, config)

    assert json.loads((run / "evaluation.json").read_text()) == found
    _two_networks_of_one_answer(members.read(run), found)
    assert keys(found) - {"/worklist", "/data"} == keys(evaluation_example()) - {"/worklist"}
    assert found["data"] == describe_data(Manifest.read(data))
    assert found["patients"] == 8 and found["bleeding"] == 4 and found["seeds"] == [1, 2]
    haemorrhage, alert = found["haemorrhage"], found["alert"]
    assert haemorrhage["auc"]["value"] == 1 and haemorrhage["auc_without_doubtful"]["left_out"] == 1
    for size in ("5_ml_and_more", "under_5_ml"):
        of_size = haemorrhage["at_nested_cuts"][f"sensitivity_{size}"]["of"]
        assert haemorrhage[f"auc_{size}"]["value"] == (1 if of_size else None)
    assert haemorrhage["at_nested_cuts"]["sensitivity"]["count"] == 4
    assert haemorrhage["at_nested_cuts"]["under_18"]["sensitivity"]["of"] == 1
    # By the specialist's word the small bleed is an alert; by its size the product calls it YELLOW.
    assert alert["positives"] == 4
    assert alert["at_nested_cuts"]["sensitivity"]["count"] == 3
    assert found["colours"]["table"]["RED"] == {"GREEN": 0, "YELLOW": 1, "RED": 3, "BLACK": 0}
    assert found["scores"]["P2"]["rubric_colour"] == "RED"
    assert found["scores"]["P2"]["colours"] == ["YELLOW", "YELLOW"]
    assert found["volumes"]["mean_dice"]["value"] > 0.95
    assert abs(found["volumes"]["error_ml"]["bias"]) < 0.5
    assert found["external"]["sensitivity"]["count"] == 1
    assert len(found["external"]["sensitivity_of_fold_networks"]) == 4

    erased, blanked = found["cheating"]["erased"], found["cheating"]["outside_blanked"]
    assert sorted(erased["patients"]) == ["P0", "P2", "P4", "P6"]
    assert erased["below_cut"]["count"] == 4 and erased["below_cut_before"]["count"] == 0
    assert erased["control"]["newly_flagged"]["count"] == 0
    assert erased["control"]["other_side_of_bleeding_patients"]["no_longer_flagged"]["count"] == 0
    assert (
        blanked["difference"]["value"] == 0
        and blanked["within_interval"]
        and blanked["least_blood_kept"] == 1
    )

    names = [row["name"] for row in found["alert_table"]]
    assert names[:4] == [
        "AlexNet, split by image",
        "AlexNet, split by patient",
        "main network, by score",
        "main network, by colour",
    ]
    assert all(row["accuracy"]["of"] == 8 for row in found["alert_table"])
    text = summary(found)
    assert "haemorrhage: area under the curve" in text and "4 of 4" in text and "None" not in text

    # What is kept is not judged again: without any network the same figures come out.
    monkeypatch.setattr(judging, "litert", None)
    assert evaluate(data, run, config) == found


def test_missing_networks_are_refused_and_may_be_left_out(folders, config):
    data, run = folders
    (run / "seed-2" / "fold-1" / judging.WEIGHTS).unlink()
    (run / "seed-1" / "final" / judging.WEIGHTS).unlink()
    with pytest.raises(UnusableInputError, match=r"lacks 2 trained networks.*headct-train train"):
        evaluate(data, run, config)
    found = evaluate(data, run, config, allow_partial=True)
    assert found["seeds"] == [1] and found["external"]["sensitivity"] is None
    assert found["alert_table"][0]["name"] == "main network, by score"
    (run / "seed-1" / "fold-0" / judging.WEIGHTS).unlink()
    with pytest.raises(UnusableInputError, match="lacks"):
        evaluate(data, run, config, allow_partial=True)


def test_outputs_are_made_again_for_other_weights_or_data(folders, config):
    data, run = folders
    judges = judging.Judges(data, run, config)
    patients = Manifest.read(data).in_folds[:1]
    (before,) = judges.judge("seed-1/fold-1", patients)
    sample(5.0, 7).write(sample_path(data, patients[0]))
    (after,) = judges.judge("seed-1/fold-1", patients)
    assert (after.probabilities > 0.5).sum() < (before.probabilities > 0.5).sum() / 2


def test_too_few_patients_are_refused(folders, config):
    data, run = folders
    manifest = Manifest.read(data)
    Manifest(tuple(p for p in manifest.patients if not p.bleeding or p.fold == 0)).write(data)
    with pytest.raises(UnusableInputError, match="too few patients: without fold 0"):
        evaluate(data, run, config)


def test_another_cohort_than_the_reproductions_is_refused(folders, config):
    data, run = folders
    (run / "reproduction.json").write_text('{"by_image": {"alert": {"scores": {"P0": 0.5}}}}')
    with pytest.raises(UnusableInputError, match="no score of P1"):
        evaluate(data, run, config)
