"""The whole reproduction in one command: pictures, networks, ``reproduction.json``."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
from tqdm import tqdm

from headct.errors import UnusableInputError
from headct.network.preprocessing import BASELINE_SLICES
from model_training.datasets.manifest import TEST, TRAIN, VALIDATION, Entry, Manifest
from model_training.datasets.parallel import in_processes
from model_training.reproduction import figures
from model_training.reproduction.answers import Answers
from model_training.reproduction.dealing import TASKS, Dealing
from model_training.reproduction.learning import LOG, Assignment, learn
from model_training.reproduction.pictures import Pictures
from model_training.reproduction.settings import Settings

RESULT = "reproduction.json"


def reproduce(data: Path, run: Path, series: Path | None, settings: Settings, jobs: int) -> dict[str, Any]:
    """Train AlexNet split by image and by patient, and write ``reproduction.json``.

    What is there from an earlier call (pictures, finished networks) is used again.

    Args:
        data: folder that ``headct-train dataset`` wrote.
        run: folder of the run.
        series: folder whose ``series/PATIENT`` hold the DICOM files; not needed once pictures are cut.
        settings: what to train, how long.
        jobs: networks trained side by side, each on one thread; 1 leaves every core to one network.

    Raises:
        UnusableInputError: no urgencies or no split in the manifest, series missing, or a run of other
            settings in the folder.
    """
    manifest = Manifest.read(data)
    patients = manifest.in_folds
    _check(patients, settings)
    root = run / "reproduction"
    root.mkdir(parents=True, exist_ok=True)
    pictures = root / "pictures.npz"
    if pictures.exists():
        Pictures.read(pictures, patients)
    elif series is None:
        raise UnusableInputError("pictures are not cut yet: name the folder of the series")
    else:
        Pictures.cut(series, patients).write(pictures)

    def network(dealing: Dealing, task: str, fold: int | None) -> Assignment:
        return Assignment(data, pictures, root, settings, dealing, task, fold, one_thread=jobs > 1)

    cross = [network(d, t, k) for t in settings.folds for d in Dealing for k in manifest.folds]
    curves = [network(d, t, None) for t in settings.curves for d in Dealing]
    everything = [*cross, *curves]
    with _progress(everything):
        for _ in in_processes(learn, everything, jobs):
            pass
    answers = {a: Answers.read(a.folder) for a in everything}
    result = figures.description(manifest, settings, answers[everything[0]].parameters)
    for dealing in Dealing:
        result[dealing] = {}
        for task in settings.folds:
            probabilities = np.full(len(patients) * BASELINE_SLICES, np.nan)
            for a in cross:
                if (a.dealing, a.task) == (dealing, task):
                    probabilities[answers[a].pictures] = answers[a].probabilities[:, 1]
            result[dealing][task] = figures.out_of_fold(dealing, TASKS[task], patients, probabilities)
    result["curves"] = {dealing: {} for dealing in Dealing}
    for a in curves:
        result["curves"][a.dealing][a.task] = figures.curves(
            a.dealing, TASKS[a.task], patients, a.folder / LOG, answers[a]
        )
    (run / RESULT).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return result


def _check(patients: Sequence[Entry], settings: Settings) -> None:
    if not patients:
        raise UnusableInputError("the manifest holds no patient to train on")
    if {"alert", "colours"} & {*settings.folds, *settings.curves}:
        without = [p.patient for p in patients if p.urgency is None]
        if without:
            raise UnusableInputError(f"the manifest gives no urgency of {', '.join(without)}")
    if settings.curves and {TRAIN, VALIDATION, TEST} - {p.split for p in patients}:
        raise UnusableInputError("the manifest's split lacks a part for training, validation or test")


@contextmanager
def _progress(networks: Sequence[Assignment]) -> Iterator[None]:
    """A bar over the epochs of all networks, read from their logs: they are trained in other processes."""
    finished = Event()

    def watch() -> None:
        with tqdm(total=sum(a.settings.epochs for a in networks), desc="networks", unit="epoch") as bar:
            while not finished.wait(1.0):
                done = sum(_epochs(a.folder / LOG) for a in networks)
                if done != bar.n:
                    bar.update(done - bar.n)

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def _epochs(log: Path) -> int:
    return max(0, log.read_bytes().count(b"\n") - 1) if log.exists() else 0
