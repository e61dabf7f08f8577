"""What is no slice among the slices is left out, in whatever order it comes; what may be one never is."""

from collections.abc import Callable

import multi_frame
import numpy as np
import pytest
from dicom_stack import file_bytes, head, header, write
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID_dictionary

from headct.eligibility.by_headers import check_headers
from headct.errors import NotAnalysedError
from headct.images.headers import demographics
from headct.images.members import members
from headct.images.objects import Kind, kind
from headct.images.reading import load_series, read_headers
from headct.images.series import CTSeries
from headct.reasons import ReasonCode

HEAD = head(slabs=14, size=40)
CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
EXPLICIT = "1.2.840.10008.1.2.1"


def loaded(found: list[Dataset]) -> CTSeries:
    return read([file_bytes(ds) for ds in found])


def read(sources: list[bytes]) -> CTSeries:
    headers = read_headers(sources)
    check_headers(headers)
    return load_series(sources, headers)


def slices(**changes) -> list[Dataset]:
    found = write(HEAD)
    for k, ds in enumerate(found):
        ds.SliceLocation, ds.ContentTime = 5.0 * k, f"1200{k:02d}"
        ds.Manufacturer = "Maker"
        for keyword, value in changes.items():
            setattr(ds, keyword, value)
    return found


def like(number: int, **changes) -> Dataset:
    """One more image, made of a slice's header; other pixels."""
    picture = HEAD[number : number + 1].copy()
    picture[0, 4:12, 4:50] = 1000
    ds = moved(write(picture)[0], 0, 0, 5.0 * number)
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "2.25.99"
    ds.SliceLocation, ds.ContentTime = 5.0 * number, f"1200{number:02d}"
    ds.Manufacturer = "Maker"
    ds.InstanceNumber = 999
    for keyword, value in changes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    return ds


def larger(ds: Dataset, rows: int, columns: int) -> Dataset:
    ds.Rows, ds.Columns = rows, columns
    ds.PixelData = bytes(2 * rows * columns)
    return ds


def moved(ds: Dataset, *by: float) -> Dataset:
    ds.ImagePositionPatient = [float(v) + d for v, d in zip(ds.ImagePositionPatient, by, strict=True)]
    return ds


def colour() -> Dataset:
    ds = like(3, SamplesPerPixel=3, PhotometricInterpretation="RGB", BitsAllocated=8, BitsStored=8, HighBit=7)
    ds.PixelData = bytes(3 * 40 * 40)
    return ds


NO_PLACE = dict.fromkeys(("ImageOrientationPatient", "ImagePositionPatient", "SliceLocation", "PixelSpacing"))
CORONAL = [1, 0, 0, 0, 0, -1]
DERIVED = ["DERIVED", "SECONDARY", "AXIAL"]
FOREIGN: dict[str, Callable[[], Dataset]] = {
    "a scout that does not name itself": lambda: larger(like(0, ImageOrientationPatient=CORONAL), 80, 40),
    "a scout of the slices' size": lambda: like(0, ImageOrientationPatient=[0, 1, 0, 0, 0, -1]),
    "a scout far above": lambda: moved(like(13, ImageOrientationPatient=CORONAL), 0, 100, 300),
    "a coronal reformat": lambda: like(5, ImageOrientationPatient=CORONAL, ImageType=DERIVED),
    "a dose page": lambda: like(9, ImageType=["DERIVED", "SECONDARY", "DOSE"], **NO_PLACE),
    "a dose page that says it is a slice": lambda: like(9, **NO_PLACE),
    "a page that counts on": lambda: like(9, InstanceNumber=15, **NO_PLACE),
    "a page of another size": lambda: larger(like(9, **NO_PLACE), 96, 96),
    "a captured page": lambda: larger(like(9, SOPClassUID=CAPTURE, **NO_PLACE), 96, 80),
    "a picture in colour": colour,
    "a drawn-on copy, captured": lambda: like(8, SOPClassUID=CAPTURE, ImageType=DERIVED),
    "a drawn-on copy": lambda: like(8, ImageType=DERIVED, InstanceNumber=9),
    "a drawn-on copy of the lowest slice": lambda: like(0, ImageType=DERIVED, InstanceNumber=1),
    "a copy whose words were burned in": lambda: like(8, BurnedInAnnotation="YES", InstanceNumber=9),
    "a copy that only counts elsewhere": lambda: like(8),
    "a copy of the highest slice that counts on": lambda: like(13, InstanceNumber=15),
    "a copy of the lowest slice that counts on": lambda: like(0, InstanceNumber=15),
    "a copy of another system": lambda: like(8, InstanceNumber=9, Manufacturer="Workstation"),
    "a copy made later": lambda: like(8, InstanceNumber=9, ContentTime="130000"),
    "a copy that says more": lambda: like(8, InstanceNumber=9, ImageComments="bleed"),
    "a copy beside its slice": lambda: moved(like(8, SOPClassUID=CAPTURE), 0, 0, 0.04),
    "a reformat between two slices": lambda: moved(like(8, ImageType=DERIVED), 0, 0, 2.5),
    "a slice of another size": lambda: larger(like(8), 96, 96),
    "a slice of another scale": lambda: like(8, PixelSpacing=[1.5, 1.5]),
    "a slice turned by 20 degrees": lambda: like(8, ImageOrientationPatient=[1, 0, 0, 0, 0.9397, -0.342]),
    "an image beside the others": lambda: moved(like(8), 60, 0, 1.0),
    "an image far away": lambda: moved(like(8), 0, 0, -600),
    "an image at the origin": lambda: like(8, ImagePositionPatient=[0, 0, 42]),
    "a magnetic resonance image": lambda: like(5, Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4"),
    "several frames": lambda: like(5, NumberOfFrames=4),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_one_foreign_image_is_left_out_and_said(name):
    slices_, one = slices(), file_bytes(FOREIGN[name]())
    whole = [file_bytes(ds) for ds in slices_]
    for found in ([one, *whole], [*whole, one], [*whole[10:], one, *whole[:10]]):
        series = read(found)
        assert np.array_equal(series.hu, HEAD.clip(-1024))
        assert series.sop_instance_uids == tuple(ds.SOPInstanceUID for ds in slices_)
        assert len(series.dropped) == 1 and series.dropped[0].startswith("1 ")
        assert series.assumed == ()


@pytest.mark.parametrize("place", [0.0, 2.5])
def test_a_captured_copy_among_reformats(place):
    found = [*slices(ImageType=DERIVED), moved(like(8, ImageType=DERIVED, SOPClassUID=CAPTURE), 0, 0, place)]
    for order in (found, found[::-1]):
        assert len(loaded(order).hu) == 14


@pytest.mark.parametrize(
    ("modality", "sop_class"),
    [
        ("SR", "1.2.840.10008.5.1.4.1.1.88.67"),
        ("KO", "1.2.840.10008.5.1.4.1.1.88.59"),
        ("PR", "1.2.840.10008.5.1.4.1.1.11.1"),
        ("RTSTRUCT", "1.2.840.10008.5.1.4.1.1.481.3"),
        ("RTDOSE", "1.2.840.10008.5.1.4.1.1.481.2"),
        ("SEG", "1.2.840.10008.5.1.4.1.1.66.4"),
        ("REG", "1.2.840.10008.5.1.4.1.1.66.1"),
        ("DOC", "1.2.840.10008.5.1.4.1.1.104.1"),
        ("CT", "1.2.840.10008.5.1.4.1.1.66"),
        ("OT", CAPTURE),
        ("PR", ""),
    ],
)
def test_what_is_no_image_never_decides(modality, sop_class):
    other = header(98, "2.25.77", EXPLICIT)
    other.SOPClassUID = sop_class
    other.Modality, other.PatientName = modality, "Phantom"
    whole, others = [file_bytes(ds) for ds in slices()], [file_bytes(other)] * 20
    for found in (others + whole, whole + others):
        series = read(found)
        assert np.array_equal(series.hu, HEAD.clip(-1024))
        assert series.dropped == ()
    refused([other], ReasonCode.NOT_CT)


def refused(found: list[Dataset], code: ReasonCode, words: str = "") -> None:
    for order in (found, found[::-1]):
        with pytest.raises(NotAnalysedError) as error:
            loaded(order)
        assert error.value.reason.code is code, error.value.reason
        assert words in error.value.reason.detail


def test_any_storage_class_is_an_image_or_none_by_its_name():
    odd = {"Enhanced US Volume", "Parametric Map", "Stereometric Relationship"}
    for uid, (name, *_) in UID_dictionary.items():
        named = name.removesuffix(" Storage")
        if uid.startswith("1.2.840.10008.5.1.4.") and named != name and "DICOS" not in name:
            image = kind(header_of(uid)) is not Kind.NO_IMAGE
            assert image == ("Image" in name or named in odd or "B-scan" in name), name


def header_of(sop_class: str) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.Rows = sop_class, 1
    return ds


def test_reformats_of_the_head_filed_with_it_are_left_out_however_many():
    reformats = [like(0, ImageType=DERIVED, ImageOrientationPatient=CORONAL) for _ in range(20)]
    for k, ds in enumerate(reformats):
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"2.25.99.{k}"
        moved(ds, 0, 3.0 * k, 70)
    series = loaded([*reformats, *slices()])
    assert np.array_equal(series.hu, HEAD.clip(-1024))
    assert series.dropped == ("20 image in another direction",)
    refused(reformats, ReasonCode.NOT_AXIAL)


def test_two_halves_of_different_directions_are_no_stack():
    found = slices()
    for ds in found[7:]:
        ds.ImageOrientationPatient = [1, 0, 0, 0, 0.9397, -0.342]
    refused(found, ReasonCode.INCONSISTENT_GEOMETRY, "mixed")


@pytest.mark.parametrize("lost", [0, 7, 13])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ImageOrientationPatient": [1, 0, 0, 0, 0.9397, -0.342]}, "mixed"),
        ({"Rows": 39}, "mixed"),
        ({"PixelSpacing": [1.5, 1.5]}, "varies"),
    ],
)
def test_what_may_be_a_slice_of_the_head_is_not_left_out(lost, change, words):
    found = slices()
    for keyword, value in change.items():
        setattr(found[lost], keyword, value)
    refused(found, ReasonCode.INCONSISTENT_GEOMETRY, words)


def test_a_slice_beside_the_others_at_an_end_is_not_left_out():
    found = slices()
    moved(found[13], 40, 0, 0)
    refused(found, ReasonCode.INCONSISTENT_GEOMETRY, "shifted")


def test_a_slice_with_a_wrong_place_is_not_left_out():
    found = slices()
    moved(found[13], 0, 0, 1000)
    refused(found, ReasonCode.INCONSISTENT_GEOMETRY, "missing")


def test_the_only_image_of_a_height_stays_though_it_was_made_of_others():
    found = slices()
    found[8].ImageType = DERIVED
    found[13].SOPClassUID = CAPTURE
    assert members(found).numbers == tuple(range(14))


def test_two_images_of_one_height_that_nothing_tells_apart_are_no_stack():
    refused([*slices(), like(8, InstanceNumber=9)], ReasonCode.INCONSISTENT_GEOMETRY, "two different")


@pytest.mark.parametrize("numbered", [(), (5,), (5, 12)])
@pytest.mark.parametrize("number", [0, 8, 13])
def test_a_copy_among_slices_of_which_few_have_a_number(number, numbered):
    found = slices()
    for k, ds in enumerate(found):
        if k not in numbered:
            del ds.InstanceNumber
    copy = like(number, InstanceNumber=None, Manufacturer="Workstation")
    for one in (copy, like(number, Manufacturer="Workstation")):
        series = loaded([*found, one])
        assert series.sop_instance_uids == tuple(ds.SOPInstanceUID for ds in found)
        assert series.dropped == ("1 copy of a slice",)


def test_slices_that_say_nothing_of_their_places_are_not_taken_for_pages():
    found = slices()
    for ds in found:
        del ds.ImageOrientationPatient, ds.ImagePositionPatient
    assert len(load_series([file_bytes(ds) for ds in found]).hu) == 14


def test_a_slice_that_lost_its_place_counts_on_and_stays():
    found = slices()
    del found[13].ImageOrientationPatient, found[13].ImagePositionPatient
    assert members(found).numbers == tuple(range(14))


def test_a_scan_of_another_machine_among_the_slices_is_no_ct():
    others = slices(Modality="MR", SOPClassUID="1.2.840.10008.5.1.4.1.1.4")
    refused([*slices(), *others], ReasonCode.NOT_CT, "MR")


def test_small_letters_in_coded_words():
    found = slices(Modality="ct", ImageType=["original", "primary", "axial"])
    scout = like(0, Modality="ct", ImageType=["original", "primary", "localizer"])
    series = loaded([scout, *found])
    assert series.dropped == ("1 localizer",)


@pytest.mark.parametrize("extra", [[], [like(8)]], ids=["slices", "a copy"])
@pytest.mark.parametrize("as_frames", [False, True])
def test_the_patient_stays_as_stored_whatever_is_read_of_the_headers(extra, as_frames):
    found = [file_bytes(ds) for ds in [*slices(), *extra]]
    series = load_series([multi_frame.file(multi_frame.multi_frame(slices()))] if as_frames else found)
    check_headers(series.headers)
    demographics(series.headers[0])
    assert all(isinstance(h.get_item("PatientID"), RawDataElement) for h in series.headers)
    assert all(isinstance(h.get_item("PatientName"), RawDataElement) for h in series.headers)
