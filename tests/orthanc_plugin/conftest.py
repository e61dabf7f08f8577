"""A store for each test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session
from store_samples import open_store, settings

from orthanc_plugin.settings import Settings
from orthanc_plugin.store.database import Database


@pytest.fixture
def options(tmp_path: Path) -> Settings:
    return settings(tmp_path)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = open_store(tmp_path)
    yield made
    made.close()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """One transaction for the whole test."""
    with database.writing() as opened:
        yield opened
