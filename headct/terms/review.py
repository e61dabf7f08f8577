"""What named persons say of a case, and what counts when several have spoken.

Of one series that is its :func:`verdict`; beside what the machine says, of one or several, :func:`counted`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self, TypeVar

from headct.errors import ReviewError
from headct.language import _
from headct.terms.urgency import Urgency

LONGEST_COMMENT = 2000
_Word = TypeVar("_Word")


class Action(StrEnum):
    """What a reader does with a case."""

    CONFIRM = "confirm"
    """The machine's urgency is right."""
    RELABEL = "relabel"
    """It is another."""
    EXCLUDE = "exclude"
    """The case is not to be learnt from, whatever its colour."""


class Exclusion(StrEnum):
    """Why a case is not to be learnt from."""

    POST_OPERATIVE = "post_operative"
    REPEAT = "repeat"
    """Of a patient who is in the data already."""
    POOR_QUALITY = "poor_quality"
    WRONG_SERIES = "wrong_series"
    OTHER = "other"
    """Said in the comment."""


class ReviewFinding(StrEnum):
    """What a reader may say is there or is not. What is not named was not looked for."""

    HAEMORRHAGE = "haemorrhage"
    """Any bleed within the skull."""
    INTRAPARENCHYMAL = "intraparenchymal"
    INTRAVENTRICULAR = "intraventricular"
    SUBARACHNOID = "subarachnoid"
    EPIDURAL = "epidural"
    SUBDURAL = "subdural"
    OLD_COLLECTION = "old_collection"
    MIDLINE_SHIFT = "midline_shift"
    FRACTURE = "fracture"


BLEED_TYPES = (
    ReviewFinding.INTRAPARENCHYMAL,
    ReviewFinding.INTRAVENTRICULAR,
    ReviewFinding.SUBARACHNOID,
    ReviewFinding.EPIDURAL,
    ReviewFinding.SUBDURAL,
)


@dataclass(frozen=True, slots=True)
class Person:
    """Who reviews."""

    login: str
    """As Orthanc knows them."""
    name: str
    """DICOM person name (PS3.5 section 6.2.1), such as ``Sato^Hanako``."""
    organisation: str


@dataclass(frozen=True, slots=True)
class Review:
    """One person's word on one series. It is never changed, only followed by another."""

    by: Person
    at: datetime
    action: Action
    urgency: Urgency | None
    """The person's own; ``None`` when the case is excluded."""
    findings: Mapping[ReviewFinding, bool] = field(default_factory=dict)
    """Present or absent."""
    reason: Exclusion | None = None
    """Of an exclusion."""
    comment: str = ""
    blind: bool = False
    """Given before the machine's answer was shown."""

    def __post_init__(self) -> None:
        """Refuse a review that contradicts itself.

        Raises:
            ReviewError: in one sentence, shown to the reader.
        """
        if (self.action is Action.EXCLUDE) != (self.reason is not None):
            raise ReviewError(_("An exclusion, and nothing else, has a reason."))
        if (self.action is Action.EXCLUDE) != (self.urgency is None):
            raise ReviewError(_("Every review but an exclusion has an urgency."))
        if self.reason is Exclusion.OTHER and not self.comment.strip():
            raise ReviewError(_("Say in the comment why the case is excluded."))
        if len(self.comment) > LONGEST_COMMENT:
            raise ReviewError(_("A comment has at most {count} characters.", count=LONGEST_COMMENT))
        if self.findings.get(ReviewFinding.HAEMORRHAGE) is False and any(
            self.findings.get(t) for t in BLEED_TYPES
        ):
            raise ReviewError(_("No haemorrhage, and a type of haemorrhage, cannot both be."))
        if self.at.tzinfo is None:
            raise ValueError("time without a zone")

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types; :meth:`from_json` reads them back."""
        return {
            "login": self.by.login,
            "name": self.by.name,
            "organisation": self.by.organisation,
            "at": self.at.isoformat(),
            "action": self.action.value,
            "urgency": None if self.urgency is None else self.urgency.name,
            "findings": {finding.value: present for finding, present in self.findings.items()},
            "reason": None if self.reason is None else self.reason.value,
            "comment": self.comment,
            "blind": self.blind,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of :meth:`to_json`."""
        return cls(
            by=Person(data["login"], data["name"], data["organisation"]),
            at=datetime.fromisoformat(data["at"]),
            action=Action(data["action"]),
            urgency=None if data["urgency"] is None else Urgency[data["urgency"]],
            findings={ReviewFinding(name): bool(p) for name, p in data["findings"].items()},
            reason=None if data["reason"] is None else Exclusion(data["reason"]),
            comment=data["comment"],
            blind=data["blind"],
        )


class Standing(StrEnum):
    """How far the readers of a case are."""

    UNREVIEWED = "unreviewed"
    REVIEWED = "reviewed"
    """One reader, or several of one mind."""
    DISPUTED = "disputed"
    """Two readers differ; a third is to settle it."""
    SETTLED = "settled"
    """At least three readers; the view that most hold counts."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What counts after all reviews of a case."""

    standing: Standing
    urgency: Urgency | None = None
    """What is shown; while two differ the worse of theirs. ``None`` when unreviewed or excluded."""
    by: Review | None = None
    """The latest review that says so; ``None`` when unreviewed."""
    findings: Mapping[ReviewFinding, bool] = field(default_factory=dict, compare=False)
    """What those who say so found, together; without what one of them sees and another does not."""

    @property
    def label(self) -> Urgency | None:
        """What may be learnt from: nothing while readers differ, nor from an excluded case."""
        return None if self.standing is Standing.DISPUTED else self.urgency

    @property
    def excluded(self) -> bool:
        """Whether the case is not to be learnt from."""
        return self.by is not None and self.urgency is None


UNREVIEWED = Verdict(Standing.UNREVIEWED)


def verdict(reviews: Sequence[Review]) -> Verdict:
    """What counts. Of each person the latest review does; earlier ones are history.

    Two who differ leave the case open, shown with the worse of their colours, a colour before an exclusion.
    From three persons on the view that most hold counts; of views held by as many, that of the latest.

    Args:
        reviews: of one case, in the order in which they were given.
    """
    latest: dict[str, Review] = {}
    for review in reviews:
        latest.pop(review.by.login, None)
        latest[review.by.login] = review
    spoken = list(latest.values())
    views = Counter(review.urgency for review in spoken)
    match len(spoken), len(views):
        case 0, _:
            return UNREVIEWED
        case _, 1:
            return _held(Standing.REVIEWED, spoken[-1], spoken)
        case 2, _:
            worse = max(spoken, key=lambda review: -1 if review.urgency is None else int(review.urgency))
            return _held(Standing.DISPUTED, worse, spoken)
    held = max(views.values())
    settling = next(review for review in reversed(spoken) if views[review.urgency] == held)
    return _held(Standing.SETTLED, settling, spoken)


def in_order(
    words: Iterable[_Word],
    time: Callable[[_Word], tuple[datetime, Any]],
    name: Callable[[_Word], Hashable],
    earlier: Callable[[_Word], Collection[Hashable]],
) -> list[_Word]:
    """What was said as it was said: by its times, but nothing before what it names as said earlier.

    A clock that was set back in between gives the later word the earlier time.

    Args:
        words: of one case.
        time: of a word, and what orders those of the same moment.
        name: of a word.
        earlier: the names of those that were said before it; others than these words are passed over.
    """
    waiting = sorted(words, key=time)
    found: list[_Word] = []
    while waiting:
        open_ = {name(word) for word in waiting}
        # Damaged ones may name each other: then the times alone tell.
        ready = (word for word in waiting if open_.isdisjoint(earlier(word)))
        found.append(following := next(ready, waiting[0]))
        waiting.remove(following)
    return found


def _held(standing: Standing, by: Review, spoken: Sequence[Review]) -> Verdict:
    said: dict[ReviewFinding, set[bool]] = {}
    for review in spoken:
        if review.urgency is by.urgency:
            for finding, present in review.findings.items():
                said.setdefault(finding, set()).add(present)
    open_to_question = {finding for finding, views in said.items() if len(views) > 1}
    if ReviewFinding.HAEMORRHAGE in open_to_question:
        open_to_question |= set(BLEED_TYPES)
    agreed = {finding: views.pop() for finding, views in said.items() if finding not in open_to_question}
    return Verdict(standing, by.urgency, by, agreed)


class Doubt(StrEnum):
    """Why a report that says it is a review is not counted."""

    NOT_SEALED = "not_sealed"
    """Nobody says who wrote it."""
    OTHER_KEY = "other_key"
    """Sealed with a key that is not ours: by another installation, or with one that was lost."""
    ALTERED = "altered"
    """It says something else than was sealed."""
    DAMAGED = "damaged"
    """It cannot be read as a review."""
    MISPLACED = "misplaced"
    """It is filed with other images than it speaks of."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a report says that nobody vouches for, until a person has read the case again."""

    urgency: Urgency | None
    """``None`` where it gives none, or cannot be read."""
    readable: bool = True
    """Whether it is known what it says."""


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of one series now, by the machine and by persons."""

    machine: Urgency | None
    """Of its current result; ``None`` where there is none."""
    preliminary: bool = False
    """Whether that result is of a part of the series."""
    verdict: Verdict = UNREVIEWED
    unseen: bool = False
    """Whether there is more of it than readers had before them when they spoke of the case."""
    unsure: bool = False
    """Whether that result is not sure."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The urgency that counts of a case, and whose word it is."""

    urgency: Urgency | None
    """``None`` where nobody gave one, or where nobody knows whether it was worse than GREEN."""
    by_person: bool = False
    """Otherwise it is the machine's, in the machine's words."""
    preliminary: bool = False
    """Of the machine's: all results that say so are of parts of series."""
    unsure: bool = False
    """Of the machine's: some result that says so is not sure."""
    unverified: bool = False
    """Whether there is a report that nobody vouches for: the case is to be read again."""


def counted(said: Iterable[Said], claims: Sequence[Claim] = ()) -> Counted:
    """Which urgency counts of one series, or of all series of a case: label, metadata and page show this one.

    1. What persons gave counts, the worst of it; of two who differ the worse, of an exclusion nothing.
       A newer result of the machine never changes it.
    2. But a series that came after they had spoken, and of which nobody spoke, counts beside it by what the
       machine says, where that is worse.
    3. Where no person gave any, the worst of what the machine says counts.
    4. A report that nobody vouches for is no person's word. But the machine never overrules it: where no
       person gave an urgency, it is not below what such a report says, and beside one that cannot be read
       it is not GREEN.

    Args:
        said: of each series.
        claims: of the reports that nobody vouches for.
    """
    found = list(said)
    given = max((u for one in found if (u := one.verdict.urgency) is not None), default=None)
    asked = found if given is None else [one for one in found if _came_since(one)]
    machine = max((u for one in asked if (u := one.machine) is not None), default=None)
    if given is not None and (machine is None or machine <= given):
        return Counted(given, by_person=True, unverified=bool(claims))
    saying = [one for one in asked if machine is not None and one.machine is machine]
    preliminary = bool(saying) and all(one.preliminary for one in saying)
    unsure = any(one.unsure for one in saying)
    if given is None and claims:
        return _not_below(Counted(machine, preliminary=preliminary, unsure=unsure), claims)
    return Counted(machine, preliminary=preliminary, unsure=unsure, unverified=bool(claims))


def _came_since(said: Said) -> bool:
    return said.unseen and said.verdict.standing is Standing.UNREVIEWED


def _not_below(machine: Counted, claims: Sequence[Claim]) -> Counted:
    """What is shown of a case of which only machine and reports speak that nobody vouches for."""
    claimed = max((u for one in claims if (u := one.urgency) is not None), default=None)
    worst = max((u for u in (machine.urgency, claimed) if u is not None), default=None)
    if worst is Urgency.GREEN and not all(one.readable for one in claims):
        return Counted(None, unverified=True)
    if worst is machine.urgency:
        return replace(machine, unverified=True)
    return Counted(worst, unverified=True)
