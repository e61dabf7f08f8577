"""Of what is let in the audit hears what leaves, what is stored and what is changed; not who looks."""

import base64
from typing import Any

import pytest

from orthanc_plugin.access.guard import Guard
from orthanc_plugin.audit.notes import Notes

CONFIGURATION: dict[str, Any] = {
    "AuthenticationEnabled": True,
    "RegisteredUsers": {"abe": "x"},
    "HeadCTTriage": {"People": {"abe": {"Name": "Abe", "Organisation": "T", "Role": "administrator"}}},
}
METHODS = {"GET": 1, "POST": 2, "PUT": 3, "DELETE": 4}
ID = "66c8e41e-ac3a9029-0b85e42a-8195ee0a-92c2e62e"
UPLOADS = [("POST", "/instances"), ("POST", "/dicom-web/studies"), ("POST", "/dicom-web/studies/1.2/")]
CHANGES = [
    ("DELETE", f"/studies/{ID}"),
    ("POST", f"/studies/{ID}/anonymize"),
    ("PUT", f"/series/{ID}/metadata/8310"),
    ("POST", "/tools/shutdown"),
    ("PUT", "/peers/evil"),
    ("DELETE", "/modalities/evil"),
    ("POST", "/nobody/knows/evil"),
]
EXPORTS = [
    ("GET", f"/studies/{ID}/archive", {"of": ID, "what": "/studies/*/archive"}),
    ("POST", f"/series/{ID}/media", {"of": ID, "what": "/series/*/media"}),
    ("GET", f"/instances/{ID}/file", {"what": "/instances/*/file"}),
    ("POST", "/tools/create-archive", {"what": "/tools/create-archive"}),
    ("POST", "/modalities/Yamada/store", {"what": "/modalities/*/store"}),
    ("POST", "/dicom-web/servers/Yamada/stow", {"what": "/dicom-web/servers/*/stow"}),
]
LOOKS = [
    ("GET", f"/studies/{ID}"),
    ("GET", "/dicom-web/studies/1.2.3/series"),
    ("GET", "/modalities/Yamada"),
    ("GET", "/"),
    ("POST", "/tools/find"),
    ("POST", f"/instances/{ID}/modify"),
    ("POST", "/triage/api/v1/imports"),
]


def told(method: str, path: str) -> list[tuple[str, str, dict[str, object]]]:
    notes = Notes()
    login = "Basic " + base64.b64encode(b"abe:x").decode()
    headers = {"host": "pacs:8042", "authorization": login, "x-triage": "1", "content-length": "5"}
    asked = {"method": METHODS[method], "ip": "192.0.2.7", "headers": headers, "get": {}}
    assert Guard(CONFIGURATION, notes.note).admits(path, asked)
    return [(note.event, note.actor, dict(note.detail)) for note in notes.take()]


@pytest.mark.parametrize(("method", "path", "detail"), EXPORTS)
def test_what_leaves(method: str, path: str, detail: dict[str, object]) -> None:
    assert told(method, path) == [("exported", "abe", detail)]


@pytest.mark.parametrize(("method", "path"), UPLOADS)
def test_what_is_stored(method: str, path: str) -> None:
    ((event, actor, _detail),) = told(method, path)
    assert (event, actor) == ("images_stored", "abe")


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_what_is_changed(method: str, path: str) -> None:
    ((event, actor, detail),) = told(method, path)
    assert (event, actor, detail["method"]) == ("orthanc_changed", "abe", method)
    assert "evil" not in str(detail)
    assert detail.get("of") == (ID if ID in path else None)


@pytest.mark.parametrize(("method", "path"), LOOKS)
def test_who_looks_is_not_told(method: str, path: str) -> None:
    assert told(method, path) == []
