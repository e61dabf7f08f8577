"""Values that are decoded once for all images mean what each header's own bytes mean."""

import struct
from contextlib import suppress
from io import BytesIO
from itertools import product

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import Tag

from headct.images.headers import number, numbers, text
from headct.images.planes import Plane, orientation
from headct.images.quiet import quiet

ENCODINGS = ("iso8859", ["shift_jis", "iso2022_jp"], ["utf8"])
REPRESENTATIONS = (None, "LO", "PN", "DS", "US", "FD", "UN", "??")
VALUES = (
    *(b"", b" ", b"5", b" 5.0 ", b"1\\2", b"-0.0", b"1e400", b"nan", b"five", b"A^B=C^D\\E", b"1.2.3\0"),
    *(b"\x81", b"\x83\x65\x83\x58\x83\x67", b"\x1b$B%F%9%H\x1b(B", "ｆ５".encode(), "５".encode()),
    *(b"\x05\0", b"\0\x05", b"\x05\0\0\0", b"12345678", b"\0\0\0\0\0\0\xf8\x7f", b"\xfe\xff\x00\xe0\0\0\0\0"),
    b"A" * 128,
    b"7" * 129,
)
KEYWORDS = ("StudyDescription", "SliceThickness", "Rows")


def header(
    keyword: str,
    value: bytes,
    representation: str | None = "LO",
    *,
    encodings: str | list[str] = "iso8859",
    little: bool = True,
    length: int | None = None,
) -> Dataset:
    """As it comes from a file; the value elsewhere than in other files."""
    found = Dataset()
    found.set_original_encoding(representation is None, little, encodings)
    tag = Tag(keyword)
    size = len(value) if length is None else length
    found[tag] = RawDataElement(tag, representation, size, value, 7, representation is None, little)
    return found


def decoded(found: Dataset, keyword: str) -> Dataset:
    """The same as pydicom decodes it, without what cannot be decoded."""
    made = Dataset()
    with quiet(), suppress(Exception):
        made[Tag(keyword)] = found[keyword]
    return made


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_a_value_means_what_pydicom_reads(keyword: str) -> None:
    for representation, value, encodings, little in product(
        REPRESENTATIONS, VALUES, ENCODINGS, (True, False)
    ):
        said = keyword, value, representation
        expected = decoded(header(*said, encodings=encodings, little=little), keyword)
        one = header(*said, encodings=encodings, little=little)
        for _ in range(2):
            assert text(one, keyword) == text(expected, keyword), (said, encodings, little)
            for count in (1, 2):
                assert repr(numbers(one, keyword, count)) == repr(numbers(expected, keyword, count)), said


def test_the_same_bytes_are_another_text_in_another_character_set() -> None:
    value = b"\x83\x65\x83\x58\x83\x67"
    assert text(header("StudyDescription", value, encodings=["shift_jis"]), "StudyDescription") == "テスト"
    assert text(header("StudyDescription", value), "StudyDescription") == value.decode("latin-1").strip()
    assert text(header("StudyDescription", value, encodings=["shift_jis"]), "StudyDescription") == "テスト"


def test_the_same_bytes_are_another_number_in_another_order() -> None:
    assert number(header("Rows", b"\x00\x02", "US"), "Rows") == 512
    assert number(header("Rows", b"\x00\x02", "US", little=False), "Rows") == 2
    assert number(header("Rows", b"\xff\xff", "SS"), "Rows") == -1
    assert number(header("Rows", b"\xff\xff", "US"), "Rows") == 65535


def test_what_was_changed_since_is_read_again() -> None:
    found = header("SliceThickness", b"5.0 ", "DS")
    assert number(found, "SliceThickness") == 5.0
    found.SliceThickness = 3
    assert number(found, "SliceThickness") == 3.0
    del found.SliceThickness
    assert number(found, "SliceThickness") is None


def test_directions_are_kept_to_the_last_bit() -> None:
    """A zero less than nothing is another one: the tilt of what lies so has its sign."""
    said = {
        sign: header("ImageOrientationPatient", f"1\\{sign}0\\0\\0\\1\\{sign}0".encode(), "DS")
        for sign in ("", "-")
    }
    for sign, found in (*said.items(), *said.items()):
        directions = orientation(found)
        assert directions is not None
        assert all(str(d).count("-") == bool(sign) for d in directions), directions
        assert Plane.of(found).axial


def test_a_text_stored_as_a_sequence_that_cannot_be_decoded_is_no_text() -> None:
    item = b"\xfe\xff\x00\xe0" + struct.pack("<I", 12) + b"\x10\x00\x10\x00ZZ\x04\x00\xff\xff\xff\xff"
    stored = b"\x08\x00\x30\x10SQ\x00\x00" + struct.pack("<I", len(item)) + item
    found = read_dataset(BytesIO(stored), is_implicit_VR=False, is_little_endian=True)
    assert "StudyDescription" in found
    assert text(found, "StudyDescription") == ""
