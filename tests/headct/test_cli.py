import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bundles import only_these_ship, threshold_bundle
from click.testing import CliRunner
from data import SHARED, needs_shared_data
from drawn_heads import head, write_series
from places import ROOT

import headct.cli
from headct.cli import main
from headct.terms.licence import Use

KEYS = {
    "series_instance_uid",
    "state",
    "reason",
    "urgency",
    "alert_probability",
    "haemorrhage_probability",
    "findings",
    "key_slices",
    "bundle",
    "seconds",
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return threshold_bundle(tmp_path_factory.mktemp("bundles") / "threshold").folder


@pytest.fixture
def run(bundle):
    def call(*arguments):
        return CliRunner().invoke(main, ["assess", "--bundle", str(bundle), *map(str, arguments)])

    return call


def process(*arguments, **environment):
    """The installed command, as a user runs it."""
    command = [str(Path(sys.executable).with_name("headct")), *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env={**os.environ, **environment}
    )


def one_line(text):
    return text.endswith("\n") and text.count("\n") == 1 and "Traceback" not in text


def test_a_folder_of_two_series_gives_two_objects(run, tmp_path):
    scout = write_series(tmp_path / "a", head(1), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    short = write_series(tmp_path / "b" / "deeper", head(3))
    (tmp_path / "readme.txt").write_text("no DICOM")
    result = run(tmp_path, "--json")
    assert result.exit_code == 0
    listed = json.loads(result.stdout)
    assert {entry["series_instance_uid"] for entry in listed} == {scout, short}
    for entry in listed:
        assert set(entry) >= KEYS
        assert entry["state"] == "not_analysed"
        assert entry["reason"]
        for key in ("urgency", "alert_probability", "haemorrhage_probability"):
            assert entry[key] is None


def test_without_json_it_is_in_words(run, tmp_path):
    write_series(tmp_path, head(1), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    result = run(tmp_path)
    assert result.exit_code == 0
    assert "NOT ANALYSED" in result.stdout
    assert "physician makes the final judgement" in result.stdout


def test_a_failed_series_gives_status_1_and_the_others_their_result(run, tmp_path, monkeypatch):
    write_series(tmp_path / "a", head(1), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    write_series(tmp_path / "b", head(3))
    import headct.eligibility.gate

    reader = headct.eligibility.gate.read_headers

    def failing(sources):
        if len(sources) > 1:
            raise RuntimeError("Yamada^Taro")
        return reader(sources)

    monkeypatch.setattr(headct.eligibility.gate, "read_headers", failing)
    result = run(tmp_path, "--json")
    assert result.exit_code == 1
    assert sorted(entry["state"] for entry in json.loads(result.stdout)) == ["failed", "not_analysed"]
    assert "Yamada" not in result.output


@pytest.mark.parametrize("json_flag", [(), ("--json",)])
def test_unusable_input_is_one_line_and_status_2(run, tmp_path, json_flag):
    (tmp_path / "notes.txt").write_text("no DICOM")
    for path in (tmp_path / "nowhere", tmp_path, tmp_path / "notes.txt"):
        result = run(path, *json_flag)
        assert result.exit_code == 2
        assert result.stdout == ""
        assert one_line(result.stderr)
        assert str(path) in result.stderr


def test_a_bad_bundle_is_one_line_and_status_2(tmp_path):
    write_series(tmp_path / "series", head(3))
    broken = threshold_bundle(tmp_path / "broken").folder
    (broken / "network.tflite").write_bytes(b"altered")
    for folder in (broken, tmp_path / "none"):
        result = CliRunner().invoke(main, ["assess", str(tmp_path / "series"), "--bundle", str(folder)])
        assert result.exit_code == 2
        assert result.stdout == ""
        assert one_line(result.stderr)


def test_a_bad_rubric_is_one_line_and_status_2(run, tmp_path):
    write_series(tmp_path / "series", head(3))
    (tmp_path / "own.toml").write_text("format = 1\nversion = '1'\n")
    result = run(tmp_path / "series", "--rubric", tmp_path / "own.toml")
    assert result.exit_code == 2
    assert one_line(result.stderr)


def test_a_model_for_research_judges_where_asked_for_and_says_its_licence(tmp_path, monkeypatch):
    write_series(tmp_path / "series", head(1), ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    free = threshold_bundle(tmp_path / "free")
    terms = {"use": Use.RESEARCH, "licence": "that of its data; trained on theirs"}
    bound = threshold_bundle(tmp_path / "bound", version="2.0", **terms)
    said = "research only, not for clinical or commercial use; licence: that of its data"

    def told(*options):
        result = CliRunner().invoke(main, ["assess", str(tmp_path / "series"), "--json", *map(str, options)])
        return result.exit_code, result.stderr.strip()

    only_these_ship(monkeypatch, free, bound)
    assert told() == (0, "")
    assert told("--research") == told("--bundle", bound.folder) == (0, f"headct: threshold 2.0: {said}")
    status, why = told("--research", "--bundle", bound.folder)
    assert status == 2 and "cannot go with --research" in why
    only_these_ship(monkeypatch, free)
    status, why = told("--research")
    assert status == 0 and why == (
        "headct: threshold 1.0: any use; licence: Apache-2.0; --research found no model for research only"
    )


def test_as_a_process_nothing_but_json_on_standard_output_and_nothing_on_standard_error(bundle, tmp_path):
    write_series(tmp_path, head(3))
    done = process("assess", tmp_path, "--json", HEADCT_BUNDLE=str(bundle))
    assert done.returncode == 0
    assert json.loads(done.stdout)[0]["state"] == "not_analysed"
    assert done.stderr == ""


def test_as_a_process_unusable_input(bundle, tmp_path):
    done = process("assess", tmp_path / "nowhere", HEADCT_BUNDLE=str(bundle))
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr)


def test_a_command_that_cannot_be_loaded_does_not_stop_the_others(run, tmp_path, monkeypatch):
    class Broken:
        name = "broken"

        def load(self):
            raise ImportError("no module named sqlalchemy")

    monkeypatch.setattr(headct.cli, "_registered", lambda: {"broken": Broken()})
    listed = CliRunner().invoke(main, ["--help"])
    assert listed.exit_code == 0
    assert "assess" in listed.stdout
    assert "not available" in listed.stdout
    called = CliRunner().invoke(main, ["broken", "--some-option", "3"])
    assert called.exit_code == 2
    assert one_line(called.stderr)
    write_series(tmp_path, head(3))
    assert run(tmp_path, "--json").exit_code == 0


def test_assess_loads_neither_the_plugin_nor_tensorflow(bundle, tmp_path):
    write_series(tmp_path, head(3))
    script = (
        "import sys\nfrom headct.cli import main\n"
        "main(sys.argv[1:], standalone_mode=False)\n"
        "never = ('tensorflow', 'keras', 'orthanc_plugin', 'orthanc')\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in never]\n"
        "assert not bad, bad\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "assess", str(tmp_path), "--bundle", str(bundle)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr


@needs_shared_data
def test_a_real_study_as_a_scanner_sends_it(run):
    result = run(SHARED / "real_studies" / "toshiba_trauma", "--json")
    assert result.exit_code == 0, result.stdout
    listed = json.loads(result.stdout)
    assessed = [entry for entry in listed if entry["state"] == "assessed"]
    assert len(assessed) == 1
    reasons = {entry["reason_code"] for entry in listed if entry["state"] == "not_analysed"}
    assert {"localizer", "not_axial", "bone_kernel"} <= reasons
    (entry,) = assessed
    assert entry["urgency"] in ("GREEN", "YELLOW", "RED", "BLACK")
    assert 0 <= entry["alert_probability"] <= 1
    assert entry["key_slices"]
    for key in entry["key_slices"]:
        assert 0 <= key["number"] < 33
        assert key["sop_instance_uid"]
    assert entry["seconds"] > 0
    assert np.isfinite(entry["seconds"])
