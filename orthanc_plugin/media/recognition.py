"""Is this file DICOM? Known by its content, never by its name: what a DICOMDIR, an image and neither is."""

import re
import zlib
from dataclasses import dataclass
from enum import Enum, auto
from typing import IO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_partial
from pydicom.tag import BaseTag, Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, MediaStorageDirectoryStorage

from headct.dicom_depth import nested_too_deeply
from headct.errors import HeadCTError
from headct.images.files.reads import InMemory, Meter
from headct.images.first_bytes import HEAD_BYTES, is_marked, may_be_dicom
from headct.images.headers import text
from headct.images.quiet import quiet

MAX_IMAGE_BYTES = 2**30
"""A larger DICOM file is refused; a head CT of 1,000 slices in one enhanced file has half of it."""
_PIECE_BYTES = 2**20

_LAST_WANTED = Tag("StudyInstanceUID")
_WANTED: list[BaseTag | int] = [
    Tag(keyword) for keyword in ("SOPClassUID", "SOPInstanceUID", "PatientID", "StudyInstanceUID")
]
_MAX_ELEMENTS = 100_000
"""Elements before the study's UID; more are no header but a file made to keep us busy."""
_MAX_DIRECTORY_READS = 5_000_000
"""Of a DICOMDIR: some 60 an image."""
_META_BYTES = 2**16
"""File meta information ends before."""
_META_LENGTH = b"\x02\0\0\0UL\x04\0"
"""Its first element says how much there is of it (PS3.10 section 7.1)."""
_DEFLATED = b"\x02\0\x10\0UI\x16\0" + DeflatedExplicitVRLittleEndian.encode()
_INFLATED_BYTES = 2**20
"""What is unpacked of a deflated data set to find its UIDs."""


class UnusableFileError(HeadCTError):
    """A file that is DICOM, or may be, and cannot be used; the message says why."""


class Kind(Enum):
    """What a file turned out to be."""

    IMAGE = auto()
    """A DICOM object of a study: an image, a report, anything that Orthanc stores."""
    DIRECTORY = auto()
    """A DICOMDIR."""
    OTHER = auto()
    """Not DICOM."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: bytes and UIDs of an image, or the UIDs that a DICOMDIR lists, or nothing."""

    kind: Kind
    data: bytes = b""
    sop_instance_uid: str = ""
    study_instance_uid: str = ""
    patient_id: str = ""
    listed: frozenset[str] = frozenset()


NOT_DICOM = Content(Kind.OTHER)


def recognise(stream: IO[bytes]) -> Content:
    """Tell what a file is; only one that begins like DICOM is read to its end.

    Raises:
        UnusableFileError: it is DICOM and cannot be used: cut short, without UIDs, too large, too deep.
    """
    head = stream.read(HEAD_BYTES)
    if not may_be_dicom(head):
        return NOT_DICOM
    marked = is_marked(head)
    data = _rest(stream, head)
    if data is None:
        if marked:
            raise UnusableFileError(f"larger than {MAX_IMAGE_BYTES >> 30} GiB")
        return NOT_DICOM
    if nested_too_deeply(data):
        raise UnusableFileError("nested or packed beyond reason: it would end the server")
    return _known(data) if marked else _plausible(data)


def _rest(stream: IO[bytes], head: bytes) -> bytes | None:
    """The whole file; nothing when it is too large."""
    pieces, size = [head], len(head)
    while piece := stream.read(_PIECE_BYTES):
        pieces.append(piece)
        size += len(piece)
        if size > MAX_IMAGE_BYTES:
            return None
    return b"".join(pieces)


def _known(data: bytes) -> Content:
    """A file with the mark of DICOM: it is an image, or a DICOMDIR, or damaged."""
    header = _header(_inflated(data))
    if header is not None and (
        text(header.file_meta, "MediaStorageSOPClassUID") == MediaStorageDirectoryStorage
    ):
        return Content(Kind.DIRECTORY, listed=_listed(data))
    found = _image(data, header) if header is not None else NOT_DICOM
    if not found.sop_instance_uid or not found.study_instance_uid:
        raise UnusableFileError("damaged DICOM header, or one without the UIDs of image and study")
    return found


def _plausible(data: bytes) -> Content:
    """A file that begins like a data set: DICOM when all UIDs of an image follow."""
    header = _header(data)
    if header is None or not re.fullmatch(r"[0-9.]{5,64}", text(header, "SOPClassUID")):
        return NOT_DICOM
    found = _image(data, header)
    return found if found.sop_instance_uid and found.study_instance_uid else NOT_DICOM


def _image(data: bytes, header: Dataset) -> Content:
    return Content(
        Kind.IMAGE,
        data,
        sop_instance_uid=text(header, "SOPInstanceUID"),
        study_instance_uid=text(header, "StudyInstanceUID"),
        patient_id=text(header, "PatientID"),
    )


@quiet()
def _header(data: bytes) -> Dataset | None:
    """The few elements wanted; nothing when these bytes are no DICOM."""
    elements = 0

    def enough(tag: int, _vr: str | None, _length: int) -> bool:
        nonlocal elements
        elements += 1
        return tag > _LAST_WANTED or elements > _MAX_ELEMENTS

    try:
        file = InMemory(data, Meter())
        return read_partial(file, stop_when=enough, force=True, specific_tags=_WANTED)
    except Exception:  # damaged files raise errors without a common root
        return None


def _inflated(data: bytes) -> bytes:
    """The start of a deflated data set (PS3.5 section A.5) unpacked, any other file as it is.

    pydicom would unpack the whole of it, however large it becomes.
    """
    if _DEFLATED not in data[:_META_BYTES]:
        return data
    if data[HEAD_BYTES : HEAD_BYTES + 8] != _META_LENGTH:
        return b""
    begin = HEAD_BYTES + 12 + int.from_bytes(data[HEAD_BYTES + 8 : HEAD_BYTES + 12], "little")
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[begin:], _INFLATED_BYTES)
    except zlib.error:
        return b""


@quiet()
def _listed(data: bytes) -> frozenset[str]:
    """SOP instance UIDs in a DICOMDIR (0004,1511); none of a damaged one: it only tells what is missing."""
    try:
        records = dcmread(InMemory(data, Meter(_MAX_DIRECTORY_READS, len(data)))).DirectoryRecordSequence
        return frozenset(uid for r in records if (uid := text(r, "ReferencedSOPInstanceUIDInFile")))
    except Exception:
        return frozenset()
