"""Logins refused at the door, handed over to the plugin, whose audit has them: a file of few lines.

The doorkeeper adds what came in some seconds, summed by login and address. The plugin takes the file away and
reads it when nobody has it open any more. While triage is down it waits, and does not grow without end.
"""

import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FILE = "refused-logins"
"""In the folder of triage."""
MOST_BYTES = 2**20
"""Of the file: some 20,000 lines."""
MOST_KEPT = 1_000
"""Logins and addresses that are told apart until the next line is written."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refused:
    """Logins refused within some seconds."""

    login: str
    """Empty where nobody has that name: what was typed may be anything, a password too."""
    address: str
    """Empty for the many that are not told apart."""
    count: int


class Refusals:
    """What is to be handed over, summed."""

    every = 5.0
    """Seconds between two times."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._counts: Counter[tuple[str, str]] = Counter()

    def add(self, login: str, address: str) -> None:
        """One more."""
        key = (login, address)
        self._counts[key if key in self._counts or len(self._counts) < MOST_KEPT else ("", "")] += 1

    def write(self) -> None:
        """Add what there is to the file; what cannot be added now is added later."""
        if not self._counts:
            return
        try:
            if self._file.exists() and self._file.stat().st_size > MOST_BYTES:
                return
            with self._file.open("a", encoding="utf-8") as file:
                for (login, address), count in self._counts.items():
                    file.write(json.dumps([login, address, count]) + "\n")
        except OSError as error:  # the store was never made, or the disk is full
            log.warning("refused logins cannot be noted: %s", error.strerror)
            return
        for (login, address), count in self._counts.most_common(5):
            log.warning("%s refused logins of %s from %s", count, login or "nobody", address or "others")
        self._counts.clear()


def hand_over(file: Path, note: Callable[..., object]) -> None:
    """Tell the audit of what was handed over before the last call; to be called at intervals.

    Args:
        file: that the doorkeeper writes.
        note: is told of each login and address once, with their number.

    Raises:
        OSError: the file cannot be taken away.
    """
    for refused in take(file):
        note("login_refused", actor=refused.login, address=refused.address, times=refused.count)


def take(file: Path) -> tuple[Refused, ...]:
    """What was handed over before the last call; to be called at intervals."""
    taken = file.with_name(f"{file.name}.taken")
    found = tuple(_read(taken)) if taken.exists() else ()
    taken.unlink(missing_ok=True)
    if file.exists():
        file.rename(taken)
    return found


def _read(file: Path) -> list[Refused]:
    found = []
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            login, address, count = json.loads(line)
            found.append(Refused(str(login), str(address), int(count)))
        except (ValueError, TypeError):  # cut off by a full disk
            log.warning("a line of refused logins cannot be read")
    return found
