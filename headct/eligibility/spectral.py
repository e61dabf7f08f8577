"""What the values of a CT are, where they are not plainly those of an ordinary one.

Scanners of several energies send, as series of their own, images of one energy (keV), blended and virtual
native ones, which look like an ordinary CT, and maps of iodine, atomic number or electron density, which
do not. Words: PS3.3 C.8.15.2.1.1 (value 4 of ImageType), C.11.1.1.2 (RescaleType), and what the makers
write into the series' description.
"""

import re

from pydicom.dataset import Dataset

from headct.images.headers import number, text
from headct.language import Phrase, pgettext

_NATIVE_KEV = (60.0, 80.0)
"""Images of one energy that are close to an ordinary one: 65 to 75 keV look like 120 kV (Pomerantz 2013,
Radiology 266:318). Below, blood and brain come out denser, above less dense."""
_TUBE_KV = 65.0
"""Below any tube voltage for a head (70 kV for an infant): such a KVP is the energy of the image."""
_NO_KEV = 30.0
"""Below any energy that is shown."""

_MAPS = re.compile(
    r"""\b(?: Z ?EFF\w* | EFF\w*\ (?:Z|ATOMIC)\w* | RHO(?:\ ?/?\ ?Z)? | E(?:LECTRON)?\ ?DENS\w*
    | IODINE\ ?(?:MAP|DENSITY|OVERLAY|CONCENTRATION|NO\ ?WATER|ONLY|\(|PLUS|UPTAKE)\w* | IODINENOWATER
    | JOD\ ?(?:KARTE|BILD|MAP)\w* | CARTE\ D.?IODE | MAPA\ DE\ [IY]ODO
    | (?:ヨード|碘)\ ?(?:密度|マップ|強調|图|基)\w*
    | (?:WATER|CALCIUM|FAT|HAP|BLOOD|URIC\ ?ACID|BONE)\ ?\((?:IODINE|CALCIUM|WATER|HAP|FAT|BLOOD|URIC\ ?ACID)
    | (?:CALCIUM|CA|BONE)\ ?SUPP\w* | VNCA\w* | VIRTUAL\ NON\ ?CALCIUM | URIC\ ?ACID
    | PHOTOELECTRIC\w*
    | MAT\ (?:SPECIFIC|FRACTIONAL|VALUE\ BASED|MODIFIED)
    | R?CB[FV] | MTT | TTP | T\ ?MAX | SUBTRACT\w* )(?!\w)""",
    re.VERBOSE,
)
"""Maps of a material or of blood flow, and images that show one material more or less than it is."""
_LIKE_NATIVE = re.compile(
    r"""\b(?: MONO(?!CHROME)\w* | VM[IE] | VNC | VUE | VIRTUAL\ (?:NON|UN|NATIV)\w* | VIRTUELL\w*\ NATIV\w*
    | MAT\ REMOVED | IODINE\ REMOVED | (?:NON\ ?)?LINEAR\ BLEND\w* | BLENDED | MIXED
    | DUAL\ ?ENERGY | DECT | SPECTRAL | GSI | \d{2,3}\ ?KEV )\b
    | 仮想(?:単純|単色) | 虚拟(?:平扫|单能)""",
    re.VERBOSE,
)
_MARKS = re.compile(r"(?<![A-Z])(?:DE_|[MF]_0[._]\d)")
"""Dual energy, and the share of the lower one in a blended image."""
_KEV = re.compile(
    r"\b(\d{2,3})(?:\.\d+)? ?KEV"
    r"|\b(?:MONO(?!CHROME)[A-Z]*|VM[IE])(?: ?PLUS| ?\+)? ?E? ?=?(\d{2,3})\b(?! ?KV)"
)
_HOUNSFIELD = re.compile(r"(?:HU\b|HOUNSFIELD|US\b|UNSPEC).*|")
"""RescaleType that says Hounsfield units, or nothing: some makers write *unspecified* on every CT."""
_OTHER_SCALES = re.compile(
    r"OD|M?G/?(?:ML|CM3?)|Z_?EFF|EFF_?Z|EDW?|PCT|PERCENT|%|BQ/?ML|SUV\w*|CNTS|COUNTS|1/CM|M?GY"
)
"""Plainly of something else: optical density, concentration, atomic number, electrons, per cent, dose."""


def other_values(header: Dataset) -> Phrase | str:
    """What the values are instead of densities that may be judged; empty where nothing says so."""
    names = _names(header)
    scale = _scale(header)
    if _OTHER_SCALES.fullmatch(scale):
        return pgettext("detail", "values in {unit}, not in HU", unit=scale)
    if _MAPS.search(names):
        return pgettext("detail", "map of a material or of blood flow")
    energy = _kev(header, names)
    if energy is not None and not _NATIVE_KEV[0] <= energy <= _NATIVE_KEV[1]:
        return pgettext("detail", "energy of {kev} keV", kev=format(energy, ".0f"))
    return ""


def spectral(header: Dataset) -> bool:
    """Whether it is named as an image of several energies, or of one that was calculated."""
    names = _names(header)
    marked = _MARKS.search(text(header, "SeriesDescription").upper())
    return (
        bool(marked or _LIKE_NATIVE.search(names))
        or _kev(header, names) is not None
        or _scale(header) == "HU_MOD"
    )


def unknown_scale(header: Dataset) -> bool:
    """Whether the header names a scale of values that nobody knows."""
    scale = _scale(header)
    return not _HOUNSFIELD.fullmatch(scale) and not _OTHER_SCALES.fullmatch(scale)


def _scale(header: Dataset) -> str:
    return "".join(text(header, "RescaleType").upper().split())


def _names(header: Dataset) -> str:
    """The kind of image and what it is called, in one spelling."""
    kind = text(header, "ImageType").upper().split("\\")[2:]
    described = text(header, "SeriesDescription").upper()
    return re.sub(r"[_\-\[\]\s]+", " ", " | ".join((*kind, described)))


def _kev(header: Dataset, names: str) -> float | None:
    """Energy of an image of one energy."""
    named = _KEV.search(names)
    if named:
        return float(named[1] or named[2])
    voltage = number(header, "KVP")
    return voltage if voltage is not None and _NO_KEV <= voltage < _TUBE_KV else None
