"""Everything is covered but what is made anew."""

import json
import os
from pathlib import Path
from typing import get_args

import pytest
from backup_samples import FakeStack
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.errors import SettingsError
from orthanc_plugin.backup.coverage import Coverage
from orthanc_plugin.backup.errors import BackupError
from orthanc_plugin.backup.restoring import _pointed
from orthanc_plugin.settings import Settings


def places(coverage: Coverage) -> set[str]:
    return {str(found.place) for found in coverage.files()}


def test_what_is_kept_and_what_is_made_anew(stack: FakeStack) -> None:
    stack.own_model()
    (stack.data / "a-key-that-a-later-version-adds").write_text("key")
    (stack.triage / "another").write_text("key")
    kept = places(Coverage.of(stack.data))
    model = "orthanc/headct-triage/models/threshold-9.0"
    files = (stack.triage / "models" / "threshold-9.0").iterdir()
    assert {f"{model}/{file.name}" for file in files} <= kept
    others = {place for place in kept if not place.startswith(model)}
    assert others == {
        "credentials",
        "orthanc.local.json",
        "a-key-that-a-later-version-adds",
        "orthanc/headct-triage/another",
    }


def test_files_and_models_that_the_settings_keep_elsewhere(tmp_path: Path) -> None:
    certificate, models = tmp_path / "tls" / "pacs.pem", tmp_path / "models"
    (models / "own-1").mkdir(parents=True)
    (models / "own-1" / "bundle.json").write_text("{}")
    certificate.parent.mkdir()
    certificate.write_text("certificate")
    stack = FakeStack(
        tmp_path / "data",
        {
            "SslCertificate": str(certificate),
            "Plugins": [str(certificate)],
            "HeadCTTriage": {"Models": str(models), "Python": "/usr/bin/python3"},
            "Name": "/" + "long" * 200,
        },
    )
    coverage = Coverage.of(stack.data)
    assert {"elsewhere/models/own-1/bundle.json", "elsewhere/1-pacs.pem"} <= places(coverage)
    pointed = _pointed(
        json.loads((stack.data / "orthanc.local.json").read_text()),
        {str(old): f"/new/{place}" for old, place in coverage.places.items()},
    )
    assert pointed["SslCertificate"] == "/new/elsewhere/1-pacs.pem"
    assert pointed["Plugins"] == [str(certificate)], "programs are not brought along"
    assert pointed["HeadCTTriage"] == {"Models": "/new/elsewhere/models", "Python": "/usr/bin/python3"}


FOLDERS = [
    str(field.alias)
    for name, field in Settings.model_fields.items()
    if name != "python" and (field.annotation is Path or Path in get_args(field.annotation))
]
"""Settings that name folders, those of later versions too."""


@pytest.mark.parametrize("setting", FOLDERS)
def test_every_folder_that_a_setting_names(tmp_path: Path, setting: str) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "disk" / "a-key").write_text("key")
    stack = FakeStack(tmp_path / "data", {"HeadCTTriage": {setting: str(tmp_path / "disk")}})
    coverage = Coverage.of(stack.data)
    assert f"{coverage.place(tmp_path / 'disk')}/a-key" in places(coverage)


def test_store_and_images_on_disks_of_their_own(tmp_path: Path) -> None:
    images, store = tmp_path / "disk" / "images", tmp_path / "fast" / "t.sqlite"
    stack = FakeStack(
        tmp_path / "data",
        {"StorageDirectory": str(images), "HeadCTTriage": {"Database": f"sqlite:///{store}"}},
    )
    coverage = Coverage.of(stack.data)
    assert coverage.images == images
    assert str(coverage.place(images)) == "orthanc"
    assert str(coverage.place(store)) == "orthanc/headct-triage/triage.sqlite"
    pointed = _pointed(
        {"Database": f"sqlite:///{store}"}, {str(o): f"/new/{p}" for o, p in coverage.places.items()}
    )
    assert pointed == {"Database": "sqlite:////new/orthanc/headct-triage/triage.sqlite"}


def test_links_are_followed_but_in_no_circle(stack: FakeStack, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "model").write_text("network")
    keys = stack.data / "keys"
    keys.mkdir()
    (keys / "linked").symlink_to(tmp_path / "far")
    (keys / "round").symlink_to(stack.data)
    (keys / "nowhere").symlink_to(tmp_path / "gone")
    os.mkfifo(keys / "pipe")
    coverage = Coverage.of(stack.data)
    kept = places(coverage)
    assert {place for place in kept if place.startswith("keys")} == {"keys/linked/model"}
    assert {Path(path).name for path in coverage.skipped} == {"round", "nowhere", "pipe"}


def test_a_folder_that_no_stack_was_started_on(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no data folder"):
        Coverage.of(tmp_path)


def test_a_configuration_that_cannot_be_read(stack: FakeStack) -> None:
    (stack.data / "orthanc.local.json").write_text("{")
    with pytest.raises(SettingsError, match="not readable JSON"):
        Coverage.of(stack.data)


@settings(max_examples=25)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_options_that_name_nothing_of_ours_stay_as_they_are(options: object) -> None:
    assert _pointed(options, {"/somewhere/headct-data": "/new"}) == options
