"""Nothing of a person is left in the data; what is put back is found; what training needs stays as it was."""

import hashlib
import json
import re
import subprocess
from collections.abc import Callable
from copy import deepcopy
from datetime import date, timedelta
from functools import cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from data import SHARED, needs_shared_data
from dicomanonymizer.simpledicomanonymizer import initialize_actions
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from headct.eligibility import age_years
from headct.errors import DeidentificationError
from headct.generator.encoding import TransferSyntax
from headct.generator.generation import generate
from headct.generator.patient import CharacterSet
from headct.generator.patient import Patient as GeneratedPatient
from headct.images.decoding import PixelFormat, decode, hounsfield
from headct.images.reading import load_series
from model_training.datasets.pulling import OWN_WORDS
from model_training.deidentification import profile
from model_training.deidentification.audit import audit, files_below
from model_training.deidentification.elements import elements
from model_training.deidentification.identifiers import Identifiers, Kind
from model_training.deidentification.profile import Image, coarse_age, deidentify
from model_training.deidentification.pseudonyms import KEY_BYTES, Key
from model_training.deidentification.search import Search
from tests.model_training.planted import (
    ACCESSION,
    DOCTOR,
    ENCODINGS,
    INSTITUTION,
    NUMBERS,
    PATIENT_ID,
    PHONE,
    PLACES,
    REMARK,
    ROOT,
    SECRETS,
    SELECTED,
    SERIAL,
    STUDIED,
    WORDS,
    Place,
    as_file,
    person_image,
)

KEY = Key(bytes(range(KEY_BYTES)))


@cache
def original() -> bytes:
    return as_file(person_image())


@cache
def known() -> Identifiers:
    return Identifiers.of([original()])


@cache
def clean() -> Image:
    (image,) = deidentify([original()], KEY)
    return image


def refusal(data: bytes, name: str = "1.dcm", identifiers: Identifiers | None = None) -> str:
    with pytest.raises(DeidentificationError) as told:
        audit([(name, data)], identifiers or known())
    return str(told.value)


def test_there_are_enough_places() -> None:
    assert len(PLACES) >= 80
    assert len({place.words for place in PLACES}) == len(PLACES)


@pytest.mark.parametrize("charset", ["\\ISO 2022 IR 87", "ISO_IR 192"])
def test_nothing_planted_anywhere_is_in_the_output(charset: str) -> None:
    ds = deepcopy(person_image(charset))
    for place in PLACES:
        place.plant(ds)
    file = as_file(ds)
    assert sum(secret in file for secret in SECRETS) >= 20
    (image,) = deidentify([file], KEY)
    assert [secret for secret in SECRETS if secret in image.data or secret in image.name.encode()] == []
    audit([(image.name, image.data)], Identifiers.of([file]))
    assert dcmread(BytesIO(image.data)).PatientAge == "090Y"


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


# The whole table of the standard


def dummy(vr: str) -> object:
    """Something of the person that fits the representation."""
    return [Dataset()] if vr == "SQ" else SELECTED[vr]


def test_no_attribute_of_the_table_is_left() -> None:
    ds = deepcopy(person_image())
    table = [
        0x50000022 if tag[0] == 0x5000 else tag[0] << 16 | tag[1]
        for tag in initialize_actions(f"dicomfields_{profile.EDITION}")
    ]
    planted = [tag for tag in table if tag >> 16 not in {0, 2, 4} and keyword_for_tag(tag) not in UNTOUCHED]
    for tag in planted:
        # The library's edition is newer than the dictionary.
        vr = dictionary_VR(tag).split(" or ")[0] if keyword_for_tag(tag) else "LO"
        ds.add_new(tag, vr, dummy(vr))
    assert len(planted) > 600
    (image,) = deidentify([as_file(ds)], KEY)
    left = {element.tag for element in dcmread(BytesIO(image.data)) if element.value not in ("", None)}
    ours = {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientName", "PatientID"}
    options = {"PatientAge", "PatientSex", "StudyDate", "StudyTime", "FrameOfReferenceUID"}
    assert {keyword_for_tag(tag) for tag in left & set(table)} <= ours | options
    assert not any(secret in image.data for secret in SECRETS)


UNTOUCHED = {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID", "PatientSex"}
"""Of the table, and wanted as they are, or the image is no image of the series."""


# Any step switched off


def switched_off() -> dict[str, tuple[object, str, object]]:
    def everything(header: Dataset) -> Dataset:
        image = deepcopy(header)
        del image.file_meta
        return image

    def unchanged_pixels(image: Dataset, source: bytes, form: object) -> None:
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
        image.add_new("PixelData", "OB", encapsulate([b"Kurosawa"]))
        image["PixelData"].is_undefined_length = True

    def old_file(image: Dataset) -> bytes:
        image.file_meta = deepcopy(person_image().file_meta)
        image.file_meta.SourceApplicationEntityTitle = "CT_AE"
        return as_file(image)

    def with_preamble(image: Dataset) -> bytes:
        return b"Kurosawa".ljust(128, b"\0") + real_file(image)[128:]

    real_file = profile._file
    return {
        "list of what is copied": (profile, "_copied", everything),
        "table": (profile, "_actions", lambda key: {}),
        "pseudonyms": (Key, "pseudonym", lambda key, patient_id: patient_id),
        "UIDs": (Key, "uid", lambda key, uid: uid),
        "shift of dates": (Key, "shift", lambda key, patient_id: timedelta(0)),
        "coarser age": (profile, "coarse_age", lambda header: "098Y"),
        "checks of values": (profile, "_WORDS", re.compile(r"[^\\]*")),
        "known words": (profile, "_TERMS", frozenset({"KUROSAWA"})),
        "uncompressed pictures": (profile, "_set_pixels", unchanged_pixels),
        "statement": (profile, "_statement", Dataset),
        "new file meta information": (profile, "_file", old_file),
        "empty preamble": (profile, "_file", with_preamble),
    }


@pytest.mark.filterwarnings("ignore:Failed to encode value")
@pytest.mark.parametrize("step", switched_off())
def test_a_step_switched_off_is_noticed(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ds = deepcopy(person_image())
    ds.ConvolutionKernel, ds.ScanOptions = "FC\t黒澤", "KUROSAWA"
    file = as_file(ds)
    monkeypatch.setattr(*switched_off()[step])
    images = [(image.name, image.data) for image in deidentify([file], KEY)]
    with pytest.raises(DeidentificationError) as told:
        audit(images, Identifiers.of([file]))
    assert not any(word.casefold() in str(told.value).casefold() for word in WORDS)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("Manufacturer", "Kurosawa"),
        ("ManufacturerModelName", "for Haruka"),
        ("ConvolutionKernel", "HARUKA"),
        ("PatientPosition", "KUROSAWA"),
        ("RescaleType", "ZK-4711009"),
        ("InstanceNumber", 4711009),
        ("SliceLocation", "19620517"),
        ("ImagePositionPatient", [0, 0, 4711009]),
        ("WindowCenter", "4711009.0"),
    ],
)
def test_what_is_copied_is_searched(keyword: str, value: object) -> None:
    ds = deepcopy(person_image())
    ds.AccessionNumber = "4711009"
    setattr(ds, keyword, value)
    file = as_file(ds)
    (image,) = deidentify([file], KEY)
    tag = tag_for_keyword(keyword)
    assert tag is not None
    assert f"({tag >> 16:04X},{tag & 0xFFFF:04X})" in refusal(image.data, identifiers=Identifiers.of([file]))


IDENTIFYING = {
    "accession": ACCESSION, "doctor": DOCTOR, "family name": "Ogata", "institution": INSTITUTION,
    "phone": PHONE, "serial": SERIAL, "remark": REMARK[:16], "guardian": "YAMASHITA", "private": "QX-998877",
}  # fmt: skip


@pytest.mark.parametrize("what", IDENTIFYING)
@pytest.mark.parametrize(
    "keyword", ["ScanOptions", "ImageType", "ConvolutionKernel", "ManufacturerModelName", "Manufacturer"]
)
@pytest.mark.parametrize("beside", ["", "{} 64", "STANDARD {}"])
def test_identifiers_among_technique_are_removed_or_refused(what: str, keyword: str, beside: str) -> None:
    word = (beside or "{}").format(IDENTIFYING[what])
    ds = deepcopy(person_image())
    ds.PatientComments = IDENTIFYING["remark"]
    ds.ResponsiblePerson = "Yamashita^Ken"
    ds.private_block(0x0029, "ACME NOTES", create=True).add_new(1, "LO", IDENTIFYING["private"])
    setattr(ds, keyword, ["ORIGINAL", "PRIMARY", "AXIAL", word] if keyword == "ImageType" else word)
    file = as_file(ds)
    assert word.encode() in file
    (image,) = deidentify([file], KEY)
    removed = word.casefold().encode() not in image.data.lower()
    assert removed is (keyword in {"ScanOptions", "ImageType"})
    if removed:
        audit([(image.name, image.data)], Identifiers.of([file]))
    else:
        assert IDENTIFYING[what] not in refusal(image.data, identifiers=Identifiers.of([file]))
    # By the audit alone, as if nothing had been removed.
    left = dcmread(BytesIO(clean().data))
    left.add_new(tag_for_keyword(keyword) or 0, dictionary_VR(keyword), ds[keyword].value)
    refusal(as_file(left), identifiers=Identifiers.of([file]))


def test_what_says_the_same_as_technique_stops_nothing() -> None:
    ds = deepcopy(person_image())
    ds.Manufacturer, ds.ManufacturerModelName, ds.ConvolutionKernel = "SIEMENS", "LightSpeed16", ["H31s", "2"]
    ds.ImageType, ds.ScanOptions = ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SEQ"], "HELICAL MODE"
    ds.OperatorsName, ds.StationName, ds.ProtocolName = "SIEMENS", "LIGHTSPEED", "Helical"
    ds.SeriesDescription, ds.StudyDescription = "H31s", "LightSpeed"
    block = ds.private_block(0x0009, "SIEMENS", create=True)
    for number, words in enumerate(
        ["LIGHTSPEED", "H31s", "ORIGINAL", "SIEMENS", "MONOCHROME2", "HELICAL MODE"]
    ):
        block.add_new(number, "LO", words)
    file = as_file(ds)
    (image,) = deidentify([file], KEY)
    audit([(image.name, image.data)], Identifiers.of([file]))
    out = dcmread(BytesIO(image.data))
    assert (out.ImageType, out.ScanOptions) == (ds.ImageType, ds.ScanOptions)


# What stays


@pytest.mark.parametrize(
    ("signed", "bits", "padding", "limit", "kept"),
    [
        (0, 12, -2000, None, (63536, None)),
        (1, 12, 63536, None, (-2000, None)),
        (1, 16, 63536, None, (-2000, None)),
        (1, 16, 63536, 63540, (-2000, -1996)),
        (0, 12, 0, None, (0, None)),
        (1, 12, -2000, None, (-2000, None)),
        # Taken by its bits it would blank out a pixel that is there.
        (0, 16, -2000, None, (None, None)),
    ],
)
def test_padding_of_the_wrong_sign(
    signed: int, bits: int, padding: int, limit: int | None, kept: tuple[int | None, int | None]
) -> None:
    ds = deepcopy(person_image())
    ds.PixelRepresentation, ds.BitsStored, ds.HighBit = signed, bits, bits - 1
    if signed:
        ds.RescaleIntercept = "0"
    if bits == 16:
        ds.PixelData = np.arange(63000, 63000 + 1024, dtype="<u2").tobytes()
    for keyword, value in (("PixelPaddingValue", padding), ("PixelPaddingRangeLimit", limit)):
        if value is not None:
            ds.add_new(tag_for_keyword(keyword) or 0, "SS" if value < 0 else "US", value)
    file = as_file(ds)
    (image,) = deidentify([file], KEY)
    audit([(image.name, image.data)], Identifiers.of([file]))
    out = dcmread(BytesIO(image.data))
    assert (out.get("PixelPaddingValue"), out.get("PixelPaddingRangeLimit")) == kept
    before, after = (PixelFormat.of(one) for one in (dcmread(BytesIO(file)), out))
    assert np.array_equal(decode(file, before), decode(image.data, after))
    assert np.array_equal(
        hounsfield(decode(file, before), before), hounsfield(decode(image.data, after), after)
    )


def test_padding_that_cannot_be_kept_with_the_same_units() -> None:
    ds = deepcopy(person_image())
    ds.add_new(tag_for_keyword("PixelPaddingValue") or 0, "SS", -2000)
    ds.add_new(tag_for_keyword("PixelPaddingRangeLimit") or 0, "SS", 100)
    with pytest.raises(DeidentificationError, match="padding"):
        list(deidentify([as_file(ds)], KEY))


def test_several_padding_values_mean_nothing() -> None:
    ds = deepcopy(person_image())
    ds.add_new(tag_for_keyword("PixelPaddingValue") or 0, "US", [471, 1009])
    file = as_file(ds)
    (image,) = deidentify([file], KEY)
    audit([(image.name, image.data)], Identifiers.of([file]))
    assert "PixelPaddingValue" not in dcmread(BytesIO(image.data))


def test_what_cannot_be_written_is_told_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    ds = deepcopy(person_image())
    ds.add_new(tag_for_keyword("PixelPaddingValue") or 0, "SS", -2000)
    monkeypatch.setattr(profile, "_set_padding", lambda image, stored, form: None)
    with pytest.raises(DeidentificationError, match=r"^image 1 of 1 cannot be written$") as told:
        list(deidentify([as_file(ds)], KEY))
    assert told.value.__cause__ is None and told.value.__suppress_context__


def test_a_record_that_quotes_an_identifier_is_found() -> None:
    said = {
        "left_out": "cannot be de-identified: image data cannot be read (impossible image size 4711009 x 512)"
    }
    with pytest.raises(DeidentificationError, match="of the input"):
        audit([("series.json", json.dumps(said).encode())], known(), OWN_WORDS)
    names = Identifiers(frozenset({(Kind.NAME, "Page"), (Kind.NAME, "Burnt"), (Kind.NAME, "Axial")}))
    said = {"left_out": "text is burnt into the page", "images": "not an axial series"}
    audit([("series.json", json.dumps(said).encode())], names, OWN_WORDS)


@pytest.mark.parametrize("word", ["no", "No", "NO"])
def test_an_image_without_burnt_in_text_in_any_case(word: str) -> None:
    file = changed(BurnedInAnnotation=word)
    (image,) = deidentify([file], KEY)
    audit([(image.name, image.data)], Identifiers.of([file]))
    left = dcmread(BytesIO(image.data))
    left.BurnedInAnnotation = word
    audit([(image.name, as_file(left))], Identifiers.of([file]))
    left.BurnedInAnnotation = {"no": "yes", "No": "Yes", "NO": "YES"}[word]
    assert "burnt" in refusal(as_file(left))


@cache
def head(syntax: TransferSyntax, when_tilted: float = 12.0) -> tuple[bytes, ...]:
    series = generate(
        "normal", 1, matrix=128, coverage=(0.45, 0.6), tilt_deg=when_tilted, syntax=syntax,
        charset=CharacterSet.IR13_IR87, vendor="siemens",
    )  # fmt: skip
    return tuple(as_file(ds) for ds in series.datasets)


@pytest.mark.parametrize("syntax", TransferSyntax)
def test_training_sees_the_same_series(syntax: TransferSyntax) -> None:
    files = head(syntax)
    images = list(deidentify(files, KEY))
    audit([(image.name, image.data) for image in images], Identifiers.of(files))
    before, after = load_series(files), load_series([image.data for image in images])
    assert after.pixel_digest == before.pixel_digest
    assert np.array_equal(after.hu, before.hu)
    assert np.array_equal(after.slice_positions_mm, before.slice_positions_mm)
    assert (after.spacing_mm, after.gantry_tilt_deg) == (before.spacing_mm, before.gantry_tilt_deg)
    assert (after.slabs, after.assumed, after.dropped) == (before.slabs, before.assumed, before.dropped)
    assert [KEY.uid(uid) for uid in before.sop_instance_uids] == list(after.sop_instance_uids)
    for old, new in zip(before.headers, after.headers, strict=True):
        for keyword in (
            "ConvolutionKernel",
            "KVP",
            "RescaleIntercept",
            "SliceThickness",
            "PatientSex",
            "ImageType",
        ):
            assert old[keyword].value == new[keyword].value
        assert age_years(new) == age_years(old)


@needs_shared_data
@pytest.mark.parametrize("folder", ["real_studies/siemens_stroke_0019983/ct", "ct_ich/series/CTICH-085"])
def test_real_series(folder: str) -> None:
    files = sorted((SHARED / folder).iterdir())
    images = list(deidentify(files, KEY))
    audit([(image.name, image.data) for image in images], Identifiers.of(files))
    before, after = load_series(files), load_series([image.data for image in images])
    assert after.pixel_digest == before.pixel_digest
    assert np.array_equal(after.slice_positions_mm, before.slice_positions_mm)


def test_an_independent_reader_finds_nothing_wrong(tmp_path: Path) -> None:
    (image, *_) = deidentify(head(TransferSyntax.EXPLICIT_LITTLE), KEY)
    (tmp_path / image.name).write_bytes(image.data)
    run = subprocess.run(["dciodvfy", tmp_path / image.name], capture_output=True, text=True, check=False)
    wrong = [line for line in run.stderr.splitlines() if line.startswith(("Error", "Abort"))]
    # Wanted where a body part comes in pairs; BodyPartExamined, which says which it is, is left behind.
    assert [line for line in wrong if "<Laterality>" not in line] == [] and "CTImage" in run.stderr


@pytest.mark.parametrize(
    ("age", "born", "said"),
    [
        ("089Y", "", "089Y"),
        ("090Y", "", "090Y"),
        ("104Y", "", "090Y"),
        ("79", "", "079Y"),
        ("002Y", "", "002Y"),
        ("023M", "", "023M"),
        ("003W", "", "000M"),
        ("", "19620517", "061Y"),
        ("", "19200101", "090Y"),
        ("", "20240101", "001M"),
        ("", "Unknown", ""),
        ("Unknown", "", ""),
    ],
)
def test_ages(age: str, born: str, said: str) -> None:
    ds = Dataset()
    ds.StudyDate, ds.PatientAge, ds.PatientBirthDate = STUDIED, age, born
    assert coarse_age(ds) == said


def shifted(day: str, time: str, patient_id: str = PATIENT_ID) -> tuple[str, str]:
    ds = deepcopy(person_image())
    ds.StudyDate, ds.StudyTime, ds.PatientID = day, time, patient_id
    (image,) = deidentify([as_file(ds)], KEY)
    out = dcmread(BytesIO(image.data))
    return out.StudyDate, out.StudyTime


def test_order_and_distance_of_studies_remain() -> None:
    moved = [
        shifted(*when) for when in (("20231231", "2359"), ("20240101", "060000.5"), ("20240101", "0930"))
    ]
    assert moved == sorted(moved)
    days = [date.fromisoformat(day) for day, _ in moved]
    assert all(b - a <= timedelta(1) for a, b in pairwise(days))
    assert all(day.year < 1850 for day in days)
    assert shifted("20231231", "2359", "another") != moved[0]
    assert shifted("2023.12.31", "23:59") == moved[0]
    assert shifted("20231231", "")[1] == ""
    for nonsense in ("", "Unknown", "20231399", "00000000"):
        assert shifted(nonsense, "101530") == ("", "")


def test_studies_of_a_patient_belong_together_and_say_what_was_done() -> None:
    second = deepcopy(person_image())
    second.StudyInstanceUID, second.SeriesInstanceUID, second.SOPInstanceUID = (
        f"{ROOT}.4.{k}" for k in range(3)
    )
    images = [dcmread(BytesIO(clean().data))]
    images += [dcmread(BytesIO(image.data)) for image in deidentify([as_file(second)], KEY)]
    assert images[0].PatientID == images[1].PatientID == images[0].PatientName
    assert images[0].FrameOfReferenceUID == images[1].FrameOfReferenceUID
    assert images[0].StudyInstanceUID != images[1].StudyInstanceUID
    for image in images:
        assert image.PatientIdentityRemoved == "YES"
        assert image.LongitudinalTemporalInformationModified == "MODIFIED"
        assert image.RecognizableVisualFeatures == "YES"
        codes = [
            (item.CodeValue, item.CodingSchemeDesignator) for item in image.DeidentificationMethodCodeSequence
        ]
        assert codes == [("113100", "DCM"), ("113107", "DCM"), ("113108", "DCM")]


# What is refused


def changed(**values: object) -> bytes:
    ds = deepcopy(person_image())
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return as_file(ds)


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([changed(BurnedInAnnotation="YES")], "burnt"),
        ([changed(BurnedInAnnotation="MAYBE")], "burnt"),
        ([changed(BurnedInAnnotation="yes")], "burnt"),
        ([changed(SOPClassUID="1.2.840.10008.5.1.4.1.1.7")], "not a CT image"),
        ([changed(SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1")], "not a CT image"),
        ([changed(Modality="MR")], "not a CT image"),
        ([changed(ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"])], "page of text"),
        ([changed(ImageType=["DERIVED", "SECONDARY", "OTHER", "CT_SOM5 PROT"])], "page of text"),
        ([changed(PhotometricInterpretation="RGB")], "colour"),
        ([changed(NumberOfFrames=3)], "frames"),
        ([changed(BitsAllocated=32, BitsStored=32, HighBit=31, PixelData=bytes(4096))], "16 bits"),
        ([changed(PixelData=b"\0\0")], "cut short"),
        ([changed(SOPInstanceUID="")], "no SOP instance UID"),
        ([changed(StudyInstanceUID="")], "no study"),
        ([changed(PatientID="")], "no patient ID"),
        ([changed(), changed(SOPInstanceUID="1.2.3", PatientID="another")], "differ in PatientID"),
        ([changed(), changed(SOPInstanceUID="1.2", SeriesInstanceUID="1.3")], "differ in SeriesInstanceUID"),
        ([changed(), changed()], "the same SOP instance UID"),
        ([], "no image"),
        ([b"Kurosawa Haruka"], "damaged file 1"),
    ],
)  # fmt: skip
def test_refused(files: list[bytes], words: str) -> None:
    with pytest.raises(DeidentificationError, match=words) as told:
        list(deidentify(files, KEY))
    assert not any(word.casefold() in str(told.value).casefold() for word in (*WORDS, *NUMBERS))


# Key and pseudonyms


def test_a_key_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "key"
    patient = "1"
    first = Key.read(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert Key.read(path).pseudonym(patient) == first.pseudonym(patient)
    assert Key.read(tmp_path / "other").pseudonym(patient) != first.pseudonym(patient)


LOOKS_RANDOM = hashlib.sha256(b"a key").digest()
"""The same in every process, so that all of them have the same tests."""


@pytest.mark.parametrize(
    ("secret", "mode", "words"),
    [
        (LOOKS_RANDOM[: KEY_BYTES - 1], 0o600, "fewer than"),
        (b"", 0o600, "fewer than"),
        (bytes(KEY_BYTES), 0o600, "not random"),
        (b"hospitalhospitalhospitalhospital", 0o600, "not random"),
        (LOOKS_RANDOM, 0o640, "chmod 600"),
        (LOOKS_RANDOM, 0o604, "chmod 600"),
    ],
)
def test_keys_that_are_refused(tmp_path: Path, secret: bytes, mode: int, words: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(secret)
    path.chmod(mode)
    with pytest.raises(DeidentificationError, match=words):
        Key.read(path)


def test_a_key_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(DeidentificationError, match="cannot be read or made"):
        Key.read(tmp_path / "nowhere" / "key")
    with pytest.raises(DeidentificationError, match="cannot be read or made"):
        Key.read(tmp_path)


TEXT = st.text(st.characters(codec="utf-8"), max_size=64)


@given(TEXT, TEXT)
def test_pseudonyms_tell_patients_apart(one: str, other: str) -> None:
    same = one.strip() == other.strip()
    assert (KEY.pseudonym(one) == KEY.pseudonym(other)) is same
    assert (KEY.shift(one) == KEY.shift(other)) is same
    assert re.fullmatch(r"P-[0-9A-F]{16}", KEY.pseudonym(one))
    assert timedelta(days=73_000) <= KEY.shift(one) < timedelta(days=76_652)
    assert KEY.pseudonym(one) != Key(bytes(range(1, KEY_BYTES + 1))).pseudonym(one)


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=8))
def test_uids_are_new_and_valid(parts: list[int]) -> None:
    uid = ".".join(map(str, parts))[:64]
    assert re.fullmatch(r"2\.25\.[1-9]\d{0,38}", KEY.uid(uid))
    assert KEY.uid(uid) == KEY.uid(uid + "\0") != KEY.uid(uid + "1")


# The rules of search


def search_for(*values: tuple[Kind, str], **others: object) -> Search:
    return Search(Identifiers(frozenset(values), **others))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        ("Kurosawa", "xkurosawax", True),
        ("Kurosawa", "ＫＵＲＯＳＡＷＡ", True),
        ("Mori", "Mori^Chiyo", True),
        ("Mori", "dr.mori 2", True),
        ("Mori", "MORIA", False),
        ("Gina", "ORIGINAL", False),
        ("Long", "Retain Longitudinal", False),
        ("Ito", "ito", True),
        ("Ito", "Itoshima", False),
        ("山田", "様山田太", True),
        ("やまだ", "ﾔﾏﾀﾞ", True),
        ("林", "林 花子", True),
        ("林", "小林", False),
        ("X", "X", False),
        ("Unknown", "unknown", False),
        ("1024", "1024", True),
        ("1024", "-1024", True),
        ("1024", "10245", False),
        ("1024", "0.1024", False),
        ("1024", "No.1024", True),
        ("12345678", "9123456789", False),
        ("12345678", "2.25.12345678", False),
        ("AB345678", "xAB345678x", True),
    ],
)
def test_what_counts_as_found(value: str, text: str, found: bool) -> None:
    assert (search_for((Kind.NAME, value)).text(text) is not None) is found


def test_short_values_are_looked_for_in_free_words_alone() -> None:
    search = search_for((Kind.NAME, "Ito"), (Kind.NUMBER, "120"), (Kind.TEXT, "FC2"))
    assert search.text("Ito") is Kind.NAME
    assert search.text("120") is Kind.NUMBER
    assert search.text("FC2") is None
    assert search.technique("Ito") is None
    assert search.beside("Ito") is None
    assert search.number("120") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4711009", True),
        ("+4711009.00", True),
        ("0004711009", True),
        ("4711009.5", False),
        ("14711009", False),
    ],
)
def test_numbers_are_compared_as_a_whole(text: str, found: bool) -> None:
    search = search_for((Kind.NUMBER, "4711009"))
    assert (search.number(text) is not None) is found


def test_parts_of_a_uid_are_compared_too() -> None:
    search = search_for((Kind.NUMBER, "4711009"), uids=frozenset({"1.2.3"}))
    assert search.uid("2.25.4711009") is Kind.NUMBER
    assert search.uid("1.2.3") is Kind.UID
    assert search.uid("2.25.14711009") is search.uid("1.2.3.4") is None


@pytest.mark.parametrize(
    "text",
    [
        "19620517", "1962-05-17", "1962/5/17", "1962.05.17", "17.05.1962", "05/17/1962", "17-5-1962",
        "1962年5月17日", "昭和37年5月17日", "昭和３７年０５月１７日", "㍼37年5月17日",
        "S37.5.17", "s37/05/17", "born 19620517101530", "昭和37.5.17",
    ],
)  # fmt: skip
def test_spellings_of_a_date(text: str) -> None:
    search = search_for(dates=frozenset({date(1962, 5, 17)}))
    assert search.text(text) is Kind.DATE
    assert search.beside(f"x,{text},y") is Kind.DATE


@pytest.mark.parametrize(
    "text", ["1962", "0517", "0.19620517", "119620517", "1962-05-1", "11962-05-17", "37.5.17"]
)
def test_what_is_not_that_date(text: str) -> None:
    assert search_for(dates=frozenset({date(1962, 5, 17)})).text(text) is None


SYLLABLES = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=9)


@settings(max_examples=25)
@given(
    family=SYLLABLES,
    other=SYLLABLES,
    patient_id=st.from_regex(r"[0-9]{1,10}", fullmatch=True),
    station=st.from_regex(r"[A-Z0-9]{1,6}", fullmatch=True),
    words=st.sampled_from(
        ["HEAD", "Head 5.0", "ACME", "FC21", "AXIAL", "00", "1", "-", "DCM", "YES", "MODIFIED", "CT"]
    ),
)
def test_short_and_common_values_do_not_stop_the_export(
    family: str, other: str, patient_id: str, station: str, words: str
) -> None:
    ds = deepcopy(person_image())
    ds.PatientName, ds.PatientID, ds.StationName = f"{family}^{other}", patient_id, station
    ds.StudyDescription = ds.RequestedProcedureDescription = ds.SoftwareVersions = words
    ds.private_block(0x0029, words, create=True).add_new(1, "LO", words)
    ds.LossyImageCompression = "00"
    file = as_file(ds)
    (image,) = deidentify([file], KEY)
    audit([(image.name, image.data)], Identifiers.of([file]))


@given(
    st.sets(st.text("01.", min_size=8, max_size=12), min_size=1, max_size=6),
    st.lists(st.text("01.", max_size=40), max_size=4),
    st.sampled_from(["ascii", "utf-16-le", "utf-16-be"]),
)
def test_one_pass_finds_what_looking_for_each_would(uids: set[str], texts: list[str], encoding: str) -> None:
    search = Search(Identifiers(uids=frozenset(uids)))
    data = b"\xff".join(text.encode(encoding) for text in texts)
    there = any(uid in text for uid in uids for text in texts)
    assert search.data(data) is (Kind.UID if there else None)


# Other files, names of files, folders


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


# The strict reader


def test_the_strict_reader_reads_what_pydicom_reads() -> None:
    found = {element.tag: element for element in elements(clean().data) if not element.path}
    ds = dcmread(BytesIO(clean().data))
    assert set(found) == {int(element.tag) for element in (*ds.file_meta, *ds)}
    assert found[0x00100020].value.decode().strip() == ds.PatientID
    assert found[0x7FE00010].value == ds.PixelData
    nested = [element for element in elements(clean().data) if element.path]
    assert [element.value.decode().strip() for element in nested if element.tag == 0x00080100] == [
        "113100",
        "113107",
        "113108",
    ]
    assert nested[0].name == "(0012,0064)/(0008,0100)"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data + b"Kurosawa",
        lambda data: data + b"\0",
        lambda data: data[:-1],
        lambda data: data[:200],
        lambda data: data[:128],
        lambda data: b"",
        lambda data: data[132:],
    ],
)
def test_other_forms_are_refused(spoil: Callable[[bytes], bytes]) -> None:
    assert "not in the form" in refusal(spoil(clean().data))


@pytest.mark.parametrize("syntax", [s for s in TransferSyntax if s is not TransferSyntax.EXPLICIT_LITTLE])
def test_originals_in_other_transfer_syntaxes_are_refused(syntax: TransferSyntax) -> None:
    refusal(head(syntax)[0], identifiers=Identifiers())


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 1600), st.integers(0, 255)), min_size=1, max_size=4))
def test_damage_is_refused_or_harmless_but_never_a_crash(changes: list[tuple[int, int]]) -> None:
    data = bytearray(clean().data)
    for at, value in changes:
        data[at] = value
    try:
        audit([("1.dcm", bytes(data))], known())
    except DeidentificationError:
        return
    ds = dcmread(BytesIO(bytes(data)))
    assert ds.PatientIdentityRemoved == "YES"
