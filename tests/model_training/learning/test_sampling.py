"""Draws: shares as told, sources balanced, blood where it is marked, grafts only where they may be."""

from itertools import islice

import drawn_heads
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_training.datasets.manifest import Entry
from model_training.datasets.sample import Sample
from model_training.learning.sampling import BLOOD_MAX_HU, OLD_MAX_HU, Draws, Sampling, slabs

PLAIN = Sampling(grafted=0.0, mimics=0.0, tilted=0.0, thick=0.0, ends=0.0)


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
    bloody = np.mean([mask.any() for _, mask, _ in found])
    of_bleeding = np.mean([hu[0, 0, 1] == 1 for hu, _, _ in found])
    assert bloody == pytest.approx(PLAIN.bloody, abs=0.06)
    assert of_bleeding == pytest.approx(PLAIN.bloody + PLAIN.clear, abs=0.06)


def test_a_large_source_does_not_drown_a_small_one():
    patients, samples = people(
        ("small", False, 1), *[("large", False, 2)] * 9, ("small", True, 1), ("large", True, 2)
    )
    found = drawn(400, PLAIN, patients, samples)
    assert np.mean([hu[0, 0, 1] == 1 for hu, _, _ in found]) == pytest.approx(0.5, abs=0.09)


def test_grafts_go_into_bleed_free_patients_alone():
    patients, samples = people(("a", True, 1), ("a", False, 2))
    how = Sampling(bloody=0.2, clear=0.2, grafted=0.6, mimics=0.0, tilted=0.0, thick=0.0, ends=0.0)
    own = samples[0].mask
    grafted = 0
    for hu, mask, _ in drawn(120, how, patients, samples):
        if hu[0, 0, 1] == 1:
            assert not mask.any() or any(np.array_equal(mask[..., 0], slab) for slab in own)
        else:
            grafted += bool(mask.any())
    assert grafted > 25


def test_mimics_are_not_marked():
    patients, samples = people(("a", True, 1), ("a", False, 2))
    how = Sampling(bloody=0.0, clear=0.0, grafted=0.0, mimics=1.0)
    found = drawn(40, how, patients, samples)
    assert not any(mask.any() for _, mask, _ in found)
    plain = {slab.tobytes() for slab in samples[1].volume.hu.astype(np.float32)}
    assert sum(hu[..., 1].tobytes() not in plain for hu, _, _ in found) > 20


def test_marked_bone_has_no_weight():
    patients, samples = people(("a", True, 1), ("a", False, 2))
    samples[0].volume.hu[6, 95, 65] = BLOOD_MAX_HU + 1
    how = Sampling(bloody=1.0, clear=0.0, grafted=0.0, tilted=0.0, thick=0.0, ends=0.0)
    for hu, mask, weight in drawn(30, how, patients, samples):
        assert np.array_equal(weight == 0, (mask == 1) & (hu[..., 1:2] > BLOOD_MAX_HU))


@given(seed=st.integers(0, 2**32 - 1), slope=st.floats(0, 6))
@settings(max_examples=20, deadline=None)
def test_the_mask_is_cut_at_the_same_slant_as_the_picture(seed, slope):
    patients, samples = people(("a", True, 1), ("a", False, 2))
    how = Sampling(bloody=1.0, clear=0.0, grafted=0.0, tilted=0.5, tilt_slabs=slope, thick=0.5, ends=0.0)
    for hu, mask, _ in drawn(4, how, patients, samples, seed):
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


def test_at_the_end_of_a_stack_a_slab_is_its_own_neighbour():
    patients, samples = people(("a", True, 1), ("a", False, 2))
    draws = Draws(
        samples, patients, Sampling(bloody=0, clear=0, grafted=0, mimics=0, tilted=0, thick=0, ends=1.0)
    )
    random = np.random.default_rng(0)
    for _ in range(20):
        hu = draws.draw(random)[0]
        assert np.array_equal(hu[..., 0], hu[..., 1]) or np.array_equal(hu[..., 2], hu[..., 1])


def test_old_collections_are_not_learnt_as_blood():
    patients, samples = people(("a", True, 1), ("a", True, 2), ("a", False, 3))
    samples[1].volume.hu[samples[1].mask] = OLD_MAX_HU - 5
    for hu, mask, _ in drawn(200, PLAIN, patients, samples):
        assert hu[0, 0, 1] != 2
        assert not mask.any() or hu[0, 0, 1] == 1


def test_a_patient_with_blood_on_every_slab_can_be_drawn():
    patients, samples = people(("a", True, 1), ("a", False, 2))
    samples[0].mask[:, 90:100, 60:70] = True
    samples[0].volume.hu[samples[0].mask] = drawn_heads.BLOOD
    how = Sampling(bloody=0.0, clear=1.0)
    assert all(mask.any() for _, mask, _ in drawn(20, how, patients, samples))
