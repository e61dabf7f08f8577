"""People and settings as they are at a start, and what changed since the one before.

Passwords and what else Orthanc's options may hold stand in no audit. Of these there is a seal each, by which
a change is seen, and which tells nothing to who has no key.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

import headct
from headct.reports.seals import KeyRing
from orthanc_plugin.audit import chain
from orthanc_plugin.settings import SECTION, Settings

USERS = "RegisteredUsers"
REPEATED_SECONDS = 30 * 86_400
"""All is said again after a month at least: what is old is let go."""
_LENGTH = 33
"""Of a seal here: the name of its key and 64 bits."""


@dataclass(frozen=True, slots=True)
class Start:
    """What a start is made with."""

    programs: Mapping[str, str]
    """Versions."""
    settings: Mapping[str, Any]
    """Those of triage that are not as they come."""
    people: Mapping[str, Any]
    """Who the logins are, and their roles."""
    passwords: Mapping[str, str] = field(repr=False)
    """Of Orthanc's users."""
    options: Mapping[str, Any] = field(repr=False)
    """Orthanc's own."""

    @classmethod
    def of(cls, settings: Settings, configuration: Mapping[str, Any], orthanc_version: str) -> Self:
        """From the options as they were read."""
        own = settings.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        people = own.pop("People", {})
        if settings.database:
            own["Database"] = make_url(settings.database).render_as_string(hide_password=True)
        return cls(
            {"headct": headct.__version__, "Orthanc": orthanc_version},
            own,
            people,
            dict(configuration.get(USERS) or {}),
            {name: value for name, value in configuration.items() if name not in (SECTION, USERS)},
        )


def told(start: Start, session: Session, ring: KeyRing, running: int) -> dict[str, Any]:
    """What the audit says of a start: all of it, or where nothing changed the number of the entry that does.

    Args:
        start: what it is made with.
        session: of the store.
        ring: whose first key seals.
        running: seconds for which the program has run since the chain began.
    """
    said: dict[str, dict[str, Any]] = {
        "programs": dict(start.programs),
        "settings": dict(start.settings),
        "people": dict(start.people),
        "users": {login: _seal(ring, f"{login}\n{word}") for login, word in start.passwords.items()},
        "options": {name: _seal(ring, _text(name, value)) for name, value in start.options.items()},
    }
    before = [entry for entry in chain.marks(session, chain.STARTED) if "people" in entry.detail][-1:]
    changed = sorted(_changed(before[0].detail, said, start, ring)) if before else []
    if before and not changed and running - (before[0].running or 0) < REPEATED_SECONDS:
        return {"changed": [], "as_in": before[0].number}
    return {**said, "changed": changed}


def _changed(
    before: Mapping[str, Any], said: Mapping[str, Mapping[str, Any]], start: Start, ring: KeyRing
) -> Iterator[str]:
    for part, now in said.items():
        then = before.get(part, {})
        for name in {*now, *then}:
            if part == "users" and name in start.passwords:
                same = _is_of(then.get(name), ring, f"{name}\n{start.passwords[name]}")
            elif part == "options" and name in start.options:
                same = _is_of(then.get(name), ring, _text(name, start.options[name]))
            else:
                same = name in now and name in then and now[name] == then[name]
            if not same:
                yield f"{part}.{name}"


def _text(name: str, value: Any) -> str:
    return f"{name}\n{json.dumps(value, sort_keys=True)}"


def _seal(ring: KeyRing, text: str) -> str:
    return ring.seal(f"at the start\n{text}")[:_LENGTH]


def _is_of(seal: Any, ring: KeyRing, text: str) -> bool:
    """Whether a seal is of this text, with whichever of the keys."""
    return any(seal == _seal(KeyRing((key,)), text) for key in ring.keys)
