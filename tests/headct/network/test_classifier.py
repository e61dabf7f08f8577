import shutil

import numpy as np
import pytest
from bundles import NETWORK, contents, threshold_bundle
from drawn_heads import BLOOD, ball, head, volume

from headct.errors import BundleError, InferenceError
from headct.network.bundle import load_bundle, write_bundle
from headct.network.classifier import Classifier, LiteRTRuntime
from headct.network.contents import InputContract


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return threshold_bundle(tmp_path_factory.mktemp("bundles") / "threshold")


@pytest.mark.parametrize("slabs", [1, 2, 23])
def test_blood_is_found_where_it_is(bundle, slabs):
    mask = ball(slabs, 12)
    found = Classifier(bundle).predict(volume(np.where(mask, BLOOD, head(slabs))))
    assert found.shape == mask.shape
    assert found.dtype == np.float32
    assert np.array_equal(found > 0.5, mask)


def test_a_classifier_is_used_again_and_again(bundle):
    classifier = Classifier(bundle)
    v = volume(np.where(ball(5, 12), BLOOD, head(5)))
    first = classifier.predict(v)
    classifier.predict(volume(head(9)))
    assert np.array_equal(classifier.predict(v), first)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_number_of_threads_changes_nothing(bundle, threads):
    runtime = LiteRTRuntime(bundle.networks[0], (192, 160, 3), threads)
    v = volume(np.where(ball(7, 12), BLOOD, head(7)))
    assert np.array_equal(Classifier(bundle, runtime).predict(v), Classifier(bundle).predict(v))
    slabs = np.zeros((runtime.batch + 1, 192, 160, 3), np.float32)
    assert runtime(slabs[:1]).shape == (1, 192, 160, 1)
    with pytest.raises(ValueError, match="for a batch of"):
        runtime(slabs)


class Recorder:
    """A runtime that gives back one of its input channels."""

    def __init__(self, batch, channel):
        self.batch, self.channel, self.calls = batch, channel, []

    def __call__(self, slabs):
        self.calls.append(slabs.shape)
        return slabs[..., self.channel : self.channel + 1] / 100


@pytest.mark.parametrize("batch", [1, 3, 4, 16])
def test_a_slab_comes_with_its_neighbours_whatever_the_batch(bundle, batch):
    hu = np.arange(7)[:, None, None] * np.ones((7, 192, 160))
    for channel, expected in (
        (0, [0, 0, 1, 2, 3, 4, 5]),
        (1, [0, 1, 2, 3, 4, 5, 6]),
        (2, [1, 2, 3, 4, 5, 6, 6]),
    ):
        runtime = Recorder(batch, channel)
        given = Classifier(bundle, runtime).predict(volume(hu))
        assert np.allclose(given[:, 5, 5] * 100, expected)
        assert set(runtime.calls) == {(batch, 192, 160, 3)}


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.1, 1.1])
def test_what_is_no_probability_is_an_error_and_never_green(bundle, value):
    class Broken:
        batch = 1

        def __call__(self, slabs):
            out = np.zeros((1, 192, 160, 1), np.float32)
            out[0, 3, 3] = value
            return out

    with pytest.raises(InferenceError):
        Classifier(bundle, Broken()).predict(volume(head(3)))


def test_a_file_that_is_no_network_is_refused(tmp_path):
    broken = write_bundle(tmp_path / "broken", contents(), b"not a network", "card")
    with pytest.raises(BundleError, match="not a network"):
        Classifier(broken)


def test_a_network_for_another_input_is_refused(tmp_path):
    other = threshold_bundle(tmp_path / "other", input=InputContract(context=2))
    with pytest.raises(BundleError, match="does not read and write"):
        Classifier(other)
    with pytest.raises(BundleError, match="does not read and write"):
        LiteRTRuntime(NETWORK, (160, 192, 3))


def test_a_moved_bundle_still_runs(bundle, tmp_path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(bundle.folder, moved)
    assert Classifier(load_bundle(moved)).bundle.device_uid == bundle.device_uid
