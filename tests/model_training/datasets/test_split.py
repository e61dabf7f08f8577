from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from model_training.datasets.manifest import Entry
from model_training.datasets.split import SHARES, deal, split


def patients(count=40) -> list[Entry]:
    return [Entry(f"P{i}", "ct_ich", i < 16, bleed_ml=float(i if i < 16 else 0)) for i in range(count)]


def by_name(dealt):
    return {p.patient: p for p in dealt}


some_patients = st.lists(
    st.builds(
        Entry,
        patient=st.from_regex(r"[a-z]{6}", fullmatch=True),
        source=st.sampled_from(["one", "two"]),
        bleeding=st.booleans(),
        bleed_ml=st.none() | st.floats(0, 200),
        age_years=st.none() | st.floats(0, 100),
    ),
    min_size=1,
    max_size=30,
    unique_by=lambda p: p.patient,
)


def test_folds_are_even_by_patient_in_bleeds_and_volume():
    dealt = split(patients(), folds=4)
    for fold in range(4):
        own = [p for p in dealt if p.fold == fold]
        assert len(own) == 10 and sum(p.bleeding for p in own) == 4
        assert 18 <= sum(p.bleed_ml for p in own) <= 42


def test_parts_are_eight_one_and_one_tenth_each_with_bleeds():
    dealt = split([p for k in range(5) for p in (replace(q, patient=f"{q.patient}x{k}") for q in patients())])
    assert Counter(p.split for p in dealt) == {"train": 160, "validation": 20, "test": 20}
    assert Counter(p.split for p in dealt if p.bleeding) == {"train": 64, "validation": 8, "test": 8}


def test_sources_measured_on_only_are_external_and_excluded_ones_nowhere():
    out = Entry("E", "ct_ich", True, exclusion="no label")
    dealt = by_name(split([*patients(), Entry("X", "phe_sich", True), out], ["phe_sich"]))
    assert (dealt["X"].split, dealt["X"].fold) == ("external", None)
    assert (dealt["E"].split, dealt["E"].fold) == (None, None)
    assert all(p.split in SHARES and p.fold is not None for n, p in dealt.items() if n not in "XE")


def test_folds_do_not_follow_the_split():
    dealt = split([p for k in range(5) for p in (replace(q, patient=f"{q.patient}x{k}") for q in patients())])
    assert len({p.fold for p in dealt if p.split == "test"}) == 5


@settings(max_examples=25)
@given(some_patients, st.randoms(use_true_random=False))
def test_neither_order_nor_repetition_changes_the_split(found, random):
    dealt = by_name(split(found))
    random.shuffle(found)
    assert by_name(split(found)) == dealt


@settings(max_examples=25)
@given(some_patients, some_patients)
def test_a_patient_once_dealt_never_moves(before, more):
    earlier = by_name(split(before))
    new = [p for p in more if p.patient not in earlier]
    later = by_name(split([*new, *before], previous=earlier.values()))
    for name, p in earlier.items():
        assert (later[name].split, later[name].fold) == (p.split, p.fold)


@settings(max_examples=25)
@given(some_patients)
def test_every_part_has_its_share_and_so_has_every_fold(found):
    dealt = split(found)
    parts, folds = Counter(p.split for p in dealt), Counter(p.fold for p in dealt)
    for part, tenths in SHARES.items():
        assert abs(parts[part] - tenths * len(found) / 10) < 2
    assert max(folds.values()) - min(folds[k] for k in range(5)) <= 1


@settings(max_examples=25)
@given(some_patients, st.integers(2, 4))
def test_all_studies_of_a_patient_stay_together(found, studies):
    repeats = [
        replace(p, patient=f"{p.patient}.{n}", person=p.patient) for p in found for n in range(2, studies)
    ]
    dealt = split([*repeats, *found])
    for name in {p.who for p in dealt}:
        assert len({(p.split, p.fold) for p in dealt if p.who == name}) == 1


@settings(max_examples=40)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
    st.integers(0, 60),
    st.data(),
)
def test_dealing_keeps_what_was_given_and_makes_up_for_it(weights, count, data):
    shares = dict(enumerate(weights))
    names = [str(n) for n in range(count)]
    kept = data.draw(st.dictionaries(st.sampled_from(names), st.sampled_from(list(shares)))) if names else {}
    given_parts = deal(names, shares, kept, seed=1)
    assert list(given_parts) == names and kept.items() <= given_parts.items()
    if not kept:
        for part, weight in shares.items():
            share = weight * count / sum(weights)
            assert abs(Counter(given_parts.values())[part] - share) < len(shares)


@settings(max_examples=25)
@given(some_patients, some_patients, st.data())
def test_a_patient_whose_name_was_corrected_is_known_by_their_images(before, more, data):
    """Under the new name they go where they were; who is merged with them stays out of the test part."""
    before = [replace(p, pixel_digest=f"d-{p.patient}") for p in before]
    earlier = split(before)
    at = data.draw(st.integers(0, len(before) - 1))
    renamed = replace(before[at], patient="Corrected")
    others = [p for p in before if p is not before[at]]
    new = [p for p in more if p.patient not in by_name(before)]
    now = by_name(split([*new, *others, renamed], previous=earlier))
    assert (now["Corrected"].split, now["Corrected"].fold) == (earlier[at].split, earlier[at].fold)
    for other in others:
        merged = replace(before[at], patient=f"{other.patient}.2", person=other.patient)
        together = by_name(split([*others, merged], previous=earlier))
        seen = {by_name(earlier)[other.patient].split, earlier[at].split}
        assert together[other.patient].split == min(seen, key=["train", "validation", "test"].index)
