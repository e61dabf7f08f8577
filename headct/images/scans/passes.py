"""Passes of one scan in one series, told apart by their headers: what covers the same heights twice.

A scan is taken in one pass, or again: after movement, with contrast medium, in another reconstruction.
Numbers and times of acquisition alone do not tell passes apart. They change from slice to slice, from shot to
shot, and between skull base and vertex in one pass. So images are followed in the order that headers give,
and a sweep along heights that were covered before begins another pass. What headers do not tell,
:mod:`headct.images.scans.resemblance` sees.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median_low

import numpy as np
from pydicom.dataset import Dataset

from headct.images.headers import number, numbers, text
from headct.images.objects import Kind, kind, made_of_others
from headct.images.planes import Plane, Vector
from headct.images.quiet import quiet
from headct.images.scans.positions import AGAIN, SLAB_MM, seen_again

_TURNED, _JUMPED = 0.75, 1.6
"""A step this much shorter or longer than the one before ends a sweep, as a step back does."""
_TILED = 1.6
"""Usual step of a pass, in thicknesses (or slabs, where thickness is unknown): further apart, the images are
every second one of a pass."""
_ONCE = 0.75
"""Where all gaps are at least this share of the thickness, each height was seen once."""
_THIN = 0.4
"""A thickness below this share of the usual gap is none: half of it is what the gaps of two passes leave."""
_ALIKE = 0.25
"""Gaps that differ by no more than this share are regular."""
_REGULAR = 0.7
"""Share of gaps that are like one beside them. Passes are regular, images numbered at random are not."""
_TIMES = (
    ("AcquisitionDateTime",), ("AcquisitionDate", "AcquisitionTime"), ("AcquisitionTime",),
    ("ContentDate", "ContentTime"), ("ContentTime",),
)  # fmt: skip
_FEWEST = 8
"""Images of another size or direction that make a pass; fewer are strays."""

_FEW, _COPY_MM = 3, 0.1
"""So few images are no pass; so near to others, they are left to :mod:`headct.images.members`."""

Key = Mapping[int, tuple[Hashable, ...]]


@dataclass(frozen=True, slots=True)
class _Placed:
    """Images that say where they lie: numbers of their headers, and what tells passes apart."""

    height_mm: dict[int, float]
    thickness_mm: float
    keys: tuple[Key, ...] = ()
    """In the order in which they are believed."""


@quiet()
def passes(headers: Sequence[Dataset]) -> tuple[tuple[int, ...], ...]:
    """Numbers of the images of each pass, the largest first; images without a place are with that.

    Each image is in one, but for a few that lie beside a pass and not with it. Which ones are together does
    not depend on the order they are given in. Images of another direction, size or pixel
    spacing make no stack with the rest: many of them are a pass.
    """
    found: list[list[int]] = []
    left_out: list[int] = []
    for images, plane in _forms(headers):
        if len(images) < _FEWEST:
            continue
        placed = _placed(headers, images, plane)
        gaps = np.diff(_heights(images, placed))
        parts = [images]
        if gaps.min() < _ONCE * placed.thickness_mm:
            parts = _split(replace(placed, keys=tuple(_keys(headers, images))), images)
        largest = max(parts, key=len)
        few = [part for part in parts if part is not largest and len(part) <= _FEW]
        found += [part for part in parts if part not in few]
        left_out += [i for part in few if not _beside(part, largest, placed) for i in part]
    found.sort(key=lambda part: (-len(part), min(_by_name(headers[i]) for i in part)))
    if not found:
        return (tuple(range(len(headers))),)
    others = set(range(len(headers))).difference(left_out, *found)
    return tuple(tuple(sorted({*part, *(others if n == 0 else ())})) for n, part in enumerate(found))


def _by_name(header: Dataset) -> str:
    return text(header, "SOPInstanceUID")


def _forms(headers: Sequence[Dataset]) -> list[tuple[list[int], Plane]]:
    """Numbers of the axial images of each direction, size and pixel spacing that say where they lie.

    Without what says that it was made of the others, copies of slices for example.
    """
    images = [
        i
        for i in sorted(range(len(headers)), key=lambda i: _by_name(headers[i]))
        if kind(headers[i]) is Kind.SLICE
    ]
    made = {i: made_of_others(headers[i]) for i in images}
    usual = median_low(made.values()) if made else 0
    forms: list[tuple[list[int], Plane]] = []
    for i in images:
        plane = Plane.of(headers[i])
        if plane.corner is None or not plane.axial or made[i] > usual:
            continue
        for members, other in forms:
            if plane.size == other.size and plane.parallel(other) and plane.scaled_as(other):
                members.append(i)
                break
        else:
            forms.append(([i], plane))
    return forms


def _placed(headers: Sequence[Dataset], images: Sequence[int], plane: Plane) -> _Placed:
    corners = np.array([numbers(headers[i], "ImagePositionPatient", 3) for i in images])
    heights: Vector = corners @ plane.normal
    thick = [t for i in images if (t := number(headers[i], "SliceThickness")) is not None and t > 0]
    thickness, gaps = float(np.median(thick)) if thick else 0.0, np.diff(np.sort(heights))
    if thickness < _THIN * np.median(gaps):
        # Unknown or a collimation. Two passes half a step from each other are not told from one then.
        thickness = float(np.median(gaps)) if _alike(gaps) >= _REGULAR else SLAB_MM
    heights_of = dict(zip(images, heights.tolist(), strict=True))
    return _Placed(heights_of, thickness)


def _keys(headers: Sequence[Dataset], images: Sequence[int]) -> Iterator[Key]:
    """What orders images by pass, what is believed most first."""
    yield from _complete({i: (text(headers[i], "ConvolutionKernel"),) for i in images})
    thick = {i: number(headers[i], "SliceThickness") for i in images}
    yield from _complete({i: (None if t is None else round(2 * t),) for i, t in thick.items()})
    for name in ("IrradiationEventUID", "AcquisitionUID"):
        yield from _complete({i: (text(headers[i], name),) for i in images})
    acquired = {i: number(headers[i], "AcquisitionNumber") for i in images}
    yield from _complete({i: (n,) for i, n in acquired.items()})
    for names in _TIMES:
        yield from _complete({i: tuple(text(headers[i], name) for name in names) for i in images})
    counted = {i: number(headers[i], "InstanceNumber") for i in images}
    yield from _complete({i: (n,) for i, n in counted.items()})
    yield from _complete({i: (acquired[i], n) for i, n in counted.items()})
    yield {i: (n is not None, n or 0.0) for i, n in acquired.items()}


def _complete(key: Key) -> Iterator[Key]:
    """A key that all images have."""
    if all(value not in ("", None) for values in key.values() for value in values):
        yield key


def _split(placed: _Placed, images: Sequence[int]) -> list[list[int]]:
    """The images in their passes: by the key that makes the most regular ones, each again by the others."""
    best, parts = 0.0, [list(images)]
    for key in placed.keys:
        found = _merged(_sweeps(placed, images, key), placed) if len({key[i] for i in images}) > 1 else []
        regular = _regularity(max(found, key=len), placed) if len(found) > 1 else 0.0
        if regular >= _REGULAR and regular > best + 0.01:
            best, parts = regular, found
    return parts if len(parts) == 1 else [piece for part in parts for piece in _split(placed, part)]


def _sweeps(placed: _Placed, images: Sequence[int], key: Key) -> list[list[int]]:
    """Images in the order of a key, cut wherever the height turns back."""
    order = sorted(images, key=lambda i: (key[i], placed.height_mm[i]))
    sweeps = [[order[0]]]
    for last, image in pairwise(order):
        sweep, step = sweeps[-1], placed.height_mm[image] - placed.height_mm[last]
        before = placed.height_mm[last] - placed.height_mm[sweep[-2]] if len(sweep) > 1 else 0.0
        if before and not _TURNED <= step / before <= _JUMPED:
            sweeps.append([image])
        else:
            sweep.append(image)
    return sweeps


def _merged(sweeps: Sequence[Sequence[int]], placed: _Placed) -> list[list[int]]:
    """Sweeps put together to passes: each goes on with the last pass whose heights it does not see again."""
    parts: list[list[int]] = []
    for sweep in sweeps:
        heights = _heights(sweep, placed)
        for part in reversed(parts):
            known = _heights(part, placed)
            if max(np.mean(seen_again(heights, known)), np.mean(seen_again(known, heights))) < AGAIN:
                part.extend(sweep)
                break
        else:
            parts.append(list(sweep))
    return parts


def _beside(part: Sequence[int], largest: Sequence[int], placed: _Placed) -> bool:
    """Whether images lie just where others do: copies more likely than a scan of their own."""
    apart = np.abs(_heights(part, placed)[:, None] - _heights(largest, placed)).min(axis=1)
    return bool((apart < _COPY_MM).all())


def _heights(images: Sequence[int], placed: _Placed) -> Vector:
    return np.sort([placed.height_mm[i] for i in images])


def _regularity(part: Sequence[int], placed: _Placed) -> float:
    """How regular a pass is; 0 where its images are every second one of a pass."""
    gaps = np.diff(_heights(part, placed))
    return 0.0 if len(gaps) < 2 or np.median(gaps) > _TILED * placed.thickness_mm else _alike(gaps)


def _alike(gaps: Vector) -> float:
    """Share of gaps that are like one beside them."""
    alike = np.abs(np.diff(gaps)) <= _ALIKE * np.minimum(gaps[1:], gaps[:-1])
    return float(np.mean(np.append(alike, False) | np.insert(alike, 0, False)))
