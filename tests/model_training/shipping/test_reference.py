import pytest

from headct.terms.quantities import Quantity as Q
from model_training.datasets.manifest import Manifest
from model_training.shipping.reference import training_reference
from tests.model_training.made_heads import written

CALIBRATION = {"haemorrhage": {"slope": 1.0, "intercept": 0.0}}


def test_reference_of_made_heads(tmp_path):
    data = written(tmp_path / "data", heads=4)
    patients = Manifest.read(data).in_folds
    # The first seed ships: scores 0 are a probability of 0.5, scores of -9 nearly none.
    scores = {p.patient: {"scores": [0.0 if p.bleeding else -9.0, 50.0]} for p in patients[1:]}
    made = training_reference(data, patients, {"calibration": CALIBRATION, "scores": scores}).histograms
    assert made[Q.HAEMORRHAGE_PROBABILITY].counts == (1, 0, 0, 2, 0, 0)
    assert made[Q.AGE_YEARS].counts == (0, 0, 0, 4, 0, 0)
    assert made[Q.SLICES].counts == (4, 0, 0, 0, 0, 0)
    assert made[Q.SLICE_DISTANCE_MM].counts == (0, 0, 0, 4, 0, 0)
    assert made[Q.NOISE_HU].total == 4
    assert Q.PIXEL_MM not in made


def test_a_lost_sample_is_an_error(tmp_path):
    data = written(tmp_path / "data", heads=2)
    patients = Manifest.read(data).in_folds
    for file in (data / "samples" / patients[0].patient).iterdir():
        file.unlink()
    with pytest.raises(FileNotFoundError):
        training_reference(data, patients, {"calibration": CALIBRATION, "scores": {}})
