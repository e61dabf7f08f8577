"""DICOM files whose sequences lie in each other, as deep as is asked, in every way to write them."""

import struct
import zlib
from io import BytesIO

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

SYNTAXES = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)
TAG = (0x0040, 0xA730)
"""ContentSequence; an image may have any sequence."""
_OPEN = 0xFFFFFFFF


def nested(
    levels: int, syntax: str = ExplicitVRLittleEndian, *, number: int = 1, open_ended: bool = True
) -> bytes:
    """An image without pixels, and behind its header one sequence in the other.

    Args:
        levels: how many.
        syntax: one of :data:`SYNTAXES`.
        number: makes its UIDs others.
        open_ended: lengths left open; else given.
    """
    plain = ExplicitVRLittleEndian if syntax == DeflatedExplicitVRLittleEndian else syntax
    file = _header(plain, number) + sequences(levels, plain, open_ended=open_ended)
    if syntax != DeflatedExplicitVRLittleEndian:
        return file
    begin = 144 + int.from_bytes(file[140:144], "little")
    head = _header(DeflatedExplicitVRLittleEndian, number)
    head = head[: 144 + int.from_bytes(head[140:144], "little")]
    packing = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return head + packing.compress(file[begin:]) + packing.flush()


def sequences(levels: int, syntax: str, *, open_ended: bool = True) -> bytes:
    """The sequences alone."""
    order = ">" if syntax == ExplicitVRBigEndian else "<"

    def begin(length: int) -> bytes:
        tag = struct.pack(f"{order}HH", *TAG)
        if syntax == ImplicitVRLittleEndian:
            return tag + struct.pack("<I", length)
        return tag + b"SQ\0\0" + struct.pack(f"{order}I", length)

    def item(number: int, length: int) -> bytes:
        return struct.pack(f"{order}HHI", 0xFFFE, number, length)

    if open_ended:
        ends = item(0xE00D, 0) + item(0xE0DD, 0)
        return (begin(_OPEN) + item(0xE000, _OPEN)) * levels + ends * levels
    pieces: list[bytes] = []
    inside = 0
    for _ in range(levels):
        pieces.append(begin(inside + 8) + item(0xE000, inside))
        inside += len(pieces[-1])
    return b"".join(reversed(pieces))


def _header(syntax: str, number: int) -> bytes:
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = UID(syntax)
    header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID = CTImageStorage
    header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = UID(f"2.25.40.{number}.1.1")
    header.StudyInstanceUID, header.SeriesInstanceUID = f"2.25.40.{number}", f"2.25.40.{number}.1"
    header.PatientID, header.Modality = "NESTED", "CT"
    buffer = BytesIO()
    header.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
