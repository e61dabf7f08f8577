"""What is said of a case, in words, English and Japanese; the page and the reports say the same.

The words never say that a head is free of disease: an urgency of GREEN means that nothing was flagged.
"""

from collections.abc import Sequence
from dataclasses import asdict
from math import floor

from headct.language import Language, Phrase, _, pgettext
from headct.terms.assessment import Finding, FindingKind, Location, State, Unsure
from headct.terms.licence import Licence, Use
from headct.terms.review import Action, Doubt, Exclusion, ReviewFinding
from headct.terms.urgency import Urgency
from headct.triage.rubric import MIDLINE_NOISE_MM, Rubric, Rule, default_rubric

_NOTICE: Phrase = _("For reference only. The program supports; the physician makes the final judgement.")

_REGION: Phrase = _("Intracranial haemorrhage, suspected")

_COLOURS: dict[Urgency, Phrase] = {
    Urgency.GREEN: _("green"),
    Urgency.YELLOW: _("yellow"),
    Urgency.RED: _("red"),
    Urgency.BLACK: _("black"),
}
_MACHINE: dict[Urgency, Phrase] = {
    Urgency.GREEN: _("nothing flagged"),
    Urgency.YELLOW: _("specialist needed, not urgent"),
    Urgency.RED: _("urgent, specialist now"),
    Urgency.BLACK: _("suspected extreme severity, specialist now"),
}
_THIRD: Phrase = _("nothing flagged, unsure")
_UNSURE: dict[Unsure, Phrase] = {
    Unsure.DIVIDED: _("unsure: of the networks that looked, not all say the same"),
    Unsure.TURNED: _("unsure: slightly other images might have given another answer"),
}
_USES: dict[Use, Phrase] = {
    Use.ANY: _("any use"),
    Use.RESEARCH: _("research only, not for clinical or commercial use"),
}
_PERSON: dict[Urgency, Phrase] = {
    Urgency.GREEN: _("no specialist treatment needed"),
    Urgency.YELLOW: _("specialist treatment needed, not urgent"),
    Urgency.RED: _("urgent, specialist treatment at once"),
    Urgency.BLACK: _("so severe that treatment is not expected to change the outcome"),
}

_STATES: dict[State, Phrase] = {
    State.ASSESSED: _("assessed"),
    State.NOT_ANALYSED: _("not analysed"),
    State.FAILED: _("failed"),
}

_PLACES: dict[Location | None, Phrase] = {
    Location.PERIPHERAL: _("bleed near the inner table of the skull"),
    Location.DEEP: _("deep bleed"),
    None: _("bleed"),
}

_KINDS = {
    FindingKind.OLD_COLLECTION: _("old collection of low density"),
    FindingKind.INTRAVENTRICULAR_BLOOD: pgettext("finding", "blood in the ventricles"),
}
_COMMA = pgettext("between the figures of a finding", ", ")

_CAUTIONS: dict[str, Phrase] = {
    "child": _("a child: tested on few children only"),
    "age_unknown": _("age unknown: may be a child"),
    "partial": _("preliminary: only part of the head has arrived"),
    "first_look": _("preliminary: the first of several networks says so, the others still look"),
    "learned_urgency": _(
        "the colour was learned from specialists' judgements; by size criteria alone it would be another"
    ),
    "images_dropped": _("some images of the series were left out"),
    "passes_judged": _(
        "the series holds several scans of this head; each was judged by itself, and the worst counts"
    ),
    "pass_left_out": _(
        "the series holds another scan that is not complete; only the complete one was judged: "
        "look at the other images too"
    ),
    "gaps_between_slices": _("a little of the head lies unseen between slices"),
    "assumed_pixel_spacing": _("sizes in ml and mm rest on an assumed pixel spacing"),
    "assumed_slice_positions": _("slice positions were assumed; volumes may be wrong"),
    "assumed_orientation": _("orientation was assumed; left and right may be exchanged"),
    "assumed_rescale": _("densities were assumed"),
    "spectral": _("spectral CT: densities may differ from those of an ordinary CT"),
    "unusual_density": _(
        "the brain is denser or less dense than brains are; volumes and colour may be wrong"
    ),
    "contrast_seen": _("bright vessels: contrast medium may have been given, and vessels be taken for blood"),
    "contrast_said": _("some header speaks of contrast medium, the images do not show it"),
}

_RULES: dict[Rule, Phrase] = {
    Rule.VENTRICULAR_BLACK: _("more than {ventricular_black_ml:g} ml with blood in the ventricles"),
    Rule.TOTAL_BLACK: _("more than {total_black_ml:g} ml in all"),
    Rule.THICKNESS: _(
        "thickness of {thickness_red_mm:g} mm or more (size criteria of the Brain Injury Guidelines)"
    ),
    Rule.DEEP_COUNT: _(
        "{deep_count_red:g} or more deep bleeds (size criteria of the Brain Injury Guidelines)"
    ),
    Rule.PERIPHERAL_VOLUME: _("a bleed near the inner table of more than {peripheral_red_ml:g} ml"),
    Rule.DEEP_VOLUME: _("a deep bleed of {deep_red_ml:g} ml or more"),
    Rule.TOTAL_VOLUME: _("{total_red_ml:g} ml or more in all"),
    Rule.VENTRICULAR: _("blood in the ventricles"),
    Rule.MIDLINE: _("midline offset of {midline_mm:g} mm or more together with a bleed"),
    Rule.ANY_BLEED: _("a bleed or an old collection"),
    Rule.MIDLINE_ALONE: _("midline offset of {midline_mm:g} mm or more without a bleed in sight"),
}


_ACTIONS: dict[Action, Phrase] = {
    Action.CONFIRM: _("urgency confirmed"),
    Action.RELABEL: _("urgency set by the reader"),
    Action.EXCLUDE: _("excluded from training"),
}
_EXCLUSIONS: dict[Exclusion, Phrase] = {
    Exclusion.POST_OPERATIVE: _("after an operation"),
    Exclusion.REPEAT: _("repeat examination of the same patient"),
    Exclusion.POOR_QUALITY: _("poor image quality"),
    Exclusion.WRONG_SERIES: _("wrong series"),
    Exclusion.OTHER: _("another reason, said in the comment"),
}
_REVIEW_FINDINGS: dict[ReviewFinding, Phrase] = {
    ReviewFinding.HAEMORRHAGE: _("bleed within the skull"),
    ReviewFinding.INTRAPARENCHYMAL: _("intraparenchymal bleed"),
    ReviewFinding.INTRAVENTRICULAR: _("blood in the ventricles"),
    ReviewFinding.SUBARACHNOID: _("subarachnoid bleed"),
    ReviewFinding.EPIDURAL: _("epidural bleed"),
    ReviewFinding.SUBDURAL: _("subdural bleed"),
    ReviewFinding.OLD_COLLECTION: _("old collection of low density"),
    ReviewFinding.MIDLINE_SHIFT: _("midline shift"),
    ReviewFinding.FRACTURE: _("skull fracture"),
}
_DOUBTS: dict[Doubt, Phrase] = {
    Doubt.NOT_SEALED: _("nobody vouches for it: it has no seal"),
    Doubt.OTHER_KEY: _("nobody vouches for it: it was sealed with a key that is not here"),
    Doubt.ALTERED: _("it was altered after it was sealed"),
    Doubt.DAMAGED: _("it is damaged and cannot be read"),
    Doubt.MISPLACED: _("it lies with other images than it speaks of"),
}
_BLIND: Phrase = _("given before the machine's answer was shown")


def notice(language: Language = "en") -> str:
    """The physician decides; on every screen and in every report.

    After the notice of the Japanese health ministry of 2018-12-19 (医政医発1219第1号).
    """
    return _NOTICE.say(language)


def region_words(language: Language = "en") -> str:
    """What a region drawn on the images is called."""
    return _REGION.say(language)


def colour(urgency: Urgency, language: Language = "en") -> str:
    """Name of the colour; never the only sign on a screen."""
    return _COLOURS[urgency].say(language)


def urgency_words(
    urgency: Urgency, language: Language = "en", *, by_person: bool = False, unsure: bool = False
) -> str:
    """What an urgency means. A machine's BLACK is a suspicion; only a person can say more.

    *GREEN, unsure* is an answer of its own; every other colour is what it is, doubt or none.
    """
    if unsure and urgency is Urgency.GREEN and not by_person:
        return _THIRD.say(language)
    return (_PERSON if by_person else _MACHINE)[urgency].say(language)


def unsure_words(doubt: Unsure, language: Language = "en") -> str:
    """Why an answer is not sure."""
    return _UNSURE[doubt].say(language)


def use_words(use: Use, language: Language = "en") -> str:
    """What a model's licence allows."""
    return _USES[use].say(language)


def licence_words(licence: Licence, language: Language = "en") -> str:
    """A model's licence in one line: ``any use; licence: Apache-2.0``."""
    said = _("{use}; licence: {licence}", use=_USES[licence.use], licence=licence.headline)
    return said.say(language)


def state_words(state: State, language: Language = "en") -> str:
    """Name of a final state."""
    return _STATES[state].say(language)


def caution_words(code: str, language: Language = "en") -> str:
    """A caution; an unknown code is shown as it is rather than left out."""
    return _CAUTIONS[code].say(language) if code in _CAUTIONS else code.replace("_", " ")


def rule_words(rule: str, language: Language = "en", rubric: Rubric | None = None) -> str:
    """Why the rubric gave its urgency, with its thresholds; an unknown rule of an older version as it is."""
    if rule not in _RULES:
        return rule.replace("_", " ")
    return _RULES[Rule(rule)].filled(**asdict((rubric or default_rubric()).thresholds)).say(language)


def action_words(action: Action, language: Language = "en") -> str:
    """What a reader did."""
    return _ACTIONS[action].say(language)


def exclusion_words(reason: Exclusion, language: Language = "en") -> str:
    """Why a case is not to be learnt from."""
    return _EXCLUSIONS[reason].say(language)


def review_finding_words(
    finding: ReviewFinding, language: Language = "en", *, present: bool | None = None
) -> str:
    """What a reader may find; with ``present`` also whether it is there: ``subdural bleed: present``."""
    words = _REVIEW_FINDINGS[finding]
    if present is None:
        return words.say(language)
    return (
        (_("{finding}: present") if present else _("{finding}: absent")).filled(finding=words).say(language)
    )


def doubt_words(doubt: Doubt, language: Language = "en") -> str:
    """Why a report of a review is not counted."""
    return _DOUBTS[doubt].say(language)


def blind_words(language: Language = "en") -> str:
    """That a review was given without knowledge of the machine's answer."""
    return _BLIND.say(language)


def finding_words(finding: Finding, language: Language = "en") -> str:
    """A finding with rounded figures: ``deep bleed, about 23 ml, about 31 mm thick, slices 12-17``."""
    if finding.kind is FindingKind.MIDLINE_OFFSET:
        return _midline(finding.offset_mm).say(language)
    said = [_KINDS.get(finding.kind, _PLACES[finding.location])]
    if finding.volume_ml is not None:
        said.append(_volume(finding.volume_ml))
    if finding.thickness_mm is not None:
        said.append(_("about {mm} mm thick", mm=max(1, _round(finding.thickness_mm, 1))))
    if finding.slices:
        some = _("slice {numbers}") if len(finding.slices) == 1 else _("slices {numbers}")
        said.append(some.filled(numbers=_ranges(finding.slices)))
    return _COMMA.say(language).join(phrase.say(language) for phrase in said)


def findings_words(findings: Sequence[Finding], language: Language = "en", limit: int = 6) -> tuple[str, ...]:
    """One line a finding in the order given; small bleeds beyond ``limit`` are counted, never left unsaid."""
    bleeds = [f for f in findings if f.kind is not FindingKind.MIDLINE_OFFSET]
    lines = [finding_words(f, language) for f in bleeds[:limit]]
    if more := bleeds[limit:]:
        together = _volume(sum(f.volume_ml or 0.0 for f in more))
        lines.append(_("and {count} smaller, {ml} together", count=len(more), ml=together).say(language))
    lines += [finding_words(f, language) for f in findings if f.kind is FindingKind.MIDLINE_OFFSET]
    return tuple(lines)


def volume_words(ml: float, language: Language = "en") -> str:
    """A volume as exactly as it is known: whole millilitres, then steps of 5 and 10."""
    return _volume(ml).say(language)


def _volume(ml: float) -> Phrase:
    if ml < 1:
        return _("under 1 ml")
    return _("about {whole} ml", whole=_round(ml, 1 if ml < 50 else 5 if ml < 100 else 10))


def _midline(offset_mm: float | None) -> Phrase:
    if offset_mm is None:
        return _("midline offset not measurable")
    if abs(offset_mm) < MIDLINE_NOISE_MM:
        return _("midline offset under {noise:g} mm, within the noise of the measure", noise=MIDLINE_NOISE_MM)
    mm = _round(abs(offset_mm), 1)
    if offset_mm > 0:
        return _("midline offset about {mm} mm towards the patient's left", mm=mm)
    return _("midline offset about {mm} mm towards the patient's right", mm=mm)


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
