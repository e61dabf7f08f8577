"""What is promised of a model: its file, and its words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bundles import threshold_bundle
from hypothesis import given
from hypothesis import strategies as st

from headct.network.bundle import load_bundle
from headct.network.promise import Promise, PromiseError, Share, beside, sentences

AT = datetime(2026, 4, 5, 6, 17, 8, 90, UTC)
PROMISED = Promise(
    digest="d" * 64,
    made=AT,
    since=AT - timedelta(days=60),
    until=AT - timedelta(days=2),
    confidence=0.95,
    cases=71,
    set_aside=3,
    greens=Share(59, 0, 0, 0.0495),
    alerts=Share(9, 3, 1, 0.6551),
)


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "models" / "net-1.0.promise.json"
    assert Promise.read(path, PROMISED.digest) is None
    PROMISED.write(path)
    assert Promise.read(path, PROMISED.digest) == PROMISED
    assert [found.name for found in path.parent.iterdir()] == [path.name]


def test_of_another_model_it_is_refused(tmp_path: Path) -> None:
    PROMISED.write(tmp_path / "promise.json")
    with pytest.raises(PromiseError, match="of another model"):
        Promise.read(tmp_path / "promise.json", "e" * 64)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{", "{{"),
        ('"format": 1', '"format": 2'),
        ('"most": 0.0495', '"most": NaN'),
        ('"most": 0.0495', '"most": -1'),
        ('"of": 59', '"of": -59'),
        ('"unread": 1', '"unread": 4'),
        ('"cases": 71,', ""),
        ('"cases": 71', '"cases": "71"'),
        ('"confidence": 0.95', '"confidence": 95'),
        ("2026-04-05T06:17:08.000090+00:00", "2026-04-05T06:17:08.000090"),
        ("2026-04-05T06:17:08.000090+00:00", "yesterday"),
    ],
)
def test_damaged_it_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "promise.json"
    PROMISED.write(path)
    written = path.read_text()
    assert old in written
    path.write_text(written.replace(old, new))
    with pytest.raises(PromiseError, match="cannot be read as a promise"):
        Promise.read(path, PROMISED.digest)


@given(st.binary(max_size=200))
def test_whatever_lies_there_the_program_does_not_fail(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.promise.json"
    path.write_bytes(raw)
    with pytest.raises(PromiseError):
        Promise.read(path, PROMISED.digest)


def test_a_bundle_beside_which_it_lies_is_what_it_was(tmp_path: Path) -> None:
    bundle = threshold_bundle(tmp_path / "models" / "threshold-1.0")
    replace(PROMISED, digest=bundle.digest).write(beside(bundle.folder))
    assert load_bundle(bundle.folder) == bundle
    assert beside(bundle.folder) == tmp_path / "models" / "threshold-1.0.promise.json"
    assert beside(bundle.folder, tmp_path) == tmp_path / "threshold-1.0.promise.json"


def test_its_words_promise_no_more_than_was_shown() -> None:
    said = [str(sentence) for sentence in sentences(PROMISED)]
    assert said[:2] == [
        "Of sure GREENs at most 5.0 % bleed: 0 of 59 did.",
        "Of sure alerts at least 34.4 % are alerts to the reader too: 6 of 9 were.",
    ]
    assert said[2] == (
        "Confidence of each 95 %: 71 patients who came one after the other from 2026-02-04 to 2026-04-03,"
        " read without sight of the answer. Not read so, and counted as wrong: 1."
    )
    assert "readers set 3 aside" in said[3]
    without = [str(sentence) for sentence in sentences(replace(PROMISED, alerts=Share(0, 0, 0, 1.0)))]
    assert without[1] == "Of alerts nothing is promised: there was no sure one."
