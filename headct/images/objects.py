"""What one object of a series is, by what it says of itself.

A series holds more than slices: reports, presentation states, structure sets, scouts, pages of figures.
"""

import re
from enum import StrEnum

from pydicom.dataset import Dataset

from headct.images.headers import text
from headct.images.planes import orientation

CT_IMAGE = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.2(\.\d+)*")
"""SOP classes of CT images (PS3.4 B.5)."""
_SECONDARY_CAPTURE = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.7(\.\d+)*")
"""Screens, and how some systems store reformats."""
_NO_IMAGE = re.compile(
    r"""1\.2\.840\.10008\.5\.1\.4\.(?:
        1\.1\.(?:
            8 | 9 | 1[01] | 129            # overlays, curves, waveforms, tables of grey, presentation states
            | 4\.2 | 66 | 67 | 68          # spectra; raw data, registrations, segmentations, meshes
            | 7[89] | 8[012] | 88 | 9[01]  # measurements, structured reports and key objects
            | 104 | 131 | 20[01]           # encapsulated documents, protocols, inventories
            | 481\.(?!(?:1|23|24)$)\d+     # all of radiotherapy but its images
        )
        | 3[489] | 4[345]                  # instructions, hanging protocols, templates
    )(\.\d+)*""",
    re.VERBOSE,
)
"""SOP classes that show no picture of the body (PS3.4 B.5, GG.3); a dose or a segmentation has pixels, and is
none all the same."""
_WITHOUT_IMAGES = (
    "SR KO PR SEG REG RTSTRUCT RTPLAN RTDOSE RTRECORD DOC AU ECG EEG EPS HD PLAN FID RWV SMR OAM ANN "
    "STAIN ASMT M3D TEXTUREMAP RESP EMG EOG"
)
WITHOUT_IMAGES = frozenset(_WITHOUT_IMAGES.split())
"""Modalities (PS3.3 C.7.3.1.1.1) of objects that are no images, our own results among them."""


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
    captured = _SECONDARY_CAPTURE.fullmatch(said) is not None
    if captured and (modality not in {"", "CT"} or orientation(header) is None):
        # One that was made of nothing, as some write beside a report, has no size either.
        return Kind.CAPTURE if "Rows" in header else Kind.NO_IMAGE
    if modality not in {"", "CT"} or not (captured or not said or CT_IMAGE.fullmatch(said)):
        return Kind.OTHER
    return Kind.LOCALIZER if is_localizer(header) else Kind.SLICE


def shows_nothing(sop_class: str, modality: str) -> bool:
    """Whether an object is no image: by its class, by its modality where it has none."""
    return _NO_IMAGE.fullmatch(sop_class) is not None if sop_class else modality in WITHOUT_IMAGES


def modality_of(header: Dataset) -> str:
    """The modality in capitals: some write it small."""
    return text(header, "Modality").upper()


def is_localizer(header: Dataset) -> bool:
    """Named so by ImageType (PS3.3 C.8.2.1.1.1) or by the scan mode some makers write."""
    words = text(header, "ImageType").upper() + " " + text(header, "ScanOptions").upper()
    return any(w in words for w in ("LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW", "SCANOGRAM", "SCANOSCOPE"))


def made_of_others(header: Dataset) -> bool:
    """Whether an image says that it was computed or copied from others, or that words were drawn into it."""
    kinds = text(header, "ImageType").upper().split("\\")
    return (
        kinds[0] == "DERIVED"
        or kinds[1:2] == ["SECONDARY"]
        or _SECONDARY_CAPTURE.fullmatch(text(header, "SOPClassUID")) is not None
        or text(header, "BurnedInAnnotation").upper() == "YES"
    )
