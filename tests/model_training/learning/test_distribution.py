"""Two real processes on loopback, two devices of one process, and one alone: the same losses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf
from stack_process import free_ports

from headct.errors import SettingsError
from model_training.learning.distribution import strategy
from model_training.learning.fitting import read_log
from tests.model_training.replicas import train

SCRIPT = Path(__file__).parents[1] / "replicas.py"
ROUNDING = 1e-4
"""Of losses of 4 to 5 after four steps; sums in another order differ by 5e-7."""


def test_two_processes_and_two_devices_train_as_one(tmp_path):
    hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]
    several = subprocess.Popen(
        [sys.executable, SCRIPT, tmp_path, *hosts],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        stderr=subprocess.PIPE,
    )
    for normalisation in ("batch", "group"):
        train(tmp_path / "alone" / normalisation, normalisation, tf.distribute.get_strategy())
    _, said = several.communicate()
    assert several.returncode == 0, said.decode()[-3000:]
    for how, normalisation in (("mirrored", "batch"), ("mirrored", "group"), ("hosts", "batch")):
        alone = read_log(tmp_path / "alone" / normalisation)
        assert len(alone) == 2
        rows = read_log(tmp_path / how / normalisation)
        for name in ("epoch", "loss", "validation_loss", "learning_rate"):
            assert [r[name] for r in rows] == pytest.approx([r[name] for r in alone], abs=ROUNDING, rel=0)


@pytest.mark.parametrize("text", ["{", "[]", '{"cluster": 3}'])
def test_a_broken_tf_config_is_refused(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(SettingsError):
        strategy()
