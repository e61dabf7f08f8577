"""A run that was trained and evaluated to a bundle with its model card."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headct.errors import ExportError, UnusableInputError
from headct.network.bundle import Bundle, write_bundle
from headct.network.classifier import THREADS
from headct.network.contents import BundleContents, Calibration, InputContract, Thresholds, TrainingData
from headct.network.preprocessing import Missing
from headct.terms.urgency import Urgency
from model_training.datasets.lineage import Known
from model_training.datasets.manifest import TRAIN, VALIDATION, Entry, Manifest
from model_training.datasets.sample import Sample, sample_path
from model_training.evaluation import members
from model_training.evaluation.evaluate import EVALUATION
from model_training.evaluation.statistics import Figure
from model_training.learning.config import TrainingConfig
from model_training.learning.conversion import Precision, convert_all
from model_training.learning.train import WEIGHTS, run_folder, trained
from model_training.shipping import precisions
from model_training.shipping.judging_time import REPEATS, judging_time
from model_training.shipping.learned_urgency import load_learned_urgency
from model_training.shipping.licences import licence
from model_training.shipping.model_card import figures, model_card
from model_training.shipping.precisions import RULE, Row, agreement, choose, refusal
from model_training.shipping.reference import training_reference

EXPORT, JUDGING = "export.json", "judging.json"
NAME = "headct-bleed"
COMPARED_BLEEDING, COMPARED_CLEAR = 8, 4
"""Patients on whom an exported network is compared with its original: those with most blood, some without."""


# Long, for a third of it says what its arguments are.
def export(
    data: Path,
    run: Path,
    models: Path,
    *,
    version: str,
    config: TrainingConfig,
    precision: Precision | None = None,
    repeats: int = REPEATS,
) -> Bundle:
    """Convert the networks that ship, measure every precision, choose one, write the bundle.

    Those of all seeds ship where all were trained, and then their mean decides; else the first seed's alone.
    The first one is measured, the others are of its kind and held to the same limits.

    Writes ``export.json`` and ``judging.json`` into the run's folder too.

    Args:
        data: folder that ``dataset`` wrote.
        run: folder of a run that was trained and evaluated.
        models: where bundles lie.
        version: of the bundle.
        config: the run's settings.
        precision: overrides the choice by the table; the card says so.
        repeats: rounds of the measurement of time.

    Raises:
        UnusableInputError: the run was not evaluated, or on other data.
        ExportError: no precision, or not the one asked for, is still the same network, or there is such a
            bundle already.
    """
    folder = models / f"{NAME}-{version}"
    if folder.exists():
        raise ExportError(f"{folder} exists; a bundle is never overwritten")
    manifest = Manifest.read(data)
    evaluation = _evaluation(run, manifest)
    learnt_from = [p for p in manifest.part(TRAIN, VALIDATION) if p.teaches]
    together = _together(run, evaluation["seeds"])
    network = trained(run_folder(run, evaluation["seeds"][0], None), config)
    missing = Missing(config.missing)
    representative = precisions.representative(data, learnt_from, missing)
    exported = convert_all(network, representative)
    contents = _contents(
        data,
        run,
        version,
        manifest=manifest,
        learnt_from=learnt_from,
        evaluation=evaluation,
        together=together,
    )
    contents = replace(contents, input=InputContract(missing=missing))
    samples = [Sample.read(sample_path(data, p)) for p in _compared(manifest.in_folds)]
    agreements = {
        p: agreement(file, network, samples, contents.thresholds, missing) for p, file in exported.items()
    }
    refused = {p: refusal(file, network.count_params(), p, agreements[p]) for p, file in exported.items()}
    if precision and refused[precision]:
        raise ExportError(refused[precision])
    others = _others(run, config, evaluation["seeds"][1:] if together else (), representative)
    judging = judging_time(
        {p: [file, *(other[p] for _, other in others)] for p, file in exported.items()}, contents, repeats
    )
    measured = _accuracy(data, run, config, evaluation)
    rows = [
        Row(
            precision=p,
            megabytes=len(file) / 1e6,
            agreement=agreements[p],
            milliseconds={t: steps["infer"] for t, steps in judging["milliseconds"][p].items()},
            refused=refused[p],
            **measured[p],
        )
        for p, file in exported.items()
    ]
    table = _table(rows, precision)
    shipped = table["shipped"]
    judging |= {"shipped": shipped, "steps": _steps(next(r for r in rows if r.precision is shipped))}
    for name, body in ((EXPORT, table), (JUDGING, judging)):
        (run / name).write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
    for original, other in others:
        found = agreement(other[shipped], original, samples, contents.thresholds, missing)
        if why := refusal(other[shipped], original.count_params(), shipped, found):
            raise ExportError(why)
    contents = replace(contents, figures=figures(evaluation, table, judging, together))
    networks = [exported[shipped], *(other[shipped] for _, other in others)]
    return write_bundle(folder, contents, networks, model_card(contents))


def _together(run: Path, seeds: Sequence[int]) -> dict[str, Any] | None:
    """What was measured of the networks of all seeds together, if that is what ships."""
    finals = [run_folder(run, seed, None) / WEIGHTS for seed in seeds]
    return members.read(run) if all(path.exists() for path in finals) else None


def _others(
    run: Path, config: TrainingConfig, seeds: Sequence[int], representative: NDArray[np.float32]
) -> list[tuple[Any, dict[Precision, bytes]]]:
    """The networks beside the first, each as it was trained and in every precision."""
    originals = [trained(run_folder(run, seed, None), config) for seed in seeds]
    return [(network, convert_all(network, representative)) for network in originals]


def _table(rows: Sequence[Row], asked: Precision | None) -> dict[str, Any]:
    """Every precision as measured, and which one ships: the one asked for, else by the rule."""
    by_rule = choose(rows, str(THREADS))
    return {
        "shipped": asked or by_rule,
        "by_rule": by_rule,
        "chosen_by": "request" if asked else "table",
        "rule": RULE,
        "precisions": [{**asdict(r), "as_good": r.as_good} for r in rows],
    }


def _evaluation(run: Path, manifest: Manifest) -> dict[str, Any]:
    try:
        body: dict[str, Any] = json.loads((run / EVALUATION).read_text(encoding="utf-8"))
    except OSError as error:
        raise UnusableInputError(f"{run} was not evaluated: run headct-train evaluate") from error
    if body["manifest_sha256"] != manifest.sha256:
        raise UnusableInputError(f"{run} was evaluated on other data than this")
    return body


def _contents(
    data: Path,
    run: Path,
    version: str,
    *,
    manifest: Manifest,
    learnt_from: Sequence[Entry],
    evaluation: Mapping[str, Any],
    together: Mapping[str, Any] | None,
) -> BundleContents:
    """All that the bundle says but for its input and its figures, which are measured next."""
    chosen = together or evaluation
    seeds = evaluation["seeds"] if together else evaluation["seeds"][:1]
    taught = [*learnt_from, *(p for p in manifest.taught(None) if p.single)]
    known = Known.read(data)
    terms = licence({p.source for p in taught} | known.sources, manifest.licences)
    return BundleContents(
        name=NAME,
        version=version,
        thresholds=Thresholds(**chosen["cuts"]),
        haemorrhage=Calibration(**chosen["calibration"]["haemorrhage"]),
        alert=Calibration(**chosen["calibration"]["alert"]),
        rubric_version=evaluation["rubric"],
        data=TrainingData(
            manifest.sha256,
            len(learnt_from),
            tuple(sorted({p.source for p in taught})),
            # Also whom only a run knew that this one went on from.
            tuple(sorted({p.pixel_digest for p in taught if p.pixel_digest} | known.taught)),
        ),
        licence=terms.text,
        use=terms.use,
        networks=tuple(f"network-{seed}.tflite" for seed in seeds) if together else ("network.tflite",),
        learned_urgency=load_learned_urgency(run),
        reference=training_reference(data, learnt_from, evaluation, together),
    )


def _accuracy(
    data: Path, run: Path, config: TrainingConfig, evaluation: Mapping[str, Any]
) -> dict[Precision, dict[str, dict[str, Figure]]]:
    """Figures and losses of each precision on the patients of the cross-validation."""
    patients = Manifest.read(data).in_folds
    thresholds = Thresholds(**evaluation["cuts"])
    colours = [evaluation["scores"][p.patient]["rubric_colour"] for p in patients]
    return precisions.accuracy(
        precisions.out_of_fold(data, run, config, evaluation["seeds"], thresholds.voxel),
        bleeding=np.array([p.bleeding for p in patients]),
        alert=np.array([c is not None and Urgency[c].alert for c in colours]),
        haemorrhage_threshold=thresholds.haemorrhage,
    )


def _compared(patients: Sequence[Entry]) -> list[Entry]:
    most_blood_first = sorted(patients, key=lambda p: -(p.bleed_ml or 0.0))
    bleeding = [p for p in most_blood_first if p.bleeding]
    clear = [p for p in most_blood_first if not p.bleeding]
    return bleeding[:COMPARED_BLEEDING] + clear[:COMPARED_CLEAR]


def _steps(row: Row) -> list[dict[str, str]]:
    """The steps of judging, and what accuracy each gave away to be fast."""
    loss = {name: figure["value"] or 0.0 for name, figure in row.loss.items()}
    return [
        {"step": "read", "words": "headers parsed and sorted", "gave_away": "nothing"},
        {"step": "decode", "words": "every slice, full depth", "gave_away": "nothing, lossless"},
        {
            "step": "prepare",
            "words": "coverage, head turned upright and cropped",
            "gave_away": "not measured: no network was trained on the whole frame at full resolution",
        },
        {
            "step": "infer",
            "words": f"every slab, {row.precision.replace('_', ' ')}",
            "gave_away": f"area under the curve {loss['auc_haemorrhage']:.4f} for haemorrhage,"
            f" {loss['auc_alert']:.4f} for alert; sensitivity {loss['sensitivity']:.3f},"
            f" specificity {loss['specificity']:.3f}, against float32",
        },
        {"step": "measure", "words": "components, volumes, colour, key slices", "gave_away": "nothing"},
    ]
