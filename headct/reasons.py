"""Why a series is not analysed or failed, in words a doctor understands, English and Japanese."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Language = Literal["en", "ja"]


class ReasonCode(StrEnum):
    """Stable codes, used in the store, the API and the metrics."""

    NOT_CT = "not_ct"
    LOCALIZER = "localizer"
    NOT_AXIAL = "not_axial"
    BONE_KERNEL = "bone_kernel"
    CONTRAST = "contrast"
    PHANTOM = "phantom"
    NOT_A_HEAD = "not_a_head"
    HEAD_NOT_COVERED = "head_not_covered"
    INCONSISTENT_GEOMETRY = "inconsistent_geometry"
    TOO_FEW_SLICES = "too_few_slices"
    UNREADABLE = "unreadable"
    """Headers or pixel data that cannot be read: truncated, impossible dimensions, unsupported coding."""
    INTERNAL_ERROR = "internal_error"
    """The program's own fault; the series is *failed* and may be run again."""


_SENTENCES: dict[ReasonCode, tuple[str, str]] = {
    ReasonCode.NOT_CT: ("not a CT", "CT画像ではありません"),
    ReasonCode.LOCALIZER: ("localizer (scout) image", "位置決め画像（スカウト）です"),
    ReasonCode.NOT_AXIAL: ("not an axial series", "軸位断（横断像）ではありません"),
    ReasonCode.BONE_KERNEL: ("bone kernel (too sharp to judge blood)", "骨条件の再構成です"),
    ReasonCode.CONTRAST: ("contrast medium given", "造影CTです"),
    ReasonCode.PHANTOM: ("test object (phantom)", "ファントム画像です"),
    ReasonCode.NOT_A_HEAD: ("not a head", "頭部の画像ではありません"),
    ReasonCode.HEAD_NOT_COVERED: ("head not fully covered", "頭部全体が撮影範囲に含まれていません"),
    ReasonCode.INCONSISTENT_GEOMETRY: ("inconsistent geometry", "画像の位置情報が整合しません"),
    ReasonCode.TOO_FEW_SLICES: ("too few slices", "スライス枚数が不足しています"),
    ReasonCode.UNREADABLE: ("image data cannot be read", "画像データを読み取れません"),
    ReasonCode.INTERNAL_ERROR: ("the analysis failed", "解析に失敗しました"),
}


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason with an optional detail in English (figures, never patient data)."""

    code: ReasonCode
    detail: str = ""

    def sentence(self, language: Language = "en") -> str:
        """The reason in words, with its detail in brackets."""
        words = _SENTENCES[self.code][language == "ja"]
        return f"{words} ({self.detail})" if self.detail else words
