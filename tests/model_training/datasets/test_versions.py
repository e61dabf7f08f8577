"""Versions of a hospital's data: who keeps which place, and what is refused before anything is pulled."""

import fcntl
from collections.abc import Sequence
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner
from layouts import copy, uid, write, write_labels

from headct.errors import DeidentificationError, UnusableInputError
from model_training.cli import main
from model_training.datasets import versions
from model_training.datasets.manifest import TEST, TRAIN, Entry, Manifest
from model_training.datasets.orthanc import Pacs, PacsError
from model_training.datasets.preparation import prepare
from model_training.datasets.review_labels import DISPUTED
from model_training.datasets.sources.labelled import VERSION
from model_training.datasets.split import split
from model_training.datasets.versions import latest, next_version
from model_training.deidentification.pseudonyms import Key
from tests.model_training.pacs import KEY, LOGIN


def test_what_readers_left_out_is_in_the_manifest_without_its_images(tmp_path: Path) -> None:
    root = tmp_path / "in"
    write(copy("P-1"), root / "1")
    rows = [
        {"series": uid("P-1", "1", "1"), "study": uid("P-1", "1"), "patient": "P-1", "bleeding": "0"},
        {"series": "2.25.7", "study": "2.25.8", "patient": "P-1", "excluded": DISPUTED},
        {"series": "2.25.9", "study": "2.25.8", "patient": "P-2", "excluded": "poor quality"},
    ]
    write_labels(root, rows)
    (root / VERSION).touch()
    manifest = prepare({"labelled": root}, tmp_path / "out")
    assert [(p.patient, p.who, p.exclusion) for p in manifest.patients] == [
        ("P-1", "P-1", ""),
        ("P-1.2", "P-1", DISPUTED),
        ("P-2", "P-2", "poor quality"),
    ]
    assert not (root / "pseudonyms.key").exists(), "names are pseudonyms already"
    write_labels(root, rows[1:])
    assert prepare({"labelled": root}, tmp_path / "out").patients[0].exclusion == "no label"


def test_nobody_there(tmp_path: Path) -> None:
    with Pacs("http://127.0.0.1:1", LOGIN, pauses=()) as pacs, pytest.raises(PacsError, match="not answer"):
        next_version(pacs, tmp_path / "data", tmp_path / "key")


def test_nothing_reviewed(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    server.answers = [(200, b'{"labels": []}')]  # type: ignore[attr-defined]
    with Pacs(f"http://127.0.0.1:{server.server_port}", LOGIN) as pacs:
        with pytest.raises(UnusableInputError, match="none of 0 reviewed"):
            next_version(pacs, tmp_path / "data", tmp_path / "key")
        with pytest.raises(DeidentificationError, match="lies within the data"):
            next_version(pacs, tmp_path / "data", tmp_path / "data" / "key")
    assert latest(tmp_path / "data") is None


def test_a_second_run_is_kept_out(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / ".lock").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        with (
            Pacs("http://127.0.0.1:1", LOGIN) as pacs,
            pytest.raises(UnusableInputError, match="another run"),
        ):
            next_version(pacs, tmp_path / "data", tmp_path / "key")


def test_another_key_than_that_of_the_versions_before(tmp_path: Path) -> None:
    key = tmp_path / "key"
    (tmp_path / "data" / "0009").mkdir(parents=True)
    (tmp_path / "data" / "0010").mkdir()
    (tmp_path / "data" / "0009" / VERSION).write_text("{}")
    (tmp_path / "data" / "0010" / VERSION).write_text(f'{{"key": "{KEY.mark("key")}"}}')
    Manifest(()).write(tmp_path / "data" / "0010")
    assert latest(tmp_path / "data") == tmp_path / "data" / "0010"
    with Pacs("http://127.0.0.1:1", LOGIN) as pacs:
        with pytest.raises(DeidentificationError, match="is not there"):
            next_version(pacs, tmp_path / "data", key)
        assert not key.exists()
        Key.read(key)
        with pytest.raises(DeidentificationError, match="is not the key"):
            next_version(pacs, tmp_path / "data", key)


def version_of(folder: Path, patients: Sequence[Entry], previous: Sequence[Entry] = ()) -> Manifest:
    """As the next version is dealt and written."""
    folder.mkdir()
    manifest = Manifest(split(patients, previous=previous))
    manifest.write(folder)
    versions._write_places(folder, [*previous, *manifest.patients])
    return manifest


def place(manifest: Manifest, name: str) -> tuple[str | None, int | None]:
    return next((p.split, p.fold) for p in manifest.patients if p.patient == name)


def test_who_is_left_out_of_a_version_is_back_in_their_place_in_a_later_one(tmp_path: Path) -> None:
    everybody = [Entry(f"P-{n:02}", "labelled", n % 3 == 0, pixel_digest=f"d{n}") for n in range(40)]
    later = [Entry(f"Q-{n:02}", "labelled", n % 3 == 0, pixel_digest=f"q{n}") for n in range(9)]
    first = version_of(tmp_path / "1", everybody)
    disputed = [replace(p, exclusion=DISPUTED, pixel_digest="") for p in everybody[::2]]
    corrected = [replace(p, patient=f"R-{n:02}") for n, p in enumerate(everybody[1::2])]
    second = version_of(tmp_path / "2", [*disputed, *corrected, *later], versions._places(tmp_path / "1"))
    third = version_of(tmp_path / "3", [*everybody[::2], *corrected], versions._places(tmp_path / "2"))
    for p in everybody[::2]:
        assert place(second, p.patient) == (None, None)
        assert place(third, p.patient) == place(first, p.patient)
    for p, again in zip(everybody[1::2], corrected, strict=True):
        assert place(third, again.patient) == place(second, again.patient) == place(first, p.patient)
    # The first versions are deleted, and somebody comes back who is in none that is left.
    fourth = version_of(tmp_path / "4", [*everybody, *later], versions._places(tmp_path / "3"))
    assert [place(fourth, p.patient) for p in everybody] == [place(first, p.patient) for p in everybody]
    assert [place(fourth, p.patient) for p in later] == [place(second, p.patient) for p in later]


def test_a_version_without_places_has_those_of_its_manifest(tmp_path: Path) -> None:
    manifest = version_of(tmp_path / "1", [Entry("P-1", "labelled", True, pixel_digest="d")])
    (tmp_path / "1" / versions.PLACES).unlink()
    assert versions._places(tmp_path / "1") == manifest.patients


def test_patients_keep_their_part_by_the_manifest_that_is_named_and_by_the_version_before(
    tmp_path: Path,
) -> None:
    one, two = (Entry(name, "labelled", False, split=TEST, fold=4) for name in ("P-1", "P-2"))
    Manifest((one, two)).write(tmp_path)
    previous = [*versions._places(tmp_path), replace(one, split=TRAIN, fold=0)]
    now = split([replace(p, split=None, fold=None) for p in (one, two)], previous=previous)
    assert [(p.split, p.fold) for p in now] == [(TRAIN, 0), (TEST, 4)]


# The command


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dataset"], "Missing option --out"),
        (["dataset", "--out", "x"], "name at least one source"),
        (["dataset", "--workers", "2", "orthanc", "http://127.0.0.1", "--out", "x"], "--workers goes behind"),
        (["dataset", "orthanc", "http://127.0.0.1"], "Missing option '--out'"),
        (["dataset", "orthanc", "nonsense", "--out", "x"], "the address must be one"),
    ],
)
def test_commands_that_are_refused(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    login = {"HEADCT_USER": "sato", "HEADCT_PASSWORD": "not-a-secret"}
    done = CliRunner().invoke(main, arguments, env=login)
    assert done.exit_code == 2 and words in done.output
    assert "not-a-secret" not in done.output
    assert not list(tmp_path.iterdir())
