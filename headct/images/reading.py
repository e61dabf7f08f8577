"""DICOM files to :class:`CTSeries`: grouped by series, headers read, each pass of a scan loaded."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.dataset import Dataset

from headct.errors import NotAnalysedError
from headct.images.files.parsing import Allowance, header
from headct.images.first_bytes import HEAD_BYTES, may_be_dicom
from headct.images.frames import MAX_IMAGES, one_by_one, too_many
from headct.images.headers import numbers, text
from headct.images.members import Members
from headct.images.objects import Kind, kind
from headct.images.quiet import quiet
from headct.images.scans.passes import passes
from headct.images.series import CTSeries, DicomSource, Sources
from headct.images.volumes import same_pixels, volumes
from headct.language import pgettext
from headct.reasons import Reason, ReasonCode


@quiet()
def group_series(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """DICOM files under files and folders, by SeriesInstanceUID.

    Files that are not DICOM, and DICOMDIR, are ignored. Files without a series UID are grouped by folder
    under ``no-series-uid:FOLDER``.
    """
    groups: dict[str, list[Path]] = {}
    for file in sorted(_files(paths)):
        # A folder's name may hold bytes that are no text, which no output takes.
        uid = f"no-series-uid:{str(file.parent).encode('utf-8', 'replace').decode()}"
        try:
            found = _read(
                file, tags=["SOPClassUID", "SeriesInstanceUID", "Modality", "DirectoryRecordSequence"]
            )
            if found is None or "DirectoryRecordSequence" in found:
                continue
            uid = text(found, "SeriesInstanceUID") or uid
        except NotAnalysedError:
            pass  # whose it is cannot be told; that it is there must be
        groups.setdefault(uid, []).append(file)
    return groups


@quiet()
def read_headers(sources: Sources) -> list[Dataset]:
    """All attributes before the pixel data, one dataset a source, in the order given.

    Raises:
        NotAnalysedError: no image, too many, one that is not DICOM or is cut short, too large headers.
    """
    if not sources:
        raise NotAnalysedError(Reason(ReasonCode.TOO_FEW_SLICES, str(pgettext("detail", "no image"))))
    if len(sources) > MAX_IMAGES:
        raise too_many(len(sources))
    headers: list[Dataset] = []
    allowance = Allowance()
    for number, source in enumerate(sources, start=1):
        found = _read(source, allowance)
        if found is None:
            damaged = pgettext(
                "detail", "damaged file {number} of {count}", number=number, count=len(sources)
            )
            raise NotAnalysedError(Reason(ReasonCode.UNREADABLE, str(damaged)))
        headers.append(found)
    return headers


@quiet()
def count_ct_images(sources: Sources) -> int:
    """CT images among the files of a series, without what is captured or no image at all."""
    return sum(map(_is_ct_image, sources))


def _is_ct_image(source: DicomSource) -> bool:
    try:
        found = _read(source, tags=["SOPClassUID", "Modality"])
    except NotAnalysedError:
        return False
    return found is not None and kind(found) is Kind.SLICE


@dataclass(frozen=True, slots=True)
class Passes:
    """What the images of a series make: one volume a pass of the scan, the largest first."""

    series: tuple[CTSeries, ...]
    refused: tuple[NotAnalysedError, ...]
    """Why others make none."""


@quiet()
def load_series(
    sources: Sources, headers: Sequence[Dataset] | None = None, *, holding: str | None = None
) -> CTSeries:
    """Decode a series into memory; of several passes the largest one that makes a stack.

    Args:
        sources: the images of one series.
        headers: those of the same sources, one an image (:func:`headct.images.frames.one_by_one`); read again
            when not given.
        holding: SOP instance UID of an image; of several passes the one that has it.

    Raises:
        NotAnalysedError: inconsistent geometry, unreadable pixel data, missing slices.
    """
    if headers is None:
        sources, headers = one_by_one(sources, read_headers(sources))
    found = load_passes(sources, headers, passes(headers))
    if not found.series:
        raise found.refused[0]
    return next((s for s in found.series if holding in s.sop_instance_uids), found.series[0])


@quiet()
def load_passes(
    sources: Sources,
    headers: Sequence[Dataset],
    parts: Sequence[Sequence[int]],
    stacks: Mapping[tuple[int, ...], Members] | None = None,
) -> Passes:
    """Decode a series into memory, each pass by itself.

    Args:
        sources: the images of one series.
        headers: of the same images.
        parts: numbers of the images of each pass that the headers tell, as of
            :func:`headct.images.scans.passes.passes`.
        stacks: the images of each part that make its stack; saves choosing them twice.
    """
    stacks = stacks or {}
    found: list[CTSeries] = []
    refused: list[NotAnalysedError] = []
    kept = _without_copies(sources, headers, parts) if len(parts) > 1 else parts
    copies = sum(map(len, parts)) - sum(map(len, kept))
    for part in filter(len, kept):
        try:
            loaded, others = volumes(
                [sources[i] for i in part], [headers[i] for i in part], stacks.get(tuple(part))
            )
            found += loaded
            refused += others
        except NotAnalysedError as error:
            refused.append(error)
    beside = len(sources) - sum(map(len, parts))
    left_out = [
        f"{count} {what}" for count, what in ((copies, "duplicate images"), (beside, "other images")) if count
    ]
    found = [replace(series, dropped=(*series.dropped, *left_out)) for series in found]
    found.sort(key=lambda series: (-len(series.headers), min(series.sop_instance_uids)))
    return Passes(tuple(found), tuple(refused))


def _without_copies(
    sources: Sources, headers: Sequence[Dataset], parts: Sequence[Sequence[int]]
) -> list[list[int]]:
    """The parts without images that an earlier part has, pixel by pixel at the same place: sent twice."""
    known: dict[tuple[float, ...], list[int]] = {}
    kept: list[list[int]] = []
    for part in parts:
        places = {i: _tenths(numbers(headers[i], "ImagePositionPatient", 3)) for i in part}
        new = [
            i
            for i, place in places.items()
            if not any(same_pixels(sources, headers, i, j) for j in known.get(place, ()))
        ]
        for i in new:
            known.setdefault(places[i], []).append(i)
        kept.append(new)
    return kept


def _tenths(place: tuple[float, ...] | None) -> tuple[float, ...]:
    return tuple(round(mm, 1) for mm in place or ())


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_file():
            yield path
        for folder, _, names in os.walk(path):
            yield from (f for f in (Path(folder) / name for name in names) if f.is_file())


def _read(
    source: DicomSource, allowance: Allowance | None = None, tags: list[str] | None = None
) -> Dataset | None:
    """Header of a DICOM file, ``None`` when it is none; files without preamble or meta header are taken.

    Raises:
        NotAnalysedError: it is too large.
    """
    try:
        if not may_be_dicom(_first_bytes(source)):
            return None
        found = header(source, allowance, tags)
        known = any(k in found for k in ("SOPClassUID", "Modality", "SeriesInstanceUID", "SOPInstanceUID"))
    except (NotAnalysedError, MemoryError):
        raise
    except Exception:  # the parser meets arbitrary bytes; its errors have no common root
        return None
    return found if known else None


def _first_bytes(source: DicomSource) -> bytes:
    if isinstance(source, bytes):
        return source[:HEAD_BYTES]
    with source.open("rb") as file:
        return file.read(HEAD_BYTES)
