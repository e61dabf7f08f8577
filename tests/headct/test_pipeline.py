import logging
import math
from dataclasses import asdict, replace

import numpy as np
import pytest
from bundles import threshold_bundle
from data import SHARED, needs_shared_data
from drawn_heads import BLOOD, ball, whole_head, write_series
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.network.classifier import Classifier
from headct.network.contents import Thresholds
from headct.network.preprocessing import head_volume
from headct.pipeline import MAX_KEY_SLICES, MAX_KEY_SLICES_UNFLAGGED, assess
from headct.reasons import ReasonCode
from headct.terms.assessment import FindingKind, State
from headct.terms.quantities import Quantity
from headct.terms.urgency import Urgency
from headct.triage.rubric import default_rubric

SLABS = 28


class Constant:
    """A runtime that always says the same."""

    batch = 1

    def __init__(self, value):
        self.value = value

    def __call__(self, slabs):
        return np.full((1, *slabs.shape[1:3], 1), self.value, np.float32)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return threshold_bundle(tmp_path_factory.mktemp("bundles") / "threshold")


@pytest.fixture(scope="module")
def classifier(bundle):
    return Classifier(bundle)


def drawn(folder, mask=None, **header):
    hu = whole_head(SLABS)
    if mask is not None:
        hu = np.where(mask, BLOOD, hu)
    write_series(folder, hu, PatientAge="050Y", **header)
    return sorted(folder.glob("*.dcm"))


@pytest.fixture(scope="module")
def clear(tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("clear"))


@pytest.fixture(scope="module")
def bleeding(tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("bleeding"), ball(SLABS, 20, row=10, column=30))


@pytest.fixture(scope="module")
def seen_clear(clear, classifier):
    return assess(clear, classifier)


@pytest.fixture(scope="module")
def seen_bleeding(bleeding, classifier):
    return assess(bleeding, classifier)


def same(a, b):
    """Equal but for the time it took."""
    return replace(a, timings=b.timings) == b


def test_a_bleed_is_red_with_its_findings_and_key_slices(seen_bleeding, classifier):
    result = seen_bleeding
    assert result.outcome.state is State.ASSESSED
    found = result.outcome.assessment
    assert found.urgency is Urgency.RED
    bleed = found.findings[0]
    assert bleed.kind is FindingKind.HAEMORRHAGE
    assert bleed.volume_ml == pytest.approx(4 / 3 * math.pi * 20**3 / 1000, rel=0.15)
    assert 0 < len(found.key_slices) <= MAX_KEY_SLICES
    assert {key.number for key in found.key_slices} <= set(bleed.slices)
    # The one to open first has most blood: a middle one.
    assert abs(found.key_slices[0].number - (SLABS - 1) / 2) <= 1
    for key in found.key_slices:
        assert key.sop_instance_uid == result.series.sop_instance_uids[key.number]
    assert found.rules[-1] == "any_bleed"
    assert found.bundle == classifier.bundle.identity
    assert found.rubric_version == default_rubric().version
    assert result.coverage.complete
    counted_ml = result.region.mask.sum(axis=(1, 2)) @ head_volume(result.series).voxel_ml
    assert counted_ml == pytest.approx(bleed.volume_ml)
    assert all(seconds > 0 for seconds in asdict(found.timings).values())


def test_nothing_flagged_is_green_with_slices_to_look_at(seen_clear):
    result = seen_clear
    found = result.outcome.assessment
    assert found.urgency is Urgency.GREEN
    assert result.region is None
    assert found.rules == ()
    assert [f.kind for f in found.findings] == [FindingKind.MIDLINE_OFFSET]
    assert 0 < len(found.key_slices) <= MAX_KEY_SLICES_UNFLAGGED


def test_how_the_head_was_scanned_is_kept(seen_clear):
    inputs, series = seen_clear.outcome.assessment.inputs, seen_clear.series
    assert inputs[Quantity.AGE_YEARS] == 50
    assert inputs[Quantity.SLICES] == SLABS
    assert inputs[Quantity.SLICE_DISTANCE_MM] == pytest.approx(np.diff(series.slice_positions_mm).mean())
    assert inputs[Quantity.PIXEL_MM] == pytest.approx(series.spacing_mm[0])


def test_what_was_assumed_of_a_scan_is_not_kept_as_known(tmp_path, classifier):
    files = drawn(tmp_path, PixelSpacing=None)
    found = assess(files, classifier).outcome.assessment
    assert "assumed_pixel_spacing" in found.cautions
    assert Quantity.PIXEL_MM not in found.inputs
    assert Quantity.SLICES in found.inputs


def test_more_blood_is_more_probable(seen_clear, seen_bleeding):
    none, much = seen_clear.outcome.assessment, seen_bleeding.outcome.assessment
    assert none.haemorrhage_probability < much.haemorrhage_probability
    assert none.alert_probability < much.alert_probability
    for found in (none, much):
        assert 0 <= found.alert_probability <= 1


def test_a_network_that_sees_nothing_at_all(bleeding, bundle):
    found = assess(bleeding, Classifier(bundle, Constant(0.0))).outcome.assessment
    assert found.urgency is Urgency.GREEN
    assert found.key_slices


def test_under_the_haemorrhage_cut_nothing_is_flagged(bleeding, tmp_path):
    strict = Classifier(
        threshold_bundle(tmp_path / "strict", thresholds=Thresholds(voxel=0.5, haemorrhage=1e9))
    )
    found = assess(bleeding, strict).outcome.assessment
    assert found.urgency is Urgency.GREEN
    assert [f.kind for f in found.findings] == [FindingKind.MIDLINE_OFFSET]


def test_the_order_of_the_files_and_their_form_do_not_matter(bleeding, seen_bleeding, classifier):
    straight = seen_bleeding
    shuffled = assess([file.read_bytes() for file in reversed(bleeding)], classifier)
    assert same(shuffled.outcome.assessment, straight.outcome.assessment)
    assert shuffled.series.pixel_digest == straight.series.pixel_digest
    assert shuffled.outcome.series_instance_uid == straight.outcome.series_instance_uid


def test_a_hospital_rubric_is_used(tmp_path, classifier):
    files = drawn(tmp_path / "thin", ball(SLABS, 7, row=10, column=30))
    assert assess(files, classifier).outcome.assessment.urgency is Urgency.RED
    shipped = default_rubric()
    lenient = replace(shipped, version="own", thresholds=replace(shipped.thresholds, thickness_red_mm=40.0))
    found = assess(files, classifier, rubric=lenient).outcome.assessment
    assert found.urgency is Urgency.YELLOW
    assert found.rubric_version == "own"


def test_a_flagged_bleed_too_dense_to_measure_is_still_a_finding(tmp_path, bundle):
    class Spot:
        """Sees blood in one bright ball."""

        batch = 1

        def __call__(self, slabs):
            return (slabs[..., 1:2] > 100).astype(np.float32) * (slabs[..., 1:2] < 150)

    hu = whole_head(SLABS)
    hu[ball(SLABS, 10, row=10, column=30)] = 125
    write_series(tmp_path, hu, PatientAge="050Y")
    result = assess(sorted(tmp_path.glob("*.dcm")), Classifier(bundle, Spot()))
    found = result.outcome.assessment
    assert found.urgency is Urgency.YELLOW
    bleed = found.findings[0]
    assert bleed.kind is FindingKind.HAEMORRHAGE
    assert bleed.volume_ml is None
    assert {key.number for key in found.key_slices} <= set(bleed.slices)
    assert {number for number, _ in result.region.in_images(result.series)} == set(bleed.slices)


@pytest.mark.parametrize("blank", [slice(0, 10), slice(16, None), slice(12, 15)])
def test_blank_pictures_never_stand_for_a_head(tmp_path, classifier, blank):
    hu = whole_head(SLABS)
    hu[blank] = -1024
    write_series(tmp_path, hu, PatientAge="050Y")
    outcome = assess(sorted(tmp_path.glob("*.dcm")), classifier).outcome
    assert outcome.state is State.NOT_ANALYSED
    hidden_within = blank == slice(12, 15)
    assert outcome.reason.code is (ReasonCode.UNREADABLE if hidden_within else ReasonCode.HEAD_NOT_COVERED)


@pytest.mark.parametrize("part", [slice(0, 14), slice(14, None)])
def test_half_a_head_is_judged_only_when_allowed(bleeding, classifier, part):
    strict = assess(bleeding[part], classifier)
    assert strict.outcome.state is State.NOT_ANALYSED
    assert strict.outcome.reason.code is ReasonCode.HEAD_NOT_COVERED
    assert strict.series is not None
    assert not strict.coverage.complete
    partial = assess(bleeding[part], classifier, allow_partial=True)
    assert "partial" in partial.outcome.assessment.cautions
    assert not partial.coverage.complete


def test_a_whole_head_has_no_such_caution(bleeding, seen_bleeding, classifier):
    allowed = assess(bleeding, classifier, allow_partial=True).outcome.assessment
    assert allowed.cautions == ()
    assert same(allowed, seen_bleeding.outcome.assessment)


def test_thin_slices_are_judged_as_slabs_and_reported_as_slices(tmp_path, classifier):
    hu = np.where(ball(SLABS, 20, row=10, column=30), BLOOD, whole_head(SLABS)).repeat(5, axis=0)
    write_series(tmp_path, hu, height_mm=1.0, PatientAge="050Y")
    result = assess(sorted(tmp_path.glob("*.dcm")), classifier)
    found = result.outcome.assessment
    assert len(result.series.hu) == SLABS
    bleed = found.findings[0]
    assert bleed.volume_ml == pytest.approx(4 / 3 * math.pi * 20**3 / 1000, rel=0.15)
    assert len(bleed.slices) == 8 * 5
    # The middle slice of the middle slabs.
    assert found.key_slices[0].number in (67, 72)
    for key in found.key_slices:
        assert key.sop_instance_uid == result.series.sop_instance_uids[key.number]


def test_children_are_assessed_with_a_caution(tmp_path, classifier):
    hu = whole_head(SLABS)
    write_series(tmp_path, hu, PatientAge="006M")
    found = assess(sorted(tmp_path.glob("*.dcm")), classifier).outcome.assessment
    assert "child" in found.cautions


def test_an_mr_is_not_analysed(tmp_path, classifier):
    result = assess(drawn(tmp_path, Modality="MR"), classifier)
    assert result.outcome.reason.code is ReasonCode.NOT_CT
    assert result.series is None
    assert result.outcome.series_instance_uid


def test_a_fault_fails_the_series_and_names_no_patient(bleeding, bundle, caplog):
    class Faulty:
        batch = 1

        def __call__(self, slabs):
            raise RuntimeError("Yamada^Taro has a bleed")

    with caplog.at_level(logging.DEBUG):
        result = assess(bleeding, Classifier(bundle, Faulty()))
    assert result.outcome.state is State.FAILED
    assert result.outcome.reason.code is ReasonCode.INTERNAL_ERROR
    assert result.series is not None
    assert "RuntimeError" in caplog.text
    assert "classifier.py:" in caplog.text
    assert "Yamada" not in caplog.text
    assert "Yamada" not in str(result.outcome.to_json())


@pytest.mark.parametrize("value", [math.nan, 2.0])
def test_a_broken_network_fails_and_is_never_green(bleeding, bundle, value):
    assert assess(bleeding, Classifier(bundle, Constant(value))).outcome.state is State.FAILED


def test_a_network_that_flags_everything_still_ends(clear, bundle):
    found = assess(clear, Classifier(bundle, Constant(1.0))).outcome.assessment
    assert found.urgency.alert
    assert len(found.key_slices) == MAX_KEY_SLICES


def test_the_uid_it_is_filed_under_can_be_given(clear, classifier):
    assert assess(clear, classifier, series_instance_uid="1.2.3").outcome.series_instance_uid == "1.2.3"
    assert assess([], classifier, series_instance_uid="1.2.3").outcome.series_instance_uid == "1.2.3"


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_whatever_comes_there_is_a_state_and_a_reason(data, clear, classifier):
    """Damaged bytes in any of the files: assessed, or a reason, and never an exception."""
    whole = clear[0].read_bytes()
    kind = data.draw(st.sampled_from(["empty", "noise", "cut", "flip"]))
    if kind == "empty":
        sources = []
    elif kind == "noise":
        sources = data.draw(st.lists(st.binary(max_size=300), min_size=1, max_size=4))
    else:
        files = [file.read_bytes() for file in clear[:9]]
        victim = data.draw(st.integers(0, 8))
        if kind == "cut":
            files[victim] = whole[: data.draw(st.integers(0, len(whole) - 1))]
        else:
            damaged = bytearray(files[victim])
            for _ in range(data.draw(st.integers(1, 20))):
                damaged[data.draw(st.integers(0, 1200))] = data.draw(st.integers(0, 255))
            files[victim] = bytes(damaged)
        sources = files
    outcome = assess(sources, classifier).outcome
    assert outcome.state in (State.ASSESSED, State.NOT_ANALYSED)
    assert outcome.assessment is not None or outcome.reason.sentence()


@needs_shared_data
def test_one_series_of_a_real_study_is_assessed(classifier):
    from headct.images.reading import group_series

    groups = group_series([SHARED / "real_studies" / "toshiba_trauma"])
    results = [assess(sources, classifier) for sources in groups.values()]
    (result,) = [r for r in results if r.outcome.state is State.ASSESSED]
    assert result.coverage.complete
