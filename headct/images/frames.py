"""Multi-frame CT as the plain images it stands for: one header and one file for each frame.

What a plain CT image says in its header, an Enhanced one says in functional groups, shared and of each frame
(DICOM PS3.3 C.7.6.16). Everything behind this module sees plain images; they keep the number of their frame.
"""

import re
from collections.abc import Iterator, Sequence
from io import BytesIO
from threading import Lock
from typing import overload

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_fragmented_frames
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from headct.errors import NotAnalysedError
from headct.images.compression import unreadable
from headct.images.files.parsing import pixels
from headct.images.headers import items, number, text
from headct.images.quiet import quiet
from headct.images.series import DicomSource, Sources
from headct.language import pgettext
from headct.reasons import Reason, ReasonCode

ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
LEGACY_CONVERTED_CT = "1.2.840.10008.5.1.4.1.1.2.2"
_MULTI_FRAME = (ENHANCED_CT, LEGACY_CONVERTED_CT)

MAX_IMAGES = 6000
"""Images in one series, frames counted; a head in 0.25 mm steps has about 1,000."""
_LEFT_BYTES = 2**20
"""Uncompressed pixels of more than this are read frame by frame."""
_UNDEFINED_LENGTH = 0xFFFFFFFF
_SHARED, _EACH = "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"
_OF_THE_FILE = (_SHARED, _EACH, "NumberOfFrames", "DimensionIndexSequence", "DimensionOrganizationSequence")
_RENAMED = {
    "FrameType": "ImageType",
    "FrameAcquisitionNumber": "AcquisitionNumber",
    "FrameAcquisitionDateTime": "AcquisitionDateTime",
}
"""Attributes of a frame, and what a plain image calls them."""
_PLAIN_CONTRASTS = {"", "NONE", "MEAN", "RESAMPLED", "FILTERED"}
"""Values of the derived pixel contrast (PS3.3 C.8.16.1.4) whose pixels are still plain Hounsfield units."""
_COMPUTED = {
    *("PERFUSION", "SUBTRACTION", "ADDITION", "DIVISION", "MULTIPLICATION", "MASKED", "QUANTITY"),
    *("MAXIMUM", "MINIMUM", "STD_DEVIATION", "MAX_IP", "MIN_IP", "VOLUME_RENDER", "SURFACE_RENDER"),
    *("CURVED_MPR",),
}
"""Flavours, contrasts and techniques (PS3.3 C.8.16.1.3, C.8.16.2.1.3) whose pixels are something else."""


def too_many(count: int) -> NotAnalysedError:
    """The error that refuses a series of so many images."""
    said = pgettext("detail", "{count} images in one series", count=count)
    return NotAnalysedError(Reason(ReasonCode.UNREADABLE, str(said)))


def frame_number(header: Dataset) -> int | None:
    """Of a frame's header, from 1 on; ``None`` for an image of its own."""
    found = number(header, "ReferencedFrameNumber")
    return None if found is None else int(found)


@quiet()
def one_by_one(sources: Sources, headers: Sequence[Dataset]) -> tuple[Sources, list[Dataset]]:
    """The images of a series, each frame of a multi-frame CT an image of its own.

    Args:
        sources: files of one series.
        headers: of the files, in the same order.

    Returns:
        Files and headers of the same length; what is no multi-frame CT stays as it is. A frame becomes a file
        with nothing but its pixels when it is asked for.

    Raises:
        NotAnalysedError: a multi-frame CT without places for its frames, or computed from others.
    """
    if not any(map(_is_multi_frame, headers)):
        return sources, list(headers)
    found = _Images()
    order = sorted(range(len(headers)), key=lambda i: number(headers[i], "InstanceNumber") or 0.0)
    for i in order:
        if not _is_multi_frame(headers[i]):
            found.add(headers[i], sources[i])
            continue
        if len(found) + _count(headers[i]) > MAX_IMAGES:
            raise too_many(len(found) + _count(headers[i]))
        try:
            frames = list(_frame_headers(headers[i]))
            stored = _Pixels(sources[i], headers[i])
        except (NotAnalysedError, MemoryError):
            raise
        except Exception as error:  # conversion of damaged values raises errors without a common root
            raise unreadable(pgettext("detail", "damaged file")) from error
        for k, header in enumerate(frames):
            _put(header, "InstanceNumber", len(found.headers) + 1)
            found.add(header, stored, k)
    return found, found.headers


def _is_multi_frame(header: Dataset) -> bool:
    return text(header, "SOPClassUID") in _MULTI_FRAME and _EACH in header


def _count(header: Dataset) -> int:
    """Frames as the header says; as many groups of attributes have to follow."""
    return int(number(header, "NumberOfFrames") or 1)


def _frame_headers(header: Dataset) -> Iterator[Dataset]:
    groups = items(header, _EACH)
    if len(groups) != _count(header):
        raise unreadable(pgettext("detail", "damaged file"))
    base = Dataset()
    base.update(header)
    for keyword in _OF_THE_FILE:
        if keyword in base:
            del base[keyword]
    agents = items(header, "ContrastBolusAgentSequence")
    if agents and not text(base, "ContrastBolusAgent"):
        _put(base, "ContrastBolusAgent", text(agents[0], "CodeMeaning"))
    for shared in items(header, _SHARED)[:1]:
        _flatten(base, shared)
    implicit, little = header.original_encoding
    for k, group in enumerate(groups, start=1):
        frame = Dataset()
        frame.set_original_encoding(implicit, little, header.original_character_set)
        frame.update(base)
        _flatten(frame, group)
        _put(frame, "ReferencedFrameNumber", k)
        _refuse_computed(frame)
        yield frame


def _flatten(frame: Dataset, group: Dataset) -> None:
    """Put the attributes of functional groups where a plain image has them."""
    for macro in group:
        if macro.VR != "SQ" or not macro.value:
            continue
        item = macro.value[0]
        for tag in tuple(item.keys()):
            # A patient is never told by a group.
            if tag.group != 0x0010:
                frame[tag] = item[tag]
    for name, plain in _RENAMED.items():
        if name in frame:
            _put(frame, plain, frame[name].value)
    if when := text(frame, "FrameAcquisitionDateTime"):
        _put(frame, "AcquisitionDate", when[:8])
        _put(frame, "AcquisitionTime", re.split("[+-]", when[8:])[0])


def _put(header: Dataset, keyword: str, value: object) -> None:
    """A new element: those there are shared with other frames and with the file's header."""
    header.add_new(keyword, dictionary_VR(keyword), value)


def _refuse_computed(frame: Dataset) -> None:
    """Refuse maps of perfusion, projections, subtractions, reformats.

    Legacy images are classed in the makers' own words, as plain ones are; only what is plain of those counts.
    """
    kind = text(frame, "ImageType").upper().split("\\")
    said = {*kind[2:], text(frame, "VolumeBasedCalculationTechnique").upper()}
    enhanced = text(frame, "SOPClassUID") == ENHANCED_CT
    unknown = enhanced and not set(kind[3:4]) <= _PLAIN_CONTRASTS
    if said & _COMPUTED or unknown or (enhanced and kind[0] == "DERIVED"):
        raise NotAnalysedError(Reason(ReasonCode.DERIVED_VALUES))


class _Images(Sequence[DicomSource]):
    """Files as they are, and frames as files made when they are asked for."""

    def __init__(self) -> None:
        self.headers: list[Dataset] = []
        self._sources: list[tuple[DicomSource | _Pixels, int]] = []

    def add(self, header: Dataset, source: "DicomSource | _Pixels", frame: int = 0) -> None:
        self.headers.append(header)
        self._sources.append((source, frame))

    def __len__(self) -> int:
        return len(self._sources)

    @overload
    def __getitem__(self, place: int) -> DicomSource: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[DicomSource]: ...
    def __getitem__(self, place: int | slice) -> DicomSource | Sequence[DicomSource]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        source, frame = self._sources[place]
        return source.alone(frame) if isinstance(source, _Pixels) else source


class _Pixels:
    """The stored pixels of one multi-frame file; what is compressed is read once, by whoever comes first."""

    def __init__(self, source: DicomSource, header: Dataset) -> None:
        self._source = source
        self._count = _count(header)
        size = (number(header, k) or 0.0 for k in ("Rows", "Columns", "BitsAllocated"))
        rows, columns, bits = map(int, size)
        self._frame_bytes = rows * columns * max(bits, 8) // 8
        self._lock = Lock()
        self._file: Dataset | None = None
        self._begin: int | None = None
        """Where uncompressed pixels begin in the file; they are left there."""
        self._compressed: list[bytes] = []

    def alone(self, frame: int) -> bytes:
        """A DICOM file that holds this frame and no other; frames count from 0.

        Raises:
            NotAnalysedError: damaged pixel data.
        """
        try:
            with self._lock:
                if self._file is None:
                    self._file = self._read()
            return self._written(self._file, frame)
        except (NotAnalysedError, MemoryError):
            raise
        except Exception as error:  # the parser meets arbitrary bytes; its errors have no common root
            raise unreadable(pgettext("detail", "damaged file")) from error

    @quiet()
    def _written(self, file: Dataset, frame: int) -> bytes:
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.MediaStorageSOPClassUID = UID(ENHANCED_CT)
        image.file_meta.MediaStorageSOPInstanceUID = UID("2.25.1")
        syntax = file.file_meta.get("TransferSyntaxUID", ExplicitVRLittleEndian)
        inflated = syntax == DeflatedExplicitVRLittleEndian
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if inflated else syntax
        if self._compressed:
            if frame >= len(self._compressed):
                raise unreadable(pgettext("detail", "pixel data cut short"))
            image.add_new("PixelData", "OB", encapsulate([self._compressed[frame]]))
            image["PixelData"].is_undefined_length = True
        else:
            image.add_new("PixelData", "OW", self._stored(file, frame))
        buffer = BytesIO()
        image.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()

    def _stored(self, file: Dataset, frame: int) -> bytes:
        """A frame's uncompressed pixels."""
        start = frame * self._frame_bytes
        if self._begin is None:
            value: bytes = file.get_item("PixelData").value
            return value[start : start + self._frame_bytes]
        start += self._begin
        if isinstance(self._source, bytes):
            return self._source[start : start + self._frame_bytes]
        with self._source.open("rb") as opened:
            opened.seek(start)
            return opened.read(self._frame_bytes)

    @quiet()
    def _read(self) -> Dataset:
        size = self._count * self._frame_bytes
        found = pixels(self._source, size, ["PixelData"], defer=_LEFT_BYTES)
        element = found.get_item("PixelData", keep_deferred=True)
        assert isinstance(element, RawDataElement)  # nobody has asked for its value
        if element.length != _UNDEFINED_LENGTH:
            self._begin = element.value_tell if element.value is None else None
            return found
        found = pixels(self._source, size, ["PixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"])
        table = found.get("ExtendedOffsetTable"), found.get("ExtendedOffsetTableLengths")
        value = found.get_item("PixelData").value
        self._compressed = _frames(
            value, self._count, (table[0], table[1]) if table[0] and table[1] else None
        )
        del found["PixelData"]  # said once more in the frames
        return found


def _frames(value: bytes, count: int, table: tuple[bytes, bytes] | None) -> list[bytes]:
    """The compressed frames: together no more than there is, whatever a table of offsets says."""
    found, size = [], 0
    for parts in generate_fragmented_frames(value, number_of_frames=count, extended_offsets=table):
        size += sum(map(len, parts))
        if size > len(value):
            raise unreadable(pgettext("detail", "damaged file"))
        found.append(b"".join(parts))
        if len(found) == count:
            break
    return found
