"""Which cases a promise counts, and when it is refused.

The sample is settled before anything of it is known: the cases of one bundle in the order of their arrival,
from a beginning on, until as many sure GREENs have come as were settled on. It does not end where that
looks well, and reading on does not change it. One case a patient, the first.

A case that nobody read blind could be anything, so each counts as wrong. Where many were not, or those that
were are chosen by the machine's answer, there is no promise at all: whoever chooses by the answer has seen
it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import numpy as np
from scipy import stats

from headct.errors import HeadCTError
from headct.network.promise import Promise, Share
from headct.terms.judged_case import JudgedCase
from headct.terms.review import Exclusion
from headct.terms.urgency import Urgency
from model_training.promise.bounds import most, needed

MOST_UNREAD = 0.1
"""Share of the cases that nobody need have read blind. Ours: each counts as wrong all the same."""
CHOSEN = 0.01
"""Chance, over all three answers, that who is read hangs on the answer so much by itself. Ours."""
_SET_ASIDE = frozenset({Exclusion.POST_OPERATIVE, Exclusion.REPEAT})
"""What is so whatever the machine says. A case excluded for another reason, such as its quality, may be one
that the machine got wrong: it counts as not read."""


class NotPromisedError(HeadCTError):
    """There is no promise, for a reason that is no fault: cases are too few, not read, or chosen."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How much is to be shown. Settles the number of sure GREENs."""

    share: float = 0.05
    """Of bleeds among sure GREENs, at most."""
    confidence: float = 0.95
    bleeds: int = 0
    """Among them, with which that can still be shown."""

    @property
    def greens(self) -> int:
        """Sure GREENs that it takes."""
        return needed(self.share, self.confidence, self.bleeds)


class _Kind(StrEnum):
    """Answers that are told apart."""

    GREEN = "sure GREENs"
    ALERT = "sure alerts"
    OTHER = "others"


@dataclass(frozen=True, slots=True)
class _Case:
    kind: _Kind
    read: bool
    right: bool


def promise(digest: str, cases: Iterable[JudgedCase], wish: Wish, now: datetime) -> Promise:
    """What may be promised of a bundle.

    Args:
        digest: of the bundle.
        cases: all that it judged since the sample's beginning.
        wish: how much is to be shown.
        now: when the promise is made.

    Raises:
        NotPromisedError: and why.
    """
    ordered = sorted(cases, key=lambda case: (case.first_arrival, case.study_id))
    drawn = list(_first_of_each_patient(ordered))
    counting = [case for case in drawn if not _set_aside(case)]
    greens = [n for n, case in enumerate(counting) if _kind(case) is _Kind.GREEN]
    if len(greens) < wish.greens:
        unread = sum(not _read(counting[n]) for n in greens)
        raise NotPromisedError(
            f"{wish.greens - len(greens)} more sure GREENs are needed; {len(greens)} of {wish.greens} have"
            f" come, of which {unread} are not read blind yet"
        )
    sample = counting[: greens[wish.greens - 1] + 1]
    found = [_Case(_kind(case), _read(case), _right(case)) for case in sample]
    _refuse(found)
    last = sample[-1].first_arrival
    return Promise(
        digest=digest,
        made=now,
        since=sample[0].first_arrival.astimezone(UTC),
        until=last.astimezone(UTC),
        confidence=wish.confidence,
        cases=len(sample),
        set_aside=sum(_set_aside(case) and case.first_arrival <= last for case in drawn),
        greens=_share(found, _Kind.GREEN, wish),
        alerts=_share(found, _Kind.ALERT, wish),
    )


def _first_of_each_patient(ordered: Sequence[JudgedCase]) -> Iterator[JudgedCase]:
    """Who has no number is nobody known."""
    known: set[str] = set()
    for case in ordered:
        if case.patient_id and case.patient_id in known:
            continue
        known.add(case.patient_id)
        yield case


def _set_aside(case: JudgedCase) -> bool:
    return bool(case.readings) and all(one.reason in _SET_ASIDE for one in case.readings)


def _kind(case: JudgedCase) -> _Kind:
    if case.unsure:
        return _Kind.OTHER
    if case.urgency is Urgency.GREEN:
        return _Kind.GREEN
    return _Kind.ALERT if case.urgency.alert else _Kind.OTHER


def _read(case: JudgedCase) -> bool:
    return any(one.urgency is not None for one in case.readings)


def _right(case: JudgedCase) -> bool:
    """Whether all who read it blind say so: no bleed, or an alert."""
    said = [one for one in case.readings if one.urgency is not None]
    if case.urgency is Urgency.GREEN:
        return bool(said) and not any(one.bleeds for one in said)
    return bool(said) and all(one.urgency is not None and one.urgency.alert for one in said)


def _refuse(sample: Sequence[_Case]) -> None:
    """Refuse a sample that nobody drew alike.

    Raises:
        NotPromisedError: those read were chosen by the answer (Fisher's exact test), or many were not read.
    """
    table = np.array(
        [[sum(c.read is read for c in sample if c.kind is kind) for read in (True, False)] for kind in _Kind]
    )
    in_words = ", ".join(f"{own[0]} of {own.sum()} {kind}" for kind, own in zip(_Kind, table, strict=True))
    for own in table:
        if stats.fisher_exact(np.array([own, table.sum(axis=0) - own])).pvalue < CHOSEN / len(_Kind):
            raise NotPromisedError(f"cases were chosen by the machine's answer: read blind were {in_words}")
    unread = sum(not case.read for case in sample)
    if unread > MOST_UNREAD * len(sample):
        raise NotPromisedError(
            f"{unread} of {len(sample)} cases were not read blind, more than {MOST_UNREAD:.0%}; read were"
            f" {in_words}"
        )


def _share(sample: Sequence[_Case], kind: _Kind, wish: Wish) -> Share:
    own = [case for case in sample if case.kind is kind]
    wrong = sum(not case.right for case in own)
    return Share(len(own), wrong, sum(not case.read for case in own), most(wrong, len(own), wish.confidence))
