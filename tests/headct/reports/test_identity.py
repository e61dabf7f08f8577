import re
from dataclasses import replace

import report_cases as cases
from hypothesis import given
from hypothesis import strategies as st

from headct.reports.identity import case_identity, result_uid

hexes = st.text("0123456789abcdef", min_size=64, max_size=64)
kinds = st.sampled_from(["sr", "sr-series", "ko", "ko-series", "tracking-case"])


@given(st.permutations(range(6)))
def test_the_order_of_the_images_does_not_count(order):
    one = cases.series(6)
    other = replace(one, sop_instance_uids=tuple(one.sop_instance_uids[i] for i in order))
    assert case_identity(other) == case_identity(one)


def test_each_ingredient_counts():
    one = cases.series(6)
    others = [
        cases.series(6, PatientID="P-2"),
        cases.series(6, PatientID=None),
        cases.series(6, StudyInstanceUID="1.2.3.5"),
        cases.series(6, SeriesInstanceUID="1.2.3.4.9"),
        cases.series(7),
        replace(one, pixel_digest="1" + "0" * 63),
    ]
    assert len({case_identity(s) for s in [one, *others]}) == 7


def test_what_is_not_an_ingredient_does_not_count():
    one, other = cases.series(6), cases.series(6, PatientName="Roe^Jane", StudyDate=None)
    assert case_identity(other) == case_identity(one)


def test_borders_between_ingredients_count():
    one = cases.series(1, PatientID="AB", StudyInstanceUID="1.2")
    other = cases.series(1, PatientID="A", StudyInstanceUID="B1.2")
    assert case_identity(one) != case_identity(other)


@given(hexes, hexes, kinds)
def test_a_result_uid_is_a_valid_uid_and_stays(identity, digest, kind):
    uid = result_uid(identity, digest, kind)
    assert re.fullmatch(r"2\.25\.[1-9][0-9]{0,38}", uid)
    assert int(uid.removeprefix("2.25.")) < 2**128
    assert result_uid(identity, digest, kind) == uid


@given(st.lists(st.tuples(hexes, hexes, kinds), unique=True, max_size=20))
def test_different_results_have_different_uids(triples):
    assert len({result_uid(*triple) for triple in triples}) == len(triples)


def test_results_already_in_archives_keep_their_uid():
    assert result_uid("a" * 64, "b" * 64, "sr") == "2.25.15934096092250225752783215070144194992"
    assert (
        case_identity(cases.series(2)) == "de3cb274e03271c38dda894875cdf7afd35aa916416bc15e15b93d9105cc8955"
    )
