"""What a login of Orthanc may do. Standard library alone, for it counts while triage is down."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class Role(StrEnum):
    """What a login may do; each may what those before may."""

    VIEWER = "viewer"
    """Look, as every login may."""
    SERVICE = "service"
    """Bring images in: for programs, none of which reviews."""
    READER = "reader"
    """Review, and have series judged again."""
    ADMINISTRATOR = "administrator"
    """Change the model in service, and everything in Orthanc."""

    def may(self, needed: "Role") -> bool:
        """Whether this one may do what the other may."""
        order = list(Role)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Logins:
    """The role of every login, as Orthanc's configuration has it.

    What is written there may be wrong in any way: then triage does not start, and a login of which nothing
    can be made out only looks.
    """

    roles: Mapping[str, Role]
    authentication: bool
    """Whether Orthanc asks for a user and a password."""

    @classmethod
    def of(cls, configuration: Mapping[str, Any]) -> Self:
        """From Orthanc's whole configuration."""
        section = configuration.get("HeadCTTriage")
        people = section.get("People") if isinstance(section, dict) else None
        found = {login: _role(said) for login, said in people.items()} if isinstance(people, dict) else {}
        return cls(found, asks_for_password(configuration))

    def role(self, login: str | None) -> Role:
        """What a login may; where Orthanc checks none, whoever they say they are only looks."""
        return self.roles.get(login or "", Role.VIEWER) if self.authentication else Role.VIEWER


def _role(person: object) -> Role:
    if not isinstance(person, dict):
        return Role.VIEWER
    said = person.get("Role", Role.READER)
    return Role(said) if said in list(Role) else Role.VIEWER


def asks_for_password(configuration: Mapping[str, Any]) -> bool:
    """Whether Orthanc asks for a user and a password: its own rule."""
    # Without the option, authentication is on exactly when others may connect.
    default = bool(configuration.get("RemoteAccessAllowed", False))
    return bool(configuration.get("AuthenticationEnabled", default))


def login(authorization: str) -> str | None:
    """Login name of a Basic Authorization header; ``None`` for any other."""
    return basic(authorization)[0] or None


def basic(authorization: str) -> tuple[str, str]:
    """Login and password of a Basic Authorization header (RFC 7617); both empty of any other."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, colon, password = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except ValueError:  # no base64, or no text
        return "", ""
    return (name, password) if colon else ("", "")
