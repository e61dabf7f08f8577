"""Compressed images as they are encapsulated: fragments, tables of offsets, what follows the image."""

import numpy as np
import pytest
from dicom_stack import CODECS, LOSSY, file_bytes, head, write
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.uid import RLELossless

from headct.images.decoding import AIR_HU, PixelFormat, decode, hounsfield

PICTURE = head(slabs=28, size=64)[6:7]


def read(ds: Dataset) -> np.ndarray:
    form = PixelFormat.of(ds)
    return hounsfield(decode(file_bytes(ds), form), form)


def item(content: bytes) -> bytes:
    content += b"\0" * (len(content) % 2)
    return b"\xfe\xff\x00\xe0" + len(content).to_bytes(4, "little") + content


def encapsulated(fragments: list[bytes], table: bytes = b"") -> bytes:
    return b"".join(map(item, [table, *fragments])) + b"\xfe\xff\xdd\xe0" + bytes(4)


def starts(fragments: list[bytes]) -> bytes:
    """A table of offsets as if each fragment were an image."""
    found, at = b"", 0
    for fragment in fragments:
        found += at.to_bytes(4, "little")
        at += len(item(fragment))
    return found


def in_parts(stream: bytes, count: int) -> list[bytes]:
    step = len(stream) // count // 2 * 2
    return [stream[k * step : (k + 1) * step if k < count - 1 else None] for k in range(count)]


@pytest.mark.parametrize("syntax", [*(s for s in CODECS if s not in LOSSY), RLELossless])
def test_fragments_offsets_and_what_follows_the_image(syntax):
    ds = write(PICTURE, syntax=syntax)[0]
    stream = next(generate_frames(ds.PixelData, number_of_frames=1))
    parts = in_parts(stream, 5)
    for pixels in (
        encapsulated(parts),
        encapsulated(parts, starts(parts)),
        encapsulated(parts, b"\x92\x10\0\0"),
        encapsulated([stream], b"\0\0"),
        encapsulated([b"", stream, b""]),
        encapsulated([stream, stream], starts([stream, stream])),
        encapsulated([stream, b"abcd" * 30]),
        encapsulated([stream + b"\0" * 16]),
        encapsulated([stream + b"\xff" * 5000]),
        encapsulated([stream + bytes(range(256)) + b"\xff\xd9"]),
        item(stream),
    ):
        ds.PixelData = pixels
        ds["PixelData"].is_undefined_length = True
        assert np.array_equal(read(ds), PICTURE[0].clip(AIR_HU))


def test_uncompressed_images_in_fragments():
    ds = write(PICTURE)[0]
    parts = in_parts(ds.PixelData, 3)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.98"
    ds.PixelData = encapsulated(parts)
    ds["PixelData"].is_undefined_length = True
    assert np.array_equal(read(ds), PICTURE[0].clip(AIR_HU))
