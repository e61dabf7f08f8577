"""Reviewed series from a real Orthanc to versions of data: nobody is in them, nothing is fetched twice."""

import csv
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layouts import copy
from pydicom import dcmread
from pydicom.dataset import Dataset
from stack_process import PATIENCE, StackProcess, wait_until

from headct.images.decoding import PixelFormat
from headct.images.reading import load_series
from model_training.datasets import versions
from model_training.datasets.manifest import SPECIALIST, Manifest
from model_training.datasets.orthanc import Login, Pacs
from model_training.datasets.pulling import RECORD
from model_training.datasets.review_labels import DOUBTFUL
from model_training.datasets.sample import Sample, sample_path
from model_training.datasets.versions import Version, next_version
from model_training.deidentification import profile
from tests.e2e.conftest import configured
from tests.model_training.planted import PLACES, ROOT, SECRETS, as_file, person_image

PROGRAM = "from model_training.cli import main; main()"
DYING = """
import os, signal
from model_training.cli import main
from model_training.datasets.pulling import Puller

pull = Puller.pull

def pull_once(*arguments, **options):
    pull(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

Puller.pull = pull_once
main()
"""
"""The same program, but it ends like one that is killed when one series is fetched."""
PASSWORD = "not-a-secret"
LOCAL = {
    "RegisteredUsers": dict.fromkeys(("sato", "ito", "abe"), PASSWORD),
    "HeadCTTriage": {
        "People": {
            login: {"Name": f"{login.title()}^Hanako", "Organisation": "St. Elsewhere", "Role": "reader"}
            for login in ("sato", "ito", "abe")
        }
    },
}
BLEED = {"haemorrhage": True, "epidural": True, "subdural": False}
COMMENT = "Kurosawa Haruka 様, 1962-05-17"


def planted() -> list[Dataset]:
    """A head that must not be recognised: something of the person at every place of every image."""
    person = person_image()
    images = []
    for number, shown in enumerate(copy("planted")):
        for element in person:
            if element.tag.group in {0x0010, 0x0032, 0x0040} or element.keyword in {
                "AccessionNumber", "InstitutionName", "ReferringPhysicianName", "DeviceSerialNumber",
                "SpecificCharacterSet", "StudyDate", "StudyTime", "StudyID",
            }:  # fmt: skip
                shown[element.tag] = deepcopy(element)
        for place in PLACES:
            place.plant(shown)
        shown.PatientID = f" {person.PatientID} "
        shown.StudyInstanceUID, shown.SeriesInstanceUID = f"{ROOT}.1", f"{ROOT}.2"
        shown.FrameOfReferenceUID, shown.SOPInstanceUID = f"{ROOT}.3", f"{ROOT}.9.{number}"
        shown.file_meta.MediaStorageSOPInstanceUID = shown.SOPInstanceUID
        images.append(shown)
    return images


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackProcess]:
    with StackProcess(tmp_path_factory.mktemp("pacs"), configured(LOCAL)) as running:
        yield running


@pytest.fixture(scope="module")
def ids(stack: StackProcess) -> dict[str, str]:
    """Four heads in Orthanc by name: Orthanc's identifiers of their series."""
    heads = {"planted": planted(), **{name: copy(name) for name in ("clear", "disputed", "poor")}}
    for images in heads.values():
        for ds in images:
            answer = stack.http.post("/instances", content=as_file(ds))
            assert answer.status_code == 200, answer.text
    final = stack.wait_final(images[0].SeriesInstanceUID for images in heads.values())
    return {name: final[images[0].SeriesInstanceUID]["id"] for name, images in heads.items()}


def review(stack: StackProcess, series: str, login: str, action: str, **said: Any) -> None:
    seen = stack.api(f"series/{series}")["based_on"]
    body = {"action": action, "based_on": seen, "request_id": uuid.uuid4().hex, **said}
    answer = stack.http.post(
        f"/triage/api/v1/series/{series}/review",
        json=body,
        headers={"X-Triage": "test"},
        auth=(login, PASSWORD),
    )
    assert answer.status_code == 201, answer.text


@pytest.fixture(scope="module")
def reviewed(stack: StackProcess, ids: dict[str, str]) -> dict[str, str]:
    review(stack, ids["planted"], "sato", "relabel", urgency="RED", findings=BLEED, comment=COMMENT)
    review(stack, ids["clear"], "sato", "relabel", urgency="GREEN")
    review(stack, ids["disputed"], "sato", "relabel", urgency="YELLOW", findings={"haemorrhage": True})
    review(stack, ids["disputed"], "ito", "relabel", urgency="GREEN")
    review(stack, ids["poor"], "ito", "exclude", reason="poor_quality", comment=COMMENT)
    return ids


@pytest.fixture
def pacs(stack: StackProcess) -> Iterator[Pacs]:
    with Pacs(stack.url, Login("sato", PASSWORD)) as found:
        yield found


def command(
    stack: StackProcess, out: Path, password: str = PASSWORD, program: str = PROGRAM
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program, "dataset", "orthanc", stack.url, "--user", "sato", "--out", str(out)],
        env={**os.environ, "HEADCT_PASSWORD": password},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def table(version: Path) -> dict[str, dict[str, str]]:
    """Rows of the labels by series."""
    with (version / "labels.csv").open(encoding="utf-8") as file:
        return {row["series"]: row for row in csv.DictReader(file)}


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file with what changes when it is written anew."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def secrets_below(folder: Path) -> list[tuple[str, bytes]]:
    """What of the person is in any file, or in a name."""
    found = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        data = path.read_bytes() if path.is_file() else b""
        found += [(name, secret) for secret in SECRETS if secret in data or secret in name.encode()]
    return found


# Long: one story, each step of which stands on the one before, with one Orthanc.
def test_killed_resumed_and_a_second_version(
    stack: StackProcess, reviewed: dict[str, str], pacs: Pacs, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    kept = out / ".unfinished" / versions.SERIES
    killed = command(stack, out, program=DYING)
    said, _ = killed.communicate(timeout=PATIENCE)
    assert killed.returncode == -signal.SIGKILL, said
    assert versions.latest(out) is None
    before = {name: stamp for name, stamp in files(kept).items() if not name.startswith(".")}
    taken = sum(json.loads((kept / name).read_text())["images"] > 0 for name in before if RECORD in name)
    assert before

    resumed = command(stack, out)
    said, _ = resumed.communicate(timeout=PATIENCE)
    assert resumed.returncode == 0, said
    assert PASSWORD not in said and not any(secret in said.encode() for secret in SECRETS)
    one = out / "0001"
    assert said.rstrip().endswith(f"{one}: {2 - taken} series fetched")
    after = files(one / versions.SERIES)
    assert {name: after[name] for name in before} == before, "fetched again"
    assert not (out / ".unfinished").exists()

    # Who is in it, and who is not, with the reason.
    manifest = Manifest.read(one)
    used = {p.series: p for p in manifest.patients if not p.exclusion}
    rows = table(one)
    assert sorted(p.exclusion for p in manifest.excluded) == [
        "excluded by a reader: poor quality",
        "readers differ",
    ]
    assert sorted((p.urgency, p.urgency_by, p.bleeding, p.doubtful) for p in used.values()) == [
        ("GREEN", SPECIALIST, False, DOUBTFUL),
        ("RED", SPECIALIST, True, ""),
    ]
    (bled,) = (p for p in used.values() if p.bleeding)
    assert bled.labels == {"edh": True, "sdh": False}
    assert rows[bled.series]["patient"] == bled.patient and bled.patient.startswith("P-")
    assert {row["excluded"] for row in rows.values()} == {"", *(p.exclusion for p in manifest.excluded)}
    assert (out.with_name("data.key")).stat().st_mode & 0o777 == 0o600
    assert Sample.read(sample_path(one, bled)).volume.hu.any()

    # Nothing changed: no other version.
    again = next_version(pacs, out, out.with_name("data.key"))
    assert (again.folder, again.new, again.fetched) == (one, False, 0)
    assert not (out / ".unfinished").exists()

    # A changed label, a settled dispute, a series that is gone.
    frozen = files(one)
    review(stack, reviewed["planted"], "sato", "relabel", urgency="BLACK", findings=BLEED)
    review(stack, reviewed["disputed"], "abe", "relabel", urgency="YELLOW", findings={"haemorrhage": True})
    assert stack.http.delete(f"/series/{reviewed['clear']}").status_code == 200
    wait_until(lambda: len(stack.api("labels")["labels"]) == 3, PATIENCE, stack.log)
    second = next_version(pacs, out, out.with_name("data.key"))
    assert (second.folder.name, second.new, second.fetched) == ("0002", True, 1)
    assert files(one) == frozen, "an earlier version changed"
    now = {p.series: p for p in second.manifest.patients if not p.exclusion}
    assert sorted((p.urgency, p.urgency_by) for p in now.values()) == [
        ("BLACK", SPECIALIST),
        ("YELLOW", SPECIALIST),
    ]
    gone = (set(used) - set(now)).pop()
    assert gone not in json.dumps([p.series for p in second.manifest.patients])
    assert not [n for n in files(second.folder) if gone in n or used[gone].patient in n]
    assert (now[bled.series].patient, now[bled.series].split) == (bled.patient, bled.split)
    new, old = files(second.folder), files(one)
    shared = [name for name in new if name.endswith(".dcm") and name in old]
    assert shared and all(new[name] == old[name] for name in shared), "the same files on disk"


@pytest.fixture(scope="module")
def pulled(
    stack: StackProcess, reviewed: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Version:
    folder = tmp_path_factory.mktemp("pulled")
    with Pacs(stack.url, Login("sato", PASSWORD)) as pacs:
        return next_version(pacs, folder / "data", folder / "key")


def test_nothing_of_the_person_is_in_any_file(
    stack: StackProcess, reviewed: dict[str, str], pulled: Version
) -> None:
    stored = stack.get(f"/series/{reviewed['planted']}")["Instances"]
    originals = [stack.file(instance) for instance in stored]
    control = {secret for secret in SECRETS if secret in originals[0]}
    assert len(PLACES) >= 50 and len(control) >= 20, "the search finds them in what is in Orthanc"
    assert COMMENT in json.dumps(stack.api(f"series/{reviewed['planted']}"), ensure_ascii=False)

    everything = pulled.folder.parent
    assert secrets_below(everything) == []
    suffixes = {path.suffix for path in everything.rglob("*") if path.is_file()}
    assert suffixes == {".dcm", ".npy", ".json", ".csv", ".sqlite", ""}, "nothing is compressed"
    assert [path.name for path in everything.rglob("*") if path.is_file() and not path.suffix] == [".lock"]
    assert b"sato" not in b"".join(
        p.read_bytes().lower() for p in everything.rglob("*.*") if p.suffix in {".json", ".csv"}
    )

    (entry,) = (p for p in pulled.manifest.patients if p.urgency in {"RED", "BLACK"})
    (folder,) = (
        path.parent
        for path in pulled.folder.rglob(RECORD)
        if json.loads(path.read_text())["series"] == entry.series
    )
    new, old = load_series(sorted(folder.glob("*.dcm"))), load_series(originals)
    assert new.pixel_digest == old.pixel_digest and np.array_equal(new.hu, old.hu)
    assert entry.age_years == 90, "98 in the input"
    header = dcmread(next(folder.glob("*.dcm")), stop_before_pixels=True)
    assert header.PatientIdentityRemoved == "YES"
    assert [c.CodeValue for c in header.DeidentificationMethodCodeSequence] == ["113100", "113107", "113108"]


def test_what_the_remover_leaves_is_not_taken(
    stack: StackProcess, reviewed: dict[str, str], pacs: Pacs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_pixels = profile._set_pixels

    def forgetful(image: Dataset, source: bytes, form: PixelFormat) -> None:
        set_pixels(image, source, form)
        if b"Kurosawa" in source:
            image.ImageComments = "Haruka KUROSAWA"

    monkeypatch.setattr(profile, "_set_pixels", forgetful)
    version = next_version(pacs, tmp_path / "data", tmp_path / "key")
    assert len(version.not_taken) == 1 and "identifies was left" in version.not_taken[0]
    assert "Kurosawa".casefold() not in version.not_taken[0].casefold()
    assert secrets_below(tmp_path / "data") == []
    assert {p.urgency for p in version.manifest.patients if not p.exclusion} <= {"GREEN", "YELLOW"}


def test_a_wrong_password_is_said_without_it(stack: StackProcess, tmp_path: Path) -> None:
    refused = command(stack, tmp_path / "data", "guessed-wrong")
    said, _ = refused.communicate(timeout=PATIENCE)
    assert refused.returncode == 2
    assert "refuses the user sato" in said and "guessed-wrong" not in said
    assert versions.latest(tmp_path / "data") is None
