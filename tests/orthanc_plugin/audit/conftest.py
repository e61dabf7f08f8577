"""A store with its keys."""

from pathlib import Path

import pytest
from audit_house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)
