"""Fixtures shared by all tests."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
# The root too: else the folders tests/headct and tests/orthanc_plugin would be taken for the packages.
sys.path[:0] = [str(TESTS), str(TESTS.parent)]
