"""Files as the parser reads them: every read is counted, and none asks for more than there is.

An element of eight bytes costs the parser some three hundred in memory, an empty item of a sequence two
thousand; so a file of a few megabytes could take gigabytes. Each of them costs at least one read.
"""

import io
import os
import zlib
from collections.abc import Callable
from pathlib import Path

MAX_READS = 2_000_000
"""Of one file. A plain CT image takes 100 to 300; 6,000 frames of an Enhanced one with all their functional
groups 1.7 million."""
MAX_HEADER_BYTES = 2**26
"""Read of what lies before the pixels of one file. 6,000 frames with all their groups are 20 MB."""
_SMALL_READ = 64
"""Bytes that are only counted as a read: so nearly all are, and all allowed ones together have 128 MB."""
_PIECE = 2**14
"""Packed bytes that are unpacked at a time."""


class TooMuchError(Exception):
    """A header of more than any image has."""


class DeflatedError(Exception):
    """The parser comes to a data set that is deflated, and would unpack the whole of it at once."""


class Meter:
    """What one file may still take."""

    def __init__(self, reads: int = MAX_READS, size: int = MAX_HEADER_BYTES) -> None:
        self.reads, self.size = reads, size
        self.exceeded = False
        """Whether more was asked for: the parser may have made another error of it."""

    def count(self, size: int | None, there: int) -> int:
        """One more read of so many bytes, where ``there`` may be read; how many that are.

        Raises:
            TooMuchError: it is too much.
            DeflatedError: it is all that follows, which the parser asks for nowhere else (PS3.5 A.5).
        """
        if size is None or size < 0:
            raise DeflatedError
        size = min(size, there) if there > 0 else 0
        self.reads -= 1
        self.size -= size
        if self.reads < 0 or self.size < 0:
            self.exceeded = True
            raise TooMuchError
        return size


class InMemory(io.BytesIO):
    """A file that is in memory."""

    def __init__(self, data: bytes, meter: Meter) -> None:
        super().__init__(data)
        self._meter, self._size = meter, len(data)

    def read(self, size: int | None = -1, _read: Callable[..., bytes] = io.BytesIO.read) -> bytes:
        """As the parser asks for it; the function is at hand, for it is called hundreds of times an image."""
        meter = self._meter
        if size is not None and 0 <= size <= _SMALL_READ and meter.reads > 0:
            meter.reads -= 1
            return _read(self, size)
        return _read(self, meter.count(size, self._size - self.tell()))


class OnDisk(io.BufferedReader):
    """A file on disk; room is made for no more than there is."""

    def __init__(self, path: Path, meter: Meter) -> None:
        super().__init__(io.FileIO(path))
        self._meter, self._size = meter, os.fstat(self.fileno()).st_size

    def read(self, size: int | None = -1, _read: Callable[..., bytes] = io.BufferedReader.read) -> bytes:
        """As the parser asks for it."""
        meter = self._meter
        if size is not None and 0 <= size <= _SMALL_READ and meter.reads > 0:
            meter.reads -= 1
            return _read(self, size)
        return _read(self, meter.count(size, self._size - self.tell()))


class Inflated(io.BytesIO):
    """A file whose data set was deflated (PS3.5 A.5), unpacked as far as it is read."""

    def __init__(self, head: bytes, packed: memoryview, meter: Meter, limit: int) -> None:
        super().__init__(head)
        self._meter, self._packed, self._limit = meter, packed, limit
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._have = len(head)

    def read(self, size: int | None = -1) -> bytes:
        """As the parser asks for it; beyond the limit there is nothing.

        Raises:
            zlib.error: damaged.
        """
        at = self.tell()
        size = self._meter.count(size, self._limit - at)
        if at + size > self._have:
            self._inflate_to(at + size)
            self.seek(at)
        return super().read(size)

    def _inflate_to(self, end: int) -> None:
        self.seek(self._have)
        while self._have < end and not self._inflater.eof:
            rest = self._inflater.unconsumed_tail
            if not rest:
                if not self._packed:
                    return
                rest, self._packed = bytes(self._packed[:_PIECE]), self._packed[_PIECE:]
            self._have += self.write(self._inflater.decompress(rest, max(end - self._have, 1)))
