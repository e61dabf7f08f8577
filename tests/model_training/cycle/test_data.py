"""A hospital's patients beside the base's: whose place and label count, and what can be learnt from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bundles import threshold_bundle
from hypothesis import given
from hypothesis import strategies as st

from headct.errors import UnusableInputError
from headct.network.contents import Thresholds
from model_training.cycle.data import freeze, learnt_from, merged
from model_training.datasets.lineage import Known
from model_training.datasets.manifest import EXTERNAL, PROVISIONAL, TEST, TRAIN, Entry, Manifest
from model_training.datasets.sample import Sample, sample_path
from model_training.datasets.sources.labelled import VERSION
from model_training.learning.sampling import Draws, Sampling
from tests.model_training.drawn_patients import drawn, written


@pytest.fixture(scope="module")
def in_service(tmp_path_factory):
    return threshold_bundle(tmp_path_factory.mktemp("bundle") / "threshold", thresholds=Thresholds(0.5, -0.3))


def frozen(tmp_path, hospital, base=(), in_service=None):
    data = written(tmp_path / "hospital", hospital)
    before = written(tmp_path / "base", base) if base else None
    manifest = freeze(data, before, tmp_path / "frozen", in_service)
    return {p.patient: p for p in manifest.patients}


def sample(tmp_path, name):
    return Sample.read(tmp_path / "frozen" / "samples" / name)


def test_both_are_there_with_their_samples_places_and_licences(tmp_path):
    base = [drawn(n, "RED", source="ct_ich", masked=True) for n in (101, 102)]
    hospital = [drawn(1, "GREEN"), drawn(2, "YELLOW", exclusion="too few slices", split=None, fold=None)]
    found = frozen(tmp_path, hospital, base)
    assert found == {p.patient: p for p, _ in (*base, *hospital)}
    for patient, made in (*base, hospital[0]):
        kept = sample(tmp_path, patient.patient)
        np.testing.assert_array_equal(kept.volume.hu, made.volume.hu)
        np.testing.assert_array_equal(kept.mask, made.mask)
    assert Manifest.read(tmp_path / "frozen").licences == {"ct_ich": "none", "labelled": "none"}


def test_a_patient_of_both_keeps_the_bases_place_and_gets_the_hospitals_label(tmp_path):
    known, picture = drawn(1, "RED", source="ct_ich", masked=True, patient="CT-1", split=TEST, fold=4)
    known = replace(known, urgency="YELLOW", urgency_by=PROVISIONAL)
    other = drawn(9, "GREEN", source="ct_ich", patient="CT-9")
    reviewed, _ = drawn(1, "RED", split=TRAIN, fold=0)
    later, _ = again = drawn(2, "GREEN", patient="P-001.2", person="P-001", split=TRAIN, fold=0)
    found = frozen(tmp_path, [(reviewed, drawn(1, "RED")[1]), again], [(known, picture), other])
    assert set(found) == {"P-001", "P-001.2", "CT-9"}
    kept = found["P-001"]
    assert (kept.split, kept.fold, kept.source, kept.who) == (TEST, 4, "ct_ich", "CT-1")
    assert (kept.urgency, kept.urgency_by) == (reviewed.urgency, reviewed.urgency_by)
    # What the base has marked stays marked.
    assert kept.masked and kept.bleed_ml == known.bleed_ml
    np.testing.assert_array_equal(sample(tmp_path, "P-001").mask, picture.mask)
    # Their other series goes where they are: a network that saw one must not be asked about the other.
    assert (found["P-001.2"].split, found["P-001.2"].fold, found["P-001.2"].who) == (TEST, 4, "CT-1")
    assert later.bleeding is False and found["P-001.2"].masked


def test_a_reader_who_sees_no_blood_goes_before_the_bases_mask(tmp_path):
    known = drawn(1, "RED", source="ct_ich", masked=True, patient="CT-1")
    says_clear, picture = drawn(1, "GREEN", radius_mm=16.0)
    found = frozen(tmp_path, [(says_clear, picture)], [known])
    assert list(found) == ["P-001"] and found["P-001"].masked and not found["P-001"].bleeding
    assert not sample(tmp_path, "P-001").mask.any()


def test_a_newer_version_takes_the_place_of_an_older_one(tmp_path):
    """The base is an earlier cycle's data: its hospital's patients are taken anew, in their old place."""
    before = [
        drawn(1, "GREEN", split=TEST, fold=1),
        drawn(2, "RED", masked_by_network=True),
        drawn(3, "GREEN"),
    ]
    relabelled = drawn(1, "YELLOW", split=TRAIN, fold=0, pixel_digest="f" * 64)
    left_out = drawn(3, "GREEN", exclusion="postoperative", split=None, fold=None)
    found = frozen(tmp_path, [relabelled, drawn(2, "RED"), left_out], before)
    assert set(found) == {"P-001", "P-002", "P-003"}
    assert (found["P-001"].urgency, found["P-001"].split, found["P-001"].fold) == ("YELLOW", TEST, 1)
    # Marked by the network of that time: to be marked by today's.
    assert not found["P-002"].teaches
    assert found["P-003"].exclusion and found["P-003"].split is None


def cycles(tmp_path, base, *versions, keys=()):
    """Each version frozen beside the data of the cycle before, the first beside the base."""
    before, found = written(tmp_path / "base", base), {}
    for number, version in enumerate(versions):
        data = written(tmp_path / f"version-{number}", version)
        if keys:
            (data / VERSION).write_text(f'{{"key": "{keys[number]}"}}')
        manifest = freeze(data, before, tmp_path / f"run-{number}", None)
        before, found = tmp_path / f"run-{number}", {p.patient: p for p in manifest.patients}
    return found


def out(number, **changes):
    changes = {"exclusion": "readers differ", "pixel_digest": "", "split": None, "fold": None} | changes
    return drawn(number, "GREEN", **changes)


def placed(patient):
    return patient.split, patient.fold, patient.who


CT = drawn(101, "GREEN", source="ct_ich", patient="CT-1", split=TRAIN, fold=1)


def test_who_was_trained_on_is_known_after_cycles_without_them(tmp_path):
    first, other = drawn(1, "GREEN", split=TRAIN, fold=1), drawn(2, "GREEN")
    dealt_anew = {"split": TEST, "fold": 0}
    by_name = drawn(1, "GREEN", pixel_digest="e" * 64, **dealt_anew)
    by_picture = drawn(1, "GREEN", patient="P-corrected", **dealt_anew)
    for n, back in enumerate((by_name, by_picture)):
        root = tmp_path / str(n)
        found = cycles(root, [CT], [first, other], [out(1), other], [other], [back, other])
        assert placed(found[back[0].patient])[:2] == (TRAIN, 1)
        known = Known.read(root / "run-3")
        assert {first[0].pixel_digest, CT[0].pixel_digest} <= known.taught


def test_known_patients_of_the_test_part_were_taught_to_nobody(tmp_path):
    tested = drawn(1, "GREEN", split=TEST, fold=1)
    cycles(tmp_path, [CT], [tested], [drawn(2, "GREEN")])
    known = Known.read(tmp_path / "run-1")
    assert known.names["P-001"].split == TEST and known.taught == {CT[0].pixel_digest}


def test_who_is_gone_from_the_newer_version_is_gone(tmp_path):
    found = cycles(tmp_path, [CT], [drawn(1, "GREEN"), drawn(2, "RED")], [drawn(2, "RED")])
    assert set(found) == {"CT-1", "P-002"}


def test_another_hospitals_patients_stay(tmp_path):
    versions = [[drawn(1, "GREEN")], [drawn(2, "GREEN")], [drawn(3, "GREEN")]]
    assert set(cycles(tmp_path, [CT], *versions, keys="aba")) == {"CT-1", "P-002", "P-003"}


def test_who_took_a_base_patients_place_keeps_it(tmp_path):
    """By their images; left out in a later version, there with another series, and with the first again."""
    took = drawn(1, "GREEN", pixel_digest=CT[0].pixel_digest, split=TEST, fold=0)
    another = drawn(1, "GREEN", split=TEST, fold=0)
    place = (TRAIN, 1, "CT-1")
    assert placed(cycles(tmp_path / "a", [CT], [took])["P-001"]) == place
    left = cycles(tmp_path / "b", [CT], [took], [out(1)])
    assert list(left) == ["P-001"] and left["P-001"].exclusion
    assert placed(cycles(tmp_path / "c", [CT], [took], [another])["P-001"]) == place
    assert placed(cycles(tmp_path / "d", [CT], [took], [out(1)], [another])["P-001"]) == place
    assert placed(cycles(tmp_path / "e", [CT], [took], [out(1)], [took])["P-001"]) == place


def test_what_is_known_is_read_back(tmp_path):
    assert Known.read(tmp_path) == Known()
    known = Known.of(tmp_path, Manifest((CT[0],))).with_hospital([drawn(1, "GREEN")[0]], "k", {"P-001"})
    known.write(tmp_path)
    assert Known.read(tmp_path) == known


@st.composite
def manifests(draw, source, names):
    """Patients with one or two series each, dealt out by patient; the same pictures are there once."""
    patients, pictures = [], draw(st.permutations(range(8)))
    for who in draw(st.lists(st.sampled_from(names), unique=True, max_size=4)):
        place = {"split": draw(st.sampled_from([TRAIN, TEST])), "fold": draw(st.integers(0, 4))}
        for number in range(draw(st.integers(1, 2))):
            out = {"exclusion": "too few slices"} if draw(st.booleans()) and number else {}
            entry = Entry(
                f"{who}.{number + 1}" if number else who,
                source,
                bleeding=draw(st.booleans()),
                masked=draw(st.booleans()),
                person=who if number else "",
                pixel_digest="" if out else str(pictures.pop()),
                **out,
            )
            patients.append(entry if out else replace(entry, **place))
    return Manifest(tuple(patients))


def used(patients):
    return [p for p in patients if not p.exclusion]


@given(manifests("labelled", ["P-1", "P-2", "P-3", "P-4"]), manifests("ct_ich", ["P-1", "P-2", "C-1", "C-2"]))
def test_nobody_moves_to_where_a_network_knows_them(hospital, base):
    known = Known.of(Path("base"), base)
    found = [one.patient for one in merged(Path("hospital"), hospital, Path("base"), base, known)]
    assert len({p.patient for p in found}) == len(found)
    digests = [p.pixel_digest for p in used(found)]
    assert len(set(digests)) == len(digests)
    before = {p.pixel_digest: p for p in used(base.patients)}
    for p in used(found):
        if known := before.get(p.pixel_digest):
            assert (p.split, p.fold) == (known.split, known.fold)
    # What is said of the hospital's patients is what the hospital says.
    said = {p.patient: (p.bleeding, p.urgency) for p in hospital.patients}
    assert {p.patient: (p.bleeding, p.urgency) for p in found if p.patient in said} == said
    # All series of a patient go together, unless the base has their images and their name as two patients'.
    place = {p.patient: (p.split, p.fold) for p in found}
    names = {p.who for p in used(base.patients)}
    for who in {p.who for p in hospital.patients}:
        own = [p for p in used(hospital.patients) if p.who == who]
        pictured = {before[p.pixel_digest].who for p in own if p.pixel_digest in before}
        if len(pictured | ({who} & names)) < 2:
            assert len({place[p.patient] for p in own}) <= 1


def test_two_patients_of_one_name_are_refused(tmp_path):
    base = drawn(7, "GREEN", patient="P-001", person="someone else")
    with pytest.raises(UnusableInputError, match="of two patients"):
        frozen(tmp_path, [drawn(1, "GREEN")], [base])


def test_confirmed_bleeds_are_learnt_as_flagged_and_missed_ones_are_listed(tmp_path, in_service):
    hospital = [
        drawn(1, "RED"),
        drawn(2, "YELLOW", radius_mm=0.0),  # the reader saw what the network does not
        drawn(3, "GREEN", radius_mm=16.0),  # the network sees what the reader calls no blood
        drawn(5, "RED", masked=True),
        drawn(6, "RED", split=EXTERNAL, fold=None),
    ]
    found = frozen(tmp_path, hospital, in_service=in_service)
    flagged = found["P-001"]
    assert flagged.masked_by_network and flagged.teaches and not flagged.masked
    assert flagged.bleed_ml is None, "what a network found is never the truth"
    true = drawn(1, "RED", masked=True)[1].mask
    mask = sample(tmp_path, "P-001").mask
    assert (mask & true).sum() > 0.9 * true.sum() and (mask & ~true).sum() < 0.1 * true.sum()
    assert not found["P-002"].teaches and found["P-002"].bleeding
    assert found["P-003"].teaches and not sample(tmp_path, "P-003").mask.any()
    assert not found["P-006"].masked_by_network
    learnt = learnt_from(Manifest.read(tmp_path / "frozen"))
    assert learnt["patients"] == 4 and learnt["without_a_bleed"] == 1 and learnt["bleeds_marked"] == 1
    assert learnt["bleeds_marked_by_the_network_in_service"] == 1
    assert learnt["bleeds_not_marked"] == ["P-002"]


def test_slabs_in_which_a_network_found_nothing_are_not_shown_as_clear():
    patient, made = drawn(1, "RED", masked=True)
    mask = np.array(made.mask)
    mask[[0, 2]] = False
    clear = drawn(2, "GREEN")
    plain = Sampling(grafted=0.0, mimics=0.0, tilted=0.0, thick=0.0, ends=0.0, alone=0.0)
    only_clear = replace(plain, bloody=0.0, clear=1.0)
    random = np.random.default_rng(1)
    for by_network, slabs in ((False, {0, 2}), (True, {1})):
        patients = [replace(patient, masked=not by_network, masked_by_network=by_network), clear[0]]
        draws = Draws([Sample(made.volume, mask), clear[1]], patients, only_clear)
        shown = [draws.draw(random, 0)[0][..., 1] for _ in range(20)]
        assert {s for s in range(3) for hu in shown if (hu == made.volume.hu[s]).all()} == slabs


def test_what_is_frozen_stays_as_it_is(tmp_path, in_service):
    found = frozen(tmp_path, [drawn(1, "RED"), drawn(2, "GREEN")], in_service=in_service)
    written(tmp_path / "later", [drawn(3, "GREEN")])
    again = freeze(tmp_path / "later", None, tmp_path / "frozen", None)
    assert {p.patient: p for p in again.patients} == found


def test_a_freeze_that_was_killed_begins_again(tmp_path, in_service):
    data = written(tmp_path / "hospital", [drawn(1, "RED"), drawn(2, "GREEN")])
    half = tmp_path / "frozen" / "samples"
    half.mkdir(parents=True)
    (half / "P-002").symlink_to(sample_path(data, drawn(2, "GREEN")[0]), target_is_directory=True)
    (half / ".unfinished-P-001").mkdir()
    manifest = freeze(data, None, tmp_path / "frozen", in_service)
    assert sorted(p.name for p in half.iterdir()) == ["P-001", "P-002"]
    assert Manifest.read(tmp_path / "frozen") == manifest
    assert (data / "samples" / "P-002" / "hu.npy").exists()


def test_a_missing_sample_is_named(tmp_path):
    data = written(tmp_path / "hospital", [drawn(1, "GREEN")])
    (data / "samples" / "P-001").rename(tmp_path / "gone")
    with pytest.raises(UnusableInputError, match=r"P-001 is missing"):
        freeze(data, None, tmp_path / "frozen", None)


def test_manifests_from_before_keep_their_hash(tmp_path):
    patient, _ = drawn(1, "RED")
    without, with_it = Manifest((patient,)), Manifest((replace(patient, masked_by_network=True),))
    without.write(tmp_path)
    assert "masked_by_network" not in (tmp_path / "manifest.json").read_text()
    assert Manifest.read(tmp_path) == without
    with_it.write(tmp_path)
    assert Manifest.read(tmp_path) == with_it and with_it.sha256 != without.sha256
