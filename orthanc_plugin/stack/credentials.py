"""User and password of the stack: random on first start, kept readable by the owner alone."""

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from headct.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Credentials:
    """One of Orthanc's users."""

    user: str
    password: str


def load_or_create(folder: Path) -> Credentials:
    """Read ``credentials`` in the data folder, or make it (mode 0600).

    ``HEADCT_USER`` and ``HEADCT_PASSWORD`` override what the file says and are written to it.

    Raises:
        SettingsError: An override is empty or holds a character that the file or HTTP Basic cannot carry.
    """
    path = folder / "credentials"
    chosen = _overridden(_read(path) if path.exists() else Credentials("headct", secrets.token_urlsafe(12)))
    if not chosen.user or not chosen.password or ":" in chosen.user:
        raise SettingsError("HEADCT_USER and HEADCT_PASSWORD must not be empty; a user has no colon")
    if not (chosen.user + chosen.password).isprintable():
        raise SettingsError("HEADCT_USER and HEADCT_PASSWORD must be printable characters")
    write_private(path, f"user: {chosen.user}\npassword: {chosen.password}\n")
    return chosen


def load(folder: Path | None) -> Credentials:
    """Read ``credentials`` in the data folder, if any, overridden as above; nothing is made or written.

    Raises:
        SettingsError: There is no such file and no override, or the file is incomplete.
    """
    path = folder / "credentials" if folder is not None else None
    chosen = _overridden(_read(path) if path is not None and path.exists() else Credentials("", ""))
    if not chosen.user or not chosen.password:
        raise SettingsError("no password: set HEADCT_USER and HEADCT_PASSWORD, or name the data folder")
    return chosen


def _overridden(known: Credentials) -> Credentials:
    return Credentials(
        os.environ.get("HEADCT_USER", known.user), os.environ.get("HEADCT_PASSWORD", known.password)
    )


def _read(path: Path) -> Credentials:
    entries = dict(line.split(": ", 1) for line in path.read_text().splitlines() if ": " in line)
    try:
        return Credentials(entries["user"], entries["password"])
    except KeyError as error:
        raise SettingsError(
            f"{path} lacks the line '{error.args[0]}: ...'; delete it to get a new one"
        ) from error


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, without a moment in which others could."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)
