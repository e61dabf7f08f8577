"""Sequences in each other, counted without a parser that calls itself."""

import struct
from io import BytesIO

import pytest
from dicom_stack import files, head
from hypothesis import given
from hypothesis import strategies as st
from nested import SYNTAXES, nested, sequences
from pydicom import dcmread
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from headct.dicom_depth import MAX_LEVELS, MAX_LEVELS_FOR_LUA, nested_too_deeply

written = pytest.mark.parametrize("syntax", SYNTAXES)
lengths = pytest.mark.parametrize("open_ended", [True, False], ids=["open", "given"])
PLAIN = SYNTAXES[:3]
BEGIN = 144 + int.from_bytes(nested(0)[140:144], "little")
"""Where the data set begins, in explicit little endian."""


@written
@lengths
class TestNested:
    @pytest.mark.parametrize("levels", [0, 1, MAX_LEVELS])
    def test_as_deep_as_may_be(self, syntax: str, open_ended: bool, levels: int) -> None:
        assert not nested_too_deeply(nested(levels, syntax, open_ended=open_ended))

    @pytest.mark.parametrize("levels", [MAX_LEVELS + 1, 100, 20_000])
    def test_deeper(self, syntax: str, open_ended: bool, levels: int) -> None:
        assert nested_too_deeply(nested(levels, syntax, open_ended=open_ended))

    def test_fewer_where_orthanc_hands_them_to_lua(self, syntax: str, open_ended: bool) -> None:
        for levels, deep in ((MAX_LEVELS_FOR_LUA, False), (MAX_LEVELS_FOR_LUA + 1, True)):
            file = nested(levels, syntax, open_ended=open_ended)
            assert nested_too_deeply(file, MAX_LEVELS_FOR_LUA) is deep

    def test_many_beside_each_other_are_not_deep(self, syntax: str, open_ended: bool) -> None:
        if syntax == DeflatedExplicitVRLittleEndian:
            pytest.skip("they cannot be put behind it")
        beside = sequences(8, syntax, open_ended=open_ended) * 50
        assert not nested_too_deeply(nested(3, syntax, open_ended=open_ended) + beside)

    def test_without_a_head(self, syntax: str, open_ended: bool) -> None:
        if syntax == DeflatedExplicitVRLittleEndian:
            pytest.skip("nothing says that it is deflated")
        for levels, deep in ((MAX_LEVELS, False), (MAX_LEVELS + 1, True)):
            bare = nested(levels, syntax, open_ended=open_ended)[132:]
            assert nested_too_deeply(bare) is deep
            assert nested_too_deeply(bare[12 + int.from_bytes(bare[8:12], "little") :]) is deep


@pytest.mark.parametrize("syntax", PLAIN)
@lengths
def test_more_items_in_one_sequence_than_may_be(
    monkeypatch: pytest.MonkeyPatch, syntax: str, open_ended: bool
) -> None:
    monkeypatch.setattr("headct.dicom_depth.MAX_BESIDE", 100)
    level = sequences(1, syntax, open_ended=open_ended)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    item = struct.pack(f"{order}HHI", 0xFFFE, 0xE000, 0)
    head = 8 if syntax == ImplicitVRLittleEndian else 12
    for items, many in ((100, False), (101, True)):
        length = 0xFFFFFFFF if open_ended else 8 * items
        end = struct.pack(f"{order}HHI", 0xFFFE, 0xE0DD, 0) if open_ended else b""
        sequence = level[: head - 4] + struct.pack(f"{order}I", length) + item * items + end
        assert nested_too_deeply(nested(3, syntax) + sequence) is many
        # As many of two sequences are not too many of one.
        assert nested_too_deeply(nested(3, syntax) + sequence * 2) is many


@written
def test_more_elements_in_one_data_set_than_may_be(monkeypatch: pytest.MonkeyPatch, syntax: str) -> None:
    monkeypatch.setattr("headct.dicom_depth.MAX_BESIDE", 500)
    assert not nested_too_deeply(nested(3, syntax))
    for elements, many in ((450, False), (510, True)):
        image = dcmread(BytesIO(nested(0, syntax)))
        for number in range(elements):
            image.add_new((9, 0x1000 + number), "OB", b"")
        stored = BytesIO()
        image.save_as(stored)
        assert nested_too_deeply(stored.getvalue()) is many


def test_pixels_are_no_elements(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even those that look like elements without a value."""
    monkeypatch.setattr("headct.dicom_depth.MAX_BESIDE", 500)
    for file in files(head(slabs=2, size=64)):
        pixels = bytes(range(16)) * 4096
        assert not nested_too_deeply(
            file + struct.pack("<HH2sHI", 0x7FE1, 16, b"OW", 0, len(pixels)) + pixels
        )


class TestHidden:
    """What parsers find all the same."""

    def test_under_a_head_that_names_another_syntax(self) -> None:
        explicit = nested(0)
        assert nested_too_deeply(explicit[:BEGIN] + sequences(99, ImplicitVRLittleEndian))

    def test_behind_the_pixels(self) -> None:
        pixels = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 4) + b"\xfe\xff\x00\xe0"
        assert nested_too_deeply(nested(0) + pixels + sequences(99, ExplicitVRLittleEndian))

    def test_among_the_file_meta_information(self) -> None:
        meta = struct.pack("<HH2sHI", 2, 0x0102, b"SQ", 0, 0xFFFFFFFF) + struct.pack(
            "<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF
        )
        file = nested(0)
        assert nested_too_deeply(file[:BEGIN] + meta + sequences(99, ExplicitVRLittleEndian) + file[BEGIN:])

    def test_in_an_unknown_value_of_open_length(self) -> None:
        unknown = struct.pack("<HH2sHI", 9, 0x1010, b"UN", 0, 0xFFFFFFFF)
        item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
        assert nested_too_deeply(nested(0) + unknown + item + sequences(99, ImplicitVRLittleEndian))

    def test_behind_ends_that_are_a_value(self) -> None:
        ends = struct.pack("<HHI", 0xFFFE, 0xE00D, 0) * 100
        value = struct.pack("<HH2sHI", 9, 0x1010, b"OB", 0, len(ends)) + ends
        level = sequences(1, ExplicitVRLittleEndian)[:20]
        assert nested_too_deeply(nested(0) + (level + value) * 99)

    def test_in_a_data_set_that_grows_beyond_reason(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("headct.dicom_depth.MAX_INFLATED", 64)
        assert nested_too_deeply(nested(1, DeflatedExplicitVRLittleEndian))

    def test_among_more_elements_than_are_looked_at(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("headct.dicom_depth.MAX_ELEMENTS", 50)
        assert nested_too_deeply(nested(0) + sequences(1, ExplicitVRLittleEndian) * 99)


def test_pieces_of_compressed_pixels_are_no_levels() -> None:
    piece = struct.pack("<HHI", 0xFFFE, 0xE000, 4) + b"\xfe\xff\x00\xe0"
    pixels = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OB", 0, 0xFFFFFFFF) + piece * 500
    assert not nested_too_deeply(nested(3) + pixels + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0))


def test_ends_of_items_that_a_writer_forgot() -> None:
    forgotten = sequences(1, ExplicitVRLittleEndian)
    assert not nested_too_deeply(nested(0) + (forgotten[:20] + forgotten[-8:]) * 99)


@pytest.mark.parametrize("syntax", [*SYNTAXES, RLELossless])
def test_images_are_not_nested(syntax: str) -> None:
    assert not any(map(nested_too_deeply, files(head(slabs=2, size=16), syntax=syntax)))


@given(st.binary(max_size=400), st.sampled_from(SYNTAXES))
def test_any_bytes_are_looked_at(data: bytes, syntax: str) -> None:
    for begin in (b"", nested(0, syntax), nested(30, syntax)[:-200]):
        assert nested_too_deeply(begin + data) in {True, False}


@given(st.data())
def test_what_is_cut_short_or_altered_is_looked_at(data: st.DataObject) -> None:
    file = bytearray(nested(data.draw(st.integers(0, 60)), data.draw(st.sampled_from(SYNTAXES))))
    for _ in range(data.draw(st.integers(0, 4))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    assert nested_too_deeply(bytes(file[: data.draw(st.integers(0, len(file)))])) in {True, False}
