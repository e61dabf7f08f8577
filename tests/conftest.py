"""Fixtures shared by all tests."""

import importlib
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

TESTS = Path(__file__).resolve().parent
# The root too: else the folders tests/headct and tests/orthanc_plugin would be taken for the packages.
# And the module for Slicer, whose folder Slicer puts there.
sys.path[:0] = [str(TESTS), str(TESTS.parent), str(TESTS.parent / "slicer_module" / "HeadCTTriage")]
slicer_stand_ins = importlib.import_module("slicer_stand_ins")
slicer_stand_ins.register()

# How long an example takes says more of what else the machine does than of the program.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")
