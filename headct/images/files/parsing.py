"""A DICOM file to its elements, by pydicom: at most what an image has, however the file was made."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from headct.errors import NotAnalysedError
from headct.images.files.reads import (
    MAX_HEADER_BYTES,
    MAX_READS,
    DeflatedError,
    Inflated,
    InMemory,
    Meter,
    OnDisk,
)
from headct.images.quiet import quiet
from headct.images.series import DicomSource
from headct.language import pgettext
from headct.memory import ran_out
from headct.reasons import Reason, ReasonCode

_MAX_VALUE = 2**25
"""Bytes of the longest value read of a header. Others stay where they are: documents and raw data of hundreds
of megabytes may lie beside images."""
_MAX_INFLATED = 2**30
"""Of a deflated multi-frame file, all of whose frames are unpacked at once: 1,800 of 512 by 512."""
_NO_LIMIT = 2**62
_DEFLATED, _PLAIN = DeflatedExplicitVRLittleEndian.encode(), ExplicitVRLittleEndian.encode()


@dataclass(slots=True)
class Allowance:
    """What the headers of one series may take together; it shrinks as they are read."""

    reads: int = 10_000_000
    """6,000 images with 1,500 each; see :data:`headct.images.files.reads.MAX_READS`."""
    size: int = 2**29
    """Bytes: 6,000 images with 85 KB each. Usual ones have 1 to 20 KB."""


def too_large() -> NotAnalysedError:
    """The error that refuses a header."""
    detail = pgettext("detail", "header larger than that of any image")
    return NotAnalysedError(Reason(ReasonCode.UNREADABLE, str(detail)))


@quiet()
def header(
    source: DicomSource, allowance: Allowance | None = None, tags: list[str] | None = None
) -> FileDataset:
    """All elements before the pixel data, or those with the keywords ``tags``.

    Raises:
        NotAnalysedError: there are more, or larger ones, than any image has.
        Exception: damaged files raise errors without a common root.
    """
    allowance = allowance or Allowance()
    reads, size = min(MAX_READS, allowance.reads), min(MAX_HEADER_BYTES, allowance.size)
    meter = Meter(reads, size)
    found = _parsed(source, meter, _NO_LIMIT, tags, pixels=False, defer=_MAX_VALUE)
    allowance.reads -= reads - meter.reads
    allowance.size -= size - meter.size
    return found


@quiet()
def pixels(source: DicomSource, most: int, tags: list[str], *, defer: int | None = None) -> FileDataset:
    """The elements with the keywords ``tags``, which may be the pixel data.

    Args:
        source: the file.
        most: bytes that the pixels have uncompressed; nothing beyond is unpacked.
        tags: keywords.
        defer: values longer than this are left where they are.

    Raises:
        NotAnalysedError, Exception: as of :func:`header`.
    """
    return _parsed(source, Meter(size=_NO_LIMIT), MAX_HEADER_BYTES + most, tags, pixels=True, defer=defer)


def _parsed(
    source: DicomSource,
    meter: Meter,
    limit: int,
    tags: list[str] | None,
    *,
    pixels: bool,
    defer: int | None,
) -> FileDataset:
    try:
        with InMemory(source, meter) if isinstance(source, bytes) else OnDisk(source, meter) as file:
            try:
                found = _dataset(file, tags, pixels=pixels, defer=defer)
            except DeflatedError:
                found = _inflated(source, file.tell(), meter, limit, tags, pixels=pixels)
    except Exception as error:
        if meter.exceeded:
            raise too_large() from error
        if ran_out(error):  # of which the parser may have made another error
            raise MemoryError from error
        raise
    found.buffer = None  # else each keeps its whole file in memory
    return found


def _inflated(
    source: DicomSource, begin: int, meter: Meter, limit: int, tags: list[str] | None, *, pixels: bool
) -> FileDataset:
    """A data set that is deflated from ``begin`` on."""
    if pixels and limit > _MAX_INFLATED:
        raise NotAnalysedError(Reason(ReasonCode.TOO_LARGE))
    data = memoryview(source if isinstance(source, bytes) else Path(source).read_bytes())
    head = bytes(data[:begin]).replace(_DEFLATED, _PLAIN.ljust(len(_DEFLATED), b"\0"))
    with Inflated(head, data[begin:], meter, limit) as file:
        found = _dataset(file, tags, pixels=pixels)
    found.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return found


def _dataset(
    file: BinaryIO, tags: list[str] | None, *, pixels: bool, defer: int | None = None
) -> FileDataset:
    wanted = None if tags is None else list(tags)
    return dcmread(file, force=True, stop_before_pixels=not pixels, specific_tags=wanted, defer_size=defer)
