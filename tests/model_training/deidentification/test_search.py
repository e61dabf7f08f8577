"""What counts as found when an output is searched for what identifies."""

from copy import deepcopy
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_training.deidentification.audit import audit
from model_training.deidentification.identifiers import Identifiers, Kind
from model_training.deidentification.profile import deidentify
from model_training.deidentification.search import Search
from tests.model_training.person import KEY
from tests.model_training.planted import (
    as_file,
    person_image,
)


def search_for(*values: tuple[Kind, str], **others: object) -> Search:
    return Search(Identifiers(frozenset(values), **others))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "text", "found"),
    [
        ("Kurosawa", "xkurosawax", True),
        ("Kurosawa", "ＫＵＲＯＳＡＷＡ", True),
        ("Mori", "Mori^Chiyo", True),
        ("Mori", "dr.mori 2", True),
        ("Mori", "MORIA", False),
        ("Gina", "ORIGINAL", False),
        ("Long", "Retain Longitudinal", False),
        ("Ito", "ito", True),
        ("Ito", "Itoshima", False),
        ("山田", "様山田太", True),
        ("やまだ", "ﾔﾏﾀﾞ", True),
        ("林", "林 花子", True),
        ("林", "小林", False),
        ("X", "X", False),
        ("Unknown", "unknown", False),
        ("1024", "1024", True),
        ("1024", "-1024", True),
        ("1024", "10245", False),
        ("1024", "0.1024", False),
        ("1024", "No.1024", True),
        ("12345678", "9123456789", False),
        ("12345678", "2.25.12345678", False),
        ("AB345678", "xAB345678x", True),
    ],
)
def test_what_counts_as_found(value: str, text: str, found: bool) -> None:
    assert (search_for((Kind.NAME, value)).text(text) is not None) is found


def test_short_values_are_looked_for_in_free_words_alone() -> None:
    search = search_for((Kind.NAME, "Ito"), (Kind.NUMBER, "120"), (Kind.TEXT, "FC2"))
    assert search.text("Ito") is Kind.NAME
    assert search.text("120") is Kind.NUMBER
    assert search.text("FC2") is None
    assert search.technique("Ito") is None
    assert search.beside("Ito") is None
    assert search.number("120") is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4711009", True),
        ("+4711009.00", True),
        ("0004711009", True),
        ("4711009.5", False),
        ("14711009", False),
    ],
)
def test_numbers_are_compared_as_a_whole(text: str, found: bool) -> None:
    search = search_for((Kind.NUMBER, "4711009"))
    assert (search.number(text) is not None) is found


def test_parts_of_a_uid_are_compared_too() -> None:
    search = search_for((Kind.NUMBER, "4711009"), uids=frozenset({"1.2.3"}))
    assert search.uid("2.25.4711009") is Kind.NUMBER
    assert search.uid("1.2.3") is Kind.UID
    assert search.uid("2.25.14711009") is search.uid("1.2.3.4") is None


@pytest.mark.parametrize(
    "text",
    [
        "19620517", "1962-05-17", "1962/5/17", "1962.05.17", "17.05.1962", "05/17/1962", "17-5-1962",
        "1962年5月17日", "昭和37年5月17日", "昭和３７年０５月１７日", "㍼37年5月17日",
        "S37.5.17", "s37/05/17", "born 19620517101530", "昭和37.5.17",
    ],
)  # fmt: skip
def test_spellings_of_a_date(text: str) -> None:
    search = search_for(dates=frozenset({date(1962, 5, 17)}))
    assert search.text(text) is Kind.DATE
    assert search.beside(f"x,{text},y") is Kind.DATE


@pytest.mark.parametrize(
    "text", ["1962", "0517", "0.19620517", "119620517", "1962-05-1", "11962-05-17", "37.5.17"]
)
def test_what_is_not_that_date(text: str) -> None:
    assert search_for(dates=frozenset({date(1962, 5, 17)})).text(text) is None


SYLLABLES = st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=9)


@settings(max_examples=25)
@given(
    family=SYLLABLES,
    other=SYLLABLES,
    patient_id=st.from_regex(r"[0-9]{1,10}", fullmatch=True),
    station=st.from_regex(r"[A-Z0-9]{1,6}", fullmatch=True),
    words=st.sampled_from(
        ["HEAD", "Head 5.0", "ACME", "FC21", "AXIAL", "00", "1", "-", "DCM", "YES", "MODIFIED", "CT"]
    ),
)
def test_short_and_common_values_do_not_stop_the_export(
    family: str, other: str, patient_id: str, station: str, words: str
) -> None:
    ds = deepcopy(person_image())
    ds.PatientName, ds.PatientID, ds.StationName = f"{family}^{other}", patient_id, station
    ds.StudyDescription = ds.RequestedProcedureDescription = ds.SoftwareVersions = words
    ds.private_block(0x0029, words, create=True).add_new(1, "LO", words)
    ds.LossyImageCompression = "00"
    file = as_file(ds)
    (image,) = deidentify([file], KEY)
    audit([(image.name, image.data)], Identifiers.of([file]))


@given(
    st.sets(st.text("01.", min_size=8, max_size=12), min_size=1, max_size=6),
    st.lists(st.text("01.", max_size=40), max_size=4),
    st.sampled_from(["ascii", "utf-16-le", "utf-16-be"]),
)
def test_one_pass_finds_what_looking_for_each_would(uids: set[str], texts: list[str], encoding: str) -> None:
    search = Search(Identifiers(uids=frozenset(uids)))
    data = b"\xff".join(text.encode(encoding) for text in texts)
    there = any(uid in text for uid in uids for text in texts)
    assert search.data(data) is (Kind.UID if there else None)
