"""A bundle of several networks, and their mean."""

import json

import numpy as np
import pytest
from bundles import NETWORK, THREE, contents, threshold_bundle
from drawn_heads import head, volume

from headct.errors import BundleError
from headct.network.bundle import load_bundle, write_bundle
from headct.network.classifier import Classifier
from headct.network.contents import Thresholds, from_json, to_json


class Says:
    """A runtime that always says the same."""

    def __init__(self, value, batch=1):
        self.value, self.batch, self.asked = value, batch, 0

    def __call__(self, slabs):
        self.asked += 1
        return np.full((self.batch, *slabs.shape[1:3], 1), self.value, np.float32)


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    return threshold_bundle(tmp_path_factory.mktemp("bundles") / "three", networks=THREE)


def test_round_trip(three):
    assert load_bundle(three.folder).contents.networks == THREE
    assert [path.name for path in three.networks] == list(THREE)
    body = json.loads((three.folder / "bundle.json").read_text())
    assert body["format"] == 2 and "network" not in body, "a program that knows one network alone refuses it"


def test_a_bundle_of_one_network_is_written_as_ever(tmp_path):
    body = to_json(contents(), {"network.tflite": "0" * 64})
    assert (body["format"], body["network"]) == (1, "network.tflite") and "networks" not in body
    del body["cuts"]["margin"]  # nor did earlier ones say what moves a score
    assert from_json(body, tmp_path) == contents()


@pytest.mark.parametrize(
    "names",
    [[], ["one.tflite"], ["one.tflite", "one.tflite"], ["one.tflite", "other.tflite"], "one.tflite", [1, 2]],
)
def test_networks_that_cannot_be(three, names, tmp_path):
    body = json.loads((three.folder / "bundle.json").read_text())
    with pytest.raises(BundleError, match="incomplete or has a value"):
        from_json({**body, "networks": names}, tmp_path)


def test_as_many_networks_as_are_named(tmp_path):
    with pytest.raises(ValueError):
        write_bundle(tmp_path / "bundle", contents(networks=THREE), NETWORK.read_bytes(), "# Card")


@pytest.mark.parametrize("margin", [-0.1, float("inf"), "much"])
def test_a_margin_that_cannot_be(margin, tmp_path):
    body = to_json(contents(), {"network.tflite": "0" * 64})
    body["cuts"]["margin"] = margin
    with pytest.raises(BundleError):
        from_json(body, tmp_path)


def test_another_network_or_order_is_another_device(tmp_path):
    bundles = [
        threshold_bundle(tmp_path / f"{number}", networks=names)
        for number, names in enumerate([THREE, THREE[::-1], THREE[:2]])
    ]
    assert len({bundle.device_uid for bundle in bundles}) == 3


def test_one_altered_network_of_several_is_refused(tmp_path):
    bundle = threshold_bundle(tmp_path / "three", networks=THREE)
    with bundle.networks[2].open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match=r"three\.tflite"):
        load_bundle(bundle.folder)


def test_every_network_is_loaded_and_the_mean_decides(three):
    v = volume(head(3))
    assert np.allclose(Classifier(three).predict(v), Classifier(three, *[Says(0.0)]).predict(v), atol=1)
    assert len(list(Classifier(three).looks(v))) == 3
    found = Classifier(three, Says(0.2), Says(0.4, batch=2), Says(0.9)).predict(v)
    assert found.shape == v.hu.shape and found.dtype == np.float32 and np.allclose(found, 0.5)


def test_who_asks_for_the_first_look_waits_for_no_other(three):
    first, second = Says(0.1), Says(0.2)
    next(Classifier(three, first, second).looks(volume(head(3))))
    assert first.asked and not second.asked


def test_thresholds_know_their_margin(tmp_path):
    bundle = threshold_bundle(tmp_path / "one", thresholds=Thresholds(0.5, 0.15, margin=0.25))
    assert load_bundle(bundle.folder).contents.thresholds.margin == 0.25
