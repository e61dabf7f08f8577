import json

import numpy as np
import pytest
from data import SHARED, needs_shared_data

from headct.errors import UnusableInputError
from headct.network.preprocessing import HeadVolume
from model_training.datasets.manifest import Entry, Manifest
from model_training.datasets.preparation import prepare
from model_training.datasets.sample import Sample, sample_path
from model_training.datasets.source import FoundSeries
from model_training.datasets.sources.ct_ich import CtIch
from model_training.datasets.split import split


def patients(count=40) -> list[Entry]:
    return [Entry(f"P{i}", "ct_ich", i < 16, bleed_ml=float(i if i < 16 else 0)) for i in range(count)]


def found_series(person: str) -> FoundSeries:
    return FoundSeries(person, "1", "1.1", "", "", "", 5.0, True, (), (), "")


def test_manifest_round_trip_and_refusal_of_a_changed_one(tmp_path):
    manifest = Manifest(
        split(patients(), folds=4), licences={"ct_ich": "CC BY 4.0"}, selection={"repeat_days": 9}
    )
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
    path = tmp_path / "samples" / "s"
    Sample(volume, np.zeros(volume.hu.shape, bool)).write(path)
    assert not Sample.read(path).mask.any() and Sample.read(path).mask.shape == volume.hu.shape
    Sample(volume, volume.hu > 500).write(path)
    read = Sample.read(path)
    assert isinstance(read.volume.hu, np.memmap) and isinstance(read.mask, np.memmap)
    assert not read.volume.hu.flags.writeable
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
    bleeding, free = manifest.patients
    bleed = Sample.read(sample_path(tmp_path / "out", bleeding))
    assert (bleed.mask.sum(axis=(1, 2)) * bleed.volume.voxel_ml).sum() == pytest.approx(24.7, rel=0.03)
    assert not Sample.read(sample_path(tmp_path / "out", free)).mask.any()
    assert (bleeding.patient, bleeding.bleeding, bleeding.masked) == ("CTICH-077", True, True)
    assert (bleeding.urgency, bleeding.urgency_by, free.urgency) == ("RED", "provisional", "GREEN")
    assert bleeding.age_years and bleeding.sex in {"M", "F"} and bleeding.slices > 20 and bleeding.pixel_mm


@needs_shared_data
def test_every_patient_of_ct_ich_is_found(tmp_path):
    source = CtIch(SHARED / "ct_ich", tmp_path)
    found = {source.person(file, "") for file in source.images()}
    truths = [source.truth(found_series(person)) for person in sorted(found)]
    assert (len(truths), sum(t.bleeding for t in truths)) == (64, 27)
