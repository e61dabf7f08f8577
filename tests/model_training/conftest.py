"""What evaluation and export measure at length, cut short for tests that are about something else."""

from dataclasses import replace
from functools import partial

import pytest

from headct.generator.kinds import generate
from model_training.evaluation import worklist_simulation
from model_training.shipping import judging_time

MONTHS = 4
"""Of each simulated worklist."""
SLICE_MM = 12.0
"""Of the head that is judged to measure time: 14 slices instead of 33."""


@pytest.fixture
def short_measurements(monkeypatch):
    """Few months of the worklist, and a short head to measure time with."""
    few = tuple(replace(scenario, months=MONTHS) for scenario in worklist_simulation.read_scenarios())
    monkeypatch.setattr(worklist_simulation, "read_scenarios", lambda: few)
    monkeypatch.setattr(judging_time, "generate", partial(generate, thickness_mm=SLICE_MM))
