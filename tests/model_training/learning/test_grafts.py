"""Grafts stay in the skull, keep the scan's noise, and mimics are never marked as blood."""

import drawn_heads
import numpy as np
import pytest

from model_training.learning.grafts import BLEEDS, MIMICS, Graft, Head, draw, inner_depth, one_of

RANDOM = np.random.default_rng(7)


@pytest.fixture(scope="module")
def head() -> Head:
    hu = drawn_heads.head()[10:13] + RANDOM.normal(0, 3, (3, 192, 160))
    slabs = hu.astype(np.int16)
    depth = inner_depth(slabs[1])
    sulci = (depth > 0) & (depth < 8) & (np.arange(160) % 12 < 4)
    slabs[:, sulci] = drawn_heads.FLUID
    found = Head.of(slabs, np.stack([inner_depth(slab) for slab in slabs]), 1)
    assert found is not None
    return found


def drawn(kind, head, seed) -> tuple[Graft, np.ndarray] | None:
    graft = kind(head, np.random.default_rng(seed))
    return (graft, draw(head, graft)) if graft else None


def test_the_inner_table_is_found(head):
    truth = (drawn_heads.head()[11] < drawn_heads.BONE) & (drawn_heads.head()[11] > drawn_heads.AIR)
    inside = head.depth_mm[1] > 0
    columns = np.flatnonzero(inside[96])
    assert 0.97 < (inside & truth).sum() / inside.sum() <= 1
    # The deepest point lies half the skull's width from the table.
    assert head.depth_mm[1].max() == pytest.approx((columns[-1] - columns[0] + 2) / 2 * 1.1, rel=0.05)
    assert not inside[0].any() and not inside[:, 0].any()


def test_no_brain_no_graft():
    air = np.full((3, 192, 160), -1000, np.int16)
    assert Head.of(air, np.stack([inner_depth(slab) for slab in air]), 1) is None


@pytest.mark.parametrize("kind", [*BLEEDS, *MIMICS], ids=lambda kind: kind.__name__)
class TestEveryKind:
    def test_skull_and_scalp_stay_as_they_were(self, kind, head):
        for seed in range(3):
            if made := drawn(kind, head, seed):
                assert np.array_equal(made[1][head.depth_mm == 0], head.hu[head.depth_mm == 0])
                assert np.isfinite(made[1]).all()

    def test_the_same_seed_draws_the_same(self, kind, head):
        first, second = drawn(kind, head, 3), drawn(kind, head, 3)
        assert (first is None) == (second is None)
        assert first is None or np.array_equal(first[1], second[1])

    def test_it_changes_something_and_fits_often(self, kind, head):
        made = [m for seed in range(6) if (m := drawn(kind, head, seed))]
        assert len(made) >= 2
        assert sum(np.abs(hu - head.hu).max() > 3 for _, hu in made) >= len(made) - 2


@pytest.mark.parametrize("kind", BLEEDS, ids=lambda kind: kind.__name__)
def test_bleeds_have_the_density_of_blood_where_they_are_marked(kind, head):
    marked = []
    for seed in range(14):
        if made := drawn(kind, head, seed):
            graft, hu = made
            solid = (graft.share > 0.8) & (head.depth_mm > 0)
            marked += hu[solid].tolist()
    assert len(marked) > 100
    assert 42 < np.mean(marked) < 80
    # The scan's own noise lies over it.
    assert np.std(marked) > 2


def test_layering_blood_lies_at_the_back_of_the_ventricles(head):
    intraventricular = next(kind for kind in BLEEDS if kind.__name__ == "intraventricular")
    back = front = 0.0
    for seed in range(20):
        graft = intraventricular(head, np.random.default_rng(seed))
        fluid = head.tissue_hu[1] < head.brain_hu - 12
        if graft is None or graft.share[1][fluid].mean() > 0.6:  # a cast fills them whole
            continue
        rows = np.nonzero(graft.share[1] > 0.5)[0]
        of_fluid = np.nonzero(fluid & (head.depth_mm[1] > 20))[0]
        back += (rows > np.median(of_fluid)).sum()
        front += (rows <= np.median(of_fluid)).sum()
    assert back > 3 * front > -1 and back > 0


def test_a_clot_pushes_its_surroundings_away(head):
    intracerebral = next(kind for kind in BLEEDS if kind.__name__ == "intracerebral")
    for seed in range(30):
        graft = intracerebral(head, np.random.default_rng(seed))
        if graft and graft.push_mm is not None and graft.push_mm.max() > 4:
            still = draw(head, Graft(graft.share, graft.density_hu, halo=graft.halo))
            pushed = draw(head, graft)
            outside = (graft.share == 0) & (head.depth_mm > 0) & (graft.push_mm > 1)
            assert np.abs(pushed - still)[outside].mean() > 0.5
            return
    pytest.fail("no clot large enough in thirty")


def test_a_kind_is_drawn_as_often_as_it_is_weighted(head):
    names = {kind.__name__: 0 for kind in MIMICS}

    def counted(kind):
        def of(head, random):
            names[kind.__name__] += 1
            return Graft(np.zeros_like(head.hu), 0.0)

        return of

    random = np.random.default_rng(0)
    kinds = {counted(kind): weight for kind, weight in MIMICS.items()}
    for _ in range(600):
        one_of(kinds, head, random)
    for kind, weight in MIMICS.items():
        assert abs(names[kind.__name__] / 600 - weight) < 0.08
