"""Why a series is not analysed or failed, in words a doctor understands."""

from dataclasses import dataclass
from enum import StrEnum

from headct.language import Language, Phrase, _, read_back


class ReasonCode(StrEnum):
    """Stable codes, used in the store, the API and the metrics."""

    NOT_CT = "not_ct"
    LOCALIZER = "localizer"
    NOT_AXIAL = "not_axial"
    BONE_KERNEL = "bone_kernel"
    CONTRAST = "contrast"
    DERIVED_VALUES = "derived_values"
    """Not the densities of an ordinary CT: maps, images of a low or high energy, values in another unit."""
    PHANTOM = "phantom"
    NOT_A_HEAD = "not_a_head"
    HEAD_NOT_COVERED = "head_not_covered"
    INCONSISTENT_GEOMETRY = "inconsistent_geometry"
    TOO_FEW_SLICES = "too_few_slices"
    UNREADABLE = "unreadable"
    """Headers or pixel data that cannot be read: truncated, impossible dimensions, unsupported coding."""
    TOO_LARGE = "too_large"
    """Judging it needs more memory than one process may take."""
    INTERNAL_ERROR = "internal_error"
    """The program's own fault; the series is *failed* and may be run again."""


_SENTENCES: dict[ReasonCode, Phrase] = {
    ReasonCode.NOT_CT: _("not a CT"),
    ReasonCode.LOCALIZER: _("localizer (scout) image"),
    ReasonCode.NOT_AXIAL: _("not an axial series"),
    ReasonCode.BONE_KERNEL: _("bone kernel (too sharp to judge blood)"),
    ReasonCode.CONTRAST: _("contrast medium given"),
    ReasonCode.DERIVED_VALUES: _("spectral or derived images, without the densities of an ordinary CT"),
    ReasonCode.PHANTOM: _("test object (phantom)"),
    ReasonCode.NOT_A_HEAD: _("not a head"),
    ReasonCode.HEAD_NOT_COVERED: _("head not fully covered"),
    ReasonCode.INCONSISTENT_GEOMETRY: _("inconsistent geometry"),
    ReasonCode.TOO_FEW_SLICES: _("too few slices"),
    ReasonCode.UNREADABLE: _("image data cannot be read"),
    ReasonCode.TOO_LARGE: _("too large: needs more memory than a worker may take"),
    ReasonCode.INTERNAL_ERROR: _("the analysis failed"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason with an optional detail (figures, never patient data).

    The detail is a phrase of the context *detail* in English, as stores and lists of exclusions keep it.
    """

    code: ReasonCode
    detail: str = ""

    def sentence(self, language: Language = "en") -> str:
        """The reason in words, with its detail in brackets."""
        reason = _SENTENCES[self.code]
        if not self.detail:
            return reason.say(language)
        return _("{reason} ({detail})", reason=reason, detail=read_back(self.detail)).say(language)
