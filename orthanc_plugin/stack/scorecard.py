"""What triage said of generated series, beside what was put into them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from headct.generator.generation import Truth
from headct.generator.kinds import KINDS
from orthanc_plugin.states import SeriesState


class Verdict(StrEnum):
    """How an answer compares with the truth."""

    RIGHT = "right"
    MISSED_BLEED = "MISSED BLEED"
    OVER_CALL = "over-call"
    NOT_RECOGNISED = "NOT RECOGNISED as ineligible"
    OTHER_REASON = "right, for another reason"
    REFUSED = "WRONGLY not analysed"
    FAILED = "FAILED"
    UNFINISHED = "NOT FINISHED"


@dataclass(frozen=True, slots=True)
class Given:
    """A series that was sent."""

    name: str
    truth: Truth


@dataclass(frozen=True, slots=True)
class Answer:
    """What the worklist says of a series, and in which row (0 is the top)."""

    row: int
    state: str
    urgency: str | None = None
    reason_code: str | None = None
    reason: str = ""
    preliminary: bool = False

    @property
    def final(self) -> bool:
        """Nothing more is to come."""
        return not SeriesState(self.state).pending


def answers_by_series(worklist: Mapping[str, Any]) -> dict[str, Answer]:
    """Answers by SeriesInstanceUID, from the worklist's JSON, in its order."""
    return {
        series["series_instance_uid"]: Answer(
            row=number,
            state=series["state"],
            urgency=series["urgency"],
            reason_code=series["reason"] and series["reason"]["code"],
            reason=series["reason"]["sentence"]["en"] if series["reason"] else "",
            preliminary=series["preliminary"],
        )
        for number, row in enumerate([*worklist["rows"], *worklist["earlier"]])
        for series in row["series"]
    }


def verdict(truth: Truth, answer: Answer | None) -> Verdict:
    """Compare one answer with the truth."""
    if answer is None or not answer.final:
        return Verdict.UNFINISHED
    if answer.state not in {"assessed", "not_analysed"}:
        return Verdict.FAILED
    if answer.state == "not_analysed":
        if truth.eligible:
            return Verdict.REFUSED
        return Verdict.RIGHT if answer.reason_code == truth.expected_reason else Verdict.OTHER_REASON
    if not truth.eligible:
        return Verdict.NOT_RECOGNISED
    flagged = answer.urgency != "GREEN"
    wrong = Verdict.MISSED_BLEED if truth.bleeds else Verdict.OVER_CALL
    return Verdict.RIGHT if truth.bleeds == flagged else wrong


@dataclass(frozen=True, slots=True)
class Scorecard:
    """All series that were sent, and all answers, both by SeriesInstanceUID."""

    given: Mapping[str, Given]
    answers: Mapping[str, Answer]

    def verdicts(self) -> dict[str, Verdict]:
        """Verdict on each series sent."""
        return {uid: verdict(one.truth, self.answers.get(uid)) for uid, one in self.given.items()}

    @property
    def as_it_should_be(self) -> bool:
        """Every series final, none failed, and every ineligible one recognised. Bleeds may be missed."""
        wrong = {Verdict.UNFINISHED, Verdict.FAILED, Verdict.NOT_RECOGNISED}
        return bool(self.given) and wrong.isdisjoint(self.verdicts().values())

    def table(self) -> str:
        """The worklist in its order, one line a series, with the truth beside it."""
        last = len(self.given)
        order = sorted(self.given, key=lambda u: self.answers[u].row if u in self.answers else last)
        verdicts = self.verdicts()
        lines = [("", "triage says", "what was sent", "verdict")]
        for uid in order:
            answer = self.answers.get(uid)
            place = f"{answer.row + 1}." if answer else "-"
            lines.append((place, _said(answer), _sent(self.given[uid]), verdicts[uid]))
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    def summary(self) -> str:
        """The figures, and plainly which bleeds were missed."""
        verdicts = self.verdicts()
        names: dict[Verdict, list[str]] = {v: [] for v in Verdict}
        for uid, one in self.given.items():
            names[verdicts[uid]].append(_short(one))
        bleeding = sum(one.truth.bleeds and one.truth.eligible for one in self.given.values())
        clear = sum(one.truth.eligible and not one.truth.bleeds for one in self.given.values())
        ineligible = [uid for uid, one in self.given.items() if not one.truth.eligible]
        recognised = sum(verdicts[uid] in {Verdict.RIGHT, Verdict.OTHER_REASON} for uid in ineligible)
        lines = [
            f"Missed bleeds ({len(names[Verdict.MISSED_BLEED])} of {bleeding}): "
            f"{'; '.join(names[Verdict.MISSED_BLEED]) or 'none'}",
            f"Over-calls ({len(names[Verdict.OVER_CALL])} of {clear} without blood): "
            f"{'; '.join(names[Verdict.OVER_CALL]) or 'none'}",
            f"Not to be analysed: {recognised} of {len(ineligible)} recognised",
        ]
        lines += [
            f"{kind.capitalize()}: {'; '.join(names[kind])}"
            for kind in (Verdict.NOT_RECOGNISED, Verdict.REFUSED, Verdict.FAILED, Verdict.UNFINISHED)
            if names[kind]
        ]
        lines.append("Verdicts are on blood alone: not on how bad it is, nor on infarcts and fractures.")
        lines.append("Generated heads test the plumbing; they say nothing of how well real bleeds are found.")
        return "\n".join(lines)


def _said(answer: Answer | None) -> str:
    if answer is None:
        return "unknown"
    colour = f"{answer.urgency}{' (preliminary)' if answer.preliminary else ''}" if answer.urgency else ""
    if answer.state == "assessed":
        return colour
    words = answer.state.replace("_", " ") + (f": {answer.reason}" if answer.reason else "")
    return f"{colour}, {words}" if colour else words


def _sent(given: Given) -> str:
    blood = f", {given.truth.bleed_ml:.0f} ml of blood" if given.truth.bleeds else ""
    study = "trauma study: " if given.name not in KINDS else ""
    return f"{study}{KINDS[given.truth.kind].words}{blood}"


def _short(given: Given) -> str:
    blood = f" ({given.truth.bleed_ml:.0f} ml)" if given.truth.bleeds else ""
    return f"{given.name if given.name in KINDS else f'{given.name}/{given.truth.kind}'}{blood}"
