"""Versions of the data that a hospital's reviews give: each a folder of its own, whole or not there at all.

``OUT/0001``, ``OUT/0002`` and so on hold the de-identified images, the labels, and the prepared data made of
them, so that each may be given to ``--data``, to ``--previous``, or to ``--labelled``. What did not change is
the same file on disk in both (a hard link). The next version is made in ``OUT/.unfinished``, where a run that
was killed goes on.

Each also has the places of all patients who were ever dealt one (``places.json``), as one who is left out of
a version may be back in a later one, and versions may be deleted.
"""

import csv
import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from headct.errors import DeidentificationError, UnusableInputError
from headct.terms.label import StoredLabel
from headct.terms.review import Exclusion
from model_training.datasets.manifest import Entry, Manifest
from model_training.datasets.orthanc import Pacs
from model_training.datasets.preparation import INDEX, prepare
from model_training.datasets.pulling import REFUSED_BY_AUDIT, Pulled, Puller
from model_training.datasets.review_labels import row_of
from model_training.datasets.sample import SAMPLES
from model_training.datasets.selection import Selection
from model_training.datasets.sources.labelled import COLUMNS, TABLE, VERSION
from model_training.datasets.summary import write_exclusions
from model_training.deidentification.audit import audit
from model_training.deidentification.identifiers import Identifiers
from model_training.deidentification.pseudonyms import Key

SERIES, PLACES = "series", "places.json"
_UNFINISHED, _LOCK = ".unfinished", ".lock"


@dataclass(frozen=True, slots=True)
class Version:
    """A version, and what happened on the way to it."""

    folder: Path
    manifest: Manifest
    new: bool
    """False when nothing had changed since this one was made."""
    fetched: int = 0
    """Series asked for in full by this run."""
    not_taken: tuple[str, ...] = field(default=())
    """Why series are in no list: the audit refused them, or they went while they were fetched."""


def latest(out: Path) -> Path | None:
    """The newest version below a folder, ``None`` when there is none."""
    found = [
        folder for folder in out.glob("[0-9]*") if folder.name.isdecimal() and (folder / VERSION).is_file()
    ]
    return max(found, key=lambda folder: int(folder.name), default=None)


def next_version(
    pacs: Pacs,
    out: Path,
    key_file: Path,
    *,
    selection: Selection | None = None,
    workers: int = 1,
    previous: Manifest | None = None,
) -> Version:
    """Pull what is reviewed now, prepare it, and add the version to those before.

    Args:
        pacs: where the reviews and images are.
        out: folder of the versions.
        key_file: of the pseudonyms, made when there is none; outside ``out``.
        selection: which studies are left out; the rules that ship when not given.
        workers: number of processes that prepare.
        previous: a manifest whose patients keep their part of the split, before those of the latest version.

    Raises:
        PacsError: Orthanc does not answer. What was fetched is kept for the next run.
        UnusableInputError: nothing can be learnt from yet, or another run works here.
        DeidentificationError: the key cannot be used, or a table names somebody.
    """
    selection = selection or Selection.read()
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _alone(out):
        before = latest(out)
        earlier = Manifest.read(before) if before else None
        places = [*(_places(before) if before else ()), *(previous.patients if previous else ())]
        key = _key(key_file, out, before)
        reviewed = pacs.reviewed()
        unfinished = out / _UNFINISHED
        found = _collect(Puller(pacs, key, selection), reviewed, unfinished, before)
        described = {"key": key.mark("key"), "content": found.content}
        _write_tables(unfinished, found.rows, described, reviewed)
        if all("excluded" in row for row in found.rows):
            raise UnusableInputError(f"none of {len(found.rows)} reviewed series can be learnt from yet")
        if before and not (unfinished / INDEX).exists():
            _start_from(before, unfinished)
        manifest = prepare(
            {"labelled": unfinished},
            unfinished,
            workers=workers,
            selection=selection,
            previous=Manifest(tuple(places)),
        )
        write_exclusions(manifest, unfinished)
        _write_places(unfinished, [*places, *manifest.patients])
        _remove_others(unfinished / SAMPLES, {p.patient for p in manifest.patients if not p.exclusion})
        if before and earlier and earlier.sha256 == manifest.sha256 and _described(before) == described:
            shutil.rmtree(unfinished)
            return Version(before, manifest, False, found.fetched, tuple(found.not_taken))
        folder = out / f"{int(before.name) + 1 if before else 1:04d}"
        unfinished.rename(folder)
    return Version(folder, manifest, True, found.fetched, tuple(found.not_taken))


@dataclass(slots=True)
class _Collected:
    """What is to be in a version."""

    rows: list[dict[str, str]] = field(default_factory=list)
    """Of the table of labels."""
    content: dict[str, str] = field(default_factory=dict)
    """New series UID to the name of its folder."""
    fetched: int = 0
    not_taken: list[str] = field(default_factory=list)


def _collect(
    puller: Puller, reviewed: Sequence[StoredLabel], unfinished: Path, before: Path | None
) -> _Collected:
    """Bring every reviewed series below ``unfinished`` that is not there; what is no longer wanted goes."""
    postoperative = frozenset(
        one.study_instance_uid for one in reviewed if one.excluded and one.reason is Exclusion.POST_OPERATIVE
    )
    found = _Collected()
    for one in tqdm(reviewed, desc="orthanc", unit="series"):
        row = row_of(one, postoperative)
        wanted = "excluded" not in row
        images = puller.pacs.images(one.series_id)
        if not images:
            continue  # withdrawn since
        name = puller.content_name(images, wanted=wanted)
        folder = unfinished / SERIES / name
        pulled = _kept(folder, before)
        if pulled is None:
            try:
                pulled = puller.pull(one, images, folder, wanted=wanted)
            except DeidentificationError as error:
                found.not_taken.append(f"{REFUSED_BY_AUDIT}: {error}")
                continue
            except UnusableInputError as error:
                found.not_taken.append(str(error))
                continue
            found.fetched += wanted
        if pulled.left_out:
            row = {"excluded": pulled.left_out}
        about = {"series": pulled.series, "study": pulled.study, "patient": pulled.patient}
        found.rows.append(about | row)
        found.content[pulled.series] = name
    found.rows.sort(key=lambda row: row["series"])
    _remove_others(unfinished / SERIES, set(found.content.values()))
    return found


def _kept(folder: Path, before: Path | None) -> Pulled | None:
    """What an earlier run, or the version before, has of a series; that of the latter is linked here."""
    there = before / SERIES / folder.name if before else None
    if not folder.exists() and there and there.exists():
        linked = folder.with_name(f"{_UNFINISHED}-{folder.name}")
        shutil.rmtree(linked, ignore_errors=True)
        _link(there, linked)
        linked.rename(folder)
    return Pulled.read(folder)


def _start_from(before: Path, unfinished: Path) -> None:
    """What was prepared for the version before is not prepared again; the index comes last, as a sign."""
    shutil.rmtree(unfinished / SAMPLES, ignore_errors=True)
    if (before / SAMPLES).exists():
        _link(before / SAMPLES, unfinished / SAMPLES)
    copied = unfinished / f"{_UNFINISHED}-{INDEX}"
    shutil.copyfile(before / INDEX, copied)
    copied.rename(unfinished / INDEX)


def _link(there: Path, here: Path) -> None:
    """The same files in a new folder."""
    shutil.copytree(there, here, copy_function=os.link)


def _write_tables(
    folder: Path,
    rows: Sequence[dict[str, str]],
    described: dict[str, Any],
    reviewed: Sequence[StoredLabel],
) -> None:
    """``labels.csv`` and ``version.json``, made of audited parts; no UID of the input may be in them.

    Raises:
        DeidentificationError: one is.
    """
    folder.mkdir(exist_ok=True)
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as file:
        columns = [name for name in COLUMNS if name not in {"mask", "postoperative", "comment"}]
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    (folder / VERSION).write_text(json.dumps(described, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    uids = frozenset(uid for one in reviewed for uid in (one.series_instance_uid, one.study_instance_uid))
    audit([(name, folder / name) for name in (TABLE, VERSION)], Identifiers(uids=uids))


def _described(version: Path) -> dict[str, Any]:
    return dict(json.loads((version / VERSION).read_text(encoding="utf-8")))


def _key(path: Path, out: Path, before: Path | None) -> Key:
    """The key, which must be the one of the versions before: with another all patients would change names."""
    if path.resolve().is_relative_to(out.resolve()):
        raise DeidentificationError(f"{path} lies within the data, whose patients it would give away")
    if before is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        return Key.read(path)
    if not path.exists():
        raise DeidentificationError(f"{path} is not there, and the versions in {out} were made with it")
    key = Key.read(path)
    if _described(before).get("key") != key.mark("key"):
        raise DeidentificationError(f"{path} is not the key with which the versions in {out} were made")
    return key


def _write_places(version: Path, entries: Sequence[Entry]) -> None:
    """Who was dealt where, by pseudonym and image; of equal ones the later entry's."""
    last = {(p.who, p.pixel_digest): (p.split, p.fold) for p in entries if p.split is not None}
    rows = [
        {"patient": who, "pixel_digest": digest, "split": part, "fold": fold}
        for (who, digest), (part, fold) in last.items()
    ]
    (version / PLACES).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _places(version: Path) -> tuple[Entry, ...]:
    """Everybody who was dealt a place in a version or in one before it; the version's own come last."""
    path = version / PLACES
    rows = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return (*(Entry(source="", bleeding=False, **row) for row in rows), *Manifest.read(version).patients)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Keep a second run out; the lock ends with the process, however that ends."""
    with (out / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnusableInputError(f"another run is pulling into {out}") from None
        yield


def _remove_others(folder: Path, kept: set[str]) -> None:
    for path in folder.glob("*"):
        if path.name not in kept:
            shutil.rmtree(path)
