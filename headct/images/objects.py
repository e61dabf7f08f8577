"""What one object of a series is, by what it says of itself.

A series holds more than slices: reports, presentation states, structure sets, scouts, pages of figures.
"""

from enum import StrEnum

from pydicom.dataset import Dataset

from headct.images.headers import text
from headct.images.planes import orientation
from headct.images.sop_classes import CT_IMAGE, SECONDARY_CAPTURE, shows_nothing


class Kind(StrEnum):
    """What an object of a series is; of an image the word for it among those left out."""

    SLICE = "slice"
    """It may be one."""
    CAPTURE = "screen capture"
    LOCALIZER = "localizer"
    OTHER = "image of another kind"
    """Of MR, of ultrasound, a photograph."""
    NO_IMAGE = "no image"


def kind(header: Dataset) -> Kind:
    """What an object is."""
    said, modality = text(header, "SOPClassUID"), modality_of(header)
    if shows_nothing(said, modality):
        return Kind.NO_IMAGE
    captured = SECONDARY_CAPTURE.fullmatch(said) is not None
    if captured and (modality not in {"", "CT"} or orientation(header) is None):
        # One that was made of nothing, as some write beside a report, has no size either.
        return Kind.CAPTURE if "Rows" in header else Kind.NO_IMAGE
    if modality not in {"", "CT"} or not (captured or not said or CT_IMAGE.fullmatch(said)):
        return Kind.OTHER
    return Kind.LOCALIZER if is_localizer(header) else Kind.SLICE


def modality_of(header: Dataset) -> str:
    """The modality in capitals: some write it small."""
    return text(header, "Modality").upper()


def is_localizer(header: Dataset) -> bool:
    """Named so by ImageType (PS3.3 C.8.2.1.1.1) or by the scan mode some makers write."""
    words = text(header, "ImageType").upper() + " " + text(header, "ScanOptions").upper()
    return any(w in words for w in ("LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW", "SCANOGRAM", "SCANOSCOPE"))


def made_of_others(header: Dataset) -> int:
    """How often an image says that it was computed or copied from others, or that words are drawn into it."""
    kinds = text(header, "ImageType").upper().split("\\")
    said = (
        kinds[0] == "DERIVED",
        kinds[1:2] == ["SECONDARY"],
        SECONDARY_CAPTURE.fullmatch(text(header, "SOPClassUID")) is not None,
        text(header, "BurnedInAnnotation").upper() == "YES",
    )
    return sum(said)
