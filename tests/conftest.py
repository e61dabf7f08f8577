"""Fixtures shared by all tests."""

import gc
import importlib
import os
import sys
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).resolve().parent))
importlib.import_module("places").put_first()
slicer_stand_ins = importlib.import_module("slicer_stand_ins")
slicer_stand_ins.register()

# How long an example takes says more of what else the machine does than of the program.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

if os.environ.get("HEADCT_TEST_PLAIN_LITERT"):
    interpreter = importlib.import_module("ai_edge_litert.interpreter").Interpreter
    assert isinstance(interpreter, partial), "tests/other_processor.py did not take effect"

unit_tests = importlib.import_module("unit_tests")
NO_UNIT_TEST = {"validator", "long", "browser_files"}
"""Marks."""
LONG = ("tests/e2e/", "tests/model_training/", "tests/orthanc_plugin/test_")
"""Here are the files that start servers or train. They come first, so that none is left alone at the end."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--unit", action="store_true", help="only tests that need no server and little time")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if not config.getoption("--unit"):
        return None
    if collection_path == unit_tests.TESTS / "e2e":
        return True  # not even its conftest.py can be imported
    if collection_path.suffix != ".py":
        return None
    return True if unit_tests.is_system_test(collection_path) else None


def pytest_collection_finish() -> None:
    gc.freeze()  # what was imported is there to the end: nobody needs to look through it again and again


@pytest.hookimpl(tryfirst=True)  # before a random order is made
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))
    if not config.getoption("--unit"):
        return
    left_out = [item for item in items if any(item.get_closest_marker(mark) for mark in NO_UNIT_TEST)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]
