"""Two real processes on loopback, two devices of one process, and one alone: the same losses."""

import json
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
"""Of losses of 4 to 5 after eight steps; sums in another order differ by 5e-7."""


def started(folder: Path, how: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, SCRIPT, folder, how],
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "", **environment},
        stderr=subprocess.PIPE,
    )


def test_two_processes_and_two_devices_train_as_one(tmp_path):
    hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]
    children = [started(tmp_path / "mirrored", "mirrored")]
    for index in range(2):
        config = {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": index}}
        children.append(started(tmp_path / "hosts", "hosts", TF_CONFIG=json.dumps(config)))
    for normalisation in ("batch", "group"):
        train(tmp_path / "alone" / normalisation, normalisation, tf.distribute.get_strategy())
    for child in children:
        _, said = child.communicate()
        assert child.returncode == 0, said.decode()[-3000:]
    for several, normalisation in (("mirrored", "batch"), ("hosts", "batch"), ("hosts", "group")):
        alone = read_log(tmp_path / "alone" / normalisation)
        assert len(alone) == 2
        rows = read_log(tmp_path / several / normalisation)
        for name in ("epoch", "loss", "validation_loss", "learning_rate"):
            assert [r[name] for r in rows] == pytest.approx([r[name] for r in alone], abs=ROUNDING, rel=0)


@pytest.mark.parametrize("text", ["{", "[]", '{"cluster": 3}'])
def test_a_broken_tf_config_is_refused(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(SettingsError):
        strategy()
