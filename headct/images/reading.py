"""DICOM files to one :class:`CTSeries`: grouped, sorted by geometry, averaged to slabs while decoding."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread
from pydicom.dataset import Dataset

from headct.errors import NotAnalysedError
from headct.images.coverage import coverage
from headct.images.decoding import PixelFormat, decode, digest, formats, hounsfield
from headct.images.first_bytes import HEAD_BYTES, may_be_dicom
from headct.images.frames import one_by_one
from headct.images.geometry import SAME_POSITION_MM, Stack, slabs, stack
from headct.images.headers import text
from headct.images.objects import Kind, kind
from headct.images.quiet import quiet
from headct.images.series import CTSeries, DicomSource, Sources
from headct.language import pgettext
from headct.reasons import Reason, ReasonCode

MAX_IMAGES = 6000
"""Images in one series; a head in 0.25 mm steps has about 1,000."""
MAX_VOXELS = 2**27
"""Voxels kept after averaging to slabs (256 MB)."""


@quiet()
def group_series(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """DICOM files under files and folders, by SeriesInstanceUID.

    Files that are not DICOM, and DICOMDIR, are ignored. Files without a series UID are grouped by folder
    under ``no-series-uid:FOLDER``.
    """
    groups: dict[str, list[Path]] = {}
    for file in sorted(_files(paths)):
        header = _read(file, ["SOPClassUID", "SeriesInstanceUID", "Modality", "DirectoryRecordSequence"])
        if header is None or "DirectoryRecordSequence" in header:
            continue
        # A folder's name may hold bytes that are no text, which no output takes.
        folder = str(file.parent).encode("utf-8", "replace").decode()
        uid = text(header, "SeriesInstanceUID") or f"no-series-uid:{folder}"
        groups.setdefault(uid, []).append(file)
    return groups


@quiet()
def read_headers(sources: Sources) -> list[Dataset]:
    """All attributes before the pixel data, one dataset a source, in the order given.

    Raises:
        NotAnalysedError: no image, too many, or one that is not DICOM or is cut short.
    """
    if not sources:
        raise NotAnalysedError(Reason(ReasonCode.TOO_FEW_SLICES, str(pgettext("detail", "no image"))))
    if len(sources) > MAX_IMAGES:
        raise NotAnalysedError(
            Reason(
                ReasonCode.UNREADABLE,
                str(pgettext("detail", "{count} images in one series", count=len(sources))),
            )
        )
    headers = []
    for number, source in enumerate(sources, start=1):
        header = _read(source)
        if header is None:
            damaged = pgettext(
                "detail", "damaged file {number} of {count}", number=number, count=len(sources)
            )
            raise NotAnalysedError(Reason(ReasonCode.UNREADABLE, str(damaged)))
        header.buffer = None  # else each header keeps its whole file in memory
        headers.append(header)
    return headers


@quiet()
def count_ct_images(sources: Sources) -> int:
    """CT images among the files of a series, without what is captured or no image at all."""
    headers = (_read(source, ["SOPClassUID", "Modality"]) for source in sources)
    return sum(header is not None and kind(header) is Kind.SLICE for header in headers)


@quiet()
def load_series(sources: Sources, headers: Sequence[Dataset] | None = None) -> CTSeries:
    """Decode a series into memory.

    ``headers`` are those of the same sources, one an image (:func:`headct.images.frames.one_by_one`); read
    again when not given.

    Raises:
        NotAnalysedError: inconsistent geometry, unreadable pixel data, missing slices.
    """
    if headers is None:
        sources, headers = one_by_one(sources, read_headers(sources))
    found = stack(headers)
    forms = formats(headers, sources, found.order)
    found, dropped = _without_duplicates(found, sources, forms)
    order = found.order
    rows, columns = forms[order[0]].rows, forms[order[0]].columns
    groups = slabs(found.positions_mm)
    if len(groups) * rows * columns > MAX_VOXELS:
        raise NotAnalysedError(Reason(ReasonCode.UNREADABLE, str(pgettext("detail", "too many voxels"))))
    hu = np.empty((len(groups), rows, columns), np.int16)
    digests: list[bytes] = [b""] * len(order)

    def fill(slab: int) -> None:
        members = groups[slab]
        total: NDArray[np.int32] | None = None
        for k in members:
            form = forms[order[k]]
            stored = decode(sources[order[k]], form)
            digests[k] = digest(stored)
            values = hounsfield(stored, form)
            if len(members) == 1:
                hu[slab] = values
                return
            total = values.astype(np.int32) if total is None else total + values
        assert total is not None
        hu[slab] = np.rint(total / len(members))

    # Both the decoders and NumPy release the interpreter lock.
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        list(pool.map(fill, range(len(groups))))
    centres = np.array([found.positions_mm[list(g)].mean() for g in groups])
    series = CTSeries(
        hu=found.upright(hu),
        slabs=groups,
        slab_positions_mm=centres,
        slice_positions_mm=found.positions_mm,
        spacing_mm=found.spacing_mm,
        gantry_tilt_deg=found.tilt_deg,
        sop_instance_uids=tuple(text(headers[i], "SOPInstanceUID") for i in order),
        headers=tuple(headers[i] for i in order),
        pixel_digest=hashlib.sha256(b"".join(digests)).hexdigest(),
        dropped=(*found.dropped, *dropped),
        assumed=found.assumed + (() if all(forms[i].rescale_known for i in order) else ("rescale",)),
    )
    if "slice_positions" in series.assumed and not coverage(series).complete:
        # Instance numbers and slice locations may run either way; the head itself tells which.
        turned = _turned(series)
        return turned if coverage(turned).complete else series
    return series


def _turned(series: CTSeries) -> CTSeries:
    """The same slices, the other end first."""
    last = len(series.headers) - 1
    return replace(
        series,
        hu=np.ascontiguousarray(series.hu[::-1]),
        slabs=tuple(tuple(last - k for k in reversed(slab)) for slab in reversed(series.slabs)),
        slab_positions_mm=-series.slab_positions_mm[::-1],
        slice_positions_mm=-series.slice_positions_mm[::-1],
        sop_instance_uids=series.sop_instance_uids[::-1],
        headers=series.headers[::-1],
    )


def _without_duplicates(
    found: Stack, sources: Sources, forms: dict[int, PixelFormat]
) -> tuple[Stack, tuple[str, ...]]:
    """One image a position; two different images at one position are no stack."""
    keep = [0]
    for k in range(1, len(found.order)):
        if found.positions_mm[k] - found.positions_mm[keep[-1]] > SAME_POSITION_MM:
            keep.append(k)
            continue
        a, b = found.order[keep[-1]], found.order[k]
        if not np.array_equal(
            hounsfield(decode(sources[a], forms[a]), forms[a]),
            hounsfield(decode(sources[b], forms[b]), forms[b]),
        ):
            twice = pgettext("detail", "two different images at one position")
            raise NotAnalysedError(Reason(ReasonCode.INCONSISTENT_GEOMETRY, str(twice)))
    count = len(found.order) - len(keep)
    return found.only(keep), (f"{count} duplicate images",) if count else ()


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_file():
            yield path
        for folder, _, names in os.walk(path):
            yield from (f for f in (Path(folder) / name for name in names) if f.is_file())


def _read(source: DicomSource, tags: list[str] | None = None) -> Dataset | None:
    """Header of a DICOM file, ``None`` when it is none; files without preamble or meta header are taken."""
    try:
        with BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            if not may_be_dicom(file.read(HEAD_BYTES)):
                return None
            file.seek(0)
            header = dcmread(file, stop_before_pixels=True, force=True, specific_tags=tags)
        known = any(k in header for k in ("SOPClassUID", "Modality", "SeriesInstanceUID", "SOPInstanceUID"))
    except Exception:  # the parser meets arbitrary bytes; its errors have no common root
        return None
    return header if known else None
