"""Seals: who has the key can tell that this installation wrote something, and that nobody changed it since.

A seal is an HMAC with SHA-256 (RFC 2104) of a text, with the name of its key in front. DICOM's own digital
signatures (PS3.15 annex C) want a certificate of each person who signs, and know no MAC without one.
"""

import hmac
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Self

from headct.errors import SealError
from headct.language import _

KEY_FILE = "reports.key"
"""The file of keys in the folder of secrets."""
LIST_FILE = "reviews.list"
"""The file of the list of reviews (:mod:`headct.reports.vouching`), beside it."""
_KEY = re.compile(r"[0-9a-f]{64}")
_OF_OTHERS = 0o077
"""Bits of a file's mode that let others than its owner in."""
_HEAD = """\
# With these keys reports of reviews are sealed. Keep them as secret as a password, and keep a copy.
# The first one seals. Seals of every one count: keep an old key below a new one, and add those of other
# installations whose reviews are to count here.
"""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys of which the first seals."""

    keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def read(cls, file: Path) -> Self:
        """The keys in a file, one a line in hexadecimal digits.

        Raises:
            SealError: others may read it, or there is no key in it.
            OSError: it cannot be read.
        """
        with file.open(encoding="ascii", errors="replace") as opened:
            if os.fstat(opened.fileno()).st_mode & _OF_OTHERS:
                raise SealError(_("The file {name} may be read by others; take that away.", name=file.name))
            lines = [line.partition("#")[0].strip().lower() for line in opened]
        written = [line for line in lines if line]
        if not written or not all(_KEY.fullmatch(line) for line in written):
            raise SealError(_("The file {name} holds no keys, or a damaged one.", name=file.name))
        return cls(tuple(bytes.fromhex(line) for line in written))

    @classmethod
    def read_or_make(cls, file: Path) -> Self:
        """The same, made with a random key where there is none; two processes make one.

        Raises:
            SealError, OSError: as :meth:`read`, and it cannot be written.
        """
        if not file.exists():
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
            try:
                new = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(new, "w", encoding="ascii") as opened:
                    opened.write(f"{_HEAD}{secrets.token_hex(32)}\n")
                    opened.flush()
                    os.fsync(opened.fileno())
                os.link(unfinished, file)  # fails where the other process was first
            except FileExistsError:
                pass
            finally:
                unfinished.unlink(missing_ok=True)
            _keep_name(file.parent)
        return cls.read(file)

    @property
    def name(self) -> str:
        """Of the key that seals."""
        return _name(self.keys[0])

    def seal(self, text: str) -> str:
        """The seal of a text."""
        return f"{self.name}-{_mac(self.keys[0], text)}"

    def knows(self, seal: str) -> bool:
        """Whether a seal names a key of ours."""
        return any(True for _key in self._named(seal))

    def vouches(self, seal: str, text: str) -> bool:
        """Whether a seal was made of this very text with a key of ours."""
        mac = seal.partition("-")[2]
        return any(hmac.compare_digest(mac.encode(), _mac(key, text).encode()) for key in self._named(seal))

    def _named(self, seal: str) -> Iterator[bytes]:
        name = seal.partition("-")[0]
        return (key for key in self.keys if _name(key) == name)


def _name(key: bytes) -> str:
    """Tells keys apart and gives nothing of them away."""
    return sha256(b"headct key\n" + key).hexdigest()[:16]


def _mac(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), sha256).hexdigest()


def _keep_name(folder: Path) -> None:
    """A new file's name is on disk only once its folder is."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
