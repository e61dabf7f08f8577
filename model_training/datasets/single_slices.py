"""Collections of single slices to samples and entries: stacks of one, each with its labels.

They are pictures, so neither index of headers nor eligibility comes before them. What is done is recorded as
that of series is (:mod:`model_training.datasets.preparation`).
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from tqdm import tqdm

from headct.errors import UnusableInputError
from headct.network.preprocessing import CROP_COLUMNS, CROP_ROWS
from model_training.datasets.header_index import record, recorded, stamp
from model_training.datasets.manifest import Entry
from model_training.datasets.parallel import in_processes
from model_training.datasets.pictures import Picture
from model_training.datasets.sample import Sample, label_row, sample_path
from model_training.datasets.source import ANY
from model_training.datasets.sources.bhsd_masks import BhsdMasks
from model_training.datasets.sources.rsna_slices import RsnaSlices

FORMAT = 1
"""Of samples and entries: raised when a change of this package makes earlier ones out of date."""
DISAGREE = "label and mask disagree on whether there is blood"


class SliceSource(Protocol):
    """A layout in which single slices come."""

    name: str
    licence: str
    trainable: bool
    """As of :class:`model_training.datasets.source.Source`."""
    root: Path

    def pictures(self) -> Iterator[Picture]:
        """Every slice, also those the source leaves out."""


SLICE_SOURCES: dict[str, Callable[[Path], SliceSource]] = {
    "rsna_slices": RsnaSlices,
    "bhsd_masks": BhsdMasks,
}
"""Name of each source of single slices to what opens it, given its folder."""


@dataclass(frozen=True, slots=True)
class _Task:
    picture: Picture
    fingerprint: str
    entry: Entry | None
    """Of an earlier run, still up to date; else what is to be found out."""


def prepare_slices(
    database: sqlite3.Connection, source: SliceSource, folder: Path, workers: int
) -> Iterator[Entry]:
    """Write the samples of a collection; entries of all its slices.

    Args:
        database: from :func:`model_training.datasets.header_index.open_index`.
        source: the collection.
        folder: of the prepared data.
        workers: number of processes.

    Raises:
        UnusableInputError: the source lacks its table, or a picture.
    """
    pictures = list(source.pictures())
    settings = repr((FORMAT, CROP_ROWS, CROP_COLUMNS, source.name))

    def tasks() -> Iterator[_Task]:
        for picture in pictures:
            stamps = [stamp(path) for path in picture.files]
            mark = hashlib.sha256(repr((settings, picture, stamps)).encode()).hexdigest()
            known = recorded(database, source.name, picture.name, mark)
            entry = Entry(**json.loads(known)[0]) if known else None
            whole = entry is not None and (entry.exclusion or sample_path(folder, entry).is_dir())
            yield _Task(picture, mark, entry if whole else None)

    for task in tqdm(
        in_processes(partial(_made, folder, source.name), tasks(), workers),
        total=len(pictures),
        desc=source.name,
        unit="slice",
    ):
        assert task.entry is not None
        record(database, source.name, task.picture.name, task.fingerprint, json.dumps([asdict(task.entry)]))
        yield task.entry


def _made(folder: Path, source: str, task: _Task) -> _Task:
    if task.entry is not None:
        return task
    picture, bleeding = task.picture, task.picture.labels[ANY]
    entry = Entry(
        patient=picture.name,
        person="" if picture.person == picture.name else picture.person,
        source=source,
        bleeding=bleeding,
        labels={name: said for name, said in picture.labels.items() if name != ANY},
        masked=not bleeding or picture.mask is not None,
        slices=1,
        single=True,
        slice_labels=True,
        exclusion=picture.exclusion,
    )
    if picture.exclusion:
        return replace(task, entry=entry)
    try:
        volume, digest = picture.read()
        mask = picture.read_mask(volume)
    except UnusableInputError as error:
        return replace(task, entry=replace(entry, exclusion=str(error)))
    doubtful = DISAGREE if picture.mask is not None and bool(mask.any()) != bleeding else ""
    Sample(volume, mask, np.array([label_row(picture.labels)])).write(sample_path(folder, entry))
    return replace(task, entry=replace(entry, doubtful=doubtful, pixel_digest=digest))
