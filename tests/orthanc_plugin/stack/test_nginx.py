"""What nginx takes for an address."""

import re
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthanc_plugin.stack.nginx import TEXT


def is_taken(target: str) -> bool:
    return re.search(TEXT, target, re.IGNORECASE | re.ASCII) is not None


def is_text(path: bytes) -> bool:
    try:
        return "\0" not in path.decode()
    except UnicodeDecodeError:
        return False


@given(
    st.one_of(st.binary(max_size=12), st.text(max_size=6).map(lambda text: text.encode("utf-8", "ignore")))
)
def test_exactly_what_is_utf_8(path: bytes) -> None:
    assert is_taken("/" + quote_from_bytes(path)) == is_text(path)
    assert is_taken("/?q=" + quote_from_bytes(path).lower()) == is_text(path)


def test_every_first_byte_with_every_second() -> None:
    for first in range(256):
        for path in (bytes([first]), *(bytes([first, second]) for second in range(256))):
            for further in (b"", b"\x80", b"\xbf\x80"):
                assert is_taken("/" + quote_from_bytes(path + further)) == is_text(path + further)


@pytest.mark.parametrize("target", ["/%", "/%4", "/%zz", "/a b", "/\x01", "/\xe9", "/?q=%"])
def test_nothing_that_is_written_wrongly(target: str) -> None:
    assert not is_taken(target)


def test_what_programs_write_as_it_is() -> None:
    assert is_taken("http://pacs:3000/dicom-web/studies?a={b}|c[]\\\"^`<>'#&%20")


def test_the_longest_in_no_time() -> None:
    assert is_taken("/" + "a%E5%B1%B1" * 1_600)
    assert not is_taken("/" + "a%E5%B1%B1" * 1_600 + "%ff")
