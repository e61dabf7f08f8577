"""What training needs stays as it was: pixels, geometry, technique, age, the order of studies."""

import subprocess
from copy import deepcopy
from datetime import date, timedelta
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from data import SHARED, needs_shared_data
from pydicom import dcmread
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from headct.eligibility.cautions import age_years
from headct.errors import DeidentificationError
from headct.generator.encoding import TransferSyntax
from headct.images.decoding import PixelFormat, decode, hounsfield
from headct.images.reading import load_series
from model_training.deidentification.audit import audit
from model_training.deidentification.identifiers import Identifiers
from model_training.deidentification.profile import coarse_age, deidentify
from tests.model_training.person import KEY, clean, head
from tests.model_training.planted import (
    PATIENT_ID,
    ROOT,
    STUDIED,
    as_file,
    person_image,
)


@pytest.mark.parametrize(
    ("signed", "bits", "padding", "limit", "kept"),
    [
        (0, 12, -2000, None, (63536, None)),
        (1, 12, 63536, None, (-2000, None)),
        (1, 16, 63536, None, (-2000, None)),
        (1, 16, 63536, 63540, (-2000, -1996)),
        (0, 12, 0, None, (0, None)),
        (1, 12, -2000, None, (-2000, None)),
        (0, 16, -2000, None, (63536, None)),
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
