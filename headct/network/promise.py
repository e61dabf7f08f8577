"""What is promised of a model in this hospital: written beside its folder, bound to its digest.

Not *in* its folder: a bundle that holds what it does not list is refused, and a promise comes and goes while
the bundle stays what it is. What a promise rests on is counted by ``headct-train promise``.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from headct.errors import ToldError
from headct.language import Phrase, _, pgettext

_FORMAT = 1
_MAX_BYTES = 2**16
"""Of the file, which has about 500."""


class PromiseError(ToldError):
    """A promise that cannot be read, or that is of another model."""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many, and between what bounds the share lies with the promise's confidence."""

    of: int
    """Patients."""
    wrong: int
    """Bleeds among sure GREENs, or sure alerts that are none; with those that nobody read."""
    unread: int
    """Of the wrong ones those that nobody read blind: each counts as wrong."""
    most: float
    """The share of wrong ones is at most this (Clopper and Pearson, one-sided)."""


@dataclass(frozen=True, slots=True)
class Promise:
    """Of cases that came one after the other, and were read without sight of the answer."""

    digest: str
    """Of the bundle, SHA-256 of bundle.json, hex."""
    made: datetime
    since: datetime
    """When the first case that counts arrived."""
    until: datetime
    """When the last one did."""
    confidence: float
    """Of each share by itself."""
    cases: int
    """Patients, whatever was said of them."""
    set_aside: int
    """Cases that readers excluded as post-operative or as a repeat: nothing is promised of such."""
    greens: Share
    """Sure GREENs."""
    alerts: Share
    """Sure alerts."""

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all; :meth:`read` reads it back."""
        body = {"format": _FORMAT, **asdict(self)}
        body |= {name: getattr(self, name).astimezone(UTC).isoformat() for name in ("made", "since", "until")}
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.partial")
        draft.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
        draft.replace(path)

    @classmethod
    def read(cls, path: Path, digest: str) -> Self | None:
        """The promise in a file; ``None`` where there is no file.

        Raises:
            PromiseError: it cannot be read, or is of another bundle than that of ``digest``.
        """
        try:
            with path.open("rb") as file:
                found = cls._from_json(json.loads(file.read(_MAX_BYTES)))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise PromiseError(
                pgettext("detail", "{name} cannot be read as a promise", name=path.name)
            ) from None
        if found.digest != digest:
            raise PromiseError(pgettext("detail", "{name} is of another model", name=path.name))
        return found

    @classmethod
    def _from_json(cls, body: dict[str, Any]) -> Self:
        named = dict(body)
        if named.pop("format") != _FORMAT:
            raise ValueError("another format")
        for name in ("made", "since", "until"):
            named[name] = datetime.fromisoformat(named[name])
            if named[name].tzinfo is None:
                raise ValueError("a time without its zone")
        shares = {name: Share(**named[name]) for name in ("greens", "alerts")}
        found = cls(**{**named, **shares})
        counts = [found.cases, found.set_aside]
        for share in shares.values():
            counts += [share.unread, share.wrong - share.unread, share.of - share.wrong]
            if not 0 <= share.most <= 1:
                raise ValueError("no such share")
        if any(type(count) is not int or count < 0 for count in counts):
            raise ValueError("no such numbers")
        if not (isinstance(found.digest, str) and 0 < found.confidence < 1):
            raise ValueError("no such promise")
        return found


def beside(folder: Path, models: Path | None = None) -> Path:
    """Where the promise of a bundle lies.

    Args:
        folder: of the bundle.
        models: folder of models to put it in instead, such as the hospital's own for a bundle that ships.
    """
    return (models or folder.resolve().parent) / f"{folder.resolve().name}.promise.json"


def sentences(promise: Promise) -> Iterator[Phrase]:
    """What is promised, and on what it rests."""
    greens, alerts = promise.greens, promise.alerts
    yield _(
        "Of sure GREENs at most {most} % bleed: {wrong} of {of} did.",
        most=_percent(greens.most, math.ceil),
        wrong=greens.wrong,
        of=greens.of,
    )
    if alerts.of:
        yield _(
            "Of sure alerts at least {least} % are alerts to the reader too: {right} of {of} were.",
            least=_percent(1 - alerts.most, math.floor),
            right=alerts.of - alerts.wrong,
            of=alerts.of,
        )
    else:
        yield _("Of alerts nothing is promised: there was no sure one.")
    yield _(
        "Confidence of each {confidence:g} %: {cases} patients who came one after the other from {since} to"
        " {until}, read without sight of the answer. Not read so, and counted as wrong: {unread}.",
        confidence=100 * promise.confidence,
        cases=promise.cases,
        since=promise.since.date(),
        until=promise.until.date(),
        unread=greens.unread + alerts.unread,
    )
    yield _(
        "A bleed is what a reader calls one, or any colour above green where they say nothing of blood."
        " Nothing is promised of post-operative cases and repeats, of which readers set {count} aside, nor of"
        " cases unlike those of that time.",
        count=promise.set_aside,
    )


def _percent(share: float, away: Any) -> str:
    """To the tenth, rounded so that no more is promised than was shown; what a float adds is passed over."""
    return f"{away(round(1000 * share, 6)) / 10:.1f}"
