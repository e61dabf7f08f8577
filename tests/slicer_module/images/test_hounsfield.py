"""Every way of storing pixels gives the same Hounsfield units, or an error in words."""

import numpy as np
import pytest
import scans
from HeadCTTriageLib.errors import UnreadableError
from HeadCTTriageLib.images.geometry import stack
from pydicom.uid import ExplicitVRBigEndian, JPEGLosslessSV1


def test_every_way_of_storing_pixels_gives_the_same_hounsfield_units() -> None:
    wanted = np.array([[-1024, -500, 0], [40, 1000, 3071]])
    stored = {
        "signed": (
            wanted,
            "<i2",
            {"PixelRepresentation": 1, "BitsStored": 16, "HighBit": 15, "RescaleIntercept": 0},
        ),
        "12 bit signed": (wanted & 0xFFF, "<u2", {"PixelRepresentation": 1, "RescaleIntercept": 0}),
        "unsigned": (wanted + 1024, "<u2", {}),
        "overlay in the high bits": ((wanted + 1024) | 0xA000, "<u2", {}),
        "slope": (
            wanted - 7,
            "<i4",
            {
                "BitsAllocated": 32,
                "BitsStored": 32,
                "HighBit": 31,
                "PixelRepresentation": 1,
                "RescaleIntercept": 7,
            },
        ),
        "inverted display": (wanted + 1024, "<u2", {"PhotometricInterpretation": "MONOCHROME1"}),
    }
    wide = np.clip(wanted, -1024, 1023)
    for name, (values, kind, attributes) in stored.items():
        wanted_here = wide if name == "12 bit signed" else wanted
        values = (wide & 0xFFF) if name == "12 bit signed" else values
        image = scans.scan([0.0], shape=(2, 3), **attributes)[0]
        image.PixelData = values.astype(kind).tobytes()
        found = stack([image])
        assert found.hu.dtype == np.int16, name
        np.testing.assert_array_equal(found.hu[0], wanted_here, err_msg=name)
    big = scans.scan([0.0], shape=(2, 3))[0]
    big.file_meta.TransferSyntaxUID, big.PixelData = (
        ExplicitVRBigEndian,
        (wanted + 1024).astype(">u2").tobytes(),
    )
    np.testing.assert_array_equal(stack([big]).hu[0], wanted)
    eight = scans.scan([0.0], shape=(2, 3), BitsAllocated=8, BitsStored=8, HighBit=7, RescaleIntercept=-10)[0]
    eight.PixelData = bytes([0, 1, 2, 3, 4, 255])
    np.testing.assert_array_equal(stack([eight]).hu[0], [[-10, -9, -8], [-7, -6, 245]])


def test_rescale_differs_from_slice_to_slice() -> None:
    images = scans.scan([0, 5, 10])
    images[1].RescaleIntercept = 0
    images[2].RescaleSlope = 2
    stored = [np.frombuffer(image.PixelData, "<u2").reshape(10, 12).astype(int) for image in images]
    found = stack(images)
    for k, values in enumerate((stored[0] - 1024, stored[1], stored[2] * 2 - 1024)):
        np.testing.assert_array_equal(found.hu[k], values)


def test_what_does_not_fit_into_16_bits_is_kept_as_it_is() -> None:
    images = scans.scan([0, 5, 10], BitsStored=16, HighBit=15)
    images[1].RescaleSlope = 0.5
    images[2].RescaleSlope = 20
    stored = [np.frombuffer(image.PixelData, "<u2").reshape(10, 12).astype(float) for image in images]
    found = stack(images)
    assert found.hu.dtype == np.float32
    for k, slope in enumerate((1, 0.5, 20)):
        np.testing.assert_array_equal(found.hu[k], stored[k] * slope - 1024)


def test_padding_is_air_unless_it_would_blank_out_tissue() -> None:
    signed = {"PixelRepresentation": 1, "BitsStored": 16, "HighBit": 15}
    image = scans.scan([0.0], shape=(2, 3), RescaleIntercept=-1024, **signed)[0]
    image.PixelData = np.array([[-32768, 0, 1064], [1064, -32768, 2000]], "<i2").tobytes()
    image.PixelPaddingValue = -32768
    np.testing.assert_array_equal(stack([image]).hu[0], [[-1024, -1024, 40], [40, -1024, 976]])
    image.PixelPaddingValue = 1064
    assert stack([image]).hu[0, 0, 2] == 40


@pytest.mark.parametrize("damage", ["short", "compressed", "depth", "none"])
def test_damaged_pixels_are_an_error_in_words(damage: str) -> None:
    images = scans.scan()
    if damage == "short":
        images[2].PixelData = images[2].PixelData[:-2]
    elif damage == "compressed":
        images[2].file_meta.TransferSyntaxUID = JPEGLosslessSV1
    elif damage == "depth":
        images[2].BitsAllocated = 12
    else:
        images[2].PixelData = None
    with pytest.raises(UnreadableError, match=r"^An image .*\.$"):
        stack(images)
