"""ZIPs made to do harm, to be written into a folder."""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

from hostile import Hostile
from hostile.headers import deflated, file, image

_MARKED = bytes(128) + b"DICM"


def _zipped(files: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return written.getvalue()


def _false_size(data: bytes, size: int) -> bytes:
    """A ZIP of one file whose directory says another unpacked size."""
    at = data.index(b"PK\x01\x02")
    return data[: at + 24] + size.to_bytes(4, "little") + data[at + 28 :]


def _zeros(size: int) -> bytes:
    """A ZIP of one marked file that unpacks to that many zeros, made without having them."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.dcm", "w") as inside:
        inside.write(_MARKED)
        for _ in range(size >> 20):
            inside.write(bytes(2**20))
    return written.getvalue()


def archives(size: int = 2**28) -> list[Hostile[bytes]]:
    """Every case; what grows does so to this many bytes."""
    good = file(image())
    inner = _zipped([("a.dcm", good)])
    cases: dict[str, Callable[[], bytes]] = {
        "a file of zeros": lambda: _zeros(size),
        "a ZIP in a ZIP": lambda: _zipped([("a.zip", _zipped([("b.zip", inner)]))]),
        "said to be small": lambda: _false_size(_zipped([("a.dcm", _MARKED + bytes(size))]), 10),
        "said to be large": lambda: _false_size(inner, 2**32 - 2),
        "a way out": lambda: _zipped([("../../a.dcm", good), ("/etc/a.dcm", good), ("C:\\a.dcm", good)]),
        "one name 200 times": lambda: _zipped([("a.dcm", good[:200])] * 200),
        "a deflated image in it": lambda: _zipped([("a.dcm", deflated(image(), size))]),
        "cut off": lambda: inner[: len(inner) // 2],
        "a directory alone": lambda: inner[inner.index(b"PK\x01\x02") :],
        "damaged data": lambda: inner[:100] + bytes(50) + inner[150:],
        "no ZIP": lambda: b"PK\x03\x04" + zlib.compress(bytes(1000)),
        "an unknown method": lambda: inner.replace(b"\x08\0", b"\x63\0", 1).replace(
            b"\x14\0\0\0\x08\0", b"\x14\0\0\0\x63\0"
        ),
    }
    return [Hostile(name, make) for name, make in cases.items()]


def written(case: Hostile[bytes], folder: Path) -> Path:
    """The ZIP on disk."""
    path = folder / "medium.zip"
    path.write_bytes(case.make())
    return path
