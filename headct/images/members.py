"""Which images of a series make its stack, and what is left out beside them.

What is left out either cannot be a slice of this stack, by its own words or by how it lies, or shows a height
that the stack shows too. Where that is not sure, nothing is left out and the series is refused.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median_low

import numpy as np
from pydicom.dataset import Dataset

from headct.images.copies import copies
from headct.images.headers import number
from headct.images.objects import Kind, kind, made_of_others
from headct.images.planes import SHIFT_MM, Plane, Vector, shifts_mm
from headct.images.quiet import quiet
from headct.language import Phrase, pgettext

_FEW, _FEW_SHARE = 3, 0.1
"""Images that differ from the others without saying why are left out up to this number or this share. More of
them are another scan, which is as good as the one beside it."""
_KINDS_OF_PLANES = 50
"""Images in more directions and sizes than this are no stack, whatever else they are."""
_ACROSS = 0.7
"""Cosine of 45 degrees: images turned further against the stack are no slices of it; a gantry tilts 30."""
_FAR_MM = 250.0
"""Farther from all the others than any head is high (about 180 mm scanned)."""
_OF_STACKS = Kind.SLICE, Kind.CAPTURE, Kind.LOCALIZER
"""What can make a stack, the best first."""
_WHOLE = 1.5
"""Slices of which none is missing are no farther apart than this many times their usual distance."""


@dataclass(frozen=True, slots=True)
class Members:
    """The images of one stack."""

    numbers: tuple[int, ...]
    """Of their headers, in the order given."""
    planes: tuple[Plane, ...]
    """Of the same images."""
    plane: Plane
    """How they lie, all of them."""
    kind: Kind
    """What they are; where images of another kind are no few among them, that."""
    dropped: tuple[str, ...] = ()
    """What was left out, one line a kind."""
    orientation_known: bool = True
    """False when the header of some does not say how it lies."""
    refused: Phrase | None = None
    """Why they make no stack at all."""
    doubt: Phrase | None = None
    """What is wrong with the series if slices turn out to be missing among them: those left out."""


@dataclass(slots=True)
class _Choice:
    """The images still taken for slices, and what was left out so far."""

    headers: Sequence[Dataset]
    planes: dict[int, Plane]
    """Of those still taken for slices, by number."""
    made: dict[int, int]
    """How often each of them says that it was made of others."""
    left_out: Counter[str] = field(default_factory=Counter)
    refused: Phrase | None = None
    doubt: Phrase | None = None

    def leave_out(self, numbers: Iterable[int], word: str, doubt: Phrase | None = None) -> None:
        for i in numbers:
            del self.planes[i]
            self.left_out[word] += 1
            self.doubt = self.doubt or doubt

    def declared(self, among: Sequence[int]) -> set[int]:
        """Those that say more than most of ``among`` that they were made of others: whole series may be."""
        usual = median_low(self.made[i] for i in among)
        return {i for i in self.planes if self.made[i] > usual}

    @property
    def placed(self) -> bool:
        """Whether all say where they lie."""
        return len(self.planes) > 1 and all(p.corner is not None for p in self.planes.values())


@quiet()
def members(headers: Sequence[Dataset]) -> Members:
    """The images that make the stack; the same ones in whatever order they are given.

    What is no image, localizers and screen captures are left out however many they are. The latter two make a
    stack only where there is nothing else: captured reformats often lack their orientation. A slice without
    orientation is taken to lie as the others, or axially.
    """
    kinds = [kind(header) for header in headers]
    own = next((k for k in (*_OF_STACKS, Kind.OTHER) if k in kinds), Kind.NO_IMAGE)
    taken = [i for i, k in enumerate(kinds) if k is own]
    if own in _OF_STACKS and not _few(kinds.count(Kind.OTHER), len(taken)):
        own, taken = Kind.OTHER, [i for i, k in enumerate(kinds) if k is not Kind.NO_IMAGE]
    if own not in _OF_STACKS:
        planes = tuple(Plane.of(headers[i]) for i in taken)
        return Members(tuple(taken), planes, planes[0], own)
    choice = _Choice(
        headers, {i: Plane.of(headers[i]) for i in taken}, {i: made_of_others(headers[i]) for i in taken}
    )
    choice.left_out.update(k.value for k in kinds if k not in {own, Kind.NO_IMAGE})
    plane = _leave_out_other_planes(choice)
    if choice.refused is None:
        _leave_out_pages(choice)
        _leave_out_what_lies_elsewhere(choice, plane)
        _leave_out_copies(choice, plane)
    return Members(
        numbers=tuple(choice.planes),
        planes=tuple(choice.planes.values()),
        plane=plane,
        kind=own,
        dropped=tuple(f"{count} {word}" for word, count in sorted(choice.left_out.items())),
        orientation_known=all(p.directions is not None for p in choice.planes.values()),
        refused=choice.refused,
        doubt=choice.doubt,
    )


def _few(count: int, beside: int) -> bool:
    """Whether so many images are a few beside the others, not another half of them."""
    return (count <= _FEW and 2 * count < beside) or count <= _FEW_SHARE * beside


def _leave_out_other_planes(choice: _Choice) -> Plane:
    """Keep what lies one way, of one size; how that is."""
    groups = _groups(choice.planes)
    if len(groups) > _KINDS_OF_PLANES:
        choice.refused = pgettext("detail", "mixed orientations or sizes")
        return choice.planes[groups[0][0]]

    def weight(group: list[int]) -> tuple[int, int]:
        return len(group), -sum(choice.made[i] for i in group)

    main = max(groups, key=weight)
    axial = max((g for g in groups if choice.planes[g[0]].axial), key=weight, default=main)
    # Only what is axial can be judged, even where more images are reformats of it.
    main = main if _few(len(axial), len(main)) else axial
    plane = choice.planes[main[0]]
    rest = [i for i in choice.planes if i not in set(main)]
    if not rest:
        return plane
    declared = choice.declared(main)
    turned = any(not choice.planes[i].parallel(plane) or choice.planes[i].size != plane.size for i in rest)
    mixed = (
        pgettext("detail", "mixed orientations or sizes")
        if turned
        else pgettext("detail", "pixel spacing varies")
    )
    heights = _heights([choice.planes[i] for i in main], plane)
    if not _few(len(set(rest) - declared), len(main)) or not all(
        i in declared or _is_no_slice(choice.planes[i], plane, heights) for i in rest
    ):
        choice.refused = mixed
        return plane
    across = [i for i in rest if not choice.planes[i].parallel(plane)]
    choice.leave_out(across, "image in another direction", mixed)
    choice.leave_out(set(rest) - set(across), "image of another size", mixed)
    return plane


def _groups(planes: dict[int, Plane]) -> list[list[int]]:
    """Images that lie one way, of one size; what does not say it joins the largest group it may be of."""
    groups: list[list[int]] = []
    unsaid = {i: (p.directions is None) + (p.spacing is None) for i, p in planes.items()}
    for i in sorted(planes, key=unsaid.__getitem__):
        if unsaid[i]:
            groups.sort(key=len, reverse=True)
        plane = planes[i]
        for group in groups:
            first = planes[group[0]]
            if plane.size == first.size and plane.parallel(first) and plane.scaled_as(first):
                group.append(i)
                break
        else:
            groups.append([i])
            if len(groups) > _KINDS_OF_PLANES:
                break
    return groups


def _heights(planes: Sequence[Plane], stack: Plane) -> Vector:
    """Where the middles of images lie along the stack's normal, lowest first, as far as they are known."""
    middles = [m for p in planes if (m := p.middle(stack.spacing)) is not None]
    return np.sort(np.array(middles) @ stack.normal) if middles else np.zeros(0)


def _is_no_slice(plane: Plane, stack: Plane, heights: Vector) -> bool:
    """Whether an image unlike the stack is no slice of it, or shows a height that it shows."""
    if abs(float(plane.normal @ stack.normal)) < _ACROSS or plane.size[2:] != stack.size[2:]:
        return True
    if plane.corner is None:
        return True
    # Which of its directions and its place is the wrong one is not known: by both.
    return _shown(float(plane.corner @ stack.normal), heights) and _shown(
        _heights([plane], stack)[0], heights
    )


def _shown(height: float, heights: Vector) -> bool:
    """Whether the stack reaches as far as an image beside it."""
    if len(heights) < 2:
        return False
    half = float(np.median(np.diff(heights))) / 2
    return bool(heights[0] - half <= height <= heights[-1] + half)


def _leave_out_pages(choice: _Choice) -> None:
    """A page of figures says neither where nor how it lies; a slice that lost both still counts on."""
    pages = [i for i, p in choice.planes.items() if p.directions is None and p.corner is None]
    placed = [i for i, p in choice.planes.items() if p.directions is not None and p.corner is not None]
    if not pages or not _few(len(pages), len(placed)):
        return
    declared = choice.declared(placed)
    for i in pages:
        counts = _counts_among(choice.headers[i], [choice.headers[k] for k in placed])
        placeless = number(choice.headers[i], "SliceLocation") is None and not counts
        if i in declared or choice.planes[i].spacing is None or placeless:
            choice.leave_out([i], "image without a place", pgettext("detail", "no image positions"))


def _counts_among(header: Dataset, others: Iterable[Dataset]) -> bool:
    """Whether an image's number is among the others' or goes on from them, as a slice's does."""
    own = number(header, "InstanceNumber")
    counted = [n for other in others if (n := number(other, "InstanceNumber")) is not None]
    return own is not None and bool(counted) and min(counted) - 1 <= own <= max(counted) + 1


def _leave_out_what_lies_elsewhere(choice: _Choice, plane: Plane) -> None:
    """Beside the line through the others, or farther from them than a head is high."""
    if not choice.placed:
        return
    numbers = np.array(list(choice.planes))
    corners = np.array([p.corner for p in choice.planes.values()])
    along, across = corners @ plane.normal, corners @ np.stack([plane.rows_to, plane.columns_to], axis=1)
    order = np.argsort(along, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(along[order]) > _FAR_MM) + 1)
    nearest = max(parts, key=len)
    away = np.ones(len(numbers), bool)
    away[nearest] = False
    beside = np.zeros(len(numbers), bool)
    if float(shifts_mm(along[~away], across[~away]).max()) > SHIFT_MM:
        steps = np.diff(along[nearest])
        slopes = (np.diff(across[nearest], axis=0)[steps > 0.01].T / steps[steps > 0.01]).T
        if len(slopes):
            line = across - np.outer(along, np.median(slopes, axis=0))
            beside = (np.abs(line - np.median(line[~away], axis=0)) > SHIFT_MM).any(axis=1) & ~away
    lost = away | beside
    heights = np.sort(along[~lost])
    declared = choice.declared(list(choice.planes))
    others = [choice.headers[i] for i in numbers[~lost]]
    foreign = all(
        numbers[k] in declared
        or (_shown(along[k], heights) if beside[k] else not _counts_among(choice.headers[numbers[k]], others))
        for k in np.flatnonzero(lost)
    )
    if lost.any() and foreign and _few(int(lost.sum()), int((~lost).sum())):
        shifted = pgettext("detail", "slices shifted against each other")
        choice.leave_out(numbers[lost].tolist(), "image from elsewhere", shifted)


def _leave_out_copies(choice: _Choice, plane: Plane) -> None:
    """Of several images of one height the slice stays, between slices what was made of others goes."""
    if not choice.placed:
        return
    heights = {i: float(p.corner @ plane.normal) for i, p in choice.planes.items() if p.corner is not None}
    found = copies(choice.headers, heights, choice.declared(list(heights)))
    if _few(len(found.undeclared), len(heights) - len(found.undeclared)):
        choice.leave_out(found.undeclared, "copy of a slice")
    choice.leave_out(found.declared, "copy of a slice")
    declared = choice.declared(list(choice.planes)) & set(choice.planes)
    slices = np.sort([heights[i] for i in choice.planes if i not in declared])
    if not declared or not _few(len(declared), len(slices)):
        return
    usual = float(np.median(np.diff(slices)))
    for i in declared:
        above = int(np.searchsorted(slices, heights[i]))
        if 0 < above < len(slices) and slices[above] - slices[above - 1] <= _WHOLE * usual:
            choice.leave_out([i], "image made of others")
