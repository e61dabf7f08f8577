"""The corpus of files read by a process that may take little memory: ``python -m hostile.bounded``.

One line of JSON a case: its name, what became of it, and the megabytes it took at most.
"""

import argparse
import json
import random
import resource
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from headct.eligibility.gate import admit
from headct.errors import NotAnalysedError
from headct.images import frames
from headct.images import headers as values
from headct.images.decoding import PixelFormat, decode
from headct.images.files import parsing
from headct.images.frames import one_by_one
from headct.images.reading import read_headers
from hostile.headers import END_OF_SEQUENCE, element, file, headers, image, item
from hostile.streams import streams

SMALL = {"many": 60_000, "size": 2**21, "zeros": 2**25}
"""Enough to be too much where the limits are :data:`LOW`."""
LARGE = {"many": 1_000_000, "size": 80 * 2**20, "zeros": 2**30}
LOW: tuple[tuple[object, str, int], ...] = (
    (parsing, "MAX_READS", 50_000),
    (parsing, "MAX_HEADER_BYTES", 2**20),
    (parsing, "_MAX_VALUE", 2**19),
    (values, "MAX_ITEMS", 20_000),
    (frames, "MAX_IMAGES", 3_000),
)
"""Limits for a test that has seconds."""


def files(sizes: dict[str, int]) -> dict[str, Callable[[], bytes]]:
    """All of the corpus, each as a file."""
    found: dict[str, Callable[[], bytes]] = {}
    for case in streams():
        found[case.name] = lambda c=case: _encapsulated(*c.make())
    for one in headers(**sizes):
        found[one.name] = one.make
    return found


def _encapsulated(syntax: str, stream: bytes) -> bytes:
    whole = stream + b"\0" * (len(stream) % 2)
    pixels = element((0x7FE0, 0x10), b"OB", item(b"") + item(whole) + END_OF_SEQUENCE, 0xFFFFFFFF)
    return file(image(pixels=pixels), syntax)


def outcome(data: bytes) -> str:
    """What becomes of a series of one file, and of its images."""
    try:
        sources, found = one_by_one([data], read_headers([data]))
        for source, header in zip(sources, found, strict=True):
            decode(source, PixelFormat.of(header))
        admit([data], allow_partial=True)
    except NotAnalysedError as error:
        return error.reason.code.value
    except Exception as error:
        return type(error).__name__
    return "read"


def taken(what: str) -> int:
    """Kilobytes that this process takes: ``VmData``, ``VmRSS`` or, at most, ``VmHWM``."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what))


def read(data: bytes, megabytes: int) -> tuple[str, int]:
    """What becomes of a file, and the megabytes it took at most, of so many that it may take."""
    most = (taken("VmData") + 1024 * megabytes) * 1024
    before = taken("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    resource.setrlimit(resource.RLIMIT_DATA, (most, resource.RLIM_INFINITY))
    try:
        said = outcome(data)
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return said, (taken("VmHWM") - before) // 1024


def damaged(data: bytes, rng: random.Random) -> bytes:
    """With some bytes changed, most of them at the beginning of the file or of its pixels, or cut off."""
    found = bytearray(data)
    begin = rng.choice((0, max(0, data.find(b"\xe0\x7f\x10\x00"))))
    for _ in range(rng.randrange(1, 9)):
        end = rng.choice((min(len(found), begin + 200), len(found)))
        found[rng.randrange(min(begin, end - 1), end)] = rng.choice(
            (0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256))
        )
    return bytes(found[: rng.randrange(len(found))]) if rng.random() < 0.1 else bytes(found)


def go_on(cases: dict[str, Callable[[], bytes]], options: argparse.Namespace) -> None:
    """Damage one file after the other."""
    end = time.monotonic() + 60 * options.minutes
    number = 0
    while time.monotonic() < end:
        rng = random.Random(f"{options.seed}/{number}")
        name = rng.choice(sorted(cases))
        print(
            json.dumps(
                [f"{name} {options.seed}/{number}", *read(damaged(cases[name](), rng), options.megabytes)]
            ),
            flush=True,
        )
        number += 1


def main() -> None:
    """Read all of it, or go on damaging it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=256, help="more than it takes at the beginning")
    parser.add_argument("--large", action="store_true", help="with the limits that hold in earnest")
    parser.add_argument("--minutes", type=float, default=0.0, help="go on with damaged ones for so long")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for module, name, value in () if options.large else LOW:
        mock.patch.object(module, name, value).start()
    cases = files(LARGE if options.large else SMALL)
    if options.minutes:
        go_on(cases, options)
        return
    for name, make in cases.items():
        print(json.dumps([name, *read(make(), options.megabytes)]), flush=True)


if __name__ == "__main__":
    main()
