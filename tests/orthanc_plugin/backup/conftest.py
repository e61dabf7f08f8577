"""A stack that is not running, for each test that asks for one."""

import os
from pathlib import Path

import pytest
from backup_samples import FakeStack


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether all of the machine is flushed to its disk is no matter of these tests."""
    monkeypatch.setattr(os, "sync", lambda: None)


@pytest.fixture
def stack(tmp_path: Path) -> FakeStack:
    return FakeStack(tmp_path / "data")
