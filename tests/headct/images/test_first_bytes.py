"""DICOM by its first bytes, in every encoding with and without preamble; and what only looks like it."""

from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from headct.images.first_bytes import HEAD_BYTES, is_marked, may_be_dicom


def written(syntax: str, *, file_format: bool) -> bytes:
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, "1.2.3"
    buffer = BytesIO()
    if file_format:
        dataset.ensure_file_meta()
        dataset.file_meta.TransferSyntaxUID = syntax
        dcmwrite(buffer, dataset, enforce_file_format=True)
    else:
        implicit, little = syntax == ImplicitVRLittleEndian, syntax != ExplicitVRBigEndian
        dcmwrite(buffer, dataset, implicit_vr=implicit, little_endian=little)
    return buffer.getvalue()


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian])
def test_every_encoding_with_preamble_and_without(syntax: str) -> None:
    whole, bare = written(syntax, file_format=True), written(syntax, file_format=False)
    assert is_marked(whole) and may_be_dicom(whole[:HEAD_BYTES])
    assert not is_marked(bare) and may_be_dicom(bare[:HEAD_BYTES])


def test_file_meta_information_without_preamble() -> None:
    whole = written(ExplicitVRLittleEndian, file_format=True)
    assert may_be_dicom(whole[HEAD_BYTES : 2 * HEAD_BYTES])


@pytest.mark.parametrize(
    "data",
    [
        b"\x02\x00\x01\x00OB\x00\x00\x02\x00\x00\x00\x00\x01",  # meta information without its group length
        b"\x02\x00\x00\x00\x04\x00\x00\x00\xb2\x00\x00\x00",  # meta information with implicit VR
        b"\x08\x00\x06\x00\xff\xff\xff\xff\xfe\xff\x00\xe0",  # a sequence of undefined length comes first
    ],
)
def test_seldom_beginnings(data: bytes) -> None:
    assert may_be_dicom(data + bytes(HEAD_BYTES))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"D",
        bytes(4096),
        b"\x08\x00" * 66,
        b"\x02\x00" + b"\xff" * 200,
        b"PK\x03\x04",
        b"DICM" + bytes(200),
    ],
)
def test_others(data: bytes) -> None:
    assert not may_be_dicom(data)
