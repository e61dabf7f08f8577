"""Is the chain whole? Read from its beginning, some entries at a time, for years of them are many."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from headct.language import Phrase, _
from headct.reports.seals import KeyRing
from orthanc_plugin.audit import chain
from orthanc_plugin.audit.chain import Head
from orthanc_plugin.store.tables import AuditEntry


class FaultKind(StrEnum):
    """What may be wrong with some entries."""

    MISSING = "missing"
    """Taken away, or moved."""
    ALTERED = "altered"
    """They do not say what was sealed, or stand in another place."""
    UNKNOWN_KEY = "unknown_key"
    """Sealed with a key that is not here: nobody can tell."""
    CUT_OFF = "cut_off"
    """The end that was noted beside the key is not in the store, which is an older copy, or a new one."""
    NOT_NOTED = "not_noted"
    """No end is noted beside the key, so nobody can tell whether entries were cut off."""


_SENTENCES = {
    FaultKind.MISSING: _("Entries {first} to {last} are missing."),
    FaultKind.ALTERED: _("Entries {first} to {last} were altered or moved."),
    FaultKind.UNKNOWN_KEY: _("Entries {first} to {last} are sealed with a key that is not here."),
    FaultKind.CUT_OFF: _(
        "The audit once went up to entry {last}. From entry {first} on that is not in this store:"
        " it is new, or an older copy."
    ),
    FaultKind.NOT_NOTED: _(
        "How far the audit went is not noted beside the key: up to entry {last} it may have been cut off."
    ),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with some entries that follow one another."""

    kind: FaultKind
    first: int
    last: int

    @property
    def sentence(self) -> Phrase:
        """In words."""
        return _SENTENCES[self.kind].filled(first=self.first, last=self.last)

    @classmethod
    def of(cls, entry: AuditEntry) -> "Fault":
        """As it was noted in the audit itself."""
        said = entry.detail
        return cls(FaultKind(said["kind"]), int(said["first"]), int(said["last"]))


@dataclass(slots=True)
class Check:
    """Looks at the chain from its beginning."""

    ring: KeyRing
    faults: list[Fault] = field(default_factory=list)
    noted: list[Fault] = field(default_factory=list)
    """Faults of which the audit itself says that they were found."""
    entries: int = 0
    last: Head = field(default_factory=Head)

    def go_on(self, session: Session, most: int) -> bool:
        """Look at some more entries; whether there are others."""
        wanted = (
            select(AuditEntry)
            .where(AuditEntry.number > self.last.number)
            .order_by(AuditEntry.number)
            .limit(most)
        )
        found = session.scalars(wanted).all()
        for entry in found:
            self._look(session, entry)
        session.expunge_all()
        return len(found) == most

    def _look(self, session: Session, entry: AuditEntry) -> None:
        number, seal = entry.number or 0, entry.seal or ""
        before: str | None = self.last.seal
        if number != self.last.number + 1:
            before = chain.seal_before(session, number)
            if before is None:
                self._fault(FaultKind.MISSING, self.last.number + 1, number - 1)
        self.entries += 1
        if not self.ring.knows(seal):
            self._fault(FaultKind.UNKNOWN_KEY if "-" in seal else FaultKind.ALTERED, number, number)
        # After a gap nobody knows the seal before: it is told of the gap that it is there.
        elif before is not None and not self.ring.vouches(seal, chain.said(entry, before)):
            self._fault(FaultKind.ALTERED, number, number)
        elif entry.event == chain.FAULT:
            self.noted.append(Fault.of(entry))
        self.last = Head(number, seal, entry.running or 0)

    def _fault(self, kind: FaultKind, first: int, last: int) -> None:
        before = self.faults[-1] if self.faults else None
        if before is not None and before.kind is kind and before.last + 1 == first:
            self.faults[-1] = replace(before, last=last)
        else:
            self.faults.append(Fault(kind, first, last))


def cut_off(session: Session, noted: Head | None) -> Fault | None:
    """Whether the end that was noted beside the key is still in the store.

    Args:
        session: of the store as it was after ``noted`` was read.
        noted: the end; ``None`` where none is noted.
    """
    last = chain.head(session)
    if noted is None:
        return Fault(FaultKind.NOT_NOTED, 1, last.number) if last.number else None
    seal = session.scalar(select(AuditEntry.seal).where(AuditEntry.number == noted.number))
    if seal == noted.seal:
        return None
    lowest = session.scalar(
        select(AuditEntry.number).where(AuditEntry.number.is_not(None)).order_by(AuditEntry.number).limit(1)
    )
    if seal is None and lowest is not None and lowest > noted.number:
        return None  # let go since; whether under a mark is told by the chain
    first = last.number + 1 if last.number < noted.number else 1
    return Fault(FaultKind.CUT_OFF, first, noted.number)
