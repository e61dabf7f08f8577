"""Whatever lies in a model's folder, it is a bundle or refused in one sentence."""

import json
import os
from pathlib import Path

import pytest
from bundles import threshold_bundle
from hostile import Hostile
from hostile.bodies import bodies, json_values
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from headct.errors import BundleError
from headct.network import bundle
from headct.network.bundle import load_bundle
from headct.network.contents import BUNDLE_JSON, from_json


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return threshold_bundle(tmp_path_factory.mktemp("models") / "threshold-1.0").folder


@pytest.fixture(scope="module")
def contents(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / BUNDLE_JSON).read_bytes())
    return found


@pytest.mark.parametrize("case", bodies(), ids=repr)
def test_every_body_of_the_corpus(tmp_path: Path, case: Hostile[bytes]) -> None:
    (tmp_path / BUNDLE_JSON).write_bytes(case.make())
    with pytest.raises(BundleError):
        load_bundle(tmp_path)


@hypothesis_settings(
    max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_one_value_is(folder: Path, contents: dict[str, object], data: st.DataObject) -> None:
    """As deep in it as it goes: those that stand alone are refused before by the hash."""
    changed = json.loads(json.dumps(contents))
    place, key = changed, data.draw(st.sampled_from(sorted(changed)))
    while isinstance(place[key], dict) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place)))
    if data.draw(st.booleans()):
        del place[key]
    else:
        place[key] = data.draw(json_values(*contents))
    try:
        from_json(changed, folder)
    except BundleError:
        return


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / BUNDLE_JSON)
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle(tmp_path)


def test_what_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "_MAX_JSON_BYTES", 1000)
    (tmp_path / BUNDLE_JSON).write_bytes(b'{"a": "' + b"a" * 1000 + b'"}')
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle(tmp_path)
