"""Whose word a report is: does this installation vouch for it, and if not, why not?

It vouches for what it sealed as it wrote it, and for what stands in its list of reviews: reports from before
there were seals, and all that was said of which no report could be written. The list lies beside the key,
outside the store, one sealed line a review; lines are only added.
"""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from headct.reports.review_meaning import Beside, ReviewContent, canonical
from headct.reports.seals import LIST_FILE, KeyRing
from headct.terms.review import Doubt, Review

Named = tuple[str, str]
"""A review of a series by its reader's login and its request."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One review in the list: what the store knows of it, and its report's meaning where that has no seal."""

    series_id: str
    """Orthanc's identifier."""
    series_instance_uid: str
    study_instance_uid: str
    review: Review
    at: datetime
    """When it was given, as the store has it, where clocks that were set are allowed for."""
    request_id: str
    request_digest: str
    images: int
    """Of the series, as the reader had it."""
    case_identity: str = ""
    """Of what the machine had said of it."""
    beside: tuple[Beside, ...] = ()
    report: str = ""
    """SOP instance UID of its report; empty where that bears a seal of its own, or there is none."""
    report_digest: str = ""
    """Of what that report says, :attr:`ReviewContent.statement`."""
    said_before: tuple[Named, ...] = ()
    """The last words that readers had said of the series before."""
    reported: bool = True
    """Whether there is to be a report: there is none that would name a patient among anonymised images."""

    @property
    def named(self) -> Named:
        """What it is known by within its series."""
        return self.review.by.login, self.request_id

    @property
    def key(self) -> tuple[str, str, str]:
        """What it is known by."""
        return self.series_id, *self.named

    def line(self, ring: KeyRing) -> str:
        """As it stands in the list."""
        said = canonical({
            **asdict(self),
            "review": self.review.to_json(),
            "at": self.at.isoformat(),
            "beside": [str(one) for one in self.beside],
        })  # fmt: skip
        return f"{ring.seal(said)} {said}\n"

    @classmethod
    def parse(cls, line: str, ring: KeyRing) -> Self | None:
        """From a line of the list; ``None`` where nobody vouches for it, or it is damaged."""
        seal, _, said = line.rstrip("\n").partition(" ")
        if not ring.vouches(seal, said):
            return None
        known: dict[str, Any] = json.loads(said)
        known["review"] = Review.from_json(known["review"])
        known["at"] = datetime.fromisoformat(known["at"])
        known["beside"] = tuple(map(Beside.parse, known["beside"]))
        own = known.pop("earlier", "")  # before 0.2 that of the same reader alone
        known["said_before"] = tuple(map(tuple, known.get("said_before", [(known["review"].by.login, own)])))
        return cls(**known)


def entries(file: Path, ring: KeyRing, since: int = 0) -> Iterator[tuple[int, int, Entry | None]]:
    """What stands in a list, each line with its beginning and its end.

    Args:
        file: the list; it need not be there.
        ring: what is sealed with its keys counts, other lines are ``None``.
        since: the end of the last line that is known.

    Raises:
        OSError: it cannot be read.
    """
    if not file.exists():
        return
    with file.open("rb") as opened:
        opened.seek(since)
        for line in opened:
            yield since, since + len(line), Entry.parse(line.decode("utf-8", "replace"), ring)
            since += len(line)


def entry_at(file: Path, place: int, ring: KeyRing) -> Entry | None:
    """The one whose line begins at a place."""
    with file.open("rb") as opened:
        opened.seek(place)
        return Entry.parse(opened.readline().decode("utf-8", "replace"), ring)


def add(file: Path, lines: str) -> None:
    """Add whole lines to a list, readable by its owner alone; on disk when this returns.

    A line that a power cut left unfinished is ended first: it is read as one that nobody vouches for.
    """
    opened = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        size = os.fstat(opened).st_size
        torn = size > 0 and os.pread(opened, 1, size - 1) != b"\n"
        written = (("\n" if torn else "") + lines).encode()
        if os.write(opened, written) != len(written):
            raise OSError(f"{file.name} could not be written whole")
        os.fsync(opened)
    finally:
        os.close(opened)


@dataclass(frozen=True, slots=True)
class Vouching:
    """What this installation vouches for; of nothing, where it has no keys."""

    ring: KeyRing | None = None
    listed: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Digest of what a report without a seal of ours says, by its UID."""

    @classmethod
    def of(cls, key_file: Path) -> Self:
        """With the keys in a file, and the list that lies beside it.

        Raises:
            SealError: the keys cannot be used.
            OSError: key or list cannot be read.
        """
        ring = KeyRing.read(key_file)
        found = (entry for _begin, _end, entry in entries(key_file.with_name(LIST_FILE), ring))
        return cls(ring, {e.report: e.report_digest for e in found if e is not None and e.report})

    def doubt(self, report: ReviewContent) -> Doubt | None:
        """Why a report is not counted; ``None`` where it is."""
        said, ring = report.statement, self.ring
        if ring is not None and report.seal and ring.vouches(report.seal, said):
            return None if report.filed_in == report.study_instance_uid else Doubt.MISPLACED
        if self.listed.get(report.sop_instance_uid) == digest(report):
            return None
        if not report.seal:
            return Doubt.NOT_SEALED if report.sop_instance_uid not in self.listed else Doubt.ALTERED
        return Doubt.ALTERED if ring is not None and ring.knows(report.seal) else Doubt.OTHER_KEY


def digest(report: ReviewContent) -> str:
    """Of what a report says, for the list."""
    return sha256(report.statement.encode("utf-8", "surrogatepass")).hexdigest()
