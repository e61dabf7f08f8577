"""Each class of the bench changes what it should, where it should."""

import ast
from functools import cache
from pathlib import Path

import pytest

import model_training.mimics
from model_training.mimics.classes import MIMICS
from model_training.mimics.space import Space
from tests.model_training.vaults import BRAIN_HU, vault

every_class = pytest.mark.parametrize("mimic", MIMICS, ids=lambda mimic: mimic.name)
INSIDE_ALONE = ("falx", "tentorium", "plexus", "basal_ganglia", "pineal", "dense_vessels", "old_infarct")
BRIGHT = ("falx", "tentorium", "plexus", "basal_ganglia", "pineal", "clip", "coil", "shunt", "drain")


@cache
def head():
    volume = vault()
    space = Space.of(volume)
    assert space is not None
    return volume, space


@cache
def drawn(number):
    return MIMICS[number].drawn(*head(), "head")


@every_class
def test_a_class_changes_the_head_and_nothing_it_should_leave(mimic):
    volume, space = head()
    changed = drawn(MIMICS.index(mimic)) != volume.hu
    assert changed.any()
    if mimic.name in INSIDE_ALONE:
        assert not (changed & ~space.within).any()
    if mimic.name in BRIGHT:
        assert drawn(MIMICS.index(mimic))[space.within].max() > BRAIN_HU + 25
    if mimic.name == "old_infarct":
        assert (drawn(MIMICS.index(mimic)) <= volume.hu).all()


def test_the_same_head_and_seed_give_the_same_and_others_another():
    pineal = next(m for m in MIMICS if m.name == "pineal")
    first = drawn(MIMICS.index(pineal))
    assert (pineal.drawn(*head(), "head") == first).all()
    assert (pineal.drawn(*head(), "head", seed=1) != first).any()
    assert (pineal.drawn(*head(), "another") != first).any()


def test_dense_blood_is_no_denser_than_haematocrit_makes_it():
    volume, _ = head()
    number = next(n for n, m in enumerate(MIMICS) if m.name == "dense_vessels")
    raised = drawn(number).astype(int) - volume.hu
    assert raised.min() >= 0
    assert raised.max() <= 70 - 8 + 1  # from fluid to the upper end


def test_landmarks_follow_the_inner_table():
    _, space = head()
    assert space.size == pytest.approx(1.0, abs=0.03)
    assert space.z_mm[-1] == pytest.approx(85, abs=5)
    x, y, z = space.table_point((1.0, 0.0, 0.0))
    assert (x, y, z) == pytest.approx((66, 0, 12), abs=2)
    left = space.near_fluid((20.0, 0.0, 14.0), 12.0)
    assert left == pytest.approx((18, 0, 14), abs=4)


def test_a_head_without_a_vault_has_no_landmarks():
    volume = vault()
    flat = volume.hu.copy()
    flat[:] = 0
    assert Space.of(type(volume)(flat, *[getattr(volume, n) for n in volume.__slots__[1:]])) is None


def test_nothing_is_drawn_with_what_training_draws():
    folder = Path(model_training.mimics.__file__).parent
    for module in folder.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [a.name for a in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.startswith("model_training.learning") for name in names), module
