"""The audit finds what is put back, in images, in files beside them and in names."""

import json
from copy import deepcopy
from datetime import date
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from headct.errors import DeidentificationError
from headct.generator.patient import CharacterSet
from headct.generator.patient import Patient as GeneratedPatient
from model_training.datasets.pulling import OWN_WORDS
from model_training.deidentification.audit import audit, files_below
from model_training.deidentification.identifiers import Identifiers, Kind
from model_training.deidentification.profile import deidentify
from tests.model_training.person import KEY, clean, known, refusal
from tests.model_training.planted import (
    ENCODINGS,
    NUMBERS,
    PLACES,
    ROOT,
    WORDS,
    Place,
    as_file,
    person_image,
)


@pytest.mark.filterwarnings("ignore:Failed to encode value")
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.words.replace(" ", "_"))
def test_the_audit_finds_what_is_put_back(place: Place) -> None:
    ds = dcmread(BytesIO(clean().data))
    place.plant(ds)
    if place.words.startswith(("PatientName", "ImageComments", "SelectorPN")):
        ds.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
    said = refusal(as_file(ds))
    assert place.named in said
    assert not any(word.casefold() in said.casefold() for word in (*WORDS, *NUMBERS))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("word", ["黒澤遥香", "Haruka Kurosawa"])
def test_the_audit_finds_names_among_pixels(word: str, encoding: str) -> None:
    file = bytearray(clean().data)
    data = word.encode(encoding)
    file[-1000 : -1000 + len(data)] = data
    assert "in the bytes" in refusal(bytes(file))


@pytest.mark.parametrize("charset", CharacterSet)
def test_the_audit_knows_the_character_sets_of_the_input(charset: CharacterSet) -> None:
    ds = deepcopy(person_image(charset))
    ds.PatientName = GeneratedPatient(5, 40, "F").name(charset)
    file = as_file(ds)
    (image,) = deidentify([file], KEY)
    identifiers = Identifiers.of([file])
    audit([(image.name, image.data)], identifiers)
    name = dcmread(BytesIO(file)).get_item("PatientName").value.strip()
    assert "in the bytes" in refusal(image.data[: -len(name)] + name, identifiers=identifiers)


def test_the_audit_accepts_the_output() -> None:
    audit([(clean().name, clean().data)], known())


def test_a_record_that_quotes_an_identifier_is_found() -> None:
    said = {
        "left_out": "cannot be de-identified: image data cannot be read (impossible image size 4711009 x 512)"
    }
    with pytest.raises(DeidentificationError, match="of the input"):
        audit([("series.json", json.dumps(said).encode())], known(), OWN_WORDS)
    names = Identifiers(frozenset({(Kind.NAME, "Page"), (Kind.NAME, "Burnt"), (Kind.NAME, "Axial")}))
    said = {"left_out": "text is burnt into the page", "images": "not an axial series"}
    audit([("series.json", json.dumps(said).encode())], names, OWN_WORDS)


@pytest.mark.parametrize(
    "data",
    [
        b"patient,urgency\nKurosawa Haruka,RED\n",
        json.dumps({"name": "黒澤 遥香"}).encode(),
        "患者,黒澤\n".encode("cp932"),
        "患者,遥香\n".encode(),
        f"series,{ROOT}.2\n".encode(),
        b'{"born": "1962-05-17"}',
        b"accession ACC8826114",
        np.frombuffer(b"\xff\0Kurosawa Haruka ", np.uint8).tobytes(),
    ],
)
def test_files_beside_the_images_are_searched(data: bytes) -> None:
    assert "of the input" in refusal(data, "manifest.json")


def test_a_table_may_use_its_own_words() -> None:
    table = [("labels.csv", b"series,date,urgency\n2.25.1,,RED\n")]
    names = Identifiers(frozenset({(Kind.NAME, "Date"), (Kind.NAME, "Series")}))
    with pytest.raises(DeidentificationError):
        audit(table, names)
    audit(table, names, own_words=("date",))


def test_files_that_name_nobody_pass(tmp_path: Path) -> None:
    (tmp_path / "series").mkdir()
    (tmp_path / "series" / clean().name).write_bytes(clean().data)
    (tmp_path / "labels.csv").write_text("series,urgency,bleeding\n2.25.1,RED,1\n2.25.2,GREEN,0\n")
    np.save(tmp_path / "volume.npy", np.random.default_rng(1).normal(size=10_000))
    audit(files_below(tmp_path), known())


def test_names_of_files_and_folders_are_searched(tmp_path: Path) -> None:
    (tmp_path / "Kurosawa").mkdir()
    (tmp_path / "Kurosawa" / clean().name).write_bytes(clean().data)
    with pytest.raises(DeidentificationError) as told:
        audit(files_below(tmp_path), known())
    assert str(told.value) == "file 1: a person's name of the input in its name"


def test_nothing_to_audit_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(DeidentificationError, match="no file"):
        audit(files_below(tmp_path), known())
    with pytest.raises(DeidentificationError, match="cannot be read"):
        audit([("gone", tmp_path / "gone")], known())


def test_identifiers_show_nothing() -> None:
    assert "Kurosawa" not in repr(known())
    assert known().dates >= {date(1962, 5, 17), date(2024, 2, 29)}
    with pytest.raises(DeidentificationError, match="image 1 cannot be read"):
        Identifiers.of([Path("/nowhere/at/all")])
