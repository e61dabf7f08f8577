"""Pseudonyms, UIDs and shifts of dates: the same for the same input, and without the key no way back.

Each is an HMAC-SHA-256 (RFC 2104) under the hospital's key. Whoever has the key can tell whose pseudonym
one is by trying all its patients, so the key stays where the patients' names are, and out of the data.
"""

import hmac
import os
import stat
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Self
from uuid import UUID

from headct.errors import DeidentificationError

KEY_BYTES = 32
"""As long as the digest; shorter keys weaken it (RFC 2104, section 3)."""
_MIN_DIFFERENT_BYTES = 12
"""32 random bytes have about 30 different ones; zeros after a power cut, or typed words, have few."""
_EARLIEST_SHIFT_DAYS, _SHIFT_DAYS = 73_000, 3652
"""Dates go back by 200 to 210 years: nobody takes one for true, nor does one equal another true date."""


class Key:
    """The hospital's secret, and what is derived from it."""

    def __init__(self, secret: bytes) -> None:
        """Take a secret of at least :data:`KEY_BYTES` random bytes.

        Raises:
            DeidentificationError: too short, or plainly not random.
        """
        if len(secret) < KEY_BYTES:
            raise DeidentificationError(f"the key has {len(secret)} bytes, fewer than {KEY_BYTES}")
        if len(set(secret)) < _MIN_DIFFERENT_BYTES:
            raise DeidentificationError("the key is not random")
        self._secret = secret

    @classmethod
    def read(cls, path: Path) -> Self:
        """The key in a file, which is made when there is none. Lost, the same patients get new names.

        Raises:
            DeidentificationError: cannot be read or made, is damaged, or others than its owner may read it.
        """
        try:
            if not path.exists():
                _make(path)
            with path.open("rb") as file:
                if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                    raise DeidentificationError(f"{path} is open to others than its owner: chmod 600")
                secret = file.read()
        except OSError as error:
            raise DeidentificationError(f"{path} cannot be read or made: {error.strerror}") from error
        try:
            return cls(secret)
        except DeidentificationError as error:
            raise DeidentificationError(f"{path}: {error}") from error

    def pseudonym(self, patient_id: str) -> str:
        """Name and ID of a patient in the data: ``P-`` and 16 hexadecimal digits.

        A patient is who has a PatientID, as in Orthanc; spaces around it mean nothing (PS3.5 6.2). One person
        under two IDs is two patients.
        """
        return f"P-{self._digest('patient', [patient_id.strip()]).hex()[:16].upper()}"

    def uid(self, uid: str) -> str:
        """The UID that stands for one of the input: 2.25 and a UUID (DICOM PS3.5, B.2)."""
        digest = self._digest("uid", [uid.strip(" \0")])
        return f"2.25.{UUID(bytes=digest[:16], version=5).int}"

    def shift(self, patient_id: str) -> timedelta:
        """How far a patient's dates and times are moved into the past, all by the same."""
        number = int.from_bytes(self._digest("shift", [patient_id.strip()]), "big")
        days, seconds = divmod(number % (_SHIFT_DAYS * 86_400), 86_400)
        return timedelta(days=_EARLIEST_SHIFT_DAYS + days, seconds=seconds)

    def mark(self, *parts: str) -> str:
        """32 hexadecimal digits that are the same for the same words, and say nothing of them."""
        return self._digest("mark", parts).hex()[:32]

    def _digest(self, purpose: str, parts: Iterable[str]) -> bytes:
        message = b""
        for part in (purpose, *parts):
            data = part.encode("utf-8", "surrogatepass")
            # The length in front keeps ("ab", "c") and ("a", "bc") apart.
            message += len(data).to_bytes(8, "big") + data
        return hmac.digest(self._secret, message, "sha256")


def _make(path: Path) -> None:
    # Whole on disk before it has its name: half a key, or one lost with the power, would give other names.
    with NamedTemporaryFile(dir=path.parent, prefix=".key-") as file:
        file.write(os.urandom(KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
        try:
            os.link(file.name, path)
        except FileExistsError:
            return  # another process was faster; its key counts
