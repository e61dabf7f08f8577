"""What the shipped network was trained on, for its bundle: scores out of fold, properties of the inputs."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from headct.network.acquisition import input_quantities
from headct.network.contents import Calibration
from headct.network.reference import Reference, reference
from headct.terms.quantities import Quantity
from model_training.datasets.manifest import Entry
from model_training.datasets.sample import Sample, sample_path


def training_reference(
    data: Path,
    learnt_from: Sequence[Entry],
    evaluation: Mapping[str, Any],
    together: Mapping[str, Any] | None = None,
) -> Reference:
    """Distributions over the patients trained on.

    A score is of the networks that ship, the first seed's or the mean of all, from those that did not see the
    patient, and calibrated as in the bundle. Patients in no fold have none and give their input alone.

    Args:
        data: folder that ``dataset`` wrote.
        learnt_from: whom the network that ships was trained on.
        evaluation: of the run, as ``evaluation.json`` has it.
        together: of the networks of all seeds, as ``members.json`` has it, where they ship.
    """
    of_first = {name: judged["scores"][0] for name, judged in evaluation["scores"].items()}
    scores = together["scores"] if together else of_first
    calibration = Calibration(**(together or evaluation)["calibration"]["haemorrhage"])
    return reference(_quantities(data, learnt_from, scores, calibration))


def _quantities(
    data: Path, learnt_from: Sequence[Entry], scores: Mapping[str, float], probability: Calibration
) -> Iterator[dict[Quantity, float]]:
    for patient in learnt_from:
        volume = Sample.read(sample_path(data, patient)).volume
        known = input_quantities(volume, age_years=patient.age_years, pixel_mm=patient.pixel_mm)
        if patient.patient in scores:
            known[Quantity.HAEMORRHAGE_PROBABILITY] = probability(scores[patient.patient])
        yield known
