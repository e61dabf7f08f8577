"""Lesions have the volume asked for, lie where they should, and push the brain away from themselves."""

from functools import cache

import numpy as np
import pytest

from headct.generator.head import build_head
from headct.generator.lesions import BLEEDS, Lesion, LesionKind, fill
from headct.generator.volume import Volume

COARSE = (3.0, 3.0, 3.5)


@cache
def head(*lesions: Lesion, seed: int = 3, age: float = 50.0) -> Volume:
    return build_head(seed, age, lesions, voxel_mm=COARSE)


def millilitres(volume: Volume, kind: LesionKind) -> float:
    return float(volume.lesions[kind].sum()) * volume.grid.voxel_ml


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        (LesionKind.EPIDURAL, 8.0),
        (LesionKind.EPIDURAL, 60.0),
        (LesionKind.SUBDURAL, 15.0),
        (LesionKind.SUBDURAL, 110.0),
        (LesionKind.SUBARACHNOID, 20.0),
        (LesionKind.INTRAVENTRICULAR, 12.0),
        (LesionKind.INTRACEREBRAL, 3.0),
        (LesionKind.INTRACEREBRAL, 90.0),
        (LesionKind.INFARCT, 150.0),
    ],
)
def test_achieved_volume(kind: LesionKind, wanted: float) -> None:
    assert millilitres(head(Lesion(kind, wanted)), kind) == pytest.approx(wanted, rel=0.05)


def test_blood_is_dense_and_its_head_otherwise_the_same() -> None:
    plain, bled = head(), head(Lesion(LesionKind.INTRACEREBRAL, 30))
    blood = bled.lesions[LesionKind.INTRACEREBRAL] > 0.95
    assert 58 < bled.hu[blood].mean() < 75
    assert plain.hu[blood].mean() < 42
    bone = (plain.hu > 500) | (plain.hu < -500)
    assert np.mean(plain.hu[bone] == bled.hu[bone]) > 0.99  # the inner table's own voxels hold some brain


def test_old_blood_is_dark() -> None:
    old = head(Lesion(LesionKind.SUBDURAL, 90, hu=20.0))
    assert 14 < old.hu[old.lesions[LesionKind.SUBDURAL] > 0.95].mean() < 26


def test_infarct_is_darker_than_brain_and_no_bleed() -> None:
    plain, struck = head(), head(Lesion(LesionKind.INFARCT, 120))
    core = struck.lesions[LesionKind.INFARCT] > 0.95
    assert struck.hu[core].mean() < plain.hu[core].mean() - 5
    assert LesionKind.INFARCT not in BLEEDS


@pytest.mark.parametrize("kind", [LesionKind.EPIDURAL, LesionKind.SUBDURAL, LesionKind.INTRACEREBRAL])
@pytest.mark.parametrize("side", [1, -1])
def test_the_midline_moves_away_from_the_lesion(kind: LesionKind, side: int) -> None:
    small, large = (head(Lesion(kind, ml, side)).midline_shift_mm for ml in (10.0, 70.0))
    assert np.sign(large) == -side
    assert abs(large) > abs(small)
    assert 2.0 < abs(large) < 12.0


def test_the_shift_is_seen_in_the_picture() -> None:
    """Deep fluid moves by about what the truth says."""

    def deep_fluid(volume: Volume) -> float:
        x, y, z = volume.grid.points
        deep = (np.abs(x) < 22) & (y > -40) & (y < 0) & (z > 4) & (z < 30)
        return float(x[deep & (volume.hu < 16) & (volume.hu > -5)].mean())

    plain, bled = head(seed=5, age=70.0), head(Lesion(LesionKind.SUBDURAL, 100, 1), seed=5, age=70.0)
    assert deep_fluid(bled) - deep_fluid(plain) == pytest.approx(bled.midline_shift_mm, abs=2.0)


def test_a_lesion_stays_on_its_side() -> None:
    right = head(Lesion(LesionKind.SUBDURAL, 60, -1))
    weight = right.lesions[LesionKind.SUBDURAL]
    x = right.grid.points[0]
    assert float((weight * (x > 5)).sum()) < 0.02 * float(weight.sum())


def test_epidural_is_a_lens_and_subdural_a_crescent() -> None:
    """The same volume spreads further under the dura's other side."""

    def length_mm(kind: LesionKind) -> float:
        volume = head(Lesion(kind, 40))
        y = volume.grid.points[1][volume.lesions[kind] > 0.5]
        return float(np.ptp(y))

    assert length_mm(LesionKind.SUBDURAL) > 1.3 * length_mm(LesionKind.EPIDURAL)


def test_ventricular_blood_sinks_to_the_back() -> None:
    volume = head(Lesion(LesionKind.INTRAVENTRICULAR, 8))
    y = volume.grid.points[1][volume.lesions[LesionKind.INTRAVENTRICULAR] > 0.5]
    assert np.median(y) > 25


def test_lesions_do_not_overlap() -> None:
    volume = head(Lesion(LesionKind.INTRACEREBRAL, 80), Lesion(LesionKind.INTRAVENTRICULAR, 8))
    assert float(sum(volume.lesions.values()).max()) <= 1.0 + 1e-5


def test_fracture_opens_the_skull_and_swells_the_scalp() -> None:
    plain, broken = head(), head(Lesion(LesionKind.FRACTURE))
    lost = (plain.hu > 500) & (broken.hu < plain.hu - 200)
    swollen = (plain.hu < -700) & (broken.hu > -100)
    assert float(lost.sum()) * plain.grid.voxel_ml > 0.3
    assert float(swollen.sum()) * plain.grid.voxel_ml > 5
    assert not broken.lesions


def test_no_room_is_an_error() -> None:
    with pytest.raises(ValueError, match="no room for 500 ml"):
        head(Lesion(LesionKind.INTRAVENTRICULAR, 500))
    with pytest.raises(ValueError, match="no room"):
        fill(np.arange(10.0), np.ones(10), 11.0, 1.0)
