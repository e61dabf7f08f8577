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


def training_reference(data: Path, learnt_from: Sequence[Entry], evaluation: Mapping[str, Any]) -> Reference:
    """Distributions over the patients trained on.

    A score is of the first seed, the one that ships, from the network that did not see the patient, and
    calibrated as in the bundle. Patients in no fold have none and give their
    input alone.

    Args:
        data: folder that ``dataset`` wrote.
        learnt_from: whom the network that ships was trained on.
        evaluation: of the run, as ``evaluation.json`` has it.
    """
    return reference(_quantities(data, learnt_from, evaluation))


def _quantities(
    data: Path, learnt_from: Sequence[Entry], evaluation: Mapping[str, Any]
) -> Iterator[dict[Quantity, float]]:
    probability = Calibration(**evaluation["calibration"]["haemorrhage"])
    for patient in learnt_from:
        volume = Sample.read(sample_path(data, patient)).volume
        known = input_quantities(volume, age_years=patient.age_years, pixel_mm=patient.pixel_mm)
        judged = evaluation["scores"].get(patient.patient)
        if judged is not None:
            known[Quantity.HAEMORRHAGE_PROBABILITY] = probability(judged["scores"][0])
        yield known
