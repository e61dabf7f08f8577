"""User and password of the stack: random on first start, kept readable by the owner alone."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from headct.errors import SettingsError

_VARIABLES = ("HEADCT_USER", "HEADCT_PASSWORD")


@dataclass(frozen=True, slots=True)
class Credentials:
    """One of Orthanc's users."""

    user: str
    password: str = field(repr=False)
    made: bool = field(default=False, compare=False)
    """Whether the password was made up just now: that is when it is shown, and never again."""


def without_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for what we start: other programs read it in ``/proc``, and children inherit it."""
    return {name: value for name, value in environment.items() if name not in _VARIABLES}


def load_or_create(folder: Path) -> Credentials:
    """Read ``credentials`` in the data folder, or make it (mode 0600).

    ``HEADCT_USER`` and ``HEADCT_PASSWORD`` override what the file says and are written to it.

    Raises:
        SettingsError: An override is empty or holds a character that the file or HTTP Basic cannot carry.
    """
    path = folder / "credentials"
    known = path.exists()
    chosen = _overridden(_read(path) if known else Credentials("headct", secrets.token_urlsafe(12)))
    if not chosen.user or not chosen.password or ":" in chosen.user:
        raise SettingsError("HEADCT_USER and HEADCT_PASSWORD must not be empty; a user has no colon")
    if not (chosen.user + chosen.password).isprintable():
        raise SettingsError("HEADCT_USER and HEADCT_PASSWORD must be printable characters")
    write_private(path, f"user: {chosen.user}\npassword: {chosen.password}\n")
    return replace(chosen, made=not known and _VARIABLES[1] not in os.environ)


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
    user, password = (os.environ.get(name) for name in _VARIABLES)
    return Credentials(known.user if user is None else user, known.password if password is None else password)


def _read(path: Path) -> Credentials:
    entries = dict(line.split(": ", 1) for line in path.read_text().splitlines() if ": " in line)
    try:
        return Credentials(entries["user"], entries["password"])
    except KeyError as error:
        raise SettingsError(
            f"{path} lacks the line '{error.args[0]}: ...'; delete it to get a new one"
        ) from error


def make_private(folder: Path) -> None:
    """Make a folder that only its owner may look into; one that others can see into is closed to them.

    Raises:
        SettingsError: It cannot be, as where it is somebody else's or lies on a disk without permissions.
        OSError: It cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _open_to_others(folder):
        return
    try:
        folder.chmod(folder.stat().st_mode & 0o700)
        trouble = "the file system keeps no permissions"
    except OSError as error:
        trouble = str(error.strerror)
    if _open_to_others(folder):
        raise SettingsError(
            f"{folder} holds patients' images and passwords, and others on this machine may look into it "
            f"(mode {folder.stat().st_mode & 0o777:04o}), which cannot be changed: {trouble}"
        )


def _open_to_others(folder: Path) -> bool:
    return bool(folder.stat().st_mode & 0o077)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, without a moment in which others could."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)
