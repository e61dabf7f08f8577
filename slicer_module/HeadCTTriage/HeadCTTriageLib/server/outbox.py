"""Reviews that the server does not have yet: on disk before they are sent, until it has them.

A review is kept first and sent from here, also while the server answers: whatever ends Slicer in between, it
is sent later. Its ``request_id`` never changes, so the server records it once however often it comes.

Two words of one reader on one series, the second given while the first is unsent, are both sent, in order.
Both were based on the same state of the case, which the first changes; the second would be refused for that
alone. So after the first the study is asked for again: if it is as the reader saw it but for their own first
word, the second is based on the new state; if anybody else spoke, or the machine did, it is a conflict like
any other, because the reader did not see that.

Files, one a review, so that two Slicers of one login never write the same: ``NUMBER-REQUEST.json`` in a
folder of server and login. They hold what was said of which series, no password, and of the patient only what
the panel gave to recognise the case by. A file that cannot be read is set aside under another name, never
deleted.
"""

from __future__ import annotations

import enum
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Optional

from ..errors import RefusedError, StorageError, UnreachableError, UnreadableError
from ..translation import _
from .address import server_url
from .cases import Review, ReviewAnswer, Series, Study
from .client import ConflictError, TriageClient
from .locking import locked
from .reading import parse, read, to_json

_NAME = re.compile(r"(\d{8,})-(.+)\.json")


class State(str, enum.Enum):
    """Where a review stands."""

    UNSENT = "unsent"
    CONFLICT = "conflict"
    """The case is no longer as the reader saw it: they have to look again."""
    REFUSED = "refused"
    """The server said no, and will again."""
    SENT = "sent"
    """The server has it; it is kept no more."""


@dataclass(frozen=True)
class Kept:
    """A review as it is kept."""

    series_id: str
    study_id: str
    review: Review
    case: str
    """By what the reader recognises the case."""
    given_at: datetime
    seen: str
    """:func:`as_seen` when it was given."""
    state: State = State.UNSENT
    message: str = ""
    """Why, as the server said it."""
    current: Optional[Series] = None
    """Of a conflict: the series as it is now."""
    mine: tuple[datetime, ...] = ()
    """When the reader's earlier words were recorded, that were unsent when this one was given; in order."""
    tried: bool = False
    """Whether it may have reached the server: then it stays as it is, or the server would not know it."""


@dataclass(frozen=True)
class Outcome:
    """What became of a review when it was sent."""

    kept: Kept
    """As it is now."""
    answer: Optional[ReviewAnswer] = None
    """The server's, of a review that was recorded."""
    why: str = ""
    """A sentence: why it is still unsent."""


def as_seen(study: Study, series_id: str, without: tuple[datetime, ...] = ()) -> str:
    """What a reader of a series goes by, as a digest: what the server's ``based_on`` stands for.

    That is what the machine says of every series of the study, the images of this one, and what persons said
    of it, without the reviews recorded at certain times.
    """
    facts: list[object] = []
    for series in sorted(study.series, key=lambda one: one.id):
        said = series.assessment
        if said is not None:
            facts.append([series.id, said.judged_at.isoformat(), said.urgency.value])
        if series.id == series_id:
            facts.append(series.images)
            facts += [[one.login, one.at.isoformat()] for one in series.reviews if one.at not in without]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


class Outbox:
    """Of one login at one server. May be used by several threads and several Slicers."""

    def __init__(self, folder: Path, server: str, user: str) -> None:
        """``folder``: of all outboxes of this account; ``server`` as typed.

        Raises:
            UnreachableError: the server's address is none.
        """
        owner = f"{server_url(server)}\n{user}".encode()
        self.folder = folder / hashlib.sha256(owner).hexdigest()[:16]

    def keep(self, study: Study, series_id: str, review: Review, case: str) -> Kept:
        """Keep a review, to be sent next.

        Args:
            study: as it was shown to the reader.
            series_id: which of its series they speak of.
            review: based on that.
            case: words by which they recognise it.

        Raises:
            StorageError: it could not be written, and is not kept.
        """
        kept = Kept(
            series_id=series_id,
            study_id=study.case.id,
            review=review,
            case=case,
            given_at=datetime.now(timezone.utc),
            seen=as_seen(study, series_id),
        )
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            number = 1 + max((int(path.name.split("-")[0]) for path in self._files()), default=0)
            _write(self.folder / f"{number:08d}-{review.request_id}.json", kept)
        except OSError as error:
            raise _unwritten(error) from None
        return kept

    def pending(self) -> list[Kept]:
        """All that the server does not have, in the order of giving."""
        return [kept for _path, kept in self._all()]

    def damaged(self) -> list[Path]:
        """Files that cannot be read; such are set aside when they are met, and never deleted."""
        unreadable = [path for path in self._files() if not os.access(path, os.R_OK)]
        return sorted([*self.folder.glob("*.damaged"), *unreadable])

    def drop(self, kept: Kept) -> None:
        """Forget a review, because the reader says so.

        Raises:
            StorageError: its file cannot be removed.
        """
        try:
            for path in self._of(kept):
                path.unlink()
        except OSError as error:
            raise _unwritten(error) from None

    def again(self, kept: Kept) -> None:
        """Send a refused review with the next, because the reader says so.

        Raises:
            StorageError: it cannot be written, and stays refused.
        """
        try:
            for path in self._of(kept):
                _write(path, replace(kept, state=State.UNSENT, message=""))
        except OSError as error:
            raise _unwritten(error) from None

    def send_all(self, client: TriageClient) -> list[Outcome]:
        """Send what is unsent, in the order of giving; nothing while another Slicer of this login does so.

        A server that is away ends it, and the rest stays unsent. A review that it cannot take just now holds
        up only later ones of the same series.

        Raises:
            StorageError: what became of a review cannot be written: it will be sent again.
        """
        outcomes: list[Outcome] = []
        if not self.folder.is_dir():
            return outcomes
        stuck: set[str] = set()
        try:
            with locked(self.folder / "lock") as alone:
                for path in self._files() if alone else ():
                    kept = self._read(path)
                    if kept is None or kept.state is not State.UNSENT or kept.series_id in stuck:
                        continue
                    outcome, server_is_there = self._send(client, path, kept)
                    outcomes.append(outcome)
                    if outcome.kept.state is State.UNSENT:
                        stuck.add(kept.series_id)
                    if not server_is_there:
                        break
        except OSError as error:
            raise _unwritten(error) from None
        return outcomes

    def _send(self, client: TriageClient, path: Path, kept: Kept) -> tuple[Outcome, bool]:
        """What became of a review, and whether the server is there at all."""
        try:
            kept = self._ready(client, path, kept)
            answer = client.review(kept.series_id, kept.review)
        except ConflictError as error:
            kept = replace(kept, state=State.CONFLICT, message=str(error), current=error.current)
        except RefusedError as error:
            if error.code == RefusedError.LOGIN:
                return Outcome(kept, why=str(error)), False
            kept = replace(kept, state=State.REFUSED, message=str(error))
        except UnreachableError as error:
            return Outcome(kept, why=str(error)), error.kind == UnreachableError.FAILED
        except UnreadableError as error:
            return Outcome(kept, why=str(error)), True
        else:
            self._recorded(path, kept, answer.review.at)
            return Outcome(replace(kept, state=State.SENT), answer), True
        _write(path, kept)
        return Outcome(kept), True

    def _ready(self, client: TriageClient, path: Path, kept: Kept) -> Kept:
        """The review as it is sent from now on: on the new state, if words of the same reader went before it.

        Raises:
            ConflictError: there is more that the reader has not seen.
        """
        if kept.tried:
            return kept
        if kept.mine:
            kept = self._after_mine(client, kept)
        kept = replace(kept, tried=True)
        _write(path, kept)
        return kept

    def _after_mine(self, client: TriageClient, kept: Kept) -> Kept:
        study = client.study(kept.study_id)
        now = next((one for one in study.series if one.id == kept.series_id), None)
        if now is None:  # moved or deleted: the server has words for that
            return kept
        # The first of their earlier words they may have seen recorded, when only the answer was lost.
        unseen = (kept.mine[first:] for first in range(len(kept.mine) + 1))
        if not any(as_seen(study, kept.series_id, without) == kept.seen for without in unseen):
            raise ConflictError(_("The case has changed since it was shown; look again."), now)
        return replace(kept, review=replace(kept.review, based_on=now.based_on))

    def _recorded(self, path: Path, kept: Kept, at: datetime) -> None:
        """Later words learn of it first: until its file is gone it is only sent, and answered, again."""
        for other in self._files():
            later = self._read(other) if other.name > path.name else None
            if later is not None and later.series_id == kept.series_id:
                _write(other, replace(later, mine=tuple(sorted({*later.mine, at}))))
        path.unlink(missing_ok=True)

    def _all(self) -> Iterator[tuple[Path, Kept]]:
        for path in self._files():
            kept = self._read(path)
            if kept is not None:
                yield path, kept

    def _of(self, kept: Kept) -> list[Path]:
        return [path for path in self._files() if path.name.endswith(f"-{kept.review.request_id}.json")]

    def _files(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("*.json") if _NAME.fullmatch(path.name))

    def _read(self, path: Path) -> Optional[Kept]:
        """A file's review; ``None`` if it is gone or cannot be read."""
        try:
            return read(Kept, parse(path.read_bytes()))
        except UnreadableError:
            path.replace(path.with_suffix(".damaged"))
        except OSError:
            pass
        return None


def _write(path: Path, kept: Kept) -> None:
    """Whole or not at all, whatever happens meanwhile; for this account alone."""
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(to_json(kept), file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _unwritten(error: OSError) -> StorageError:
    sentence = _("The review could not be written to this computer's disk ({why}).")
    return StorageError(sentence.format(why=error.strerror or type(error).__name__))
