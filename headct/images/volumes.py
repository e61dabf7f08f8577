"""Images decoded into a volume, averaged to slabs meanwhile; into several, where they show several passes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from headct.errors import NotAnalysedError
from headct.images.coverage import coverage
from headct.images.decoding import PixelFormat, decode, digest, formats, hounsfield
from headct.images.geometry import Stack, slabs, stack
from headct.images.headers import text
from headct.images.members import Members
from headct.images.planes import Vector, inconsistent
from headct.images.scans.gaps import unseen
from headct.images.scans.positions import SAME_POSITION_MM
from headct.images.scans.resemblance import FEWEST, Small, small, told_apart
from headct.images.series import CTSeries, Sources
from headct.language import pgettext
from headct.reasons import Reason, ReasonCode
from headct.threads import each

MAX_VOXELS = 2**27
"""Voxels kept after averaging to slabs (256 MB)."""


_PAIR, _PAIRS = 0.6, 0.25
"""A gap smaller than this share of one beside it, and the share of such gaps in a stack made of two: nearly
half. A step to other spacing is one gap; seams of shots that overlap are few."""


@dataclass(frozen=True, slots=True)
class _Images:
    """Images to decode, and what is known of each once it was decoded; by their number."""

    sources: Sources
    headers: Sequence[Dataset]
    forms: dict[int, PixelFormat]
    decoded: dict[int, NDArray[np.int32]]
    """Stored values of some, each used once."""
    digests: dict[int, bytes] = field(default_factory=dict)
    pictures: dict[int, Small] = field(default_factory=dict)

    def hounsfield(self, number: int) -> NDArray[np.int16]:
        """One image's values."""
        stored = self.decoded.pop(number, None)
        if stored is None:
            stored = decode(self.sources[number], self.forms[number])
        values = hounsfield(stored, self.forms[number])
        self.digests[number], self.pictures[number] = digest(stored), small(values)
        return values


def volumes(
    sources: Sources, headers: Sequence[Dataset], chosen: Members | None = None
) -> tuple[list[CTSeries], list[NotAnalysedError]]:
    """Decode images that by their headers are of one pass: its volume.

    Where the images show several passes, one volume for each that makes a stack, and why the others do not.
    ``chosen`` saves choosing the images of the stack twice.

    Raises:
        NotAnalysedError: inconsistent geometry, unreadable pixel data, missing slices.
    """
    found = stack(headers, chosen)
    images = _Images(sources, headers, *formats(headers, sources, found.order))
    found, copies = _without_duplicates(found, images)
    series = None if _crowded(found.positions_mm) else _volume(found, images)
    if series is None:
        each(images.hounsfield, found.order)
    parts = told_apart([images.pictures[i] for i in found.order], found.positions_mm)
    if series is not None and len(parts[0]) == len(found.order):
        return [replace(series, dropped=(*series.dropped, *copies))], []
    if any(len(part) < FEWEST and _at_one_place(found, part, parts[0]) for part in parts[1:]):
        raise inconsistent(pgettext("detail", "two different images at one position"))
    made, refused = [], []
    twice = len(found.order) - sum(map(len, parts))
    left_out = (*copies, *((f"{twice} images of heights seen twice",) if twice else ()))
    for part in parts:
        one = found.only(part)
        try:
            if (np.diff(one.positions_mm) <= SAME_POSITION_MM).any():
                raise inconsistent(pgettext("detail", "two different images at one position"))
            series = _volume(one, images)
            made.append(replace(series, dropped=(*series.dropped, *left_out)))
        except NotAnalysedError as error:
            refused.append(error)
    return made, refused


def _at_one_place(found: Stack, part: Sequence[int], other: Sequence[int]) -> bool:
    apart = np.abs(found.positions_mm[list(part)][:, None] - found.positions_mm[list(other)])
    return bool((apart <= SAME_POSITION_MM).any())


def _crowded(positions_mm: Vector) -> bool:
    """Whether slices lie in pairs, as those of two passes do, or at one place."""
    gaps = np.diff(positions_mm)
    beside = np.fmax(np.append(gaps[1:], 0.0), np.insert(gaps[:-1], 0, 0.0))
    return bool((gaps <= SAME_POSITION_MM).any() or np.mean(gaps < _PAIR * beside) > _PAIRS)


def same_pixels(sources: Sources, headers: Sequence[Dataset], one: int, other: int) -> bool:
    """Whether two images show the same; never where one cannot be read."""
    try:
        images = _Images(sources, headers, *formats(headers, sources, (one, other)))
        return _same(images, one, other)
    except NotAnalysedError:
        return False


def _volume(found: Stack, images: _Images) -> CTSeries:
    headers = [images.headers[i] for i in found.order]
    little = _unseen(found, headers)
    rows, columns = images.forms[found.order[0]].rows, images.forms[found.order[0]].columns
    groups = slabs(found.positions_mm)
    if len(groups) * rows * columns > MAX_VOXELS:
        raise NotAnalysedError(Reason(ReasonCode.UNREADABLE, str(pgettext("detail", "too many voxels"))))
    hu = np.empty((len(groups), rows, columns), np.int16)

    def fill(slab: int) -> None:
        total: NDArray[np.int32] | None = None
        for k in groups[slab]:
            values = images.hounsfield(found.order[k])
            if len(groups[slab]) == 1:
                hu[slab] = values
                return
            total = values.astype(np.int32) if total is None else total + values
        assert total is not None
        hu[slab] = np.rint(total / len(groups[slab]))

    each(fill, range(len(groups)))
    rescale_known = all(images.forms[i].rescale_known for i in found.order)
    series = CTSeries(
        hu=found.upright(hu),
        slabs=groups,
        slab_positions_mm=np.array([found.positions_mm[list(g)].mean() for g in groups]),
        slice_positions_mm=found.positions_mm,
        spacing_mm=found.spacing_mm,
        gantry_tilt_deg=found.tilt_deg,
        sop_instance_uids=tuple(text(header, "SOPInstanceUID") for header in headers),
        headers=tuple(headers),
        pixel_digest=hashlib.sha256(b"".join(images.digests[i] for i in found.order)).hexdigest(),
        dropped=found.dropped,
        assumed=found.assumed + (() if rescale_known else ("rescale",)),
        noted=("gaps_between_slices",) if little else (),
    )
    if "slice_positions" in series.assumed and not coverage(series).complete:
        # Instance numbers and slice locations may run either way; the head itself tells which.
        turned = _turned(series)
        return turned if coverage(turned).complete else series
    return series


def _unseen(found: Stack, headers: Sequence[Dataset]) -> bool:
    try:
        return unseen(found.positions_mm, headers)
    except NotAnalysedError:
        if found.doubt is not None:  # what was left out is missing among the rest
            raise inconsistent(found.doubt) from None
        raise


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


def _without_duplicates(found: Stack, images: _Images) -> tuple[Stack, tuple[str, ...]]:
    """Of images that show the same at one position the first."""
    keep = [0]
    for k in range(1, len(found.order)):
        here = found.positions_mm[k] - SAME_POSITION_MM
        if not any(
            _same(images, found.order[other], found.order[k])
            for other in reversed(keep)
            if found.positions_mm[other] >= here
        ):
            keep.append(k)
    count = len(found.order) - len(keep)
    return found.only(keep), (f"{count} duplicate images",) if count else ()


def _same(images: _Images, one: int, other: int) -> bool:
    return bool(np.array_equal(images.hounsfield(one), images.hounsfield(other)))
