"""May this series be judged, and if not, why. Headers first, then pixels, because headers are often wrong.

:func:`admit` is the one gate: what is judged and what is trained on have both come through it.

An absent attribute alone never refuses a series, nor does ImageType: axial reformats are often the only brain
series. What a header says plainly (MR, contrast agent, bone kernel) is believed; what it leaves out is
measured.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from headct.errors import NotAnalysedError
from headct.images.anatomy import Levels, levels
from headct.images.coverage import Coverage, coverage
from headct.images.geometry import is_localizer, orientation
from headct.images.headers import number, text
from headct.images.noise import fine_noise
from headct.images.quiet import quiet
from headct.images.reading import load_series, read_headers
from headct.images.series import CTSeries, Sources
from headct.language import Phrase, pgettext
from headct.reasons import Reason, ReasonCode

MIN_IMAGES = 8
"""Fewer cannot cover a head: a newborn's is about 10 cm high, slices are up to 10 mm."""
CHILD_YEARS = 18.0

_AXIAL = math.cos(math.radians(45.0))
"""Slices whose normal is nearer to the body axis than to any other; gantries tilt up to 30 degrees."""
_CT_CLASSES = re.compile(r"1\.2\.840\.10008\.5\.1\.4\.1\.1\.[27](\.\d+)*")
"""CT and secondary capture (how some systems store reformats), and the kinds below them."""

_BONE_KERNELS = re.compile(
    r"""^(?:
        [BDHJTU][A-Z]?[6-9]\d[A-Z]*     # Siemens H60s, J70h, Hr68h: the number is the sharpness
        | FC(?:3\d|5\d|8\d)             # Canon and Toshiba: bone, lung and high-resolution families
        | BONE(?:PLUS)?\d? | EDGE | LUNG # GE
        | [EL]                          # Philips
    )$""",
    re.VERBOSE,
)
_NO_CONTRAST = re.compile(
    r"^(?:|NO|NONE|N|NO[ _-]?CONTRAST|NON[ _-]?CONTRAST|WITHOUT.*|W/?O.*|UNENHANCED|PLAIN|NATIVE?|NIL|NULL"
    r"|N/?A|UNKNOWN|NOT .*|OHNE.*|SANS.*|SIN .*|0+(?:\.0+)?(?: ?ML)?|FALSE|-+|なし|無し?|単純)$"
)
_CONTRAST_SERIES = re.compile(
    r"\b(?:CTA|CTV|ANGIO\w*|PERFUSION|CTP|CE|C\+|WITH CONTRAST|POST[ -]?CONTRAST)(?:\b|(?<=\+))"
    r"|(?<!非)造影"
)
_NATIVE_SERIES = re.compile(r"\b(?:NON?|W/?O|WITHOUT|PRE|PLAIN|NATIVE?)\b|単純|非造影")
_OTHER_PLANE = re.compile(r"\b(?:COR|SAG)(?:\b|ONAL|ITTAL)|冠状|矢状")
_PHANTOM = re.compile(r"PHANTOM|ファントム|\bWATER (?:CAL|TEST|QA)|\bDAILY QA\b|\bQUALITY ASSURANCE\b")
_PHANTOM_PLACES = (
    "PatientName", "PatientID", "StudyDescription", "SeriesDescription", "ProtocolName", "BodyPartExamined",
)  # fmt: skip

# Measured limits; in brackets the range over 107 real head series of three sources and makers.
_BLANK_LEVEL, _BLANK_SHARE = 0.3, 0.6
"""Soft tissue (at least 0.76) and area (at least 0.87 of what lies both below and above) of a slab between
brain: less is an image that is blank, in part or in whole."""
_UNIFORM_HU = 3.0
"""Texture below this is one material (brain 5.0 to 12)."""
_WATER_HU, _WATER_TEXTURE_HU = 10.0, 6.0
"""A noisy water phantom: mean below the one (brain 20 to 45) and texture below the other."""
_LUNG_SHARE = 0.25
"""Air inside the outline, in a third of the slabs (head at most 0.13 in any)."""
_BODY_CM2 = 450.0
"""Area of a trunk (head at most 305, with a pixel spacing half as large again as the true one)."""
_TINY_CM2 = 30.0
"""Below the head of a premature newborn (a newborn's: 90): with such a scale every bleed is a speck."""
_TALL_MM = 150.0
"""Above any brain (at most 95 between its lowest and highest full slab): at such steps the crop to the head
would be cut short."""
_SKULL_SHARE, _SKULL_MM = 0.75, 10.0
"""A skull closed this far, over this height (median 0.89 in a newborn, 1.0 in adults)."""
_BONE_NOISE_HU, _BONE_CORRELATION = 12.0, 0.25
"""Noise of a bone kernel: strong and not correlated from pixel to pixel. Soft kernels: 2.0 to 4.6 and 0.28 to
0.78; the bone kernel of the same patient: 39 and -0.02."""


@dataclass(slots=True)
class Admission:
    """How far a series came at the gate; known to the caller, too, when a later step refuses it."""

    series_instance_uid: str = ""
    """In the first header, when that could be read."""
    series: CTSeries | None = None
    """The stack, when it could be read."""
    coverage: Coverage | None = None
    """How far the head is covered, when that could be judged."""
    read_seconds: float = 0.0
    decode_seconds: float = 0.0


@quiet()
def admit(sources: Sources, admission: Admission | None = None, *, allow_partial: bool = False) -> CTSeries:
    """The series in memory, if it may be judged.

    Args:
        sources: the images of one series, in any order.
        admission: filled on the way.
        allow_partial: admit a head that is not fully covered.

    Raises:
        NotAnalysedError: unreadable, or refused by its headers, its pixels or what of the head it covers.
    """
    known = Admission() if admission is None else admission
    start = perf_counter()
    headers = read_headers(sources)
    known.series_instance_uid = text(headers[0], "SeriesInstanceUID")
    check_headers(headers)
    read = perf_counter()
    known.read_seconds = read - start
    series = known.series = load_series(sources, headers)
    known.decode_seconds = perf_counter() - read
    measured = levels(series)
    known.coverage = coverage(series, measured)
    check_pixels(series, measured)
    if not known.coverage.complete and not allow_partial:
        raise _refused(ReasonCode.HEAD_NOT_COVERED)
    return series


@quiet()
def check_headers(headers: Sequence[Dataset]) -> None:
    """Refuse what the headers say plainly.

    Raises:
        NotAnalysedError: not CT, localizer, not axial, bone kernel, contrast, phantom, too few images.
    """
    modalities = {text(h, "Modality") for h in headers} - {""}
    classes = {text(h, "SOPClassUID") for h in headers} - {""}
    if modalities - {"CT"} or not all(map(_CT_CLASSES.fullmatch, classes)):
        others = sorted(m for m in modalities - {"CT"} if re.fullmatch("[A-Z]{2,6}", m))
        raise _refused(ReasonCode.NOT_CT, ", ".join(others))
    images = [h for h in headers if not is_localizer(h)]
    if not images:
        raise _refused(ReasonCode.LOCALIZER)
    if any((number(h, "NumberOfFrames") or 1) > 1 for h in images):
        raise _refused(ReasonCode.UNREADABLE, pgettext("detail", "multi-frame CT is not supported"))
    if sum(map(_is_axial, images)) <= len(images) / 2:
        raise _refused(ReasonCode.NOT_AXIAL)
    for header in images:
        _check_names(header)
    if len(images) < MIN_IMAGES:
        raise _refused(ReasonCode.TOO_FEW_SLICES, f"{len(images)}")


def check_pixels(series: CTSeries, measured: Levels | None = None) -> None:
    """Refuse what the images show; ``measured`` saves measuring the same series twice.

    Raises:
        NotAnalysedError: too few slices, phantom, not a head, bone kernel.
    """
    at = levels(series) if measured is None else measured
    if len(series.hu) < MIN_IMAGES:
        raise _refused(ReasonCode.TOO_FEW_SLICES, f"{len(series.hu)}")
    solid = at.soft > 0.8
    if solid.any():
        texture, mean = float(np.median(at.texture_hu[solid])), float(np.median(at.mean_hu[solid]))
        if texture < _UNIFORM_HU or (abs(mean) < _WATER_HU and texture < _WATER_TEXTURE_HU):
            raise _refused(ReasonCode.PHANTOM, pgettext("detail", "one uniform material"))
    if np.mean(at.air > _LUNG_SHARE) > 1 / 3:
        raise _refused(ReasonCode.NOT_A_HEAD, pgettext("detail", "lungs"))
    if "pixel_spacing" not in series.assumed and at.head_cm2.max() > _BODY_CM2:
        raise _refused(ReasonCode.NOT_A_HEAD, pgettext("detail", "too large"))
    if "pixel_spacing" not in series.assumed and 0 < at.head_cm2.max() < _TINY_CM2:
        raise _refused(ReasonCode.NOT_A_HEAD, pgettext("detail", "too small"))
    noise, correlation = _noise(series, solid)
    if noise > _BONE_NOISE_HU and correlation < _BONE_CORRELATION:
        raise _refused(
            ReasonCode.BONE_KERNEL, pgettext("detail", "noise {noise} HU", noise=format(noise, ".0f"))
        )
    if series.slab_heights_mm[solid & (at.skull >= _SKULL_SHARE)].sum() < _SKULL_MM:
        raise _refused(ReasonCode.NOT_A_HEAD, pgettext("detail", "no brain within a skull"))
    _check_brain(series, at)


def cautions(series: CTSeries) -> tuple[str, ...]:
    """Codes of what a reader must know: ``child``, ``age_unknown``, ``images_dropped``, ``assumed_...``."""
    age = age_years(series.headers[0])
    found = [] if age is not None and age >= CHILD_YEARS else ["age_unknown" if age is None else "child"]
    found += [f"assumed_{what}" for what in series.assumed]
    return (*found, *(["images_dropped"] if series.dropped else []))


def age_years(header: Dataset) -> float | None:
    """Age at the study, from PatientAge (also without its unit, as found) or the dates; else ``None``."""
    stated = re.fullmatch(r"(\d{1,3})([DWMY]?)", text(header, "PatientAge").upper())
    if stated:
        return int(stated[1]) / {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0, "": 1.0}[stated[2]]
    born, studied = (_date(text(header, k)) for k in ("PatientBirthDate", "StudyDate"))
    if born is None or studied is None or not 0 <= (studied - born).days < 130 * 366:
        return None
    return (studied - born).days / 365.25


def _refused(code: ReasonCode, detail: Phrase | str = "") -> NotAnalysedError:
    return NotAnalysedError(Reason(code, str(detail)))


def _is_axial(header: Dataset) -> bool:
    """By the direction cosines; where they are absent, by what else the header says against it."""
    directions = orientation(header)
    if directions is not None:
        return abs(float(np.cross(*directions)[2])) >= _AXIAL
    other_plane = _OTHER_PLANE.search(text(header, "SeriesDescription").upper())
    return not other_plane and not set(text(header, "PatientOrientation").upper()) & {"H", "F"}


def _check_names(header: Dataset) -> None:
    kernels = text(header, "ConvolutionKernel").upper().split("\\")
    if _BONE_KERNELS.match(kernels[0].replace(" ", "")):
        raise _refused(ReasonCode.BONE_KERNEL, kernels[0])
    agent = " ".join(text(header, "ContrastBolusAgent").upper().split())
    described = text(header, "SeriesDescription").upper()
    said = _CONTRAST_SERIES.search(described) and not _NATIVE_SERIES.search(described)
    if said or not _NO_CONTRAST.match(agent):
        raise _refused(ReasonCode.CONTRAST)
    if any(_PHANTOM.search(text(header, place).upper()) for place in _PHANTOM_PLACES):
        raise _refused(ReasonCode.PHANTOM)


def _check_brain(series: CTSeries, at: Levels) -> None:
    """Nothing may be hidden between the lowest and the highest slab full of brain."""
    full = np.flatnonzero((at.soft > 0.8) & (at.skull >= _SKULL_SHARE))
    brain = slice(full[0], full[-1] + 1)
    area = at.head_cm2[brain]
    least = np.minimum(np.maximum.accumulate(area), np.maximum.accumulate(area[::-1])[::-1])
    if (at.soft[brain] < _BLANK_LEVEL).any() or (area < _BLANK_SHARE * least).any():
        raise _refused(ReasonCode.UNREADABLE, pgettext("detail", "blank images among the slices"))
    if series.slab_heights_mm[brain].sum() > _TALL_MM:
        raise _refused(
            ReasonCode.INCONSISTENT_GEOMETRY, pgettext("detail", "slices too far apart for a head")
        )


def _date(value: str) -> date | None:
    try:
        return date.fromisoformat(value.replace(".", "")) if value else None
    except ValueError:
        return None


def _noise(series: CTSeries, brain_slabs: NDArray[np.bool_]) -> tuple[float, float]:
    """Fine noise in flat brain (HU) and its correlation with the next pixel; zeros when there is none."""
    numbers = np.flatnonzero(brain_slabs)
    middle = numbers[len(numbers) // 4 : (3 * len(numbers)) // 4 + 1 : 3]
    return fine_noise(series.hu[k] for k in middle) or (0.0, 0.0)
