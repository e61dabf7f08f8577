"""Which slices of a series make one stack, and in which order they lie from feet to head."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from pydicom.dataset import Dataset

from ..errors import UnreadableError
from ..translation import _
from .frames import LARGEST_MM, Slice, Vector
from .headers import number, text

SAME_POSITION_MM = 0.01
"""Slices closer than this lie at one place."""
STEP_MM = 5.0
"""Between the slices of a usual head scan, assumed where headers say nothing; so are the next two."""
_HEAD_MM, _FIELD_MM = 180.0, 230.0
"""Height of a head and field of view."""
_PARALLEL = float(np.cos(np.radians(2.0)))
_AXIAL = np.array([[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""Axes of a supine patient's axial slices, in RAS."""


@dataclass(frozen=True)
class LeftOut:
    """An image of the series that is not among the slices, and why."""

    sop_instance_uid: str
    reason: str


def members_of(found: list[Slice], warnings: list[str]) -> tuple[list[Slice], list[LeftOut]]:
    """The largest set of parallel slices of one size, and why the others are not in it."""
    if not found:
        raise UnreadableError(_("There is no image in this series that can be shown."))
    kind = "" if any(not one.stray for one in found) else found[0].stray
    rest = [LeftOut(one.sop_instance_uid, one.stray) for one in found if one.stray != kind]
    chosen = [one for one in found if one.stray == kind]
    if any(one.axes is None for one in chosen):
        stated = next((one.axes for one in chosen if one.axes is not None), _AXIAL)
        chosen = [one if one.axes is not None else replace(one, axes=stated) for one in chosen]
        warnings.append(
            _("Images do not say how they are turned; they are taken to lie as the others, or axial.")
        )
    # A careless anonymiser gives each image a frame of reference of its own; that parts nothing.
    references = {text(one.header, "FrameOfReferenceUID") for one in chosen}
    parted = len(references) < len(chosen)
    sets: list[list[Slice]] = []
    for one in chosen:
        home = next((members for members in sets if not _difference(members[0], one, parted)), None)
        if home is None:
            sets.append([one])
        else:
            home.append(one)
    largest = max(sets, key=len)
    for members in sets:
        if members is not largest:
            why = _difference(largest[0], members[0], parted)
            rest += [LeftOut(one.sop_instance_uid, why) for one in members]
    return largest, rest


def _difference(one: Slice, other: Slice, parted: bool) -> str:
    """Why two slices are not of one stack; empty if they are."""
    assert one.axes is not None and other.axes is not None
    if (one.axes * other.axes).sum(axis=1).min() < _PARALLEL:
        return _("lies in another direction")
    if one.shape != other.shape:
        return _("of another size")
    if one.spacing and other.spacing and np.abs(np.subtract(one.spacing, other.spacing)).max() > 0.01:
        return _("of another scale")
    if parted and text(one.header, "FrameOfReferenceUID") != text(other.header, "FrameOfReferenceUID"):
        return _("in another frame of reference")
    return ""


def placed(members: list[Slice], warnings: list[str]) -> tuple[Vector, list[Slice]]:
    """Position of each along the normal, and each with spacing and corner: the header's, or assumed ones."""
    header = members[0].header
    if any(one.spacing is None for one in members):
        known = next((one.spacing for one in members if one.spacing), None)
        field = number(header, "ReconstructionDiameter")
        mm = (field if field and 50 < field < 700 else _FIELD_MM) / members[0].shape[1]
        members = [replace(one, spacing=one.spacing or known or (mm, mm)) for one in members]
        warnings.append(_("Images do not say their scale; a usual one is assumed. Trust no distance."))
    normal = normal_of(members[0])
    if all(one.corner is not None for one in members):
        return np.asarray(np.array([one.corner for one in members]) @ normal, np.float64), members
    step = step_of(header, "SpacingBetweenSlices", "SliceThickness") or min(STEP_MM, _HEAD_MM / len(members))
    along = np.array([n * step for n in range(len(members))])
    for keyword, mm in (("SliceLocation", 1.0), ("InstanceNumber", step)):
        said = [place * mm for one in members if (place := number(one.header, keyword)) is not None]
        if len(set(said)) == len(members) and max(abs(place) for place in said) <= LARGEST_MM:
            along = np.array(said)
            break
    warnings.append(
        _("Images do not say where they lie; their order is that of their numbers and may be upside down.")
    )
    start = next((one.corner for one in members if one.corner is not None), None)
    if start is None:
        start = -replace(members[0], corner=np.zeros(3)).corners().mean(axis=(0, 1))
    beside = start - (start @ normal) * normal
    return along, [replace(one, corner=beside + mm * normal) for one, mm in zip(members, along)]


def step_of(header: Dataset, *keywords: str) -> float | None:
    """The first distance between slices that can be."""
    said = (abs(number(header, keyword) or 0.0) for keyword in keywords)
    return next((mm for mm in said if SAME_POSITION_MM < mm < _HEAD_MM), None)


def normal_of(one: Slice) -> Vector:
    """Unit normal to the head; of coronal slices to the back, of sagittal to the left, as on the server."""
    assert one.axes is not None
    normal = np.cross(one.axes[0], one.axes[1])
    normal = normal / np.linalg.norm(normal)
    largest = int(np.argmax(np.abs(normal)))
    towards = 1.0 if largest == 2 else -1.0
    return np.asarray(normal if normal[largest] * towards > 0 else -normal, np.float64)


def places_of(members: list[Slice], along: Vector) -> list[list[int]]:
    """Numbers of the slices at each place from feet to head, that to be shown first."""
    places: list[list[int]] = []
    for n in sorted(range(len(members)), key=lambda n: (along[n], members[n].sop_instance_uid)):
        if places and along[n] - along[places[-1][0]] <= SAME_POSITION_MM:
            places[-1].append(n)
        else:
            places.append([n])
    return [sorted(place, key=lambda n: members[n].rank) for place in places]
