"""What evaluation and export measure at length, cut short for tests that are about something else."""

from dataclasses import replace
from functools import partial
from hashlib import sha256

import pytest

from headct.generator.generation import generate
from model_training.evaluation import worklist_simulation
from model_training.gate import gate

MONTHS = 4
"""Of each simulated worklist."""
SLICE_MM, MATRIX = 12.0, 192
"""Of the head that is judged to measure time: 14 slices instead of 33, of 192 instead of 512 pixels."""


class Clock:
    """Stands still but for what a judgement takes; how fast this machine is tells nothing of the gate."""

    def __init__(self):
        self.now, self.each = 0.0, 0.01

    def __call__(self):
        self.now += self.each
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The gate's stop-watch: every judgement takes as long, whatever else this machine does."""
    watch = Clock()
    monkeypatch.setattr(gate, "perf_counter", watch)
    return watch


@pytest.fixture
def short_measurements(monkeypatch):
    """Few months of the worklist, and a short head to measure time with."""
    from model_training.shipping import judging_time

    few = tuple(replace(scenario, months=MONTHS) for scenario in worklist_simulation.read_scenarios())
    monkeypatch.setattr(worklist_simulation, "read_scenarios", lambda: few)
    monkeypatch.setattr(judging_time, "generate", partial(generate, thickness_mm=SLICE_MM, matrix=MATRIX))


@pytest.fixture
def one_precision(monkeypatch):
    """Every precision is float32: converting is long, and what comes of it is a test of its own.

    So it is converted once, whoever asks for it, and the time it takes is measured once.
    """
    from model_training.learning import conversion
    from model_training.shipping import export, precisions
    from model_training.shipping.judging_time import judging_time

    Precision, convert = conversion.Precision, conversion.convert
    converted = {}

    def convert_once(network, precision, representative=None):
        weights = sha256(b"".join(w.tobytes() for w in network.get_weights())).digest()
        if weights not in converted:
            converted[weights] = convert(network, Precision.FLOAT32)
        return converted[weights]

    def convert_all(network, representative):
        return dict.fromkeys(Precision, convert_once(network, Precision.FLOAT32))

    def measured_once(networks, contents, repeats):
        found = judging_time({Precision.FLOAT32: networks[Precision.FLOAT32]}, contents, repeats)
        (milliseconds,) = found["milliseconds"].values()
        return {**found, "milliseconds": dict.fromkeys(networks, milliseconds)}

    monkeypatch.setattr(conversion, "convert", convert_once)
    monkeypatch.setattr(export, "judging_time", measured_once)
    for module in (export, precisions):
        monkeypatch.setattr(module, "convert_all", convert_all)
