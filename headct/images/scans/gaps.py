"""What lies unseen between the slices of a stack, judged against neighbours and their own thickness.

A hole is what leaves a slab unseen. One lost slice doubles a gap among its neighbours. Every second slice
lost leaves all gaps alike; then thickness and numbering show it, of thin slices too. Thin slices with uneven
steps, or with a few lost, leave less unseen than a slab and are judged, with a caution.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from headct.images.headers import number
from headct.images.planes import Vector, inconsistent
from headct.images.scans.positions import SLAB_MM
from headct.language import pgettext

_HOLE = 1.5
"""A gap this many times the median of its neighbours is wider than they are: one lost slice doubles it."""
_APART = 1.6
"""Slices this many times their thickness apart leave gaps. Real heads: at most 1.02; 5 mm every 8 mm still
passes."""
_THIN_MM = SLAB_MM * 2 / 3
"""Slices from here on are judged as slabs of their own (:func:`headct.images.geometry.slabs`): losing one
loses a slab."""
_UNSEEN_MM = 0.9 * SLAB_MM
"""Unseen between two slices, about a slab."""
_UNKNOWN_MM = 1.5 * SLAB_MM
"""Slices further apart than this may leave gaps, if their thickness is not known."""
_FEW, _FEW_SHARE = 3, 0.05
"""Places at which both numbers and thickness show thin slices lost: more of them are no accident."""
_ALIKE = 0.1
"""Distances that differ by less than this share are the same."""
_THICKEST_MM = 20.0
"""No slice of a head is thicker; a header that says more says nothing."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What headers say of a stack's steps."""

    thickness_mm: Vector
    """Shape (slices,); not a number where unknown."""
    declared_mm: float | None
    """SpacingBetweenSlices, where all that have it agree."""
    step: int | None
    """How far apart instance numbers are at the least; ``None`` where they number nothing."""
    whole: bool
    """Whether instance numbers leave none out."""
    left_out: NDArray[np.bool_]
    """Shape (slices - 1,); whether instance numbers leave one out between a slice and the next."""


def unseen(positions_mm: Vector, headers: Sequence[Dataset]) -> bool:
    """Whether a little of the head lies unseen between slices, or may.

    Args:
        positions_mm: of slices along their normal, increasing.
        headers: of the same slices.

    Raises:
        NotAnalysedError: slices are missing, or were acquired too far apart.
    """
    gaps = np.diff(positions_mm)
    if not len(gaps):
        return False
    told = _told(headers)
    usual = np.array([_usual(gaps, k) for k in range(len(gaps))])
    for gap, reach in zip(gaps, usual, strict=True):
        if gap > _HOLE * reach and _is_hole(gap, reach):
            raise inconsistent(
                pgettext("detail", "slices missing: a gap of {gap} mm", gap=format(gap, ".0f"))
            )
    reaches = _reaches(told, gaps)
    left_out = told.left_out & (gaps > _APART * reaches)
    if np.count_nonzero(left_out) > max(_FEW, _FEW_SHARE * len(gaps)):
        k = int(np.argmax(left_out))
        raise _far_apart(told, gaps[k], reaches[k])
    for gap, reach in zip(gaps, reaches, strict=True):
        if _is_hole(gap, reach):
            raise _far_apart(told, gap, reach)
    unknown = np.isnan(reaches) & (gaps > _UNKNOWN_MM)
    uneven = (gaps > _HOLE * usual) & ~(gaps <= (1 + _ALIKE) * reaches)
    return bool((uneven | (gaps > _HOLE * reaches) | unknown).any())


def _is_hole(gap: float, reach: float) -> bool:
    """Whether a gap leaves a slab unseen, where slices reach so far; never where that is not known."""
    return gap - reach > _UNSEEN_MM or (gap > _APART * reach and reach >= _THIN_MM)


def _usual(gaps: Vector, k: int) -> float:
    """Median of the gaps beside one, on the side where they are wider: a step to wider spacing is regular."""
    sides = [side for side in (gaps[max(0, k - 3) : k], gaps[k + 1 : k + 4]) if len(side)]
    return max((float(np.median(side)) for side in sides), default=float(gaps[k]))


def _reaches(told: _Told, gaps: Vector) -> Vector:
    """How far slices reach from one to the next at each gap: their thickness, or what else tells it."""
    above, below = told.thickness_mm[1:], told.thickness_mm[:-1]
    reaches = np.fmax(above, below)
    usual = float(np.median(gaps)) / (told.step or 1)
    if told.step == 1 or told.step is None:
        return reaches if told.declared_mm is None else np.where(np.isnan(reaches), told.declared_mm, reaches)
    if told.declared_mm is not None and abs(told.declared_mm - usual) < _ALIKE * usual:
        return np.fmin(reaches, told.declared_mm)  # numbers and declared distance agree that some are gone
    return np.where(np.isnan(reaches), usual, reaches)


def _told(headers: Sequence[Dataset]) -> _Told:
    thickness = [_millimetres(header, "SliceThickness") for header in headers]
    declared = {s for h in headers if not math.isnan(s := _millimetres(h, "SpacingBetweenSlices"))}
    numbers = [
        int(n) for n in (number(h, "InstanceNumber") for h in headers) if n is not None and n == int(n)
    ]
    counted = sorted(set(numbers))
    step = math.gcd(*np.diff(counted).tolist()) if len(counted) == len(headers) > 1 else None
    return _Told(
        thickness_mm=np.array(thickness),
        declared_mm=max(declared) if declared and max(declared) - min(declared) < 0.1 else None,
        step=step,
        whole=step is not None and counted[-1] - counted[0] == len(counted) - 1,
        left_out=np.abs(np.diff(numbers)) > 1 if step is not None else np.zeros(len(headers) - 1, bool),
    )


def _millimetres(header: Dataset, keyword: str) -> float:
    value = number(header, keyword)
    return abs(value) if value is not None and 0 < abs(value) <= _THICKEST_MM else math.nan


def _far_apart(told: _Told, gap: float, reach: float) -> Exception:
    figures = {"thickness": format(reach, ".3g"), "distance": format(gap, ".3g")}
    if told.whole and told.declared_mm is not None and abs(told.declared_mm - gap) < _ALIKE * gap:
        return inconsistent(
            pgettext(
                "detail",
                "slices far apart, as acquired: {thickness} mm slices every {distance} mm",
                **figures,
            )
        )
    return inconsistent(
        pgettext("detail", "slices missing: {thickness} mm slices every {distance} mm", **figures)
    )
