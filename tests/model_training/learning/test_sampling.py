"""Draws: shares as told, sources balanced, blood where it is marked, grafts only where they may be."""

from dataclasses import replace
from itertools import islice

import drawn_heads
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.network.preprocessing import ABSENT_HU, Missing
from headct.network.single_slices import BONE_SHOWN_HU, PICTURE_HU
from model_training.datasets.manifest import Entry
from model_training.datasets.sample import UNSAID, Sample, label_row
from model_training.datasets.source import ANY, BLEEDS, SLICE_LABELS
from model_training.learning.sampling import BLOOD_MAX_HU, OLD_MAX_HU, Draws, Sampling, slabs

PLAIN = Sampling(grafted=0.0, mimics=0.0, tilted=0.0, thick=0.0, ends=0.0, alone=0.0)


def made(name: str, source: str, *, bleeding: bool, mark: int = 0) -> tuple[Entry, Sample]:
    hu = drawn_heads.head(12, fluid=False)
    mask = np.zeros(hu.shape, bool)
    if bleeding:
        mask[5:8, 90:100, 60:70] = True
        hu[mask] = drawn_heads.BLOOD
    hu[:, 0, 0] = mark  # tells whose slab it is
    return Entry(name, source, bleeding), Sample(drawn_heads.volume(hu), mask)


def people(*rows: tuple[str, bool, int]) -> tuple[list[Entry], list[Sample]]:
    both = [
        made(f"P{n}", source, bleeding=bleeding, mark=mark) for n, (source, bleeding, mark) in enumerate(rows)
    ]
    return [p for p, _ in both], [s for _, s in both]


def drawn(count: int, how: Sampling, patients, samples, seed: int = 0):
    return list(islice(slabs(samples, patients, np.random.default_rng(seed), how), count))


def test_shares_are_as_told():
    patients, samples = people(("a", True, 1), ("a", False, 2))
    found = drawn(600, PLAIN, patients, samples)
    bloody = np.mean([mask.any() for _, mask, *_ in found])
    of_bleeding = np.mean([hu[0, 0, 1] == 1 for hu, *_ in found])
    assert bloody == pytest.approx(PLAIN.bloody, abs=0.06)
    assert of_bleeding == pytest.approx(PLAIN.bloody + PLAIN.clear, abs=0.06)


def test_a_large_source_does_not_drown_a_small_one():
    patients, samples = people(
        ("small", False, 1), *[("large", False, 2)] * 9, ("small", True, 1), ("large", True, 2)
    )
    found = drawn(400, PLAIN, patients, samples)
    assert np.mean([hu[0, 0, 1] == 1 for hu, *_ in found]) == pytest.approx(0.5, abs=0.09)


def test_grafts_go_into_bleed_free_patients_alone():
    patients, samples = people(("a", True, 1), ("a", False, 2))
    how = replace(PLAIN, bloody=0.2, clear=0.2, grafted=0.6)
    own = samples[0].mask
    grafted = 0
    for hu, mask, *_ in drawn(120, how, patients, samples):
        if hu[0, 0, 1] == 1:
            assert not mask.any() or any(np.array_equal(mask[..., 0], slab) for slab in own)
        else:
            grafted += bool(mask.any())
    assert grafted > 25


def test_mimics_are_not_marked():
    patients, samples = people(("a", True, 1), ("a", False, 2))
    how = replace(PLAIN, bloody=0.0, clear=0.0, mimics=1.0)
    found = drawn(40, how, patients, samples)
    assert not any(mask.any() for _, mask, *_ in found)
    plain = {slab.tobytes() for slab in samples[1].volume.hu.astype(np.float32)}
    assert sum(hu[..., 1].tobytes() not in plain for hu, *_ in found) > 20


def test_marked_bone_has_no_weight():
    patients, samples = people(("a", True, 1), ("a", False, 2))
    samples[0].volume.hu[6, 95, 65] = BLOOD_MAX_HU + 1
    how = replace(PLAIN, bloody=1.0, clear=0.0)
    for hu, mask, weight, _ in drawn(30, how, patients, samples):
        assert np.array_equal(weight == 0, (mask == 1) & (hu[..., 1:2] > BLOOD_MAX_HU))


@given(seed=st.integers(0, 2**32 - 1), slope=st.floats(0, 6))
@settings(max_examples=20, deadline=None)
def test_the_mask_is_cut_at_the_same_slant_as_the_picture(seed, slope):
    patients, samples = people(("a", True, 1), ("a", False, 2))
    how = replace(PLAIN, bloody=1.0, clear=0.0, tilted=0.5, tilt_slabs=slope, thick=0.5)
    for hu, mask, *_ in drawn(4, how, patients, samples, seed):
        brain = hu[80:110, 55:75, 1]
        blood = mask[80:110, 55:75, 0] == 1
        # Where half of a voxel or more is blood it is denser than the middle between blood and brain.
        middle = (drawn_heads.BLOOD + drawn_heads.BRAIN) / 2
        assert (brain[blood] >= middle - 1).all()


def test_the_same_generator_draws_the_same():
    patients, samples = people(("a", True, 1), ("a", False, 2))
    first, second = (drawn(30, Sampling(), patients, samples, 5) for _ in range(2))
    assert all(
        np.array_equal(a, b) for x, y in zip(first, second, strict=True) for a, b in zip(x, y, strict=True)
    )


@pytest.mark.parametrize("missing", Missing)
def test_at_the_end_of_a_stack_a_neighbour_is_missing(missing):
    patients, samples = people(("a", True, 1), ("a", False, 2))
    draws = Draws(samples, patients, replace(PLAIN, bloody=0, clear=0, ends=1.0), missing)
    random = np.random.default_rng(0)
    for _ in range(20):
        below, own, above = np.moveaxis(draws.draw(random, 0)[0], -1, 0)
        stands_in = own if missing is Missing.REPEATED else np.full_like(own, ABSENT_HU)
        assert np.array_equal(below, stands_in) or np.array_equal(above, stands_in)


def slice_of(name: str, *, blood: bool, mark: int, masked: bool = False) -> tuple[Entry, Sample]:
    """A single slice with its label."""
    entry, sample = made(name, "slices", bleeding=blood, mark=mark)
    hu = sample.volume.hu[6:7].copy()
    mask = sample.mask[6:7] if masked else np.zeros(hu.shape, bool)
    entry = replace(entry, single=True, slice_labels=True, masked=not blood or masked)
    return entry, Sample(drawn_heads.volume(hu), mask, label_row({ANY: blood, "sdh": blood})[None])


def with_slices() -> tuple[list[Entry], list[Sample]]:
    patients, samples = people(("a", True, 1), ("a", False, 2))
    rows = ((True, 3, False), (False, 4, False), (True, 5, True))
    for n, (blood, mark, masked) in enumerate(rows):
        entry, sample = slice_of(f"S{n}", blood=blood, mark=mark, masked=masked)
        patients.append(entry)
        samples.append(sample)
    return patients, samples


def test_both_kinds_come_in_every_batch_and_labels_with_the_slices():
    patients, samples = with_slices()
    found = drawn(200, PLAIN, patients, samples)
    for start in range(0, 200, 8):
        batch = found[start : start + 8]
        assert sum(said[0] >= 0 for *_, said in batch) == 4
    for hu, mask, _, said in found:
        if said[0] < 0:
            assert said.tolist() == [UNSAID] * len(SLICE_LABELS) + [1]
            continue
        assert (hu[..., [0, 2]] == ABSENT_HU).all() and hu[..., 1].min() >= 0
        assert said[-1] == mask.any(), "a slice's mask is learnt where somebody marked it"
        assert said[1 + BLEEDS.index("sdh")] == said[0] and said[1 + BLEEDS.index("ivh")] == UNSAID


def test_slabs_of_stacks_are_shown_as_pictures_too():
    patients, samples = people(("a", True, 1), ("a", False, 2))
    found = drawn(300, replace(PLAIN, alone=0.33), patients, samples)
    alone = [hu for hu, *_ in found if hu[..., [0, 2]].max() < 0]
    assert len(alone) / 300 == pytest.approx(0.33, abs=0.08)
    for hu in alone:
        assert (hu[..., [0, 2]] == ABSENT_HU).all()
        assert set(np.unique(hu[..., 1])) <= {*range(int(PICTURE_HU[1]) + 1), BONE_SHOWN_HU}


def test_a_bleeding_series_without_masks_teaches_by_its_slices_labels_alone():
    patients, samples = people(("a", True, 1), ("a", False, 2), ("b", True, 3))
    labels = np.stack([label_row({ANY: slab in range(5, 8)}) for slab in range(12)])
    samples[2] = Sample(samples[2].volume, np.zeros_like(samples[2].mask), labels)
    patients[2] = replace(patients[2], masked=False, slice_labels=True)
    for hu, mask, _, said in drawn(200, PLAIN, patients, samples):
        assert (hu[0, 0, 1] == 3) == (said[0] >= 0)
        if said[0] >= 0:
            assert said[-1] == 0 and not mask.any()


def test_old_collections_are_not_learnt_as_blood():
    patients, samples = people(("a", True, 1), ("a", True, 2), ("a", False, 3))
    samples[1].volume.hu[samples[1].mask] = OLD_MAX_HU - 5
    for hu, mask, *_ in drawn(200, PLAIN, patients, samples):
        assert hu[0, 0, 1] != 2
        assert not mask.any() or hu[0, 0, 1] == 1


def test_a_patient_with_blood_on_every_slab_can_be_drawn():
    patients, samples = people(("a", True, 1), ("a", False, 2))
    samples[0].mask[:, 90:100, 60:70] = True
    samples[0].volume.hu[samples[0].mask] = drawn_heads.BLOOD
    how = Sampling(bloody=0.0, clear=1.0)
    assert all(mask.any() for _, mask, *_ in drawn(20, how, patients, samples))
