"""A candidate that changes the learned urgency alone: the bundle in service with one from specialists.

Network, thresholds and calibrations stay. The network in service never saw the hospital's patients, so what
it finds in them is as it would be in the next one, and no other network has to be trained to learn from it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

from headct.findings.conclusion import find
from headct.network.bundle import MODEL_CARD, Bundle, write_bundle
from headct.network.classifier import Classifier
from headct.network.contents import BUNDLE_JSON, Thresholds
from headct.triage.learned_urgency import LearnedUrgency, features
from headct.triage.rubric import Rubric, default_rubric
from model_training.datasets.manifest import SPECIALIST, TRAIN, VALIDATION, Entry, Manifest
from model_training.datasets.sample import Sample, sample_path
from model_training.gate.judging import trained_on
from model_training.shipping.learned_urgency import Case, agreement, enough, fit


def head_candidate(data: Path, in_service: Bundle, folder: Path, version: str) -> Bundle:
    """Learn one and write the bundle.

    Learnt from are patients of the split's training and validation parts whom a specialist labelled and the
    network in service does not know. What the bundle says of its network's training stays true and stays.

    Args:
        data: folder of prepared data.
        in_service: the bundle that judges now.
        folder: of the new bundle.
        version: of the new bundle.

    Raises:
        UnusableInputError: too few labels.
        BundleError: the folder exists.
    """
    manifest, rubric = Manifest.read(data), default_rubric()
    known = trained_on(in_service, manifest, "in service")
    labelled = [
        p
        for p in manifest.part(TRAIN, VALIDATION)
        if p.urgency_by == SPECIALIST and p.colour is not None and p.who not in known
    ]
    enough([p.colour for p in labelled if p.colour is not None])
    contents = in_service.contents
    cases = list(_cases(data, labelled, Classifier(in_service), contents.thresholds, rubric))
    learned = replace(fit(cases), figures={**agreement(cases), "manifest_sha256": manifest.sha256})
    # It counts beside the rubric it was learnt beside.
    contents = replace(contents, version=version, learned_urgency=learned, rubric_version=rubric.version)
    return write_bundle(
        folder,
        contents,
        [file.read_bytes() for file in in_service.networks],
        _card(in_service, learned, version),
        extra_files=_other(in_service),
    )


def _cases(
    data: Path, patients: Sequence[Entry], network: Classifier, thresholds: Thresholds, rubric: Rubric
) -> Iterator[Case]:
    for patient in tqdm(patients, desc="learned urgency", unit="patient"):
        volume = Sample.read(sample_path(data, patient)).volume
        bleeding, findings = find(volume, network.predict(volume), thresholds, rubric)
        if patient.colour is not None:
            yield Case(features(findings, bleeding.score), rubric.judge(findings), patient.colour)


def _other(bundle: Bundle) -> dict[str, bytes]:
    """Files of a bundle beside its network and card."""
    known = {BUNDLE_JSON, MODEL_CARD, *bundle.contents.networks}
    return {
        path.name: path.read_bytes()
        for path in bundle.folder.iterdir()
        if path.name not in known and not path.name.startswith(".")
    }


def _card(in_service: Bundle, learned: LearnedUrgency, version: str) -> str:
    """What is new, before the card of the bundle whose network this is."""
    name, before = in_service.contents.name, in_service.contents.version
    rows = [
        f"| {words} | {f['value']:.2f} | {f['low']:.2f} to {f['high']:.2f} |"
        for words, f in (
            ("learned urgency", learned.figures["weighted_kappa"]),
            ("rubric", learned.figures["weighted_kappa_of_rubric"]),
            ("learned minus rubric", learned.figures["difference"]),
        )
    ]
    labels = ", ".join(f"{colour} {count}" for colour, count in learned.figures["labels"].items())
    return "\n".join(
        [
            f"# {name} {version}",
            "",
            f"Network, thresholds and calibrations of {name} {before}, whose card follows. New is the urgency"
            f" learned from {learned.patients} specialists' labels ({labels}); within what the rubric"
            " leaves open it gives the colour, and with it the probability of an alert. Figures of colours"
            " and alerts further down are of the rubric.",
            "",
            "Quadratic weighted kappa with the specialists, cross-validated:",
            "",
            "| | value | 95 % interval |",
            "|---|---|---|",
            *rows,
            "",
            f"Of the specialists' alerts it missed {learned.figures['alerts_missed']}, the rubric"
            f" {learned.figures['alerts_missed_by_rubric']}.",
            "",
            "---",
            "",
            (in_service.folder / MODEL_CARD).read_text(encoding="utf-8"),
        ]
    )
