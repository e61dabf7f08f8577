"""What the audit is told of a request that is let in: what it takes out of Orthanc, stores there, changes."""

import re

from orthanc_plugin.access.roles import Role
from orthanc_plugin.access.routes import LARGEST_UPLOAD, Rule, name_of

EXPORTS = frozenset({"archive", "media", "file", "attachments"})
"""Last parts of routes by which images leave as files; ``file`` is one image, and many are counted."""
SENT_ON = frozenset(
    {"create-archive", "create-media", "create-media-extended", "store", "store-straight", "stow"}
)
"""The same of many, or to another server."""
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{8}){4}")
_OF = frozenset({"patients", "studies", "series"})
"""Whose identifier is told. Of single images it would be thousands."""


def deed(method: str, parts: tuple[str, ...], rule: Rule) -> tuple[str, dict[str, str]] | None:
    """Event and details; ``None`` where somebody only looks, and of triage, which tells of its own.

    Args:
        method: of the request.
        parts: of its path.
        rule: that counts for it.
    """
    if parts[:1] == ("triage",):
        return None
    last = parts[-1] if parts else ""
    named = parts[0] in _OF and len(parts) > 1 and _ID.fullmatch(parts[1]) if parts else None
    detail = {"of": parts[1]} if named else {}
    if (last in EXPORTS and method in ("GET", "POST")) or (last in SENT_ON and method == "POST"):
        return "exported", {"what": name_of(parts), **detail}
    if method == "GET" or rule.role is Role.VIEWER:
        return None
    if rule.largest == LARGEST_UPLOAD:
        return "images_stored", {"what": name_of(parts)}
    return "orthanc_changed", {"method": method, "what": name_of(parts), **detail}
