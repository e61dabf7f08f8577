"""From a hospital's reviewed series to a bundle in its models folder, if the gate lets it: one command.

Data, candidate with its evaluation, gate, hand-over: each is kept in the cycle's folder when it is done, so
that a cycle that was stopped goes on where it was. Nothing outside that folder is written before the last
step, and that one puts a whole bundle beside the others or none. Which model judges is not touched:
activating one is an administrator's act.
"""

import fcntl
import json
import logging
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from headct.errors import ExportError, TrainingError, UnusableInputError
from headct.network.bundle import Bundle, load_bundle
from model_training.cycle.data import freeze, learnt_from
from model_training.cycle.fine_tuning import CONFIG, fine_tuned, fine_tuning_config
from model_training.cycle.head_candidate import head_candidate
from model_training.datasets.manifest import Manifest
from model_training.evaluation.evaluate import check_patients
from model_training.gate.gate import gate
from model_training.gate.judging import choose
from model_training.gate.report import report as gate_report
from model_training.gate.rules import Rules
from model_training.learning.conversion import Precision
from model_training.shipping.export import NAME
from model_training.shipping.judging_time import REPEATS

CYCLE, REPORT, GATE, DATA, CANDIDATE = "cycle.json", "cycle.md", "gate.json", "data", "candidate"
"""In the cycle's folder, beside the files of a run where a network is trained."""
PASSED, STOPPED = "pass", "stopped"
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]*")
_log = logging.getLogger(__name__)


class What(StrEnum):
    """What a cycle makes anew."""

    NETWORK = "network"
    """Network, thresholds and calibrations, from the networks of an earlier run."""
    HEAD = "head"
    """The learned urgency alone, on the network in service."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a cycle is to do."""

    what: What
    data: Path
    """Folder that ``headct-train dataset`` wrote of the hospital's reviewed series."""
    in_service: Path
    """Folder of the bundle that judges now."""
    run: Path
    """The cycle's own folder."""
    models: Path
    """The hospital's models folder."""
    version: str
    """Of the new bundle."""
    base: Path | None = None
    """Folder of the data that the earlier run learnt from; the hospital's are added to it."""
    base_run: Path | None = None
    """Folder of the earlier run."""
    config: Path | None = None
    margins: Path | None = None
    precision: Precision | None = None
    """Of the network that ships, instead of the one the measured table chooses."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a cycle ended."""

    reasons: tuple[str, ...]
    """Why the candidate was stopped; empty when it passed."""
    bundle: Path | None
    """Where it lies in the models folder, if it passed."""
    report: str
    """In words, as ``cycle.md`` has it."""

    @property
    def passed(self) -> bool:
        """Whether the gate let the candidate through."""
        return self.bundle is not None


def cycle(asked: Asked, *, jobs: int = 1, threads: int = 0, repeats: int = REPEATS) -> Outcome:
    """Do what is not done yet.

    Args:
        asked: what to do; a folder begun with something else is refused.
        jobs: networks trained at the same time.
        threads: of each training; 0 leaves it to TensorFlow.
        repeats: rounds of the measurement of the judging time.

    Raises:
        UnusableInputError: data, run or labels do not allow it, or the models folder has such a bundle.
        BundleError: the bundle in service cannot be used.
        SettingsError: a file of settings or margins is wrong.
        TrainingError: the folder is another cycle's or in use, or a training failed.
    """
    if not _VERSION.fullmatch(asked.version):
        raise UnusableInputError(f"{asked.version!r} is no version: letters, digits, . _ and - alone")
    in_service, rules = load_bundle(asked.in_service), Rules.read(asked.margins)
    name = NAME if asked.what is What.NETWORK else in_service.contents.name
    candidate, target = (f / f"{name}-{asked.version}" for f in (asked.run / CANDIDATE, asked.models))
    with _begun(asked, in_service, rules) as state:
        if target.exists() and state.get("verdict") != PASSED:
            raise UnusableInputError(f"{target} exists already: take another version")
        if "verdict" not in state:
            _log.info("cycle: data")
            state["learnt_from"] = _data(asked, in_service)
            reasons: tuple[str, ...]
            try:
                _make(asked, in_service, candidate, jobs=jobs, threads=threads, repeats=repeats)
            except ExportError as error:
                words, reasons = f"# STOPPED\n\nNo bundle can be made of it: {error}.\n", (str(error),)
            else:
                words, reasons = _judged(asked, candidate, rules)
            (asked.run / REPORT).write_text(f"{_in_words(asked, state)}\n{words}", encoding="utf-8")
            state.update(verdict=STOPPED if reasons else PASSED, reasons=list(reasons))
            _keep(asked.run, state)
        return Outcome(
            tuple(state["reasons"]),
            _put(candidate, target) if state["verdict"] == PASSED else None,
            (asked.run / REPORT).read_text(encoding="utf-8"),
        )


@contextmanager
def _begun(asked: Asked, in_service: Bundle, rules: Rules) -> Iterator[dict[str, Any]]:
    """What the folder says of the cycle so far, for this process alone."""
    wish: dict[str, Any] = {
        "what": asked.what.value,
        "version": asked.version,
        "data": Manifest.read(asked.data).sha256,
        "base": Manifest.read(asked.base).sha256 if asked.base else None,
        "in service": in_service.identity.digest,
        "margins": rules.json(),
    }
    config = None
    if asked.what is What.NETWORK:
        if asked.base is None or asked.base_run is None:
            raise UnusableInputError("a network goes on from an earlier run and its data: name both")
        config = fine_tuning_config(asked.base, asked.base_run, asked.config)
        wish["precision"] = asked.precision
        wish["settings"] = {**config.of_training, "seeds": config.seeds, "specificity": config.specificity}
    wish = json.loads(json.dumps(wish))
    asked.run.mkdir(parents=True, exist_ok=True)
    with (asked.run / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise TrainingError(f"another process is at the cycle in {asked.run}") from error
        path = asked.run / CYCLE
        state = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"asked": wish}
        if changed := [key for key in wish if state["asked"].get(key) != wish[key]]:
            raise TrainingError(f"{asked.run} was begun with other {changed[0]}: take a new folder")
        if not path.exists():
            if config:
                config.write(asked.run / CONFIG)
            _keep(asked.run, state)
        yield state


def _data(asked: Asked, in_service: Bundle) -> dict[str, Any]:
    """Freeze the data; refused before anything is trained if they cannot end in a verdict."""
    network = asked.what is What.NETWORK
    manifest = freeze(asked.data, asked.base, asked.run / DATA, in_service if network else None)
    left = choose(manifest, in_service, in_service)
    if not left.patients:
        why = "; ".join(f"{n} left out as {reason}" for reason, n in left.left_out.items())
        raise UnusableInputError(f"nobody is there to compare bundles on: {why or 'no test patients'}")
    if network:
        check_patients(manifest.in_folds)
    return learnt_from(manifest)


def _make(
    asked: Asked, in_service: Bundle, candidate: Path, *, jobs: int, threads: int, repeats: int
) -> None:
    """The candidate's bundle, in the cycle's folder.

    Raises:
        ExportError: what was learnt makes no bundle.
    """
    if candidate.exists():
        return
    _log.info("cycle: %s", asked.what)
    if asked.base_run and asked.what is What.NETWORK:
        fine_tuned(
            asked.run / DATA,
            asked.base_run,
            asked.run,
            candidate.parent,
            asked.version,
            precision=asked.precision,
            jobs=jobs,
            threads=threads,
            repeats=repeats,
        )
    else:
        head_candidate(asked.run / DATA, in_service, candidate, asked.version)


def _judged(asked: Asked, candidate: Path, rules: Rules) -> tuple[str, tuple[str, ...]]:
    """The gate's report in words, and its reasons to stop the candidate."""
    _log.info("cycle: gate")
    verdict = gate(candidate, asked.in_service, asked.run / DATA, rules)
    (asked.run / GATE).write_text(json.dumps(verdict.json(), indent=1) + "\n", encoding="utf-8")
    return gate_report(verdict), tuple(verdict.reasons)


def _in_words(asked: Asked, state: dict[str, Any]) -> str:
    """What was learnt from, before the verdict."""
    learnt = state["learnt_from"]
    sources = ", ".join(f"{source} {count}" for source, count in learnt["sources"].items())
    lines = [
        f"# Cycle {asked.version}: {asked.what}",
        "",
        f"Data {learnt['manifest_sha256'][:12]}: {learnt['patients']} patients ({sources}),"
        f" {learnt['without_a_bleed']} without a bleed, {learnt['bleeds_marked']} with a marked one;"
        f" {learnt['labelled_by_specialists']} colours are a specialist's.",
    ]
    if asked.what is What.NETWORK:
        missed = learnt["bleeds_not_marked"]
        lines += [
            f"Of {learnt['bleeds_marked_by_the_network_in_service']} bleeds that nobody marked, what the"
            " network in service flagged was learnt from.",
            f"In {len(missed)} it flagged nothing: not learnt from, counted in the evaluation"
            f"{': ' if missed else ''}{', '.join(missed)}.",
        ]
    return "\n".join(lines) + "\n"


def _put(candidate: Path, target: Path) -> Path:
    """The bundle into the models folder, whole or not at all."""
    _log.info("cycle: hand-over")
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".bundle-", dir=target.parent) as scratch:
            draft = Path(scratch) / target.name
            shutil.copytree(candidate, draft)
            load_bundle(draft)
            draft.rename(target)
    if load_bundle(target).digest != load_bundle(candidate).digest:
        raise UnusableInputError(f"{target} holds another bundle")
    return target


def _keep(run: Path, state: dict[str, Any]) -> None:
    draft = run / f"{CYCLE}.partial"
    draft.write_text(json.dumps(state, indent=1) + "\n", encoding="utf-8")
    draft.replace(run / CYCLE)
