"""Which images of a series make its stack, and what is left out beside them."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset

from headct.images.headers import number, text
from headct.images.planes import AXIAL, Plane, inconsistent, orientation
from headct.language import pgettext

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"


@dataclass(frozen=True, slots=True)
class Members:
    """The images of one stack."""

    numbers: tuple[int, ...]
    """Of their headers, in the order given."""
    plane: Plane
    """How they lie, all of them."""
    dropped: tuple[str, ...]
    """What was left out, one line a kind."""
    orientation_known: bool
    """False when the header of some does not say how it lies."""


def is_localizer(header: Dataset) -> bool:
    """Named so by ImageType (PS3.3 C.8.2.1.1.1) or by the scan mode some makers write."""
    words = text(header, "ImageType").upper() + " " + text(header, "ScanOptions").upper()
    return any(w in words for w in ("LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW", "SCANOGRAM", "SCANOSCOPE"))


def members(headers: Sequence[Dataset]) -> Members:
    """The images that make the stack.

    Localizers and screen captures among them are left out; they make a stack only where there is nothing
    else: captured reformats often lack their orientation. A slice without orientation is taken to lie as the
    others, or axially.

    Raises:
        NotAnalysedError: mixed orientations or sizes.
    """
    strays = [_stray(header) for header in headers]
    kind = next(k for k in ("", "screen capture", "localizer") if k in strays)
    found = tuple(i for i, stray in enumerate(strays) if stray == kind)
    directions = [orientation(headers[i]) for i in found]
    default = next((d for d in directions if d is not None), AXIAL)
    planes = []
    for i, stated in zip(found, directions, strict=True):
        rows_to, columns_to = stated or default
        planes.append(Plane(rows_to, columns_to, (number(headers[i], "Rows"), number(headers[i], "Columns"))))
    if not all(plane.like(planes[0]) for plane in planes):
        raise inconsistent(pgettext("detail", "mixed orientations or sizes"))
    rest = [stray for stray in strays if stray != kind]
    return Members(
        numbers=found,
        plane=planes[0],
        dropped=tuple(f"{rest.count(k)} {k}" for k in sorted(set(rest))),
        orientation_known=None not in directions,
    )


def _stray(header: Dataset) -> str:
    """What an image among slices is that may be left out: a localizer, a dose page; else empty."""
    if is_localizer(header):
        return "localizer"
    captured = text(header, "SOPClassUID").startswith(_SECONDARY_CAPTURE)
    return "screen capture" if captured and orientation(header) is None else ""
