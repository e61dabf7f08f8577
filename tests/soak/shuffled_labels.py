"""What a tiny training learns, and what the gate makes of it: labels as they are pass, shuffled ones do not.

No test, for how well so little is learnt differs from processor to processor. What the gate decides on given
answers is tested in tests/model_training/gate.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

SETTINGS = """
widths = [8, 8]
epochs = 1
steps = 360
batch = 4
precision = "float32"
learning_rate = 1e-2
[sampling]
grafted = 0.0
mimics = 0.0
[augmentation]
window = [64, 64]
"""
COLOURS = ("GREEN", "RED", "GREEN", "YELLOW")


def shuffled_labels() -> str:
    """Train twice on drawn heads, once with each head's label and marks given to the next; ask the gate."""
    said = []
    with tempfile.TemporaryDirectory() as folder:
        for shuffled in (False, True):
            passed, reasons = _judged(Path(folder) / str(shuffled), shuffled)
            assert passed is not shuffled, f"{'shuffled' if shuffled else 'true'} labels: {reasons}"
            said.append(f"{'shuffled' if shuffled else 'true'} labels: {'passed' if passed else 'stopped'}")
    return ", ".join(said)


def _judged(folder: Path, shuffled: bool) -> tuple[bool, list[str]]:
    from bundles import threshold_bundle

    from headct.network.bundle import load_bundle, write_bundle
    from headct.network.contents import Thresholds, TrainingData
    from model_training.datasets.manifest import TRAIN
    from model_training.datasets.sample import Sample
    from model_training.gate.gate import gate
    from model_training.gate.rules import Rules
    from model_training.learning.config import TrainingConfig
    from model_training.learning.conversion import Precision, convert
    from model_training.learning.train import train, trained
    from tests.model_training.drawn_patients import drawn, written

    folder.mkdir()
    made = [drawn(300 + n, COLOURS[n % 4], masked=True) for n in range(20)]
    if shuffled:
        taught = [n for n, (patient, _) in enumerate(made) if patient.split == TRAIN]
        labels = [(made[n][0].bleeding, made[n][1].mask) for n in taught]
        for n, (bleeding, mask) in zip(taught, [*labels[1:], labels[0]], strict=True):
            patient, sample = made[n]
            made[n] = replace(patient, bleeding=bleeding), Sample(sample.volume, mask)
    data = written(folder / "data", made)
    settings = folder / "settings.toml"
    settings.write_text(SETTINGS)
    config = TrainingConfig.read(settings)
    network = convert(
        trained(train(data, folder / "run", config, seed=1, fold=None), config), Precision.FLOAT32
    )
    known = TrainingData("0" * 64, 9, ("elsewhere",), ("a" * 64,))
    in_service = threshold_bundle(folder / "in-service", thresholds=Thresholds(0.5, -0.3), data=known).folder
    contents = replace(load_bundle(in_service).contents, version="2.0")
    candidate = write_bundle(folder / "candidate", contents, network, "# Learnt").folder
    verdict = gate(candidate, in_service, data, Rules.read())
    return verdict.passed, list(verdict.reasons)
