"""Whom the networks of a cycle may know: everybody in the data of any cycle that they went on from.

A patient may be left out of one cycle and be back in a later one; the weights know them all the same. So the
frozen data of a cycle say where each was, and which of their entries are a hospital's own: those are as its
newest version has them, or not there.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from model_training.datasets.manifest import TRAIN, VALIDATION, Entry, Manifest
from model_training.datasets.sources.labelled import VERSION

KNOWN = "known.json"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a patient was, and under which name and source."""

    who: str
    source: str
    split: str | None
    fold: int | None


@dataclass(frozen=True, slots=True)
class Own:
    """An entry that is a hospital's: its name of the patient, and the mark of the key of its pseudonyms."""

    who: str
    key: str


@dataclass(frozen=True, slots=True)
class Known:
    """What networks have seen, and which entries of the data are a hospital's."""

    pictures: dict[str, Place] = field(default_factory=dict)
    """By digest of the pixels."""
    names: dict[str, Place] = field(default_factory=dict)
    """By name of the patient: theirs in the data, and the hospital's for them."""
    hospital: dict[str, Own] = field(default_factory=dict)
    """By name of the entry."""

    @classmethod
    def of(cls, base: Path, manifest: Manifest) -> Self:
        """Everybody whom networks know that learnt from a folder of prepared data."""
        known, key = cls.read(base), key_of(base)
        if key:  # a hospital's version itself
            known.hospital.update({p.patient: Own(p.who, key) for p in manifest.patients})
        for p in manifest.patients:
            if p.exclusion:
                continue
            place = Place(p.who, p.source, p.split, p.fold)
            known.names[p.who] = place
            if own := known.hospital.get(p.patient):
                known.names[own.who] = place
            if p.pixel_digest:
                known.pictures[p.pixel_digest] = place
        return known

    def with_hospital(self, patients: Iterable[Entry], key: str, kept: set[str]) -> "Known":
        """The same of new data: a hospital's entries, and of others' those that were kept."""
        others = {name: own for name, own in self.hospital.items() if name in kept}
        return Known(self.pictures, self.names, others | {p.patient: Own(p.who, key) for p in patients})

    @property
    def taught(self) -> set[str]:
        """Digests of the pixels of whom a network that ships was trained on."""
        return {digest for digest, place in self.pictures.items() if place.split in (TRAIN, VALIDATION)}

    @property
    def sources(self) -> set[str]:
        """Where those came from."""
        return {place.source for place in self.pictures.values() if place.split in (TRAIN, VALIDATION)}

    def write(self, folder: Path) -> None:
        """Write ``known.json``; :meth:`read` reads it back."""
        (folder / KNOWN).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read ``known.json``; a folder without one, which no cycle wrote, knows nobody."""
        if not (folder / KNOWN).exists():
            return cls()
        body: dict[str, Any] = json.loads((folder / KNOWN).read_text(encoding="utf-8"))
        return cls(
            {digest: Place(**place) for digest, place in body["pictures"].items()},
            {name: Place(**place) for name, place in body["names"].items()},
            {name: Own(**own) for name, own in body["hospital"].items()},
        )


def key_of(folder: Path) -> str:
    """Mark of the key of a hospital's pseudonyms; empty where they were not made by ``dataset orthanc``."""
    if not (folder / VERSION).exists():
        return ""
    return str(json.loads((folder / VERSION).read_text(encoding="utf-8") or "{}").get("key", ""))
