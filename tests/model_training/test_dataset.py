import json

import numpy as np
import pytest
from data import SHARED, needs_shared_data

from headct.errors import UnusableInputError
from headct.preprocessing import HeadVolume
from model_training.datasets.manifest import Manifest, Patient
from model_training.datasets.preparation import _ct_ich, _with_folds, prepare
from model_training.datasets.sample import Sample


def patients(count=40) -> list[Patient]:
    return [Patient(f"P{i}", "ct_ich", i < 16, bleed_ml=float(i if i < 16 else 0)) for i in range(count)]


def test_folds_are_even_by_patient_in_bleeds_and_volume():
    dealt = _with_folds(patients(), 4)
    for fold in range(4):
        own = [p for p in dealt if p.fold == fold]
        assert len(own) == 10 and sum(p.bleeding for p in own) == 4
        assert 24 <= sum(p.bleed_ml for p in own) <= 36


def test_folds_are_frozen():
    assert _with_folds(patients(), 4) == _with_folds(patients(), 4)


def test_external_patients_are_in_no_fold():
    dealt = _with_folds([*patients(), Patient("X", "phe_sich", True, split="external")], 4)
    manifest = Manifest(dealt)
    assert [p.patient for p in manifest.external] == ["X"] and len(manifest.in_folds) == 40


def test_manifest_round_trip_and_refusal_of_a_changed_one(tmp_path):
    manifest = Manifest(_with_folds(patients(), 4), licences={"ct_ich": "CC BY 4.0"})
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path) == manifest
    path = tmp_path / "manifest.json"
    body = json.loads(path.read_text())
    body["patients"][0]["fold"] = (body["patients"][0]["fold"] + 1) % 4
    path.write_text(json.dumps(body))
    with pytest.raises(UnusableInputError, match="hash"):
        Manifest.read(tmp_path)


def test_no_manifest_is_said_plainly(tmp_path):
    with pytest.raises(UnusableInputError, match="headct-train dataset"):
        Manifest.read(tmp_path)


def test_sample_round_trip(tmp_path):
    random = np.random.default_rng(0)
    volume = HeadVolume(
        hu=random.integers(-1000, 1000, (3, 192, 160)).astype(np.int16),
        pixel_mm=(0.9, 0.8),
        slab_heights_mm=np.array([5.0, 4.5, 4.0]),
        slabs=((0,), (1, 2), (3, 4, 5)),
        to_source=random.random((2, 3)),
    )
    Sample(volume, volume.hu > 500).write(tmp_path / "s.npz")
    read = Sample.read(tmp_path / "s.npz")
    assert read.volume.slabs == volume.slabs and read.volume.pixel_mm == volume.pixel_mm
    for name in ("hu", "slab_heights_mm", "to_source"):
        assert np.array_equal(getattr(read.volume, name), getattr(volume, name))
    assert np.array_equal(read.mask, volume.hu > 500)


@needs_shared_data
def test_true_masks_keep_their_volume_on_the_crop(tmp_path):
    """CTICH-077 has 24.7 ml on file; the crop's mask, in the crop's own millimetres, says the same."""
    root = tmp_path / "ct_ich"
    (root / "series").mkdir(parents=True)
    for part in ("masks", "slices.csv"):
        (root / part).symlink_to(SHARED / "ct_ich" / part)
    lines = (SHARED / "ct_ich" / "patients.csv").read_text().splitlines()
    kept = [lines[0], *(line for line in lines if line.startswith(("CTICH-077", "CTICH-099")))]
    (root / "patients.csv").write_text("\n".join(kept))
    for name in ("CTICH-077", "CTICH-099"):
        (root / "series" / name).symlink_to(SHARED / "ct_ich" / "series" / name)
    manifest = prepare({"ct_ich": root}, tmp_path / "out", folds=2)
    assert {p.fold for p in manifest.patients} == {0, 1}
    bleed = Sample.read(tmp_path / "out" / "CTICH-077.npz")
    assert (bleed.mask.sum(axis=(1, 2)) * bleed.volume.voxel_ml).sum() == pytest.approx(24.7, rel=0.03)
    assert not Sample.read(tmp_path / "out" / "CTICH-099.npz").mask.any()


@needs_shared_data
def test_every_patient_of_ct_ich_is_found():
    found = [patient for patient, _ in _ct_ich(SHARED / "ct_ich")]
    assert (len(found), sum(p.bleeding for p in found)) == (64, 27)
