"""The whole loop on a real Orthanc: arrival, review, data, cycle, gate, activation, next series, and back."""

import json
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from data import SHARED
from orthanc_process import ORTHANC, PLUGIN, OrthancProcess
from pydicom import dcmread

from headct.generator.generation import generate, write
from headct.network.bundle import default_bundle, load_bundle
from model_training.cli import main
from model_training.datasets.manifest import SPECIALIST, TEST, Manifest
from model_training.shipping import learned_urgency

pytestmark = pytest.mark.skipif(not (ORTHANC.exists() and PLUGIN.exists()), reason="Orthanc is not installed")

PASSWORD = "not-a-secret"
CT_ICH = SHARED / "ct_ich" / "series"
REAL = {"CTICH-081": "RED", "CTICH-085": "YELLOW", "CTICH-059": "GREEN"}
"""Some real patients, where they are, and what the rubric says of their true masks."""
DRAWN = {"normal": ("GREEN", 6), "intracerebral_small": ("YELLOW", 5), "intracerebral": ("RED", 5)}
"""Drawn patients by kind: what is so, and how many."""
FEWEST, FEWEST_OF_A_COLOUR = 12, 3
"""Labels from which on an urgency head is learnt here: a week's instead of a month's."""
NO_DOUBT = """
[endpoints.colour]
margin = 0.01
when_unsure = "block"
why = "the smallest doubt stops it"
"""
ROLES = {"tester": "administrator", "reader": "reader"}
WIDE = 0.99
"""A margin that any difference keeps: of five patients the gate can tell nothing, and says so."""


def drawn(kind: str, number: int, folder: Path) -> list[Path]:
    """A small head of a patient of its own; few are drawn, one voxel of air makes them different scans."""
    files = write(generate(kind, number % 2, salt=f"loop-{number}", matrix=192, thickness_mm=9.0), folder)
    first = dcmread(files[0])
    pixels = first.pixel_array.copy()
    pixels[0, 0] = number
    first.PixelData = pixels.tobytes()
    first.save_as(files[0])
    return files


class Hospital:
    """Sends studies, reads them and changes models, all over REST."""

    def __init__(self, orthanc: OrthancProcess) -> None:
        self.orthanc = orthanc

    def send(self, files: Sequence[Path]) -> str:
        (series,) = self.orthanc.send(file.read_bytes() for file in files)
        return series

    def post(self, route: str, login: str, **body: Any) -> dict[str, Any]:
        answer = self.orthanc.http.post(
            f"/triage/api/v1/{route}", json=body, headers={"X-Triage": "test"}, auth=(login, PASSWORD)
        )
        assert answer.is_success, answer.text
        return dict(answer.json())

    def review(self, series: str, urgency: str) -> None:
        seen = self.orthanc.get(f"series/{series}")["based_on"]
        findings = {"haemorrhage": urgency != "GREEN"}
        self.post(
            f"series/{series}/review",
            "reader",
            action="relabel",
            urgency=urgency,
            findings=findings,
            based_on=seen,
            request_id=uuid.uuid4().hex,
        )

    def judged_by(self, series: str) -> str:
        """The model that a series names, once it is judged."""
        self.orthanc.wait(self.orthanc.settled)
        bundle = self.orthanc.get(f"series/{series}")["assessment"]["bundle"]
        return f"{bundle['name']}-{bundle['version']}"


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    people = {
        login: {"Name": login.title(), "Organisation": "St. Elsewhere", "Role": role}
        for login, role in ROLES.items()
    }
    options = {
        "People": people,
        "Models": str(tmp_path / "models"),
        "QuietSeconds": 0.5,
        "WorkerNiceness": 0,
        "Previews": False,
    }
    orthanc = OrthancProcess(tmp_path / "orthanc", options)
    orthanc.configuration["RegisteredUsers"] = dict.fromkeys(ROLES, PASSWORD)
    orthanc.start_triage()
    yield Hospital(orthanc)
    orthanc.stop()
    orthanc.http.close()


def train(*words: object) -> Result:
    """``headct-train`` as the reader calls it."""
    login = {"HEADCT_USER": "reader", "HEADCT_PASSWORD": PASSWORD}
    return CliRunner(env=login).invoke(main, [str(word) for word in words])


def margins(path: Path) -> Path:
    """The rules that ship with every margin as wide as can be, and nothing stopped for want of patients."""
    import model_training.gate.rules as rules

    lines = []
    for name in rules.Rules.read(None).json()["endpoints"]:
        lines += [f"[endpoints.{name}]", f"margin = {WIDE}", 'when_unsure = "warn"', 'why = "a test"', ""]
    # Nor is it about how fast this machine is beside its other work.
    path.write_text("\n".join([*lines, "[limits]", "slack_seconds = 600.0", ""]))
    return path


# Long: one story, each step of which stands on the one before, with one Orthanc.
def test_from_arrival_to_the_next_model_and_back(
    hospital: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learned_urgency, "FEWEST", FEWEST)
    monkeypatch.setattr(learned_urgency, "FEWEST_OF_A_COLOUR", FEWEST_OF_A_COLOUR)
    orthanc = hospital.orthanc
    shipped = load_bundle(default_bundle())

    # Series arrive and are judged; a reader who knows the truth says what they are.
    wanted = [
        (kind, said, 100 * n + i) for n, (kind, (said, many)) in enumerate(DRAWN.items()) for i in range(many)
    ]
    made = [drawn(kind, number, tmp_path / "images" / str(number)) for kind, _, number in wanted]
    reviews = [(hospital.send(files), said) for files, (_, said, _) in zip(made, wanted, strict=True)]
    if CT_ICH.exists():
        reviews += [(hospital.send(sorted((CT_ICH / p).iterdir())), said) for p, said in REAL.items()]
    orthanc.wait(orthanc.settled)
    for series, said in reviews:
        hospital.review(series, said)

    # From the PACS to a version of the data.
    pulled = train("dataset", "orthanc", orthanc.http.base_url, "--out", tmp_path / "data")
    assert pulled.exit_code == 0, pulled.output
    data = tmp_path / "data" / "0001"
    manifest = Manifest.read(data)
    assert sum(p.urgency_by == SPECIALIST for p in manifest.part("train", "validation", TEST)) == len(reviews)

    # A gate that wants to be sure stops the candidate: few patients cannot tell. Nothing is handed over.
    sure = tmp_path / "sure.toml"
    sure.write_text(NO_DOUBT)
    start = ("cycle", "--data", data, "--in-service", shipped.folder, "--models", tmp_path / "models")
    stopped = train(*start, "--run", tmp_path / "cycle-1", "--version", "9.1", "--margins", sure)
    assert stopped.exit_code == 1, stopped.output
    reasons = json.loads((tmp_path / "cycle-1" / "gate.json").read_text())["reasons"]
    assert any("colour" in reason for reason in reasons), reasons
    assert not list((tmp_path / "models").glob("*"))
    late = hospital.send(drawn("normal", 901, tmp_path / "late"))
    assert hospital.judged_by(late) == shipped.folder.name

    # One that warns lets it pass; an administrator activates it, the next series carries it.
    passed = train(
        *start,
        "--run",
        tmp_path / "cycle-2",
        "--version",
        "9.2",
        "--margins",
        margins(tmp_path / "wide.toml"),
    )
    assert passed.exit_code == 0, passed.output
    candidate = load_bundle(tmp_path / "models" / f"{shipped.contents.name}-9.2")
    assert candidate.contents.learned_urgency is not None
    hospital.post(f"models/{candidate.folder.name}/activate", "tester", **now(orthanc))
    after = hospital.send(drawn("intracerebral", 902, tmp_path / "after"))
    assert hospital.judged_by(after) == candidate.folder.name
    assert hospital.judged_by(late) == shipped.folder.name, "what was judged stays as it was"

    # And back.
    hospital.post("models/rollback", "tester", **now(orthanc))
    last = hospital.send(drawn("normal", 903, tmp_path / "last"))
    assert hospital.judged_by(last) == shipped.folder.name


def now(orthanc: OrthancProcess) -> dict[str, Any]:
    """What a change of models is based on."""
    return {"based_on": orthanc.get("models")["based_on"]}
