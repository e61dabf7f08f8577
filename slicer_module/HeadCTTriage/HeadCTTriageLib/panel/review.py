"""A review being made of one series: what is chosen, what may be sent, what is new since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from .. import words
from ..server.cases import BLEED_TYPES, LONGEST_COMMENT, Review, Series, Urgency
from ..translation import _

UNSETTLED = ("arriving", "waiting", "judging")


@dataclass(frozen=True)
class Choice:
    """What the reader says: a colour, or why the series is not to be learnt from."""

    action: str
    """As :attr:`cases.Review.action`."""
    urgency: Optional[Urgency] = None
    reason: Optional[str] = None

    @property
    def shown(self) -> str:
        """As short as it can be."""
        if self.urgency:
            return words.colour(self.urgency)
        return _("Excluded: {reason}").format(reason=words.exclusion(self.reason or ""))


class ReviewForm:
    """One reader's entries on one series, as they saw it."""

    def __init__(self, series: Series) -> None:
        self.series = series
        self.choice: Optional[Choice] = None
        self.findings: dict[str, bool] = {}
        """Present or absent; what is not named was not looked for."""
        self.comment = ""

    @property
    def machine(self) -> Optional[Urgency]:
        """The machine's urgency, which alone can be confirmed."""
        return self.series.assessment.urgency if self.series.assessment else None

    @property
    def refusal(self) -> str:
        """Why nothing can be said of the series now; empty where it can."""
        if self.series.state == "withdrawn":
            return _("The series was withdrawn.")
        if self.machine is None and self.series.state in UNSETTLED:
            return _("The series is still being received or judged; it can be reviewed then.")
        return ""

    @property
    def touched(self) -> bool:
        """Whether there is anything that the reader would miss."""
        return bool(self.choice or self.findings or self.comment.strip())

    def confirm(self) -> bool:
        """Choose the machine's urgency; whether that is to be sent at once.

        A machine only suspects what a person's black says: it is never sent with one key.
        """
        if self.machine is None or self.refusal:
            return False
        self.choice = Choice("confirm", self.machine)
        return self.machine is not Urgency.BLACK

    def relabel(self, urgency: Urgency) -> None:
        """Choose a colour."""
        self.choice = Choice("relabel", urgency)

    def exclude(self, reason: str) -> None:
        """Choose not to learn from the series."""
        self.choice = Choice("exclude", reason=reason)

    def undo(self) -> None:
        """Choose nothing."""
        self.choice = None

    def turn(self, finding: str) -> None:
        """Not said, present, absent, not said; a type of haemorrhage is one, and none is without one."""
        present = self.findings.pop(finding, None)
        if present is None:
            self.findings[finding] = True
            if finding in BLEED_TYPES:
                self.findings["haemorrhage"] = True
        elif present:
            self.findings[finding] = False
        if finding == "haemorrhage" and not self.findings.get(finding):
            for bleed in BLEED_TYPES:
                if self.findings.get(bleed):
                    del self.findings[bleed]

    @property
    def missing(self) -> str:
        """What stands against sending, in a sentence; empty if nothing does."""
        if self.refusal:
            return self.refusal
        if self.choice is None:
            return _("Choose a colour first.")
        if self.choice.reason == "other" and not self.comment.strip():
            return _("Say in the comment why the case is excluded.")
        if len(self.comment.strip()) > LONGEST_COMMENT:
            return _("A comment has at most {count} characters.").format(count=LONGEST_COMMENT)
        return ""

    @property
    def hint(self) -> str:
        """What to know before sending."""
        if self.missing or self.choice is None:
            return self.missing if self.touched or self.refusal else ""
        if self.choice.urgency is Urgency.BLACK:
            sends = _(
                "Black means: so severe that treatment is not expected to change the outcome."
                " Alt+Return sends it."
            )
        else:
            sends = _("{what}: Alt+Return sends it.").format(what=self.choice.shown)
        return " ".join(part for part in (sends, self._on_blood) if part)

    @property
    def _on_blood(self) -> str:
        """What nobody said of a bleed: the server takes a confirmation of one as a word on it."""
        choice = self.choice
        if choice is None or "haemorrhage" in self.findings:
            return ""
        if choice.action == "confirm" and self._bleeds:
            return _("It says that there is blood, unless you deny it below.")
        if choice.urgency in (Urgency.YELLOW, Urgency.RED):
            return _("Say below whether there is blood.")
        return ""

    @property
    def _bleeds(self) -> bool:
        """Whether the machine says that there is blood."""
        said = self.series.assessment
        return said is not None and any(finding.kind == "haemorrhage" for finding in said.findings)

    def review(self) -> Review:
        """What is sent, with a name of its own. :attr:`missing` must be empty."""
        choice = self.choice
        if choice is None:
            raise ValueError("nothing is chosen")
        return Review(
            action=choice.action,
            based_on=self.series.based_on,
            urgency=choice.urgency,
            findings=dict(self.findings),
            reason=choice.reason,
            comment=self.comment.strip(),
        )

    def fill(self, review: Review) -> None:
        """The entries of a review that was given before."""
        self.choice = Choice(review.action, review.urgency, review.reason)
        self.findings = dict(review.findings)
        self.comment = review.comment

    def rebase(self, current: Series) -> None:
        """Keep the entries over what is new of the series; what the machine says no more is the reader's."""
        bled = self._bleeds
        self.series = current
        if self.choice and self.choice.action == "confirm" and self.choice.urgency != self.machine:
            self.choice = Choice("relabel", self.choice.urgency)
            if bled:
                # What they confirmed said so: the server would have noted it of a confirmation.
                self.findings.setdefault("haemorrhage", True)


def news(before: Series, now: Series, language: str) -> list[str]:
    """What is new of a series since a reader saw it, a sentence each; never none."""
    lines = []
    then, after = before.assessment, now.assessment
    if (then and then.judged_at) != (after and after.judged_at):
        if after is None:
            lines.append(_("The machine's result was withdrawn."))
        else:
            what = words.machine_sign(after.urgency)
            lines.append(_("The machine's result is new: {what}.").format(what=what))
    if before.images != now.images:
        lines.append(_("There are {count} images now.").format(count=now.images))
    lines += [
        _("{who} says {what}, {time}.").format(
            who=words.reader_name(said.reader, language), what=words.given(said), time=words.moment(said.at)
        )
        for said in now.reviews[len(before.reviews) :]
    ]
    return lines or [_("Its images or results are new, or another reader has spoken.")]
