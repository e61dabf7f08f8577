"""Which series may be judged: what headers say, what they leave out, what the pictures show."""

from datetime import date

import numpy as np
import pytest
from dicom_stack import file_bytes, files, head, write
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from headct.eligibility.by_headers import check_headers
from headct.eligibility.by_pixels import check_pixels
from headct.eligibility.cautions import age_years, cautions
from headct.eligibility.gate import Admission, admit
from headct.errors import NotAnalysedError
from headct.images.reading import load_series
from headct.reasons import ReasonCode

HEAD = head()


def headers(**changes) -> list[Dataset]:
    found = write(HEAD)
    for ds in found:
        for keyword, value in changes.items():
            if value is None:
                if keyword in ds:
                    delattr(ds, keyword)
            else:
                setattr(ds, keyword, value)
    return found


def refused(found: list[Dataset], code: ReasonCode) -> None:
    with pytest.raises(NotAnalysedError) as error:
        check_headers(found)
    assert error.value.reason.code is code


def pixels_refused(volume, code: ReasonCode, **how) -> None:
    series = load_series([file_bytes(ds) for ds in write(volume, **how)])
    with pytest.raises(NotAnalysedError) as error:
        check_pixels(series)
    assert error.value.reason.code is code, error.value.reason


def test_a_head_is_eligible():
    check_headers(headers())
    check_pixels(load_series([file_bytes(ds) for ds in headers()]))


@pytest.mark.parametrize(
    ("found", "code", "loaded"),
    [
        (headers(Modality="MR"), ReasonCode.NOT_CT, False),
        (write(np.full_like(HEAD, 0)), ReasonCode.PHANTOM, True),
        (write(HEAD[14:]), ReasonCode.HEAD_NOT_COVERED, True),
    ],
    ids=["headers", "pixels", "coverage"],
)
def test_a_refused_series_leaves_what_was_known_of_it(found, code, loaded):
    sources, admission = [file_bytes(ds) for ds in found], Admission()
    with pytest.raises(NotAnalysedError) as error:
        admit(sources, admission)
    assert error.value.reason.code is code
    assert admission.series_instance_uid
    assert (admission.series is not None) is (admission.coverage is not None) is loaded


def test_a_part_of_a_head_is_admitted_when_allowed():
    admission = Admission()
    series = admit(files(HEAD[14:]), admission, allow_partial=True)
    assert admission.series is series
    assert not admission.coverage.complete


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Modality": "MR"}, ReasonCode.NOT_CT),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}, ReasonCode.NOT_CT),
        ({"Modality": "SR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.33"}, ReasonCode.NOT_CT),
        ({"Modality": "SEG", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.66.4"}, ReasonCode.NOT_CT),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, ReasonCode.LOCALIZER),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0, -1]}, ReasonCode.NOT_AXIAL),
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, ReasonCode.NOT_AXIAL),
        ({"ImageOrientationPatient": None, "PatientOrientation": ["L", "F"]}, ReasonCode.NOT_AXIAL),
        ({"ImageOrientationPatient": None, "SeriesDescription": "MPR cor 3mm"}, ReasonCode.NOT_AXIAL),
        ({"ConvolutionKernel": "H60s"}, ReasonCode.BONE_KERNEL),
        ({"ConvolutionKernel": ["J70h", "3"]}, ReasonCode.BONE_KERNEL),
        ({"ConvolutionKernel": "Hr68h"}, ReasonCode.BONE_KERNEL),
        ({"ConvolutionKernel": "FC30"}, ReasonCode.BONE_KERNEL),
        ({"ConvolutionKernel": "BONEPLUS"}, ReasonCode.BONE_KERNEL),
        ({"ContrastBolusAgent": "IOPAMIDOL 300"}, ReasonCode.CONTRAST),
        ({"ContrastBolusAgent": "APPLIED"}, ReasonCode.CONTRAST),
        ({"SeriesDescription": "CTA head 0.75"}, ReasonCode.CONTRAST),
        ({"SeriesDescription": "脳 造影 5mm", "SpecificCharacterSet": "ISO_IR 192"}, ReasonCode.CONTRAST),
        ({"SeriesDescription": "Head C+ 5.0"}, ReasonCode.CONTRAST),
        ({"PatientName": "PHANTOM^Daily"}, ReasonCode.PHANTOM),
        ({"StudyDescription": "Water phantom QA"}, ReasonCode.PHANTOM),
        ({"NumberOfFrames": 40}, ReasonCode.UNREADABLE),
        ({"Modality": None, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.77.1.4"}, ReasonCode.NOT_CT),
        ({"Modality": None, "SOPClassUID": "1.2.840.10008.5.1.4.1.1.20"}, ReasonCode.NOT_CT),
    ],
)
def test_what_headers_say_plainly(changes, code):
    refused(headers(**changes), code)


@pytest.mark.parametrize(
    "changes",
    [
        {"ImageType": ["DERIVED", "SECONDARY", "REFORMATTED"]},
        {"ImageType": ["DERIVED", "SECONDARY", "MPR"], "SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
        {"ConvolutionKernel": "FC63"},
        {"ConvolutionKernel": ["J30s", "3"]},
        {"ConvolutionKernel": "H31s"},
        {"ConvolutionKernel": "STANDARD"},
        {"ConvolutionKernel": "UB"},
        {"ContrastBolusAgent": ""},
        {"ContrastBolusAgent": "NONE"},
        {"ContrastBolusAgent": "No"},
        {"ContrastBolusAgent": "Without contrast"},
        {"SeriesDescription": "Head w/o CE 5.0"},
        {"SeriesDescription": "単純 (非造影) 5mm", "SpecificCharacterSet": "ISO_IR 192"},
        {"SeriesDescription": "Head 5.0 brain+bone fused"},
        {"StudyDescription": "CT HEAD W AND WO CONTRAST, CTA"},
        {"BodyPartExamined": "CHEST"},
        {"PatientName": "Waters^Corinna"},
    ],
)
def test_what_is_no_reason(changes):
    check_headers(headers(**changes))


@given(st.data())
def test_an_absent_attribute_is_never_a_reason(data):
    found = write(HEAD[:8])
    keywords = sorted({element.keyword for element in found[0]} - {"PixelData"})
    gone = data.draw(st.sets(st.sampled_from(keywords)))
    for ds in found:
        for keyword in gone:
            delattr(ds, keyword)
    check_headers(found)


def test_a_few_localizers_beside_the_head_are_no_reason():
    scouts = write(HEAD[:2])
    for ds in scouts:
        ds.ImageType, ds.ImageOrientationPatient = ["ORIGINAL", "PRIMARY", "LOCALIZER"], [1, 0, 0, 0, 0, -1]
    check_headers([*scouts, *headers()])


def test_too_few():
    refused(headers()[:7], ReasonCode.TOO_FEW_SLICES)
    pixels_refused(HEAD[:14], ReasonCode.TOO_FEW_SLICES, gaps_mm=2.5)


@pytest.mark.parametrize("rows", [slice(None), slice(32, None), slice(0, 30)])
def test_blank_pictures_hide_a_bleed(rows):
    volume = HEAD.copy()
    volume[16:19, rows] = -1024
    pixels_refused(volume, ReasonCode.UNREADABLE)


@pytest.mark.parametrize(("blank", "gap"), [(slice(80, 81), 1.0), (slice(160, 168), 0.5)])
def test_blank_thin_slices_show_in_their_slab(blank, gap):
    volume = np.repeat(HEAD, round(5 / gap), axis=0)
    volume[blank] = -1024
    pixels_refused(volume, ReasonCode.UNREADABLE, gaps_mm=gap)


def test_a_scale_that_no_head_has():
    pixels_refused(HEAD, ReasonCode.NOT_A_HEAD, pixel_mm=(0.3, 0.3))
    pixels_refused(HEAD, ReasonCode.INCONSISTENT_GEOMETRY, gaps_mm=20.0)


def test_bone_kernel_by_its_noise_alone():
    rng = np.random.default_rng(1)
    fine = np.repeat(np.repeat(HEAD, 4, axis=1), 4, axis=2)
    sharp = (fine + rng.normal(0, 35, fine.shape)).astype(np.int16)
    pixels_refused(sharp, ReasonCode.BONE_KERNEL, pixel_mm=(0.8, 0.8), signed=True)


def test_water_phantom_by_its_uniformity_alone():
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    disc = np.where(np.hypot(x, y) < 0.8, 2.0, -1000.0)
    shell = np.where(np.abs(np.hypot(x, y) - 0.78) < 0.03, 120.0, disc)
    volume = (shell + rng.normal(0, 4, (20, 128, 128))).astype(np.int16)
    pixels_refused(volume, ReasonCode.PHANTOM, pixel_mm=(1.8, 1.8), signed=True)


def test_a_chest_is_not_a_head():
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    chest = np.where(np.hypot(x / 0.95, y / 0.7) < 1, 45.0, -1000.0)
    chest[np.hypot((np.abs(x) - 0.45) / 0.35, y / 0.5) < 1] = -850.0
    chest[np.hypot(x, y - 0.5) < 0.08] = 500.0
    volume = (chest + rng.normal(0, 8, (40, 128, 128))).astype(np.int16)
    pixels_refused(volume, ReasonCode.NOT_A_HEAD, pixel_mm=(3.0, 3.0), signed=True)


def test_an_abdomen_is_not_a_head():
    rng = np.random.default_rng(1)
    y, x = np.mgrid[-1:1:128j, -1:1:128j]
    belly = np.where(np.hypot(x / 0.95, y / 0.7) < 1, -100.0, -1000.0)
    belly[np.hypot(x / 0.85, y / 0.6) < 1] = 50.0
    belly[np.hypot(x - 0.2, y) < 0.2] = 10.0
    belly[np.hypot(x, y - 0.45) < 0.1] = 400.0
    volume = (belly + rng.normal(0, 8, (40, 128, 128))).astype(np.int16)
    pixels_refused(volume, ReasonCode.NOT_A_HEAD, pixel_mm=(1.2, 1.2), signed=True)


def test_air_alone_is_not_a_head():
    pixels_refused(np.full((20, 64, 64), -1000, np.int16), ReasonCode.NOT_A_HEAD)


@pytest.mark.parametrize(
    ("age", "born", "years"),
    [
        ("084Y", "", 84.0),
        ("79", "Unknown", 79.0),
        ("006M", "", 0.5),
        ("000M", "", 0.0),
        ("010D", "", 10 / 365.25),
        ("", "20140101", 10.0),
        ("Unknown", "20140101", 10.0),
        ("", "Unknown", None),
        ("", "20300101", None),
        ("", "18000101", None),
        ("", "20241345", None),
        ("", "", None),
    ],
)
def test_age(age, born, years):
    ds = Dataset()
    ds.PatientAge, ds.StudyDate = age, "20240101"
    ds.add_new(0x00100030, "SH", born)
    found = age_years(ds)
    assert found is None if years is None else found == pytest.approx(years, abs=0.01)


@given(
    born=st.dates(date(1900, 1, 1), date(2024, 1, 1)), studied=st.dates(date(1990, 1, 1), date(2040, 1, 1))
)
def test_age_from_dates_is_never_negative(born, studied):
    ds = Dataset()
    ds.PatientBirthDate, ds.StudyDate = born.strftime("%Y%m%d"), studied.strftime("%Y%m%d")
    found = age_years(ds)
    assert (found is None) == (studied < born or (studied - born).days >= 130 * 366)


@pytest.mark.parametrize(
    ("age", "expected"), [("017Y", ("child",)), ("018Y", ()), ("003M", ("child",)), (None, ("age_unknown",))]
)
def test_age_cautions(age, expected):
    found = headers(PatientAge=age, PatientBirthDate=None)
    assert cautions(load_series([file_bytes(ds) for ds in found])) == expected


def test_cautions_name_what_was_assumed_and_left_out():
    found = headers(PixelSpacing=None)
    series = load_series([file_bytes(ds) for ds in [*found, found[3]]])
    assert cautions(series) == ("assumed_pixel_spacing", "images_dropped")
