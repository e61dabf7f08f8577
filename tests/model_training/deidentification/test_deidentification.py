"""Nothing of a person is left in the data, and what cannot be made so is refused."""

import re
from copy import deepcopy
from datetime import timedelta
from io import BytesIO

import pytest
from dicomanonymizer.simpledicomanonymizer import initialize_actions
from pydicom import dcmread
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from headct.errors import DeidentificationError
from model_training.deidentification import profile
from model_training.deidentification.audit import audit
from model_training.deidentification.identifiers import Identifiers
from model_training.deidentification.profile import deidentify
from model_training.deidentification.pseudonyms import Key
from tests.model_training.person import KEY, clean, refusal
from tests.model_training.planted import (
    ACCESSION,
    DOCTOR,
    INSTITUTION,
    NUMBERS,
    PHONE,
    PLACES,
    REMARK,
    SECRETS,
    SELECTED,
    SERIAL,
    WORDS,
    as_file,
    person_image,
)


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


def test_what_cannot_be_written_is_told_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    ds = deepcopy(person_image())
    ds.add_new(tag_for_keyword("PixelPaddingValue") or 0, "SS", -2000)
    monkeypatch.setattr(profile, "_set_padding", lambda image, stored, form: None)
    with pytest.raises(DeidentificationError, match=r"^image 1 of 1 cannot be written$") as told:
        list(deidentify([as_file(ds)], KEY))
    assert told.value.__cause__ is None and told.value.__suppress_context__


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
