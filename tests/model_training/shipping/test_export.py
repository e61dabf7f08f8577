import json

import numpy as np
import pytest
import tensorflow as tf
from bundles import contents

from headct.errors import ExportError, UnusableInputError
from headct.generator.generation import generate
from headct.network.contents import Thresholds
from headct.network.preprocessing import stacked
from model_training.datasets.manifest import Manifest
from model_training.datasets.sample import Sample, sample_path
from model_training.learning.config import TrainingConfig
from model_training.learning.conversion import Precision, convert_all, in_batches, runtime
from model_training.shipping import precisions
from model_training.shipping.export import export
from model_training.shipping.judging_time import KIND, SEED, judging_time
from model_training.shipping.precisions import Row, agreement, choose, refusal, representative
from tests.model_training.bright_network import bright_is_blood
from tests.model_training.evaluation_example import evaluation_example
from tests.model_training.export_example import row as example_row
from tests.model_training.made_heads import made_head, written

THRESHOLDS = Thresholds(0.5, 0.0)


@pytest.fixture(scope="module")
def network():
    return bright_is_blood()


@pytest.fixture(scope="module")
def samples():
    return [made_head(n)[1] for n in (1, 2, 3)]


@pytest.fixture(scope="module")
def slabs(samples):
    return np.concatenate([stacked(s.volume.hu) for s in samples])


@pytest.fixture(scope="module")
def exported(network, slabs):
    return convert_all(network, slabs)


def verdict(file, network, precision, samples):
    return refusal(file, network.count_params(), precision, agreement(file, network, samples, THRESHOLDS))


@pytest.mark.parametrize("precision", Precision)
def test_every_precision_is_still_the_same_network(exported, network, samples, precision):
    found = agreement(exported[precision], network, samples, THRESHOLDS)
    assert refusal(exported[precision], network.count_params(), precision, found) == ""
    limit = {Precision.FLOAT32: 1e-4, Precision.FLOAT16: 0.05}.get(precision, 0.5)
    assert found.mean_difference <= found.largest_difference <= limit
    assert found.patients == 3


def test_quantised_weights_take_less_room(exported):
    sizes = [len(exported[p]) for p in Precision]
    assert sizes[0] > sizes[1] > max(sizes[2:])


def test_an_export_without_its_weights_is_refused(network, samples):
    shape = (1, *network.input_shape[1:])
    bare = tf.function(lambda x: x[..., 1:2] / 100)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [bare.get_concrete_function(tf.TensorSpec(shape, tf.float32))]
    )
    assert "bytes for" in verdict(converter.convert(), network, Precision.FLOAT32, samples)


def test_weights_stored_otherwise_than_asked_for_are_refused(exported, network, samples):
    assert "bytes for" in verdict(exported[Precision.FLOAT32], network, Precision.DYNAMIC_INT8, samples)
    assert "bytes for" in verdict(exported[Precision.DYNAMIC_INT8], network, Precision.FLOAT32, samples)


def test_a_wrong_representative_dataset_is_refused(network, samples, slabs):
    # Somebody scaled the pictures to 0..1 first: all of them then look the same to 8 bits.
    wrong = convert_all(network, (slabs + 1000) / 4000, [Precision.FULL_INT8])[Precision.FULL_INT8]
    assert "agree" in verdict(wrong, network, Precision.FULL_INT8, samples)


def test_another_networks_weights_are_refused(exported, samples):
    assert "agree" in verdict(exported[Precision.FLOAT32], bright_is_blood(20), Precision.FLOAT32, samples)


def test_networks_that_mark_nothing_are_not_said_to_agree(exported, network):
    with pytest.raises(ExportError, match="marks anything"):
        agreement(exported[Precision.FLOAT32], network, [made_head(2)[1]], THRESHOLDS)


def test_eight_bits_are_laid_over_what_the_network_looks_at(exported, slabs):
    """Air and bone far outside the window change nothing, and cost no resolution inside."""
    judge = runtime(exported[Precision.FULL_INT8])
    outside = np.where(slabs < -20, -3000, np.where(slabs > 70, 3000, slabs)).astype(np.float32)
    inside = np.where(slabs < -20, -20, np.where(slabs > 70, 160, slabs)).astype(np.float32)
    assert np.array_equal(in_batches(judge, outside), in_batches(judge, inside))


def test_representative_slabs_come_from_all_patients_and_show_blood(tmp_path):
    data = written(tmp_path / "data", heads=4)
    patients = Manifest.read(data).in_folds
    slabs = representative(data, patients[:2])
    allowed = [stacked(Sample.read(sample_path(data, p)).volume.hu) for p in patients[:2]]
    of_whom = [
        next(n for n, own in enumerate(allowed) if (own == slab).all(axis=(1, 2, 3)).any()) for slab in slabs
    ]
    assert set(of_whom) == {0, 1}
    assert (slabs[..., 1] == 75).any()
    assert np.array_equal(slabs, representative(data, patients[:2]))


def row(precision, ms, megabytes=1.0, loss=0.0, refused=""):
    of_example = example_row(0, precision)
    figures = {name: {"value": loss, "low": loss, "high": loss} for name in of_example["loss"]}
    return Row(
        precision=Precision(precision),
        megabytes=megabytes,
        agreement=precisions.Agreement(**of_example["agreement"]),
        accuracy=of_example["accuracy"],
        loss=figures,
        milliseconds={"1": 1.0, "2": ms},
        refused=refused,
    )


def test_the_fastest_that_is_as_good_ships():
    slow, fast = row("float32", 200.0, 4.0), row("full_int8", 100.0)
    assert choose([slow, fast], "2") is Precision.FULL_INT8
    assert choose([slow, row("full_int8", 100.0, loss=0.0049)], "2") is Precision.FULL_INT8
    assert choose([slow, row("full_int8", 100.0, loss=0.0051)], "2") is Precision.FLOAT32
    assert choose([slow, row("full_int8", 100.0, loss=-0.5)], "2") is Precision.FULL_INT8
    assert choose([slow, row("full_int8", 100.0, refused="broken")], "2") is Precision.FLOAT32
    with pytest.raises(ExportError, match="broken; full_int8 is less accurate"):
        choose([row("float32", 200.0, refused="broken"), row("full_int8", 100.0, loss=0.1)], "2")


def test_of_equally_fast_ones_the_smallest_ships():
    smaller = row("dynamic_int8", 109.0, 0.6)
    assert choose([row("full_int8", 100.0, 0.7), smaller], "2") is Precision.DYNAMIC_INT8
    assert choose([row("full_int8", 90.0, 0.7), smaller], "2") is Precision.FULL_INT8


def test_what_was_not_evaluated_or_on_other_data_is_not_exported(tmp_path):
    data, run, models = written(tmp_path / "data", heads=2), tmp_path / "run", tmp_path / "models"
    run.mkdir()
    config = TrainingConfig.read()
    with pytest.raises(UnusableInputError, match="headct-train evaluate"):
        export(data, run, models, version="1", config=config)
    (run / "evaluation.json").write_text(json.dumps(evaluation_example()))
    with pytest.raises(UnusableInputError, match="other data"):
        export(data, run, models, version="1", config=config)
    (models / "headct-bleed-1").mkdir(parents=True)
    with pytest.raises(ExportError, match="never overwritten"):
        export(data, run, models, version="1", config=config)


def test_time_is_measured_with_a_head_of_33_slices():
    assert len(list(generate(KIND, SEED, matrix=64).images())) == 33


@pytest.mark.usefixtures("short_measurements")
def test_time_is_measured_for_every_step_precision_and_number_of_threads(exported):
    measured = judging_time(
        {p: [exported[p]] for p in (Precision.FLOAT32, Precision.FULL_INT8)}, contents(), 1
    )
    assert measured["series"]["slices"] == 14
    assert set(measured["milliseconds"]) == {"float32", "full_int8"}
    for times in measured["milliseconds"].values():
        assert set(times) == {"1", "2"}
        for steps in times.values():
            total = steps.pop("total")
            assert set(steps) == {"read", "decode", "prepare", "infer", "measure"}
            assert min(steps.values()) > 0
            assert total == pytest.approx(sum(steps.values()), abs=0.5)
    assert json.loads(json.dumps(measured)) == measured
