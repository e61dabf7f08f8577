"""The data of a cycle, frozen: a hospital's patients beside those that the base run learnt from.

Where a patient is in both, their place is the base's: a fold's network must never have seen the patients it
is asked about, and the networks that training goes on from were dealt by the base's folds. So it is for one
whom the base no longer has and a cycle before it had (:mod:`model_training.datasets.lineage`). What is known
of them is the hospital's, which is newer; a bleed that the base has marked stays marked. What the base has of
an earlier version of the hospital's data goes: who is no longer in Orthanc is not learnt from again.

A reader's label says that there is blood, not where. From such a series a network learns what the network in
service flagged in it, now that a reader saw blood there too: those slabs, as they are marked. Its other slabs
may hold blood that was missed and are not shown. A bleed that was missed altogether cannot be learnt from
without a mask: it is listed, and counts in the evaluation.
"""

import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from headct.errors import UnusableInputError
from headct.findings.scoring import score
from headct.network.bundle import Bundle
from headct.network.classifier import Classifier
from model_training.datasets.lineage import Known, Place, key_of
from model_training.datasets.manifest import MANIFEST, SPECIALIST, Entry, Manifest
from model_training.datasets.sample import SAMPLES, Sample, sample_path

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Merged:
    """An entry of the frozen data, and where its sample lies."""

    patient: Entry
    data: Path
    """Folder of prepared data."""
    sample: Entry
    """The entry under whose name the sample lies there."""


def freeze(hospital: Path, base: Path | None, into: Path, in_service: Bundle | None) -> Manifest:
    """Write the folder of prepared data that a cycle works on; one that is there is left as it is.

    Samples are links to those of the folders they come from, which are versions and never change.

    Args:
        hospital: folder that ``headct-train dataset`` wrote from the hospital's reviewed series.
        base: folder of the data that the earlier run learnt from, if any is added.
        into: the folder to write.
        in_service: marks what was flagged where a reader saw a bleed and nobody marked it; ``None`` marks
            nothing.

    Raises:
        UnusableInputError: no prepared data, or samples are missing.
    """
    if (into / MANIFEST).exists():
        return Manifest.read(into)
    new, old = Manifest.read(hospital), Manifest.read(base) if base else None
    shutil.rmtree(into, ignore_errors=True)
    (into / SAMPLES).mkdir(parents=True)
    classifier = Classifier(in_service) if in_service else None
    known = Known.of(base, old) if base and old else Known()
    entries = []
    for one in tqdm(list(merged(hospital, new, base, old, known)), desc="data", unit="patient"):
        patient, source = one.patient, sample_path(one.data, one.sample).resolve()
        if not patient.exclusion:
            if not source.is_dir():
                raise UnusableInputError(f"{source} is missing: run headct-train dataset")
            marked = _flagged(source, classifier) if classifier and _unmarked(patient) else None
            if marked:
                marked.write(sample_path(into, patient))
                patient = replace(patient, masked_by_network=True)
            else:
                sample_path(into, patient).symlink_to(source, target_is_directory=True)
        entries.append(patient)
    names = {p.patient for p in entries}
    if gone := sum(not p.exclusion and p.patient not in names for p in _replaced(hospital, old, known)):
        _log.info("%d series of the base are no longer in the hospital's data: left out", gone)
    known.with_hospital(new.patients, key_of(hospital), names).write(into)
    manifest = replace(
        new, patients=tuple(entries), licences={**(old.licences if old else {}), **new.licences}
    )
    manifest.write(into)
    return manifest


def learnt_from(manifest: Manifest) -> dict[str, Any]:
    """What networks can learn from these patients, in numbers; who cannot be learnt from, by name.

    Plain JSON types. Patients who are only measured on are left out.
    """
    patients = manifest.in_folds
    return {
        "manifest_sha256": manifest.sha256,
        "patients": len(patients),
        "labelled_by_specialists": sum(p.urgency_by == SPECIALIST for p in patients),
        "without_a_bleed": sum(not p.bleeding for p in patients),
        "bleeds_marked": sum(p.bleeding and p.masked for p in patients),
        "bleeds_marked_by_the_network_in_service": sum(p.masked_by_network for p in patients),
        "bleeds_not_marked": [p.patient for p in patients if not p.teaches],
        "sources": {s: sum(p.source == s for p in patients) for s in sorted({p.source for p in patients})},
    }


def merged(
    hospital: Path, new: Manifest, base: Path | None, old: Manifest | None, known: Known
) -> Iterator[Merged]:
    """Every entry of both; of a patient in both the hospital's, in the base's place.

    Args:
        hospital: folder of the hospital's prepared data.
        new: its manifest.
        base: folder of the base's, if there is one.
        old: its manifest.
        known: whom the base's networks know.

    Raises:
        UnusableInputError: an entry of one has the name of another patient's in the other.
    """
    if base is None or old is None:
        yield from (Merged(p, hospital, p) for p in new.patients)
        return
    places = _places(new, known)
    replaced = {p.patient for p in _replaced(hospital, old, known)}
    pictures = {p.pixel_digest: p for p in old.patients if p.pixel_digest and not p.exclusion}
    superseded = {p.who for p in new.patients} | {p.pixel_digest for p in new.patients if not p.exclusion}
    taken = {p.patient for p in new.patients}
    for p in old.patients:
        if p.patient in replaced or p.who in superseded or (p.pixel_digest and p.pixel_digest in superseded):
            continue
        if p.patient in taken:
            raise UnusableInputError(f"{p.patient} is a name in both {hospital} and {base}, of two patients")
        yield Merged(p, base, p)
    for p in new.patients:
        same = pictures.get(p.pixel_digest)
        place = known.pictures.get(p.pixel_digest) or places.get(p.who)
        if place is None or p.exclusion:
            yield Merged(p, hospital, p)
            continue
        person = "" if place.who == p.patient else place.who
        moved = replace(p, source=place.source, split=place.split, fold=place.fold, person=person)
        if same and _unmarked(p) and same.bleeding and same.masked:
            yield Merged(replace(moved, masked=True, bleed_ml=same.bleed_ml), base, same)
        else:
            yield Merged(moved, hospital, p)


def _replaced(hospital: Path, old: Manifest | None, known: Known) -> list[Entry]:
    """What the base has of an earlier version of this hospital's data."""
    key = key_of(hospital)
    mine = {name for name, own in known.hospital.items() if own.key == key}
    return [p for p in old.patients if p.patient in mine] if old else []


def _places(new: Manifest, known: Known) -> Mapping[str, Place]:
    """Where those of the hospital's patients were who are known: by their images, or under their name."""
    places: dict[str, Place] = {}
    for p in new.patients:
        if place := known.pictures.get(p.pixel_digest) or known.names.get(p.who):
            places.setdefault(p.who, place)
    return places


def _unmarked(patient: Entry) -> bool:
    return patient.bleeding and not patient.masked and patient.fold is not None


def _flagged(path: Path, classifier: Classifier) -> Sample | None:
    """The sample with what the network flags in it as its mask; ``None`` where it flags nothing."""
    sample = Sample.read(path)
    thresholds = classifier.bundle.contents.thresholds
    mask = score(sample.volume, classifier.predict(sample.volume), thresholds).mask
    return Sample(sample.volume, mask) if mask.any() else None
