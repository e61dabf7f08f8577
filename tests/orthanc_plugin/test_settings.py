"""Options: their names, their defaults, and what is refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from headct.errors import SettingsError
from orthanc_plugin.settings import from_orthanc


def test_defaults_come_from_orthancs_own_options(tmp_path: Path) -> None:
    made = from_orthanc({"StorageDirectory": str(tmp_path), "HttpPort": 8043})
    assert made.storage == tmp_path / "headct-triage"
    assert made.database_url == f"sqlite:///{tmp_path}/headct-triage/triage.sqlite"
    assert made.orthanc_url == "http://127.0.0.1:8043"
    assert not made.annotations
    assert made.log_level == "warning"


def test_names_are_camel_case_and_types_are_kept(tmp_path: Path) -> None:
    section = {
        "LongQuietSeconds": 90,
        "ForwardTo": ["pacs"],
    }
    made = from_orthanc({"StorageDirectory": str(tmp_path), "HeadCTTriage": section})
    assert (made.long_quiet_seconds, made.forward_to) == (90, ("pacs",))
    assert made == made.model_validate(made.model_dump(mode="json", by_alias=True))


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("LongQuiteSeconds", 60),
        ("LongQuietSeconds", "soon"),
        ("QuietSeconds", 61),
        ("Workers", -1),
        ("MinimumFreeGigabytes", 0),
        ("LogLevel", "everything"),
        ("LogLevel", "NOTSET"),
        ("LogLevel", 10),
        ("Database", "sqlite://"),
        ("Database", "nonsense"),
        ("Storage", "relative/folder"),
        ("People", {"ito": {"Name": "Ito", "Organisation": "Hospital", "Role": "king"}}),
        ("People", {"ito": {"Name": "^ ^", "Organisation": "Hospital"}}),
        ("People", {"ito": {"Name": "Ito\\Abe", "Organisation": "Hospital"}}),
        ("People", {"ito": {"Name": "Ito=1=2=3", "Organisation": "Hospital"}}),
        ("People", {"ito": {"Name": "Ito\n", "Organisation": "Hospital"}}),
        ("People", {"ito": {"Name": "Ito", "Organisation": "  "}}),
    ],
)
def test_wrong_and_unsafe_options_are_refused_by_name(tmp_path: Path, option: str, value: object) -> None:
    with pytest.raises(SettingsError) as caught:
        from_orthanc({"StorageDirectory": str(tmp_path), "HeadCTTriage": {option: value}})
    assert option in str(caught.value) or "HeadCTTriage" in str(caught.value)


def test_quiet_times_must_fit_each_other(tmp_path: Path) -> None:
    section = {"QuietSeconds": 10, "LongQuietSeconds": 5}
    with pytest.raises(SettingsError, match="LongQuietSeconds is shorter"):
        from_orthanc({"StorageDirectory": str(tmp_path), "HeadCTTriage": section})


def test_orthancs_process_stays_light() -> None:
    code = "import sys, orthanc_plugin.runtime; sys.exit(bool({'numpy', 'pydicom'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
