"""Passes that headers do not tell apart are told by what the slices show."""

import numpy as np
import pytest
from dicom_stack import file_bytes, head, write
from scipy import ndimage

from headct.errors import NotAnalysedError
from headct.images.reading import load_passes, load_series, read_headers
from headct.images.scans.resemblance import small, told_apart

HEAD = head(slabs=28, size=64)
SILENT = ("InstanceNumber", "SliceThickness")


def moved(volume, degrees: float, pixels: float):
    turned = ndimage.rotate(volume, degrees, axes=(1, 2), reshape=False, order=1, mode="nearest")
    return ndimage.shift(turned, (0, 0, pixels), order=1, mode="nearest").astype(np.int16)


def silent(volume, offset: float, series: str, where=slice(None), **how):
    """Datasets of which only places and pixels tell anything."""
    found = write(volume, series=series, **how)[where]
    for ds in found:
        x, y, z = ds.ImagePositionPatient
        ds.ImagePositionPatient = [x, y, round(float(z) + offset, 3)]
        ds.SeriesInstanceUID = "2.25.77"
        for keyword in SILENT:
            del ds[keyword]
    return found


def loaded(datasets, seed: int):
    np.random.default_rng(seed).shuffle(datasets)
    sources = [file_bytes(ds) for ds in datasets]
    return load_passes(sources, read_headers(sources), [range(len(sources))])


def uids(datasets) -> set[str]:
    return {str(ds.SOPInstanceUID) for ds in datasets}


def below_the_vertex(parts, count: int = len(HEAD)) -> set[frozenset[str]]:
    """Without the topmost slices, where a head looks the same however it was turned."""
    return {frozenset(uid for uid in part if int(uid.split(".")[-1]) <= 0.85 * count) for part in parts}


@pytest.mark.parametrize(
    ("offset", "degrees"), [(0.0, 12), (0.6, -8), (2.0, 12), (2.5, -8), (2.5, 12), (4.0, -8)]
)
def test_two_passes_with_the_head_moved(offset, degrees):
    one = silent(HEAD, 0.0, "2.25.77")
    two = silent(moved(HEAD, degrees, 3), offset, "2.25.78")
    found = [loaded([*one, *two], seed) for seed in (1, 2)]
    for passes in found:
        assert not passes.refused
        parts = [s.sop_instance_uids for s in passes.series]
        assert below_the_vertex(parts) == below_the_vertex([uids(one), uids(two)])
    assert [s.sop_instance_uids for s in found[0].series] == [s.sop_instance_uids for s in found[1].series]


def test_three_passes():
    scans = [silent(moved(HEAD, 10 * n, 2 * n), 1.7 * n, f"2.25.7{n}") for n in range(3)]
    found = loaded([ds for one in scans for ds in one], 1)
    assert below_the_vertex(s.sop_instance_uids for s in found.series) == below_the_vertex(map(uids, scans))


def test_thin_slices_of_two_passes():
    thin = ndimage.zoom(HEAD, (4, 1, 1), order=1)
    one = silent(thin, 0.0, "2.25.77", gaps_mm=1.25)
    two = silent(moved(thin, 12, 3), 0.4, "2.25.78", gaps_mm=1.25)
    found = loaded([*one, *two], 1)
    parts = [s.sop_instance_uids for s in found.series]
    assert below_the_vertex(parts, len(thin)) == below_the_vertex([uids(one), uids(two)], len(thin))


@pytest.mark.parametrize("again", [slice(18, None), slice(8, 14), slice(12, 16)])
def test_a_part_scanned_again_leaves_the_complete_pass_as_it_is(again):
    one = silent(HEAD, 0.0, "2.25.77")
    two = silent(moved(HEAD, 12, 3), 2.5, "2.25.78", again)
    found = loaded([*one, *two], 1)
    assert below_the_vertex([found.series[0].sop_instance_uids]) == below_the_vertex([uids(one)])


@pytest.mark.parametrize(
    "volume",
    [
        HEAD,
        np.repeat(HEAD, 4, axis=0),
        ndimage.zoom(HEAD, (4, 1, 1), order=1),
        np.repeat(HEAD[12:13], 30, axis=0),
        HEAD + np.random.default_rng(1).normal(0, 25, HEAD.shape).astype(np.int16),
    ],
    ids=["head", "slices repeated", "thin", "a rod", "noisy"],
)
def test_one_pass_is_one_pass(volume):
    found = told_apart([small(slab) for slab in volume], np.arange(len(volume)) * 140.0 / len(volume))
    assert found == [list(range(len(volume)))]


def test_one_slice_that_shows_something_else_is_no_pass():
    volume = HEAD.copy()
    volume[14] = -1000
    assert told_apart([small(slab) for slab in volume], np.arange(28) * 5.0) == [list(range(28))]


def test_movement_between_shots_that_overlap_a_little_is_seen_once():
    below, above = HEAD[:16], moved(HEAD, 12, 3)[12:]
    positions = np.concatenate([np.arange(16) * 5.0, np.arange(12, 28) * 5.0 + 1.5])
    order = np.argsort(positions)
    pictures = [small(slab) for slab in np.concatenate([below, above])[order]]
    kept = positions[order][told_apart(pictures, positions[order])[0]]
    assert kept[0] == 0.0
    assert kept[-1] == positions.max()
    assert np.diff(kept).max() < 6.6
    assert len(kept) <= 29


def test_different_images_at_single_places_are_refused():
    one = silent(HEAD, 0.0, "2.25.77")
    other = silent(HEAD + 7, 0.0, "2.25.78", slice(4, 6))
    with pytest.raises(NotAnalysedError, match="two different images at one position"):
        load_series([file_bytes(ds) for ds in [*one, *other]])
