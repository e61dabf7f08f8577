"""What the headers say plainly against a series."""

import re
from collections.abc import Sequence

from pydicom.dataset import Dataset

from headct.eligibility.contrast import said_by
from headct.eligibility.contrast_words import Said
from headct.eligibility.limits import MIN_IMAGES, refused
from headct.eligibility.spectral import other_values
from headct.images.headers import number, text
from headct.images.members import Members, members
from headct.images.objects import Kind, modality_of
from headct.images.planes import Plane
from headct.images.quiet import quiet
from headct.language import pgettext
from headct.reasons import ReasonCode

_BONE_KERNELS = re.compile(
    r"""^(?:
        [BDHIJQTU][A-Z]?[6-9]\d[A-Z]*   # Siemens H60s, J70h, Hr68h: the number is the sharpness
        | FC(?:3\d|5\d|8\d)             # Canon and Toshiba: bone, lung and high-resolution families
        | (?:HD)?(?:BONE(?:PLUS)?\d?|EDGE|LUNG) # GE
        | [EL]                          # Philips
    )$""",
    re.VERBOSE,
)
_OTHER_PLANE = re.compile(r"\b(?:COR|SAG)(?:\b|ONAL|ITTAL)|冠状|矢状")
_PHANTOM = re.compile(
    r"PHANTOM(?!E?N?[ -]?(?:LIMB|PAIN|SCHMERZ|GLIED|PIJN|SMERT|LEDEMAAT))|ファントム(?!ペイン)"
    r"|\bWATER (?:CAL|TEST|QA)|\bDAILY QA\b|\bQUALITY ASSURANCE\b"
)
"""A test object, not pain in a lost limb."""
_PHANTOM_PLACES = (
    "PatientName", "PatientID", "StudyDescription", "SeriesDescription", "ProtocolName", "BodyPartExamined",
)  # fmt: skip


@quiet()
def check_headers(headers: Sequence[Dataset]) -> Members:
    """Refuse what the headers of the images that would be judged say plainly; which images those are.

    Raises:
        NotAnalysedError: not CT, localizer, not axial, bone kernel, derived values, contrast, phantom,
            too few images.
    """
    found = members(headers)
    images = [headers[i] for i in found.numbers]
    modalities = {modality_of(h) for h in images} - {"", "CT"}
    if modalities or found.kind in {Kind.OTHER, Kind.NO_IMAGE}:
        named = sorted(m for m in modalities if re.fullmatch("[A-Z]{2,8}", m))
        raise refused(ReasonCode.NOT_CT, ", ".join(named))
    if found.kind is Kind.LOCALIZER:
        raise refused(ReasonCode.LOCALIZER)
    if any((number(h, "NumberOfFrames") or 1) > 1 for h in images):
        raise refused(ReasonCode.UNREADABLE, pgettext("detail", "several frames in one image"))
    if sum(map(_is_axial, images, found.planes)) <= len(images) / 2:
        raise refused(ReasonCode.NOT_AXIAL)
    for header in images:
        _check_names(header)
    if len(images) < MIN_IMAGES:
        raise refused(ReasonCode.TOO_FEW_SLICES, f"{len(images)}")
    return found


def _is_axial(header: Dataset, plane: Plane) -> bool:
    """By the direction cosines; where they are absent, by what else the header says against it."""
    if plane.directions is not None:
        return plane.axial
    other_plane = _OTHER_PLANE.search(text(header, "SeriesDescription").upper())
    return not other_plane and not set(text(header, "PatientOrientation").upper()) & {"H", "F"}


def _check_names(header: Dataset) -> None:
    kernels = text(header, "ConvolutionKernel").upper().split("\\")
    if _BONE_KERNELS.match(kernels[0].replace(" ", "")):
        raise refused(ReasonCode.BONE_KERNEL, kernels[0])
    if other := other_values(header):
        raise refused(ReasonCode.DERIVED_VALUES, other)
    if said_by(header) is Said.WITH:
        raise refused(ReasonCode.CONTRAST)
    if any(_PHANTOM.search(text(header, place).upper()) for place in _PHANTOM_PLACES):
        raise refused(ReasonCode.PHANTOM)
