"""Files made to take all memory or time are refused before they do, and honest ones like them are read."""

import json
import os
import subprocess
import sys
import zlib
from functools import cache

import imagecodecs
import numpy as np
import pytest
from dicom_stack import file_bytes, head, write
from hostile import streams
from hostile.headers import END_OF_SEQUENCE, element, file, headers, image, item, nested
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from places import ROOT, TESTS
from pydicom.uid import DeflatedExplicitVRLittleEndian

from headct.errors import NotAnalysedError
from headct.images.compression import decompressed, run_length
from headct.images.decoding import PixelFormat, decode
from headct.images.files import jpeg2000, parsing, reads
from headct.images.files.parsing import Allowance, header
from headct.images.frames import one_by_one
from headct.images.headers import text
from headct.images.reading import count_ct_images, group_series, read_headers

SIDE = 32
PICTURE = np.random.default_rng(0).integers(0, 3000, (SIDE, SIDE)).astype(np.uint16)


# --- the corpus -----------------------------------------------------------------------------------


@cache
def read() -> dict[str, str]:
    """What became of each case, by a process that may take 256 MB."""
    path = os.pathsep.join((str(TESTS / "faults"), str(ROOT)))
    process = subprocess.run(
        [sys.executable, "-m", "hostile.bounded"],
        env={**os.environ, "PYTHONPATH": path},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    return {name: said for name, said, _ in map(json.loads, process.stdout.splitlines())}


@pytest.mark.long
def test_every_file_is_refused_or_read_within_little_memory() -> None:
    assert len(read()) > 100
    others = {n: said for n, said in read().items() if said not in {"unreadable", "too_few_slices"}}
    assert not others


@pytest.mark.long
@pytest.mark.parametrize(
    "name",
    [
        "JPEG 2000: blocks of four pixels",
        "JPEG: no length",
        "RLE: a plane of far too much",
        "sequences: nested 2,000 times, lengths told",
        "lengths: a far too large value",
        "lengths: an icon larger than its image",
        "deflated: zeros behind the image",
    ],
)
def test_what_only_looks_dangerous_costs_no_image(name: str) -> None:
    """One image is too few of them, and that is what is said: it could be read."""
    assert read()[name] == "too_few_slices"


# --- compressed images ----------------------------------------------------------------------------


def test_a_size_in_a_box_that_nobody_reads_is_not_believed() -> None:
    with pytest.raises(NotAnalysedError, match="size differs"):
        decompressed(streams.false_size(b"free"), streams.SIDE, streams.SIDE)


def test_an_image_behind_boxes_is_read() -> None:
    plain = bytes(imagecodecs.jpeg2k_encode(PICTURE, level=0, reversible=True, codecformat="j2k"))
    whole = bytes(imagecodecs.jpeg2k_encode(PICTURE, level=0, reversible=True, codecformat="jp2"))
    for stream in (
        plain,
        whole,
        streams.boxed(streams.box(b"free", streams.codestream(8)), streams.box(b"jp2c", plain), side=SIDE),
        # The last box may leave its length open, or tell it in 64 bits (T.800 I.4).
        streams.boxed(b"\0\0\0\0jp2c" + plain, side=SIDE),
        streams.boxed(b"\0\0\0\x01jp2c" + (16 + len(plain)).to_bytes(8, "big") + plain, side=SIDE),
    ):
        assert np.array_equal(decompressed(stream, SIDE, SIDE), PICTURE)


@pytest.mark.parametrize(
    "options",
    [
        {"resolutions": 1},
        {"resolutions": 6},
        {"reversible": False, "level": 60},
    ],
    ids=str,
)
def test_honest_streams_of_every_make_pass(options: dict[str, object]) -> None:
    said = {"level": 0, "reversible": True, "codecformat": "j2k", **options}
    stream = bytes(imagecodecs.jpeg2k_encode(PICTURE, **said))
    jpeg2000.check(stream, jpeg2000.size(stream))
    assert decompressed(stream, SIDE, SIDE).shape == (SIDE, SIDE)


def test_a_progressive_image_has_few_scans() -> None:
    stream = bytes(imagecodecs.jpeg8_encode((PICTURE // 16).astype(np.uint8), level=90, optimize=True))
    assert decompressed(stream, SIDE, SIDE).shape == (SIDE, SIDE)


ENCODED = {
    "jpeg2000": bytes(imagecodecs.jpeg2k_encode(PICTURE, level=0, reversible=True, codecformat="jp2")),
    "lossless": bytes(imagecodecs.jpeg8_encode(PICTURE, lossless=True, predictor=1)),
    "lossy": bytes(imagecodecs.jpeg8_encode((PICTURE // 16).astype(np.uint8), level=90)),
    "jpegls": bytes(imagecodecs.jpegls_encode(PICTURE)),
}
CHANGES = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=4)


@pytest.mark.parametrize("kind", ENCODED)
@hypothesis_settings(max_examples=60, derandomize=True)
@given(changes=CHANGES, cut=st.integers(0, 4000))
def test_whatever_a_stream_says_it_is_an_image_of_that_size_or_refused(
    kind: str, changes: list[tuple[int, int]], cut: int
) -> None:
    """Most changes are of the header, where sizes stand."""
    stream = bytearray(ENCODED[kind])
    for at, value in changes:
        stream[at % len(stream)] = value
    try:
        found = decompressed(bytes(stream[: len(stream) - cut % 2 * cut]), SIDE, SIDE)
    except NotAnalysedError:
        return
    assert found.shape == (SIDE, SIDE)


@hypothesis_settings(max_examples=100, derandomize=True)
@given(st.binary(max_size=200), st.integers(1, 4))
@example(b"\x81\0" * 1000, 1)
@example(b"\x80" * 1000, 2)
def test_whatever_run_lengths_say(packed: bytes, planes: int) -> None:
    stream = streams.run_length(*[packed] * planes)
    try:
        found = run_length(stream, SIDE, SIDE, planes)
    except NotAnalysedError:
        return
    assert found.shape == (SIDE, SIDE)


# --- headers --------------------------------------------------------------------------------------


def test_reads_are_counted_and_a_series_shares_them(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = file(image())
    monkeypatch.setattr(parsing, "MAX_READS", 100)
    for many in (nested(60, told=False), b"".join(element((9, k), b"LO", b"") for k in range(60))):
        with pytest.raises(NotAnalysedError, match="header larger"):
            read_headers([plain, file(image(many))])
    allowance = Allowance(reads=70)
    header(plain, allowance)
    with pytest.raises(NotAnalysedError, match="header larger"):
        header(plain, allowance)


def test_a_file_on_disk_and_one_in_memory_are_read_alike(tmp_path) -> None:
    for number, case in enumerate(headers(many=500, size=2**16, zeros=2**16)):
        data = case.make()
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(data)
        said = []
        for source in (data, path):
            try:
                said.append(sorted(read_headers([source])[0].keys()))
            except NotAnalysedError as error:
                said.append(error.reason)
        assert said[0] == said[1], case


def test_of_a_deflated_file_only_what_is_read_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    slices = write(head(slabs=28, size=64)[5:6], syntax=DeflatedExplicitVRLittleEndian)
    data = file_bytes(slices[0])
    unpacked = []
    inflate = zlib.decompressobj

    class Counting:
        def __init__(self, *arguments: int) -> None:
            self._inner = inflate(*arguments)

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

        def decompress(self, rest: bytes, most: int) -> bytes:
            assert most > 0
            found = self._inner.decompress(rest, most)
            unpacked.append(len(found))
            return found

    monkeypatch.setattr(reads.zlib, "decompressobj", Counting)
    found = read_headers([data])[0]
    assert (
        text(found, "SOPInstanceUID") and found.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian
    )
    assert 0 < sum(unpacked) < 4096
    form = PixelFormat.of(found)
    assert np.array_equal(
        decode(data, form), decode(file_bytes(write(head(slabs=28, size=64)[5:6])[0]), form)
    )


def test_a_large_file_among_others_is_not_lost_from_sight(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(parsing, "MAX_READS", 60)
    (tmp_path / "1.dcm").write_bytes(file(image(*[nested(1, told=False)] * 60)))
    assert [len(files) for files in group_series([tmp_path]).values()] == [1]
    assert count_ct_images([tmp_path / "1.dcm"]) == 0


def test_out_of_memory_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a head would be refused, or worse judged without a value, for a reason that is not true."""

    def no_room(*_: object) -> bytes:
        raise MemoryError

    data = file(image())
    found = read_headers([data])[0]
    monkeypatch.setattr(reads.Meter, "count", no_room)
    for attempt in (
        lambda: read_headers([data]),
        lambda: decode(data, PixelFormat.of(found)),
        lambda: count_ct_images([data]),
    ):
        with pytest.raises(MemoryError):
            attempt()


PIXELS = element((0x7FE0, 0x10), b"OW", bytes(2 * SIDE * SIDE))
TAGS = st.tuples(
    st.sampled_from((0x0002, 0x0008, 0x0009, 0x0018, 0x0020, 0x0028, 0x5200)), st.integers(0, 65535)
)
VRS = st.sampled_from(
    (b"CS", b"DS", b"IS", b"LO", b"OB", b"PN", b"SQ", b"UI", b"UN", b"US", b"AT", b"UT", b"zz")
)
LENGTHS = st.one_of(st.none(), st.sampled_from((0, 1, 0xFFFF, 0xFFFFFFFE, 0xFFFFFFFF)))
ELEMENTS = st.recursive(
    st.builds(element, TAGS, VRS, st.binary(max_size=20), LENGTHS),
    lambda inner: st.builds(
        lambda tag, inside, length, open_item: element(
            tag,
            b"SQ",
            item(b"".join(inside), 0xFFFFFFFF if open_item else None) + END_OF_SEQUENCE,
            0xFFFFFFFF if length is None else length,
        ),
        TAGS,
        st.lists(inner, max_size=3),
        LENGTHS,
        st.booleans(),
    ),
    max_leaves=6,
)


@hypothesis_settings(max_examples=60, derandomize=True)
@given(st.lists(ELEMENTS, max_size=5), st.sampled_from((None, 0, 1, 3, 10**9)))
def test_whatever_stands_in_a_header(elements: list[bytes], frames: int | None) -> None:
    try:
        data = file(
            image(
                *elements,
                frames=frames,
                sop_class="1.2.840.10008.5.1.4.1.1.2.1",
                side=(SIDE, SIDE),
                pixels=PIXELS,
            )
        )
        sources, found = one_by_one([data], read_headers([data]))
        decode(sources[0], PixelFormat.of(found[0]))
    except NotAnalysedError:
        return
