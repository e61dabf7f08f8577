"""Where tests import from besides what is installed: samples, faults and servers by their names alone."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
PLACES = (
    TESTS,
    TESTS / "samples",
    TESTS / "faults",
    TESTS / "servers",
    # The root too: else the folders tests/headct and tests/orthanc_plugin would be taken for the packages.
    ROOT,
    # The module for Slicer, whose folder Slicer puts there.
    ROOT / "slicer_module" / "HeadCTTriage",
)


def put_first() -> None:
    """On the path, before all else."""
    sys.path[:0] = [str(place) for place in PLACES]
