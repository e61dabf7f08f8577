"""Several scans of a head in one series, and slices lost in turn, from files to outcome."""

import random
from copy import deepcopy
from functools import cache

import numpy as np
import pytest
from bundles import threshold_bundle
from data import SHARED, needs_shared_data
from dicom_stack import file_bytes
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from scipy import ndimage

from headct.eligibility.gate import admit, admit_passes
from headct.errors import NotAnalysedError
from headct.generator.generation import generate
from headct.images.decoding import PixelFormat, decode, hounsfield
from headct.images.reading import load_series
from headct.network.classifier import Classifier
from headct.pipeline import assess
from headct.reasons import ReasonCode
from headct.reports.identity import case_identity
from headct.terms.assessment import State

SILENT = (
    "AcquisitionNumber", "AcquisitionTime", "AcquisitionDate", "ContentTime", "ContentDate", "InstanceNumber",
    "SliceThickness",
)  # fmt: skip


@cache
def head(kind: str = "epidural", **protocol) -> list[Dataset]:
    return generate(kind, 5, matrix=128, vendor="ge", **protocol).datasets


def pixels(ds: Dataset) -> np.ndarray:
    return np.frombuffer(ds.PixelData, np.int16 if ds.PixelRepresentation else np.uint16).reshape(
        ds.Rows, ds.Columns
    )


def again(
    scan: list[Dataset], shift_mm: float, degrees: float = 12.0, columns: int = 6, **header
) -> list[Dataset]:
    """The same head scanned again: the table further, the head turned and moved; as another acquisition."""
    made = []
    for k, ds in enumerate(scan):
        copy = deepcopy(ds)
        turned = ndimage.rotate(pixels(ds), degrees, reshape=False, order=1, mode="nearest")
        copy.PixelData = np.ascontiguousarray(np.roll(turned, columns, axis=1)).tobytes()
        x, y, z = ds.ImagePositionPatient
        copy.ImagePositionPatient = [x, y, round(float(z) + shift_mm, 3)]
        copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = f"2.25.99.{k}"
        copy.AcquisitionNumber, copy.AcquisitionTime, copy.InstanceNumber = 3, "031505", 100 + k
        for keyword, value in header.items():
            setattr(copy, keyword, value)
        made.append(copy)
    return made


def without_words(scan: list[Dataset]) -> list[Dataset]:
    """Only places and pixels are left to tell."""
    silent = deepcopy(scan)
    for ds in silent:
        for keyword in SILENT:
            if keyword in ds:
                delattr(ds, keyword)
    return silent


def stored(scan: list[Dataset]) -> list[bytes]:
    return [file_bytes(ds) for ds in scan]


@cache
def once() -> list[bytes]:
    return stored(head())


@cache
def twice(shift_mm: float) -> list[bytes]:
    """The second scan of :func:`once`."""
    return stored(again(head(), shift_mm))


def files(*scans: list[bytes], seed: int = 0) -> list[bytes]:
    found = [file for scan in scans for file in scan]
    random.Random(seed).shuffle(found)
    return found


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return Classifier(threshold_bundle(tmp_path_factory.mktemp("bundles") / "threshold"))


@pytest.fixture(scope="module")
def alone(classifier):
    result = assess(files(once()), classifier)
    assert result.outcome.assessment.urgency.alert
    return result


@pytest.mark.parametrize(("shift_mm", "told"), [(0.0, True), (1.7, True), (2.5, False)])
def test_both_are_judged_and_the_worse_counts(classifier, alone, shift_mm, told):
    one, two = once(), twice(shift_mm)
    if not told:
        one, two = (stored(without_words(scan)) for scan in (head(), again(head(), shift_mm)))
    result = assess(files(one, two), classifier)
    found = result.outcome.assessment
    assert found.urgency >= alone.outcome.assessment.urgency
    assert found.alert_probability >= alone.outcome.assessment.alert_probability * 0.99
    assert "passes_judged" in found.cautions
    assert "images_dropped" not in found.cautions
    judged = set(result.series.sop_instance_uids)
    assert {key.sop_instance_uid for key in found.key_slices} <= judged
    assert len(judged) + len(result.series.beside) == len(one) + len(two)
    shown = load_series(files(two, one, seed=1), holding=found.key_slices[0].sop_instance_uid)
    assert shown.sop_instance_uids == result.series.sop_instance_uids


def test_whichever_pass_counts_in_whichever_order_they_came_the_case_is_the_same(alone):
    one, two = once(), twice(2.5)
    passes = [*admit_passes(files(one, two, seed=1)), *admit_passes(files(two, one, seed=2))]
    assert len(passes) == 4
    (identity,) = {case_identity(one.series) for one in passes}
    assert identity != case_identity(alone.series)
    assert len({one.series.pixel_digest for one in passes}) == 1


@pytest.mark.parametrize(
    ("shift_mm", "left"),
    [(0.0, slice(14, None)), (2.5, slice(0, 12)), (2.5, slice(10, 14)), (2.5, slice(0, None, 2))],
    ids=["top", "base", "four", "odd"],
)
def test_of_a_complete_and_a_broken_one_the_complete_one_counts(classifier, alone, shift_mm, left):
    broken = twice(shift_mm)[left]
    result = assess(files(once(), broken), classifier)
    found = result.outcome.assessment
    assert result.series.sop_instance_uids == alone.series.sop_instance_uids
    assert found.findings == alone.outcome.assessment.findings
    assert "pass_left_out" in found.cautions
    assert result.coverage.complete


@pytest.mark.parametrize("shift_mm", [0.0, 2.5])
def test_three_slices_seen_again_are_left_out_and_said(classifier, alone, shift_mm):
    result = assess(files(once(), twice(shift_mm)[10:13]), classifier)
    assert result.series.sop_instance_uids == alone.series.sop_instance_uids
    assert "images_dropped" in result.outcome.assessment.cautions


def test_of_two_broken_ones_none_counts(classifier):
    one, two = (scan[: len(scan) // 2] for scan in (once(), twice(2.5)))
    outcome = assess(files(one, two), classifier).outcome
    assert outcome.state is State.NOT_ANALYSED
    assert outcome.reason.code is ReasonCode.HEAD_NOT_COVERED
    assert outcome.reason.detail == "2 scans in one series, none complete"
    partial = assess(files(one, two), classifier, allow_partial=True)
    assert not partial.coverage.complete
    assert "partial" in partial.outcome.assessment.cautions


@pytest.mark.parametrize(
    "header",
    [
        {"ConvolutionKernel": "BONE"},
        {"ImageOrientationPatient": [1, 0, 0, 0, 0.9659, -0.2588]},
    ],
)
def test_a_pass_of_another_kind_does_not_cost_the_other(classifier, alone, header):
    result = assess(files(once(), stored(again(head(), 2.5, **header))), classifier)
    assert result.outcome.assessment.urgency >= alone.outcome.assessment.urgency
    assert {"passes_judged", "pass_left_out"} & set(result.outcome.assessment.cautions)


def test_every_image_twice_is_one_scan(classifier, alone):
    copies = stored(again(head(), 0.0, degrees=0.0, columns=0))
    found = assess(files(once(), copies), classifier).outcome.assessment
    assert found.findings == alone.outcome.assessment.findings
    assert "images_dropped" in found.cautions
    assert not {"passes_judged", "pass_left_out"} & set(found.cautions)


@pytest.mark.parametrize("part", [slice(0, None, 2), slice(1, None, 2), slice(0, None, 3)])
def test_every_second_slice_lost_is_never_judged(classifier, part):
    for allow_partial in (True, False):
        outcome = assess(files(once()[part]), classifier, allow_partial=allow_partial).outcome
        assert outcome.state is State.NOT_ANALYSED
        assert outcome.reason.code is ReasonCode.INCONSISTENT_GEOMETRY
        assert outcome.reason.detail.startswith("slices missing")


def _plain(path) -> Dataset:
    ds = dcmread(path)
    form = PixelFormat.of(ds)
    hu = hounsfield(decode(path, form), form)
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.PixelRepresentation, ds.BitsStored, ds.HighBit, ds.RescaleSlope, ds.RescaleIntercept = 1, 16, 15, 1, 0
    ds.PixelData = hu.tobytes()
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OW", False
    return ds


@needs_shared_data
@pytest.mark.parametrize("name", ["ct_ich/series/CTICH-082", "real_studies/siemens_stroke_0226308/ct"])
def test_real_heads_twice_and_thinned_out(name):
    scan = [_plain(path) for path in sorted((SHARED / name).iterdir())]
    for told in (True, False):
        one, two = scan, again(scan, 2.5, columns=12)
        if not told:
            one, two = without_words(one), without_words(two)
        passes = admit_passes(files(stored(one), stored(two)))
        assert len(passes) == 2
        assert all("passes_judged" in p.series.noted for p in passes)
    with pytest.raises(NotAnalysedError, match=r"slices missing|too few"):
        admit(stored(scan[::2]))
