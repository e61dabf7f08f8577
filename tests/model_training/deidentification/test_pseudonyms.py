"""Keys, and the pseudonyms and UIDs made with them."""

import hashlib
import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headct.errors import DeidentificationError
from model_training.deidentification.pseudonyms import KEY_BYTES, Key
from tests.model_training.person import KEY


def test_a_key_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "key"
    patient = "1"
    first = Key.read(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert Key.read(path).pseudonym(patient) == first.pseudonym(patient)
    assert Key.read(tmp_path / "other").pseudonym(patient) != first.pseudonym(patient)


LOOKS_RANDOM = hashlib.sha256(b"a key").digest()
"""The same in every process, so that all of them have the same tests."""


@pytest.mark.parametrize(
    ("secret", "mode", "words"),
    [
        (LOOKS_RANDOM[: KEY_BYTES - 1], 0o600, "fewer than"),
        (b"", 0o600, "fewer than"),
        (bytes(KEY_BYTES), 0o600, "not random"),
        (b"hospitalhospitalhospitalhospital", 0o600, "not random"),
        (LOOKS_RANDOM, 0o640, "chmod 600"),
        (LOOKS_RANDOM, 0o604, "chmod 600"),
    ],
)
def test_keys_that_are_refused(tmp_path: Path, secret: bytes, mode: int, words: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(secret)
    path.chmod(mode)
    with pytest.raises(DeidentificationError, match=words):
        Key.read(path)


def test_a_key_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(DeidentificationError, match="cannot be read or made"):
        Key.read(tmp_path / "nowhere" / "key")
    with pytest.raises(DeidentificationError, match="cannot be read or made"):
        Key.read(tmp_path)


TEXT = st.text(st.characters(codec="utf-8"), max_size=64)


@given(TEXT, TEXT)
def test_pseudonyms_tell_patients_apart(one: str, other: str) -> None:
    same = one.strip() == other.strip()
    assert (KEY.pseudonym(one) == KEY.pseudonym(other)) is same
    assert (KEY.shift(one) == KEY.shift(other)) is same
    assert re.fullmatch(r"P-[0-9A-F]{16}", KEY.pseudonym(one))
    assert timedelta(days=73_000) <= KEY.shift(one) < timedelta(days=76_652)
    assert KEY.pseudonym(one) != Key(bytes(range(1, KEY_BYTES + 1))).pseudonym(one)


@given(st.lists(st.integers(0, 10**12), min_size=2, max_size=8))
def test_uids_are_new_and_valid(parts: list[int]) -> None:
    uid = ".".join(map(str, parts))[:64]
    assert re.fullmatch(r"2\.25\.[1-9]\d{0,38}", KEY.uid(uid))
    assert KEY.uid(uid) == KEY.uid(uid + "\0") != KEY.uid(uid + "1")
