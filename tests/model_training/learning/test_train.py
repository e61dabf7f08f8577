"""Training on a few made heads: what a run leaves, goes on from, and refuses."""

import fcntl
import logging
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from keras import layers, models

from headct.errors import SettingsError, TrainingError, UnusableInputError
from model_training.datasets.manifest import Manifest
from model_training.datasets.sample import Sample, label_row, sample_path
from model_training.datasets.source import ANY
from model_training.learning.config import TrainingConfig
from model_training.learning.fitting import read_log
from model_training.learning.networks import NETWORKS
from model_training.learning.run import networks, train_run
from model_training.learning.train import SETTINGS, WEIGHTS, run_folder, train, trained
from tests.model_training.made_heads import made_head, written

TRAINER = Path(__file__).parents[1] / "trainer.py"
TINY = """
widths = [4, 8]
epochs = 2
steps = 2
batch = 4
learning_rate = 5e-3
validation_share = 0.5
patience = 4
[augmentation]
window = [32, 32]
"""
DETERMINED = ("epoch", "loss", "validation_loss", "learning_rate")
ROUNDING = 1e-4
"""What sums in another order may differ by; a step with a lost state of the optimizer is 50 times as long."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return written(tmp_path_factory.mktemp("train") / "data")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


@pytest.fixture
def small(monkeypatch, file):
    """A network of one layer, registered as the README says."""

    def one_layer(config, rows, columns):
        inputs = layers.Input((rows, columns, 3), dtype="float32")
        scaled = layers.Rescaling(1 / 80, dtype="float32")(inputs)
        x = layers.Conv2D(config.widths[0], 3, padding="same")(scaled)
        outputs = layers.Conv2D(1, 1, activation="sigmoid", dtype="float32")(x)
        return models.Model(inputs, outputs)

    monkeypatch.setitem(NETWORKS, "one_layer", one_layer)
    file.write_text('network = "one_layer"\n' + TINY)
    return replace(TrainingConfig.read(file), epochs=1, validation_share=0, patience=0)


@pytest.fixture
def headct_train(tmp_path, monkeypatch):
    """A stand-in that writes down what it is told, and fails with fold 1."""
    program = tmp_path / "bin" / "headct-train"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >"$0.told"\ncase "$*" in *"--fold 1") exit 3; esac\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program.with_name("python")))
    return program.with_name("headct-train.told")


def test_a_killed_training_ends_as_one_that_was_not(data, file, tmp_path, headct_train, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    config, folder = TrainingConfig.read(file), run_folder(cut, 1, 0)
    asked = {"seed": 1, "final": False, "threads": 1, "jobs": 2}
    with pytest.raises(TrainingError, match="status 3"):
        list(train_run(data, cut, file, fold=1, **asked))
    assert list(train_run(data, cut, file, fold=0, **asked)) == [folder]
    command = headct_train.read_text().splitlines()
    monkeypatch.undo()
    ended = subprocess.run(
        [sys.executable, TRAINER, data, file, whole, cut, *command], stderr=subprocess.PIPE, check=False
    )
    assert ended.returncode == 0, ended.stderr.decode()[-3000:]
    expected, found = read_log(run_folder(whole, 1, 0)), read_log(folder)
    assert [r["epoch"] for r in found] == [1, 2]
    for name in DETERMINED:
        assert [r[name] for r in found] == pytest.approx([r[name] for r in expected], abs=ROUNDING)
    ends = (trained(run_folder(run, 1, 0), config).variables for run in (whole, cut))
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), atol=ROUNDING)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_any_registered_network_is_trained_in_any_precision_and_used_in_float32(
    small, data, tmp_path, precision
):
    config = replace(small, precision=precision)
    folder = train(data, tmp_path, config, seed=3, fold=1)
    assert folder == tmp_path / "seed-3" / "fold-1" and len(read_log(folder)) == 1
    network = trained(folder, config)
    assert {v.dtype for v in network.variables} == {"float32"} and network.compute_dtype == "float32"
    assert network.output_shape == (None, 192, 160, 1)


def test_the_final_network_never_sees_test_patients_nor_bleeds_without_masks(small, tmp_path, caplog):
    def dealt(patient):
        parts = {"P6": "test", "P7": "test", "P4": "validation"}
        return replace(patient, split=parts.get(patient.patient, "train"), masked=patient.patient != "P5")

    folder = written(tmp_path / "data", change=dealt)
    for patient in Manifest.read(folder).patients:
        if patient.split == "test" or not patient.masked:
            shutil.rmtree(sample_path(folder, patient))
    with caplog.at_level(logging.INFO):
        train(folder, tmp_path / "run", small, seed=1, fold=None)
    assert "5 patients, 1 left out for want of masks" in caplog.text
    assert (tmp_path / "run" / "seed-1" / "final" / WEIGHTS).exists()


def test_single_slices_are_learnt_from_beside_heads(small, tmp_path, caplog):
    folder = written(tmp_path / "data")
    manifest = Manifest.read(folder)
    slices = []
    for number in range(6):
        entry, sample = made_head(number, slabs=1)
        entry = replace(
            entry, patient=f"S{number}", single=True, slice_labels=True, masked=False, fold=number // 4
        )
        Sample(sample.volume, sample.mask & False, label_row({ANY: entry.bleeding})[None]).write(
            sample_path(folder, entry)
        )
        slices.append(entry)
    replace(manifest, patients=(*manifest.patients, *slices)).write(folder)
    with caplog.at_level(logging.INFO):
        train(folder, tmp_path / "run", small, seed=1, fold=1)
    assert "4 patients, 0 left out" in caplog.text and "4 single slices" in caplog.text
    with pytest.raises(SettingsError, match="air"):
        train(folder, tmp_path / "other", replace(small, missing="repeated"), seed=1, fold=1)


def test_what_cannot_be_trained_is_refused(small, data, tmp_path):
    with pytest.raises(UnusableInputError, match="no fold 9"):
        train(data, tmp_path, small, seed=1, fold=9)
    with pytest.raises(SettingsError, match="one_layer"):
        train(data, tmp_path, replace(small, network="unheard"), seed=1, fold=1)
    with pytest.raises(UnusableInputError, match="validation patients"):
        train(data, tmp_path, replace(small, validation_share=0.1), seed=2, fold=0)
    with pytest.raises(UnusableInputError, match="headct-train train"):
        trained(tmp_path, small)


def test_a_folder_is_of_one_process_and_one_set_of_settings(small, data, tmp_path):
    folder = train(data, tmp_path, small, seed=1, fold=0)
    with pytest.raises(TrainingError, match="other settings"):
        train(data, tmp_path, replace(small, learning_rate=1.0), seed=1, fold=0)
    before = (folder / WEIGHTS).stat().st_mtime_ns
    train(data, tmp_path, replace(small, specificity=0.9, seeds=(7,)), seed=1, fold=0)
    assert (folder / WEIGHTS).stat().st_mtime_ns == before
    with (folder / SETTINGS).open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TrainingError, match="another process"):
            train(data, tmp_path, small, seed=1, fold=0)


def test_which_networks_a_run_has(file):
    config = replace(TrainingConfig.read(file), seeds=(4, 5))
    everything = {"seed": None, "fold": None, "final": False}
    assert networks(config, (0, 1), **everything) == [(4, None), (5, None), (4, 0), (4, 1), (5, 0), (5, 1)]
    assert networks(config, (0, 1), **everything | {"seed": 5}) == [(5, None), (5, 0), (5, 1)]
    assert networks(config, (0, 1), **everything | {"fold": 1}) == [(4, 1), (5, 1)]
    assert networks(config, (0, 1), **everything | {"final": True}) == [(4, None), (5, None)]
    with pytest.raises(SettingsError):
        networks(config, (0, 1), seed=None, fold=0, final=True)


def test_a_training_goes_on_from_the_like_named_network_of_an_earlier_run(small, data, tmp_path):
    still = replace(small, learning_rate=1e-12)
    for fold in (0, 1):
        train(data, tmp_path / "before", small, seed=1, fold=fold)
    before = [trained(run_folder(tmp_path / "before", 1, fold), small).get_weights() for fold in (0, 1)]
    folder = train(data, tmp_path / "after", still, seed=1, fold=1, start=tmp_path / "before")
    after = trained(folder, still).get_weights()
    for own, found in zip(before[1], after, strict=True):
        np.testing.assert_allclose(found, own, atol=1e-7)
    assert not np.allclose(before[0][0], after[0], atol=1e-7)
    with pytest.raises(TrainingError, match="other settings"):
        train(data, tmp_path / "after", still, seed=1, fold=1)
    with pytest.raises(UnusableInputError, match="headct-train train"):
        train(data, tmp_path / "after", still, seed=2, fold=1, start=tmp_path / "before")
    with pytest.raises(UnusableInputError, match="another network"):
        wider = replace(still, widths=(9,))
        train(data, tmp_path / "wider", wider, seed=1, fold=1, start=tmp_path / "before")
