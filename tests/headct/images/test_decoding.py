"""Every transfer syntax, bit layout, rescale and padding; damaged and lying pictures."""

from io import BytesIO

import imagecodecs
import numpy as np
import pydicom
import pytest
from data import SHARED, needs_shared_data
from dicom_stack import CODECS, LOSSY, NATIVE, file_bytes, head, write
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    JPEG2000,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from headct.errors import NotAnalysedError
from headct.images.decoding import AIR_HU, HIGHEST_HU, PixelFormat, decode, hounsfield
from headct.images.reading import load_series
from headct.reasons import ReasonCode

PICTURE = head(slabs=28, size=64)[6:7]


def read(ds: Dataset) -> np.ndarray:
    form = PixelFormat.of(ds)
    return hounsfield(decode(file_bytes(ds), form), form)


def refused(ds: Dataset | bytes, words: str, form: PixelFormat | None = None) -> None:
    with pytest.raises(NotAnalysedError) as error:
        if isinstance(ds, bytes):
            assert form is not None
            decode(ds, form)
        else:
            read(ds)
    assert error.value.reason.code is ReasonCode.UNREADABLE
    assert words in error.value.reason.detail


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", [*NATIVE, *(s for s in CODECS if s not in LOSSY), RLELossless])
def test_lossless_transfer_syntaxes(syntax, signed):
    ds = write(PICTURE, syntax=syntax, signed=signed)[0]
    assert np.array_equal(read(ds), PICTURE[0].clip(AIR_HU))


@pytest.mark.parametrize("syntax", LOSSY)
def test_lossy_transfer_syntaxes(syntax):
    hu = read(write(PICTURE, syntax=syntax)[0])
    inside = (PICTURE[0] > 0) & (PICTURE[0] < 80)
    assert np.abs(hu.astype(int) - PICTURE[0])[inside].mean() < 8


def test_rle_of_another_encoder():
    ds = write(PICTURE, signed=True)[0]
    ds.compress(RLELossless, generate_instance_uid=False)
    assert np.array_equal(read(ds), PICTURE[0].clip(AIR_HU))


@needs_shared_data
@pytest.mark.parametrize("folder", ["toshiba_trauma/axial_brain", "siemens_stroke_0226308/ct"])
def test_real_scanners_against_pydicom(folder):
    for path in sorted((SHARED / "real_studies" / folder).iterdir())[::8]:
        ds = pydicom.dcmread(path)
        form = PixelFormat.of(ds)
        expected = ds.pixel_array * float(ds.RescaleSlope) + float(ds.RescaleIntercept)
        assert np.array_equal(hounsfield(decode(path, form), form), np.maximum(expected, AIR_HU))


@pytest.mark.parametrize("named", [ExplicitVRLittleEndian, JPEG2000, JPEGLSLossless])
def test_a_picture_is_recognised_whatever_the_syntax_says(named):
    for syntax in (JPEGLosslessSV1, JPEG2000Lossless, JPEGLSLossless):
        ds = write(PICTURE, syntax=syntax)[0]
        data = file_bytes(ds).replace(syntax.encode().ljust(22, b"\0"), named.encode().ljust(22, b"\0")[:22])
        form = PixelFormat.of(ds)
        if len(syntax) == len(named):
            assert np.array_equal(hounsfield(decode(data, form), form), PICTURE[0].clip(AIR_HU))


@given(
    stored_bits=st.integers(8, 16),
    extra=st.integers(0, 8),
    signed=st.booleans(),
    seed=st.integers(0, 2**16),
)
def test_bits_outside_the_stored_ones_are_ignored(stored_bits, extra, signed, seed):
    rng = np.random.default_rng(seed)
    shift = min(extra, 16 - stored_bits)
    low = -(2 ** (stored_bits - 1)) if signed else 0
    values = rng.integers(low, low + 2**stored_bits, (32, 32))
    noise = rng.integers(0, 2**16, (32, 32)) & ~(((1 << stored_bits) - 1) << shift)
    ds = write(np.zeros((1, 32, 32), np.int16), signed=signed)[0]
    ds.BitsStored, ds.HighBit = stored_bits, stored_bits - 1 + shift
    word = (((values & ((1 << stored_bits) - 1)) << shift) | noise) & 0xFFFF
    ds.PixelData = word.astype("<u2").tobytes()
    assert np.array_equal(decode(file_bytes(ds), PixelFormat.of(ds)), values)


@pytest.mark.parametrize("allocated", [8, 32])
def test_other_widths(allocated):
    values = np.arange(32 * 32).reshape(32, 32) % 200
    ds = write(np.zeros((1, 32, 32), np.int16))[0]
    ds.BitsAllocated = ds.BitsStored = allocated
    ds.HighBit = allocated - 1
    ds.PixelData = values.astype(f"<u{allocated // 8}").tobytes()
    assert np.array_equal(decode(file_bytes(ds), PixelFormat.of(ds)), values)


def test_rescale_with_fractions():
    ds = write(PICTURE)[0]
    ds.RescaleSlope, ds.RescaleIntercept = "0.5", "-100.25"
    expected = np.rint((PICTURE[0] + 1024.0) * 0.5 - 100.25)
    assert np.array_equal(read(ds), expected)


def test_values_beyond_int16_are_kept_in_range():
    ds = write(PICTURE)[0]
    ds.RescaleSlope, ds.RescaleIntercept = "1e6", "-1e300"
    assert (read(ds) == AIR_HU).all()


@pytest.mark.parametrize("value", ["0", None, "nan", "Unknown"])
def test_a_useless_slope_is_assumed_and_said(value):
    ds = write(PICTURE)[0]
    ds.add_new(0x00281053, "LO", value)
    form = PixelFormat.of(ds)
    assert not form.rescale_known
    stored = decode(file_bytes(write(PICTURE)[0]), form)
    assert np.array_equal(hounsfield(stored, form), PICTURE[0].clip(AIR_HU))


def test_a_stated_intercept_is_kept_when_the_slope_is_absent():
    ds = write(PICTURE)[0]
    del ds.RescaleSlope
    ds.RescaleIntercept = -1000
    assert not PixelFormat.of(ds).rescale_known
    assert np.array_equal(read(ds), (PICTURE[0] + 24).clip(AIR_HU))


@pytest.mark.filterwarnings("error")
def test_an_impossible_rescale_overflows_quietly():
    ds = write(PICTURE)[0]
    ds.RescaleSlope, ds.RescaleIntercept = "1e308", "-1e308"
    assert set(np.unique(read(ds))) <= {AIR_HU, HIGHEST_HU}


def test_padding_becomes_air_but_never_tissue():
    picture = PICTURE.copy()
    picture[0, :4] = -2000
    ds = write(picture, signed=True)[0]
    ds.add_new(0x00280120, "SS", -2000)
    assert (read(ds)[:4] == AIR_HU).all()
    ds.add_new(0x00280120, "SS", 34)
    assert np.array_equal(read(ds), picture[0].clip(AIR_HU))
    outside = PICTURE.copy()
    outside[0, :4] = 4000
    ds = write(outside, signed=True)[0]
    ds.add_new(0x00280120, "SS", 3500)
    ds.add_new(0x00280121, "SS", 5000)
    assert (read(ds)[:4] == AIR_HU).all()


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("Rows", 0, "impossible image size"),
        ("Columns", 65535, "impossible image size"),
        ("Rows", None, "no image size"),
        ("SamplesPerPixel", 3, "colour"),
        ("NumberOfFrames", 30, "several frames"),
        ("BitsAllocated", 12, "impossible bit depth"),
        ("BitsStored", 17, "impossible bit depth"),
        ("Rows", 2048, "cut short"),
        ("PixelData", b"", "no pixel data"),
        ("PixelData", b"\0" * 8000, "cut short"),
    ],
)
def test_impossible_headers(keyword, value, words):
    ds = write(PICTURE)[0]
    setattr(ds, keyword, value)
    refused(ds, words)


@pytest.mark.parametrize("syntax", [*CODECS, RLELossless])
def test_pictures_cut_short(syntax):
    ds = write(PICTURE, syntax=syntax)[0]
    form = PixelFormat.of(ds)
    stream = next(generate_frames(ds.PixelData, number_of_frames=1))
    for keep in (len(stream) - 40, len(stream) // 2, 70, 20, 2, 1):
        ds.PixelData = encapsulate([stream[:keep]])
        refused(file_bytes(ds), "", form)
    whole = file_bytes(write(PICTURE, syntax=syntax)[0])
    for keep in (len(whole) // 2, 200, 132, 0):
        refused(whole[:keep], "", form)


@pytest.mark.parametrize("syntax", [*CODECS, RLELossless])
def test_a_picture_of_another_size_is_not_unpacked(syntax):
    ds = write(head(1, 96), syntax=syntax)[0]
    ds.Rows = ds.Columns = 100
    refused(ds, "")


def test_an_enormous_picture_is_refused_before_memory_is_taken():
    ds = write(PICTURE, syntax=JPEGLosslessSV1)[0]
    stream = bytearray(next(generate_frames(ds.PixelData, number_of_frames=1)))
    at = stream.index(b"\xff\xc3")
    stream[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    ds.PixelData = encapsulate([bytes(stream)])
    refused(ds, "size differs")


@pytest.mark.parametrize("codec", ["jpeg8", "jpegls", "jpeg2k"])
def test_pictures_of_several_components_are_refused_before_they_are_unpacked(codec, monkeypatch):
    encoded = getattr(imagecodecs, f"{codec}_encode")(np.zeros((64, 64, 3), np.uint8))
    ds = write(PICTURE, syntax=JPEGLosslessSV1)[0]
    ds.PixelData = encapsulate([encoded])
    monkeypatch.setattr(imagecodecs, f"{codec}_decode", None)
    refused(ds, "colour image")


def test_deflated_files_keep_their_pixels():
    ds = write(PICTURE, syntax="1.2.840.10008.1.2.1.99")[0]
    assert pydicom.dcmread(BytesIO(file_bytes(ds))).PixelData == ds.PixelData


IMPLICIT, EXPLICIT, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"


def called(written: str, named: str | None) -> bytes:
    """A file in one transfer syntax whose header names another, or none."""
    data = file_bytes(write(PICTURE, syntax=written)[0])
    at = data.index(b"\x02\x00\x10\x00UI")
    length = int.from_bytes(data[at + 6 : at + 8], "little")
    value = (named or "").encode() + b"\0" * (len(named or "") % 2)
    element = data[at : at + 6] + len(value).to_bytes(2, "little") + value if named is not None else b""
    more = len(element) - 8 - length
    size = int.from_bytes(data[140:144], "little") + more
    return data[:140] + size.to_bytes(4, "little") + data[144:at] + element + data[at + 8 + length :]


@pytest.mark.parametrize(
    ("written", "named"),
    [
        (IMPLICIT, EXPLICIT),
        (EXPLICIT, IMPLICIT),
        (IMPLICIT, JPEGLosslessSV1),
        (EXPLICIT, JPEG2000),
        (IMPLICIT, ""),
        (EXPLICIT, None),
        (IMPLICIT, None),
        (BIG, None),
        (BIG, BIG),
    ],
)
def test_the_order_of_bytes_is_that_of_the_file_whatever_its_header_calls_it(written, named):
    data, form = called(written, named), PixelFormat.of(write(PICTURE)[0])
    assert np.array_equal(hounsfield(decode(data, form), form), PICTURE[0].clip(AIR_HU))


@pytest.mark.parametrize("named", ["1.2.840.113619.5.2", "1.3.46.670589.33.1.4.1", "1.2.3"])
@pytest.mark.parametrize("written", [IMPLICIT, EXPLICIT])
def test_pixels_under_an_unknown_transfer_syntax_are_not_guessed(written, named):
    refused(called(written, named), "unknown transfer syntax", PixelFormat.of(write(PICTURE)[0]))


def test_colours_of_a_palette_are_no_densities():
    ds = write(PICTURE)[0]
    ds.PhotometricInterpretation = "palette color"
    refused(ds, "colour image")


def unsigned(hu: np.ndarray, bits: int, intercept: int = 0) -> list[Dataset]:
    """Signed values that the header calls unsigned."""
    found = write(hu, signed=True)
    for ds, picture in zip(found, hu, strict=True):
        ds.PixelRepresentation, ds.BitsStored, ds.HighBit, ds.RescaleIntercept = 0, bits, bits - 1, intercept
        ds.PixelData = ((picture - intercept).astype(np.int64) & (2**bits - 1)).astype("<u2").tobytes()
    return found


@pytest.mark.parametrize("bits", [12, 13, 16])
def test_signed_values_that_are_called_unsigned(bits):
    whole = head()
    series = load_series([file_bytes(ds) for ds in unsigned(whole, bits)])
    assert np.array_equal(series.hu, whole.clip(AIR_HU))
    assert series.assumed == ("rescale",)


def test_unsigned_values_that_are_called_signed():
    whole = head()
    dense = (whole > 600) & (np.indices(whole.shape).sum(axis=0) % 2 == 0)
    whole[dense] += 700
    found = write(whole)
    for ds in found:
        ds.PixelRepresentation = 1
    series = load_series([file_bytes(ds) for ds in found])
    assert np.array_equal(series.hu, whole.clip(AIR_HU))
    assert series.assumed == ("rescale",)


def test_air_below_the_scale_is_no_wrapped_bone():
    whole = head()
    whole[whole < -900] = -1100
    found = write(whole)
    for ds in found:
        ds.PixelRepresentation = 1
    series = load_series([file_bytes(ds) for ds in found])
    assert np.array_equal(series.hu, whole.clip(AIR_HU))
    assert series.assumed == ()


def test_values_that_no_head_has():
    ds = write(PICTURE)
    ds[0].RescaleIntercept = 3000
    with pytest.raises(NotAnalysedError) as error:
        load_series([file_bytes(d) for d in ds])
    assert error.value.reason.code is ReasonCode.UNREADABLE
    assert "out of range" in error.value.reason.detail


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG])
def test_bits_above_the_stored_ones_that_continue_a_sign(syntax):
    ds = write(PICTURE.clip(AIR_HU), syntax=syntax)[0]
    stored = np.array(PICTURE[0].clip(AIR_HU) + 1024, np.int16)
    stored[:8] = -2000
    ds.PixelData = stored.astype(">i2" if syntax == BIG else "<i2").tobytes()
    hu = read(ds)
    assert (hu[:8] == AIR_HU).all() and np.array_equal(hu[8:], PICTURE[0, 8:].clip(AIR_HU))


@pytest.mark.parametrize(("signed", "written"), [(False, -2000), (True, 63536)])
def test_a_padding_value_of_the_other_sign(signed, written):
    ds = write(PICTURE, signed=signed)[0]
    ds.BitsStored, ds.HighBit = 16, 15
    stored = np.frombuffer(ds.PixelData, "<u2").reshape(64, 64).copy()
    stored[:2] = 63536
    ds.PixelData = stored.tobytes()
    ds.add_new(0x00280120, "SS" if written < 0 else "US", written)
    assert (read(ds)[:2] == AIR_HU).all()
