"""A store for each test that asks for one, and models for it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from model_samples import activate, begin_shadow, own_model
from model_samples import options as with_models
from sqlalchemy.orm import Session
from store_samples import open_store
from store_samples import settings as plain

from headct.network.bundle import Bundle, load_bundle
from orthanc_plugin.settings import Settings
from orthanc_plugin.store.database import Database


@pytest.fixture
def options(tmp_path: Path) -> Settings:
    return plain(tmp_path)


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


@pytest.fixture(scope="module")
def models_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models."""
    folder = tmp_path_factory.mktemp("models")
    for version in ("1.0", "2.0", "3.0"):
        own_model(with_models(folder), version)
    return folder


@pytest.fixture
def settings(tmp_path: Path, models_folder: Path) -> Settings:
    shutil.copytree(models_folder, tmp_path, dirs_exist_ok=True)
    return with_models(tmp_path)


@pytest.fixture
def bundles(settings: Settings) -> tuple[Bundle, Bundle, Bundle]:
    first, second, third = (
        load_bundle(settings.models_folder / f"threshold-{version}") for version in ("1.0", "2.0", "3.0")
    )
    return first, second, third


@pytest.fixture
def pair(session: Session, bundles: tuple[Bundle, Bundle, Bundle]) -> tuple[Bundle, Bundle]:
    """The first one is active, the second in shadow."""
    activate(session, bundles[0])
    begin_shadow(session, bundles[1])
    return bundles[:2]
