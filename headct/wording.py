"""What is said of a case, in words, English and Japanese; the page and the reports say the same.

The words never say that a head is free of disease: an urgency of GREEN means that nothing was flagged.
"""

from collections.abc import Sequence
from dataclasses import asdict
from math import floor

from headct.reasons import Language
from headct.terms.assessment import Finding, FindingKind, Location, State
from headct.terms.review import Action, Exclusion, ReviewFinding
from headct.terms.urgency import Urgency
from headct.triage.rubric import MIDLINE_NOISE_MM, Rubric, Rule, default_rubric

_Pair = tuple[str, str]

_NOTICE: _Pair = (
    "For reference only. The program supports; the physician makes the final judgement.",
    "参考情報です。本プログラムは診療を支援するものであり、最終判断は医師が行います。",
)

_REGION: _Pair = ("Intracranial haemorrhage, suspected", "頭蓋内出血の疑い")

_COLOURS: dict[Urgency, _Pair] = {
    Urgency.GREEN: ("green", "緑"),
    Urgency.YELLOW: ("yellow", "黄"),
    Urgency.RED: ("red", "赤"),
    Urgency.BLACK: ("black", "黒"),
}
_MACHINE: dict[Urgency, _Pair] = {
    Urgency.GREEN: ("nothing flagged", "指摘なし"),
    Urgency.YELLOW: ("specialist needed, not urgent", "専門医の診療が必要・緊急ではない"),
    Urgency.RED: ("urgent, specialist now", "緊急・直ちに専門医へ"),
    Urgency.BLACK: ("suspected extreme severity, specialist now", "最重症疑い・直ちに専門医へ"),
}
_PERSON: dict[Urgency, _Pair] = {
    Urgency.GREEN: ("no specialist treatment needed", "専門的治療は不要"),
    Urgency.YELLOW: ("specialist treatment needed, not urgent", "専門的治療が必要・緊急ではない"),
    Urgency.RED: ("urgent, specialist treatment at once", "緊急・直ちに専門的治療が必要"),
    Urgency.BLACK: (
        "so severe that treatment is not expected to change the outcome",
        "最重症・治療による転帰の改善が見込めない",
    ),
}

_STATES: dict[State, _Pair] = {
    State.ASSESSED: ("assessed", "判定済み"),
    State.NOT_ANALYSED: ("not analysed", "解析対象外"),
    State.FAILED: ("failed", "解析失敗"),
}

_PLACES: dict[Location | None, _Pair] = {
    Location.PERIPHERAL: ("bleed near the inner table of the skull", "頭蓋内板に近い出血"),
    Location.DEEP: ("deep bleed", "深部の出血"),
    None: ("bleed", "出血"),
}

_CAUTIONS: dict[str, _Pair] = {
    "child": (
        "a child: tested on few children only",
        "小児です（小児での検証例はわずかです）",
    ),
    "age_unknown": ("age unknown: may be a child", "年齢不明（小児の可能性）"),
    "partial": ("preliminary: only part of the head has arrived", "暫定：頭部の一部のみ受信"),
    "learned_urgency": (
        "the colour was learned from specialists' judgements; by size criteria alone it would be another",
        "この色は専門医の判定から学習したもので、大きさの基準のみによる色とは異なります",
    ),
    "images_dropped": ("some images of the series were left out", "一部の画像を除外しました"),
    "assumed_pixel_spacing": (
        "sizes in ml and mm rest on an assumed pixel spacing",
        "画素間隔の情報がなく、体積と厚さは推定に基づきます",
    ),
    "assumed_slice_positions": (
        "slice positions were assumed; volumes may be wrong",
        "スライス位置の情報がなく、体積は推定に基づきます",
    ),
    "assumed_orientation": (
        "orientation was assumed; left and right may be exchanged",
        "向きの情報がなく、左右が逆の可能性があります",
    ),
    "assumed_rescale": ("densities were assumed", "CT値の換算情報がなく、推定値を用いました"),
}

_RULES: dict[Rule, _Pair] = {
    Rule.VENTRICULAR_BLACK: (
        "more than {ventricular_black_ml:g} ml with blood in the ventricles",
        "脳室内出血を伴い総量 {ventricular_black_ml:g} ml を超える",
    ),
    Rule.TOTAL_BLACK: ("more than {total_black_ml:g} ml in all", "総量 {total_black_ml:g} ml を超える"),
    Rule.THICKNESS: (
        "thickness of {thickness_red_mm:g} mm or more (size criteria of the Brain Injury Guidelines)",
        "厚さ {thickness_red_mm:g} mm 以上（Brain Injury Guidelines の大きさの基準）",
    ),
    Rule.DEEP_COUNT: (
        "{deep_count_red:g} or more deep bleeds (size criteria of the Brain Injury Guidelines)",
        "深部の出血が {deep_count_red:g} か所以上（Brain Injury Guidelines の大きさの基準）",
    ),
    Rule.PERIPHERAL_VOLUME: (
        "a bleed near the inner table of more than {peripheral_red_ml:g} ml",
        "頭蓋内板に近い出血が {peripheral_red_ml:g} ml を超える",
    ),
    Rule.DEEP_VOLUME: (
        "a deep bleed of {deep_red_ml:g} ml or more",
        "深部の出血が {deep_red_ml:g} ml 以上",
    ),
    Rule.TOTAL_VOLUME: ("{total_red_ml:g} ml or more in all", "総量 {total_red_ml:g} ml 以上"),
    Rule.VENTRICULAR: ("blood in the ventricles", "脳室内出血"),
    Rule.MIDLINE: (
        "midline offset of {midline_mm:g} mm or more together with a bleed",
        "出血を伴う {midline_mm:g} mm 以上の正中偏位",
    ),
    Rule.ANY_BLEED: ("a bleed or an old collection", "出血または陳旧性の貯留"),
    Rule.MIDLINE_ALONE: (
        "midline offset of {midline_mm:g} mm or more without a bleed in sight",
        "出血の指摘を伴わない {midline_mm:g} mm 以上の正中偏位",
    ),
}


_ACTIONS: dict[Action, _Pair] = {
    Action.CONFIRM: ("urgency confirmed", "緊急度の判定に同意"),
    Action.RELABEL: ("urgency set by the reader", "緊急度を読影者が設定"),
    Action.EXCLUDE: ("excluded from training", "学習データから除外"),
}
_EXCLUSIONS: dict[Exclusion, _Pair] = {
    Exclusion.POST_OPERATIVE: ("after an operation", "術後"),
    Exclusion.REPEAT: ("repeat examination of the same patient", "同一患者の再検査"),
    Exclusion.POOR_QUALITY: ("poor image quality", "画質不良"),
    Exclusion.WRONG_SERIES: ("wrong series", "対象外のシリーズ"),
    Exclusion.OTHER: ("another reason, said in the comment", "その他（コメント参照）"),
}
_REVIEW_FINDINGS: dict[ReviewFinding, _Pair] = {
    ReviewFinding.HAEMORRHAGE: ("bleed within the skull", "頭蓋内出血"),
    ReviewFinding.INTRAPARENCHYMAL: ("intraparenchymal bleed", "脳実質内出血"),
    ReviewFinding.INTRAVENTRICULAR: ("blood in the ventricles", "脳室内出血"),
    ReviewFinding.SUBARACHNOID: ("subarachnoid bleed", "くも膜下出血"),
    ReviewFinding.EPIDURAL: ("epidural bleed", "硬膜外出血"),
    ReviewFinding.SUBDURAL: ("subdural bleed", "硬膜下出血"),
    ReviewFinding.OLD_COLLECTION: ("old collection of low density", "低吸収の陳旧性貯留"),
    ReviewFinding.MIDLINE_SHIFT: ("midline shift", "正中偏位"),
    ReviewFinding.FRACTURE: ("skull fracture", "頭蓋骨骨折"),
}
_BLIND: _Pair = (
    "given before the machine's answer was shown",
    "プログラムの判定を見る前の所見",
)


def notice(language: Language = "en") -> str:
    """The physician decides; on every screen and in every report.

    After the notice of the Japanese health ministry of 2018-12-19 (医政医発1219第1号).
    """
    return _in(_NOTICE, language)


def region_words(language: Language = "en") -> str:
    """What a region drawn on the images is called."""
    return _in(_REGION, language)


def colour(urgency: Urgency, language: Language = "en") -> str:
    """Name of the colour; never the only sign on a screen."""
    return _in(_COLOURS[urgency], language)


def urgency_words(urgency: Urgency, language: Language = "en", *, by_person: bool = False) -> str:
    """What an urgency means. A machine's BLACK is a suspicion; only a person can say more."""
    return _in((_PERSON if by_person else _MACHINE)[urgency], language)


def state_words(state: State, language: Language = "en") -> str:
    """Name of a final state."""
    return _in(_STATES[state], language)


def caution_words(code: str, language: Language = "en") -> str:
    """A caution; an unknown code is shown as it is rather than left out."""
    return _in(_CAUTIONS.get(code, (code.replace("_", " "),) * 2), language)


def rule_words(rule: str, language: Language = "en", rubric: Rubric | None = None) -> str:
    """Why the rubric gave its urgency, with its thresholds; an unknown rule of an older version as it is."""
    if rule not in _RULES:
        return rule.replace("_", " ")
    return _in(_RULES[Rule(rule)], language).format(**asdict((rubric or default_rubric()).thresholds))


def action_words(action: Action, language: Language = "en") -> str:
    """What a reader did."""
    return _in(_ACTIONS[action], language)


def exclusion_words(reason: Exclusion, language: Language = "en") -> str:
    """Why a case is not to be learnt from."""
    return _in(_EXCLUSIONS[reason], language)


def review_finding_words(
    finding: ReviewFinding, language: Language = "en", *, present: bool | None = None
) -> str:
    """What a reader may find; with ``present`` also whether it is there: ``subdural bleed: present``."""
    words = _in(_REVIEW_FINDINGS[finding], language)
    if present is None:
        return words
    return words + _in((": present", "：あり") if present else (": absent", "：なし"), language)


def blind_words(language: Language = "en") -> str:
    """That a review was given without knowledge of the machine's answer."""
    return _in(_BLIND, language)


def finding_words(finding: Finding, language: Language = "en") -> str:
    """A finding with rounded figures: ``deep bleed, about 23 ml, about 31 mm thick, slices 12-17``."""
    if finding.kind is FindingKind.MIDLINE_OFFSET:
        return _midline_words(finding.offset_mm, language)
    english, japanese = {
        FindingKind.OLD_COLLECTION: ("old collection of low density", "低吸収の陳旧性貯留"),
        FindingKind.INTRAVENTRICULAR_BLOOD: ("blood in the ventricles", "脳室内の出血"),
    }.get(finding.kind, _PLACES[finding.location])
    words = [_in((english, japanese), language)]
    if finding.volume_ml is not None:
        words.append(volume_words(finding.volume_ml, language))
    if finding.thickness_mm is not None:
        mm = max(1, _round(finding.thickness_mm, 1))
        words.append(_in((f"about {mm} mm thick", f"厚さ約 {mm} mm"), language))
    if finding.slices:
        numbers = _ranges(finding.slices)
        one = len(finding.slices) == 1
        words.append(_in((f"slice{'' if one else 's'} {numbers}", f"スライス {numbers}"), language))
    return _in((", ", "、"), language).join(words)


def findings_words(findings: Sequence[Finding], language: Language = "en", limit: int = 6) -> tuple[str, ...]:
    """One line a finding in the order given; small bleeds beyond ``limit`` are counted, never left unsaid."""
    bleeds = [f for f in findings if f.kind is not FindingKind.MIDLINE_OFFSET]
    lines = [finding_words(f, language) for f in bleeds[:limit]]
    if more := bleeds[limit:]:
        ml = volume_words(sum(f.volume_ml or 0.0 for f in more), language)
        lines.append(
            _in((f"and {len(more)} smaller, {ml} together", f"ほか {len(more)} か所、合計{ml}"), language)
        )
    lines += [finding_words(f, language) for f in findings if f.kind is FindingKind.MIDLINE_OFFSET]
    return tuple(lines)


def volume_words(ml: float, language: Language = "en") -> str:
    """A volume as exactly as it is known: whole millilitres, then steps of 5 and 10."""
    if ml < 1:
        return _in(("under 1 ml", "1 ml 未満"), language)
    whole = _round(ml, 1 if ml < 50 else 5 if ml < 100 else 10)
    return _in((f"about {whole} ml", f"約 {whole} ml"), language)


def _midline_words(offset_mm: float | None, language: Language) -> str:
    if offset_mm is None:
        return _in(("midline offset not measurable", "正中偏位は計測不能"), language)
    if abs(offset_mm) < MIDLINE_NOISE_MM:
        noise = f"{MIDLINE_NOISE_MM:g}"
        pair = (
            f"midline offset under {noise} mm, within the noise of the measure",
            f"正中偏位 {noise} mm 未満（計測誤差の範囲）",
        )
        return _in(pair, language)
    mm, left = _round(abs(offset_mm), 1), offset_mm > 0
    english = f"midline offset about {mm} mm towards the patient's {'left' if left else 'right'}"
    return _in((english, f"正中偏位 約 {mm} mm（患者の{'左' if left else '右'}側へ）"), language)


def _in(pair: _Pair, language: Language) -> str:
    return pair[language == "ja"]


def _round(value: float, step: int) -> int:
    return floor(value / step + 0.5) * step


def _ranges(numbers: Sequence[int]) -> str:
    """``3, 7-9`` for 3, 7, 8, 9."""
    parts: list[list[int]] = []
    for n in sorted(numbers):
        if parts and n == parts[-1][-1] + 1:
            parts[-1].append(n)
        else:
            parts.append([n])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}-{p[-1]}" for p in parts)
