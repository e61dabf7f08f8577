"""Any sources to one form: head volumes with bleed masks, and a manifest that is frozen and hashed.

Patients are prepared one by one in several processes. What is done is recorded with a fingerprint of what it
was made from, so a run that was killed goes on where it was, and a run with other settings does again what
they change.
"""

import hashlib
import json
import logging
import re
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from uuid import uuid4

import numpy as np
from tqdm import tqdm

from headct.eligibility.by_headers import check_headers
from headct.eligibility.cautions import age_years
from headct.eligibility.gate import admit
from headct.errors import NotAnalysedError, UnusableInputError
from headct.images.frames import one_by_one
from headct.images.headers import text
from headct.images.reading import read_headers
from headct.images.series import CTSeries
from headct.network.preprocessing import CROP_COLUMNS, CROP_ROWS, head_volume, resample
from headct.reasons import Reason, ReasonCode
from headct.safe_log import failure
from headct.triage.rubric import default_rubric
from model_training.datasets.header_index import (
    count_persons,
    index,
    open_index,
    persons,
    record,
    recorded,
    stamp,
)
from model_training.datasets.manifest import FOLDS, Entry, Manifest
from model_training.datasets.parallel import in_processes
from model_training.datasets.sample import Sample, SliceLabels, label_row, remove_unfinished, sample_path
from model_training.datasets.selection import OTHER_SERIES, POSTOPERATIVE, REPEAT, Selection, studies
from model_training.datasets.single_slices import DISAGREE, SLICE_SOURCES, SliceSource, prepare_slices
from model_training.datasets.source import FoundSeries, Source, Truth
from model_training.datasets.sources import SOURCES
from model_training.datasets.split import split
from model_training.datasets.urgencies import urgency

INDEX = "index.sqlite"
FORMAT = 2
"""Of samples and entries: raised when a change of this package makes earlier ones out of date."""
DUPLICATE = "same pixels as another patient's series"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,100}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Person:
    """A patient of a source with all that was found of them."""

    source: str
    name: str
    series: tuple[tuple[FoundSeries, Truth | str], ...]
    """What its readers said of each series, or why nothing is known."""


def prepare(
    sources: Mapping[str, Path],
    folder: Path,
    *,
    workers: int = 1,
    selection: Selection | None = None,
    train_on: Sequence[str] = (),
    previous: Manifest | None = None,
    folds: int = FOLDS,
) -> Manifest:
    """Read every series and single slice of the named sources, write the samples and the manifest.

    Args:
        sources: name of a source (:data:`model_training.datasets.sources.SOURCES`, :data:`SLICE_SOURCES`) to
            its folder.
        folder: where samples and manifest go; what is there and up to date is kept.
        workers: number of processes.
        selection: which studies are left out; the rules that ship when not given.
        train_on: sources to train on whose licence alone would make them measured on only.
        previous: an earlier manifest, whose patients keep their part of the split.
        folds: number of folds of the cross-validation.

    Raises:
        UnusableInputError: a source lacks its tables, two patients have one name, another run works here.
    """
    selection = selection or Selection.read()
    if unknown := sorted(set(train_on) - set(sources)):
        raise UnusableInputError(f"cannot train on {unknown[0]}, which is not among the sources")
    folder.mkdir(parents=True, exist_ok=True)
    remove_unfinished(folder)
    database = open_index(folder / INDEX)
    try:
        roots = {name: root.resolve() for name, root in sources.items()}
        opened = [SOURCES[name](root, folder) for name, root in roots.items() if name in SOURCES]
        slices = [SLICE_SOURCES[name](root) for name, root in roots.items() if name in SLICE_SOURCES]
        patients: list[Entry] = []
        for source in opened:
            if not index(database, source, uuid4().hex, workers):
                raise UnusableInputError(f"there are no DICOM files of {source.name} in {source.root}")
            found = list(_prepared(database, source, folder, selection, workers))
            patients += (*found, *_without_images(source, found))
        for collection in slices:
            patients += prepare_slices(database, collection, folder, workers)
    finally:
        database.close()
    patients = _without_duplicates(patients)
    if twice := [name for name, count in Counter(p.patient for p in patients).items() if count > 1]:
        raise UnusableInputError(f"two patients have the name {min(twice)}")
    every: list[Source | SliceSource] = [*opened, *slices]
    measured_only = [s.name for s in every if not s.trainable and s.name not in train_on]
    manifest = Manifest(
        patients=split(patients, measured_only, previous.patients if previous else (), folds),
        licences={source.name: source.licence for source in every},
        rubric=default_rubric().version,
        selection=asdict(selection),
    )
    manifest.write(folder)
    return manifest


def prepare_person(folder: Path, selection: Selection, person: Person) -> tuple[Entry, ...]:
    """Choose among the studies and series of one patient, write the samples of those in use.

    Returns:
        An entry for each series: first those in use, then those left out.
    """
    truth_of = {(s.study, s.series): truth for s, truth in person.series}
    used: list[Entry] = []
    left_out: list[Entry] = []
    kept: list[str] = []
    for study in studies([series for series, _ in person.series]):
        reason = _study_left_out(study, truth_of, selection, kept)
        in_use = False
        for series in study:
            truth = truth_of[series.study, series.series]
            if not series.series:
                why = Reason(ReasonCode.UNREADABLE, f"{len(series.files)} files are no DICOM").sentence()
            elif reason:
                why = reason
            elif in_use:
                why = _refused_by_headers(series) or OTHER_SERIES
            elif isinstance(truth, str):
                why = truth
            else:
                name = person.name if not used else f"{person.name}.{len(used) + 1}"
                made = _make(folder, name, person, series, truth)
                if isinstance(made, Entry):
                    used.append(made)
                    in_use = True
                    continue
                why = made
            left_out.append(_entry(person, series, truth, exclusion=why))
        if in_use:
            kept.append(study[0].when)
    numbered = [
        replace(
            p, patient=f"{person.name}.{n}" if n > 1 else person.name, person=person.name if n > 1 else ""
        )
        for n, p in enumerate(left_out, start=len(used) + 1)
    ]
    return (*used, *numbered)


def _prepared(
    database: sqlite3.Connection, source: Source, folder: Path, selection: Selection, workers: int
) -> Iterator[Entry]:
    """Entries of all patients of a source; those recorded as done are not done again."""
    settings = repr((FORMAT, CROP_ROWS, CROP_COLUMNS, default_rubric(), selection))

    def tasks() -> Iterator[_Task]:
        for name, found in persons(database, source):
            if not _NAME.fullmatch(name):
                raise UnusableInputError(
                    f"{name!r} is no name for a patient: letters, digits, . _ and - alone"
                )
            said = tuple((series, source.truth(series)) for series in found)
            person = Person(source.name, name, said)
            mark = _fingerprint(settings, person)
            yield _Task(person, mark, _recorded(database, folder, person, mark))

    gone = (
        "DELETE FROM prepared WHERE source = ? AND person NOT IN (SELECT person FROM images WHERE source = ?)"
    )
    database.execute(gone, (source.name, source.name))
    with tqdm(total=count_persons(database, source), desc=source.name, unit="patient") as bar:
        for task in in_processes(partial(_work, folder, selection), tasks(), workers):
            assert task.entries is not None
            entries = json.dumps([asdict(p) for p in task.entries])
            record(database, source.name, task.person.name, task.fingerprint, entries)
            bar.update()
            yield from task.entries


def _without_images(source: Source, found: Sequence[Entry]) -> Iterator[Entry]:
    """Entries of what the source leaves out and has no images of, numbered on from a patient's others."""
    known = {p.series for p in found}
    entries = Counter(p.who for p in found)
    for out in source.left_out:
        if out.series in known:
            continue
        entries[out.person] += 1
        number = entries[out.person]
        yield Entry(
            patient=f"{out.person}.{number}" if number > 1 else out.person,
            person=out.person if number > 1 else "",
            source=source.name,
            bleeding=False,
            series=out.series,
            study=out.study,
            masked=False,
            exclusion=out.reason,
        )


@dataclass(frozen=True, slots=True)
class _Task:
    person: Person
    fingerprint: str
    entries: tuple[Entry, ...] | None
    """Of an earlier run, still up to date; else what is to be found out."""


def _work(folder: Path, selection: Selection, task: _Task) -> _Task:
    return (
        task
        if task.entries is not None
        else replace(task, entries=prepare_person(folder, selection, task.person))
    )


def _fingerprint(settings: str, person: Person) -> str:
    """Of all that decides about the entries and samples of a patient."""
    parts = [settings]
    for series, truth in person.series:
        masks = truth.masks.files if isinstance(truth, Truth) and truth.masks else ()
        stamps = [(path.name, stamp(path)) for path in masks]
        said = replace(truth, masks=None) if isinstance(truth, Truth) else truth
        parts.append(repr((series.study, series.series, series.images, series.stamp, said, stamps)))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _recorded(
    database: sqlite3.Connection, folder: Path, person: Person, mark: str
) -> tuple[Entry, ...] | None:
    """What an earlier run wrote down, if it was about the same and its samples are still there."""
    known = recorded(database, person.source, person.name, mark)
    if known is None:
        return None
    entries = tuple(Entry(**entry) for entry in json.loads(known))
    failed = Reason(ReasonCode.INTERNAL_ERROR).sentence()
    whole = all(p.exclusion or sample_path(folder, p).is_dir() for p in entries)
    return entries if whole and not any(p.exclusion.startswith(failed) for p in entries) else None


def _study_left_out(
    study: Sequence[FoundSeries],
    truth_of: Mapping[tuple[str, str], Truth | str],
    selection: Selection,
    kept: Sequence[str],
) -> str:
    """Why none of a study's series is used; empty when one may be."""
    truths = [truth_of[s.study, s.series] for s in study]
    if any(isinstance(t, Truth) and t.postoperative for t in truths) or any(
        selection.says_postoperative(s.study_description) for s in study
    ):
        return POSTOPERATIVE
    return REPEAT if selection.is_repeat(study[0].when, kept) else ""


def _make(folder: Path, name: str, person: Person, series: FoundSeries, truth: Truth) -> Entry | str:
    """Write the sample of one series; its entry, or in words why it cannot be used."""
    try:
        loaded = admit(series.files)
        volume = head_volume(loaded)
        share = truth.masks(loaded) if truth.masks else None
    except NotAnalysedError as error:
        return error.reason.sentence()
    except UnusableInputError as error:
        return str(error)
    except Exception as error:  # one series among thousands; it is listed, and tried again by the next run
        _log.error("%s of %s: %s", name, person.source, failure(error))
        return Reason(ReasonCode.INTERNAL_ERROR, type(error).__name__).sentence()
    if share is None:
        mask = np.zeros(volume.hu.shape, bool)
    else:
        mask = resample(share, volume.to_source, volume.hu.shape[1:]) >= 0.5
    made = _entry(person, series, truth, patient=name, loaded=loaded)
    if made.bleed_ml is None and share is not None and "pixel_spacing" not in loaded.assumed:
        made = replace(made, bleed_ml=float((mask.sum(axis=(1, 2)) * volume.voxel_ml).sum()))
    colour, by = urgency(truth, volume, mask, default_rubric())
    doubts = [truth.doubtful] if truth.doubtful else []
    if share is not None and bool(share.any()) != truth.bleeding:
        doubts.append(DISAGREE)
    labels = _slab_labels(loaded, truth)
    sample = Sample(volume, mask, labels)
    made = replace(
        made,
        urgency=colour,
        urgency_by=by,
        doubtful="; ".join(doubts),
        slice_labels=labels is not None,
    )
    sample.write(sample_path(folder, made))
    return made


def _slab_labels(series: CTSeries, truth: Truth) -> SliceLabels | None:
    """What was said of the slices of each slab: a finding of one of them is the slab's."""
    if not truth.slices:
        return None
    rows = np.array([label_row(truth.slices.get(uid, {})) for uid in series.sop_instance_uids])
    of_slabs = [rows[list(members)] for members in series.slabs]
    # Where nothing was seen and not everybody looked, nothing is known.
    return np.array([np.where((own == 1).any(axis=0), 1, own.min(axis=0)) for own in of_slabs], np.int8)


def _refused_by_headers(series: FoundSeries) -> str:
    """Why the headers alone rule a series out; empty when they do not."""
    try:
        _, headers = one_by_one(series.files, read_headers(series.files))
        check_headers(headers)
    except NotAnalysedError as error:
        return error.reason.sentence()
    return ""


def _entry(
    person: Person,
    series: FoundSeries,
    truth: Truth | str,
    *,
    patient: str = "",
    loaded: CTSeries | None = None,
    exclusion: str = "",
) -> Entry:
    known = truth if isinstance(truth, Truth) else None
    first = loaded.headers[0] if loaded else None
    age, sex = (known.age_years, known.sex) if known else (None, None)
    if first is not None:
        age = age_years(first) if age is None else age
        sex = sex or text(first, "PatientSex").upper()[:1]
    bleeding = known is not None and known.bleeding
    return Entry(
        patient=patient,
        source=person.source,
        bleeding=bleeding,
        series=series.series,
        study=series.study,
        labels=dict(known.labels) if known else {},
        masked=known is not None and (not bleeding or known.masks is not None),
        bleed_ml=(known.bleed_ml if bleeding else 0.0) if known else None,
        age_years=age,
        sex=sex if sex in {"M", "F", "O"} else None,
        slices=len(loaded.headers) if loaded else len(series.files),
        pixel_mm=loaded.spacing_mm[0] if loaded else None,
        exclusion=exclusion,
        pixel_digest=loaded.pixel_digest if loaded else "",
        person="" if patient == person.name else person.name,
    )


def _without_duplicates(patients: Sequence[Entry]) -> list[Entry]:
    """The same images under another name would sit in two parts of the split: only the first are used."""
    seen: dict[str, str] = {}
    kept = []
    for p in patients:
        first = seen.setdefault(p.pixel_digest, p.who) if not p.exclusion else p.who
        kept.append(p if first == p.who else replace(p, exclusion=DUPLICATE))
    return kept
