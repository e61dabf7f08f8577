"""Seeded damage to real or synthetic series: what scanners, networks, discs and people do to DICOM files.

``mutants(files, seed, count)`` yields ``(name, files)``; the same seed gives the same damage. Works on raw
bytes and on parsed datasets, one to three operations each. Used by the reader's tests and by the soak.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO

import pydicom
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

NASTY = (
    b"", b" ", b"0", b"-1", b"1", b"nan", b"inf", b"1e308", b"-1e308", b"99999999999999999999", b"Unknown",
    b"None", b"1\\2", b"1\\2\\3\\4\\5\\6\\7", b"\\\\", b"\xff\xfe\x00", b"\x00\x00", b"1,5", b"0.0001",
    b"+-3",
    b"1\\0\\0\\0\\1\\0", b"0\\0\\0\\0\\0\\0", b"0\\1\\0\\0\\0\\-1", b"\x1b$B\x1b(B", b"\x83\\\x5c",
    b"A" * 70000,
)  # fmt: skip
GEOMETRY = (
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "SliceLocation",
    "InstanceNumber", "GantryDetectorTilt", "SpacingBetweenSlices",
)  # fmt: skip
PIXEL_NUMBERS = (
    "Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "SamplesPerPixel",
)  # fmt: skip
WORDS = (
    "SpecificCharacterSet", "ImageType", "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "Modality",
    "PatientName", "PatientBirthDate", "PatientAge", "StudyDate", "ConvolutionKernel", "ContrastBolusAgent",
    "SeriesDescription", "RescaleSlope", "RescaleIntercept", "PixelPaddingValue", "NumberOfFrames",
    "PhotometricInterpretation", "PatientOrientation", "BodyPartExamined", "FrameOfReferenceUID",
)  # fmt: skip
SYNTAXES = (
    ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, JPEGBaseline8Bit, JPEGLosslessSV1,
    JPEGLSLossless, JPEG2000Lossless, RLELossless, "1.2.3.4", "",
)  # fmt: skip

Files = list[bytes]
Operation = Callable[[random.Random, Files], Files]


def mutants(files: Sequence[bytes], seed: int, count: int) -> Iterator[tuple[str, Files]]:
    for number in range(count):
        rng = random.Random(seed * 1_000_003 + number)
        operations = rng.choices(OPERATIONS, k=rng.choice((1, 1, 2, 3)))
        damaged = list(files)
        for operation in operations:
            if damaged:
                damaged = operation(rng, damaged)
        yield f"{seed}/{number} " + "+".join(o.__name__ for o in operations), damaged


def _some(rng: random.Random, files: Files) -> list[int]:
    """One file, a few, or all."""
    share = rng.choice(("one", "few", "all"))
    if share == "one":
        return [rng.randrange(len(files))]
    return (
        sorted(rng.sample(range(len(files)), max(1, len(files) // 4)))
        if share == "few"
        else list(range(len(files)))
    )


def _edited(rng: random.Random, files: Files, edit: Callable[[Dataset], None]) -> Files:
    """Files with some datasets edited; a dataset that cannot be written afterwards stays as it was."""
    result = list(files)
    for i in _some(rng, files):
        try:
            ds = pydicom.dcmread(BytesIO(files[i]), force=True)
            edit(ds)
            buffer = BytesIO()
            pydicom.dcmwrite(buffer, ds)
        except Exception:  # an earlier operation of the same mutant broke it beyond writing
            continue
        result[i] = buffer.getvalue()
    return result


def _raw(ds: Dataset, tag: int, value: bytes) -> None:
    """Set a value the value representation forbids."""
    vr = ds[tag].VR if tag in ds else pydicom.datadict.dictionary_VR(tag)
    implicit, little = ds.original_encoding
    ds[tag] = RawDataElement(Tag(tag), vr, len(value), value, 0, bool(implicit), little is not False)


def delete_tag(rng: random.Random, files: Files) -> Files:
    tag = Tag(rng.choice(GEOMETRY + PIXEL_NUMBERS + WORDS))

    def edit(ds: Dataset) -> None:
        if tag in ds:
            del ds[tag]

    return _edited(rng, files, edit)


def delete_any_tag(rng: random.Random, files: Files) -> Files:
    return _edited(rng, files, lambda ds: ds.__delitem__(rng.choice(list(ds.keys()))))


def garble_text(rng: random.Random, files: Files) -> Files:
    tag, value = Tag(rng.choice(GEOMETRY + WORDS)), rng.choice(NASTY)
    return _edited(rng, files, lambda ds: _raw(ds, tag, value))


def garble_any_tag(rng: random.Random, files: Files) -> Files:
    def edit(ds: Dataset) -> None:
        tag = rng.choice([t for t in ds.keys() if t != 0x7FE00010])  # noqa: SIM118 (keys, not elements)
        _raw(ds, tag, rng.choice((rng.choice(NASTY), rng.randbytes(rng.randrange(40)))))

    return _edited(rng, files, edit)


def pixel_numbers(rng: random.Random, files: Files) -> Files:
    tag = Tag(rng.choice(PIXEL_NUMBERS))
    value = rng.choice((0, 1, 3, 7, 8, 11, 15, 16, 32, 33, 64, 255, 257, 511, 513, 4096, 32767, 65535))
    raw = rng.choice((value.to_bytes(2, "little"), value.to_bytes(4, "little"), b"\x10", b""))
    return _edited(rng, files, lambda ds: _raw(ds, tag, raw))


def move_slices(rng: random.Random, files: Files) -> Files:
    step = rng.choice((0.0, 1e-4, 2.5, -5.0, 40.0, 1e6))

    def edit(ds: Dataset) -> None:
        position = [float(v) for v in ds.ImagePositionPatient]
        position[rng.randrange(3)] += step * rng.choice((1.0, rng.random()))
        ds.ImagePositionPatient = [f"{v:.6g}" for v in position]

    return _edited(rng, files, edit)


def turn_slices(rng: random.Random, files: Files) -> Files:
    cosines = rng.choice(
        ([1, 0, 0, 0, 0, -1], [0, 1, 0, 0, 0, -1], [0, 1, 0, -1, 0, 0], [-1, 0, 0, 0, -1, 0])
    )
    return _edited(rng, files, lambda ds: setattr(ds, "ImageOrientationPatient", cosines))


def false_syntax(rng: random.Random, files: Files) -> Files:
    """The meta header names another transfer syntax; the bytes stay."""
    result, other = list(files), rng.choice(SYNTAXES).encode()
    for i in _some(rng, files):
        at = files[i].find(b"\x02\x00\x10\x00UI", 0, 2000)
        if at >= 0:
            length = int.from_bytes(files[i][at + 6 : at + 8], "little")
            value = other[:length].ljust(length, b"\0")
            result[i] = files[i][: at + 8] + value + files[i][at + 8 + length :]
    return result


def cut_pixels(rng: random.Random, files: Files) -> Files:
    def edit(ds: Dataset) -> None:
        data = ds.PixelData
        ds.PixelData = data[: rng.randrange(len(data))]

    return _edited(rng, files, edit)


def flip_pixel_bytes(rng: random.Random, files: Files) -> Files:
    def edit(ds: Dataset) -> None:
        data = bytearray(ds.PixelData)
        for _ in range(rng.choice((1, 5, 200))):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        ds.PixelData = bytes(data)

    return _edited(rng, files, edit)


def swap_pixels(rng: random.Random, files: Files) -> Files:
    try:
        donor = pydicom.dcmread(BytesIO(rng.choice(files)), force=True).get("PixelData", b"")
    except Exception:  # damaged beyond reading by an earlier operation; pydicom's errors have no common root
        return list(files)
    return _edited(rng, files, lambda ds: setattr(ds, "PixelData", donor))


def cut_file(rng: random.Random, files: Files) -> Files:
    result = list(files)
    for i in _some(rng, files):
        result[i] = files[i][: rng.randrange(len(files[i]) + 1)]
    return result


def flip_bytes(rng: random.Random, files: Files) -> Files:
    result = list(files)
    for i in _some(rng, files):
        data = bytearray(files[i])
        for _ in range(rng.choice((1, 10, 300)) if data else 0):
            # Half of the damage goes to the header, which is a small part of the file.
            data[rng.randrange(len(data) if rng.random() < 0.5 else min(len(data), 3000))] = rng.randrange(
                256
            )
        result[i] = bytes(data)
    return result


def shift_bytes(rng: random.Random, files: Files) -> Files:
    result = list(files)
    for i in _some(rng, files):
        at = rng.randrange(min(len(files[i]), 4000) + 1)
        result[i] = files[i][:at] + rng.choice((rng.randbytes(rng.randrange(1, 9)), b"")) + files[i][at + 1 :]
    return result


def drop_preamble(rng: random.Random, files: Files) -> Files:
    result = list(files)
    for i in _some(rng, files):
        result[i] = files[i][132:]
    return result


def drop_meta(rng: random.Random, files: Files) -> Files:
    """No preamble and no meta header, as some old archives write."""
    result = list(files)
    for i in _some(rng, files):
        at = files[i].find(b"\x08\x00")
        result[i] = files[i][max(at, 0) :]
    return result


def not_dicom(rng: random.Random, files: Files) -> Files:
    junk = (
        b"",
        b"\0",
        rng.randbytes(5000),
        b"\x89PNG\r\n\x1a\n" + rng.randbytes(500),
        b"DICM",
        b"\0" * 128 + b"DICM",
    )
    return [*files, rng.choice(junk)]


def lose_files(rng: random.Random, files: Files) -> Files:
    keep = rng.randrange(len(files) + 1)
    return rng.choice((files[:keep], files[keep:], rng.sample(files, keep)))


def repeat_files(rng: random.Random, files: Files) -> Files:
    return files + [files[i] for i in _some(rng, files)]


def shuffle_files(rng: random.Random, files: Files) -> Files:
    return rng.sample(files, len(files))


def swap_headers(rng: random.Random, files: Files) -> Files:
    """Bytes up to the middle from one file, the rest from another."""
    a, b = rng.choice(files), rng.choice(files)
    result = list(files)
    result[rng.randrange(len(files))] = a[: len(a) // 2] + b[len(b) // 2 :]
    return result


OPERATIONS: tuple[Operation, ...] = (
    delete_tag, delete_any_tag, garble_text, garble_any_tag, pixel_numbers, move_slices, turn_slices,
    false_syntax, cut_pixels, flip_pixel_bytes, swap_pixels, cut_file, flip_bytes, shift_bytes, drop_preamble,
    drop_meta, not_dicom, lose_files, repeat_files, shuffle_files, swap_headers,
)  # fmt: skip
