"""What the guard lets in, for whom, and what it tells of the rest."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthanc_plugin.access.guard import Guard
from orthanc_plugin.access.pages import is_foreign
from orthanc_plugin.access.roles import Role
from orthanc_plugin.access.routes import (
    LARGEST_BODY,
    LARGEST_UPLOAD,
    TABLE,
    WORDS,
    name_of,
    parts_of,
    rule_of,
)
from orthanc_plugin.audit.notes import Notes

ROLES = {"mori": "viewer", "router": "service", "sato": "reader", "abe": "administrator"}
CONFIGURATION: dict[str, Any] = {
    "AuthenticationEnabled": True,
    "RegisteredUsers": dict.fromkeys([*ROLES, "stranger"], "x"),
    "HeadCTTriage": {
        "People": {name: {"Name": name, "Organisation": "T", "Role": role} for name, role in ROLES.items()},
        "Proxies": ["https://pacs.example/orthanc"],
    },
}
METHODS = {"GET": 1, "POST": 2, "PUT": 3, "DELETE": 4}
ID = "66c8e41e-ac3a9029-0b85e42a-8195ee0a-92c2e62e"
CHANGES = [
    ("DELETE", f"/studies/{ID}"),
    ("DELETE", "/changes"),
    ("POST", f"/studies/{ID}/anonymize"),
    ("POST", f"/studies/{ID}/merge"),
    ("POST", f"/instances/{ID}/anonymize"),
    ("PUT", f"/series/{ID}/metadata/8310"),
    ("DELETE", f"/series/{ID}/metadata/HeadCTUrgency"),
    ("PUT", f"/studies/{ID}/labels/triage-green"),
    ("PUT", f"/patients/{ID}/protected"),
    ("DELETE", f"/instances/{ID}/attachments/1024"),
    ("POST", "/tools/shutdown"),
    ("POST", "/tools/reset"),
    ("POST", "/tools/create-dicom"),
    ("POST", "/tools/bulk-delete"),
    ("PUT", "/tools/log-level"),
    ("PUT", "/peers/evil"),
    ("PUT", "/modalities/evil"),
    ("POST", "/modalities/pacs/store"),
    ("POST", "/modalities/pacs/query"),
    ("POST", "/dicom-web/servers/evil/get"),
    ("PUT", "/dicom-web/servers/evil"),
    ("POST", "/jobs/1/cancel"),
    ("PUT", "/webdav/uploads/x"),
    ("PUT", "/instances"),
    ("POST", "/instances/"),
]
UPLOADS = [("POST", "/instances"), ("POST", "/dicom-web/studies"), ("POST", "/dicom-web/studies/1.2/")]
READS = [
    ("GET", f"/studies/{ID}/archive"),
    ("GET", "/studies/"),
    ("GET", f"/instances/{ID}/file"),
    ("GET", "/dicom-web/studies/1.2/series/1.3/instances/1.4/frames/1"),
    ("GET", "/system"),
    ("GET", "/app/explorer.html"),
    ("GET", "/triage/"),
    ("POST", "/triage/api/v1/models/rollback"),
    ("POST", "/tools/find"),
    ("POST", "/tools/bulk-content"),
    ("POST", f"/instances/{ID}/modify"),
]
SECRETS = [
    ("GET", "/peers"),
    ("GET", "/modalities"),
    ("GET", "/jobs"),
    ("GET", "/exports"),
    ("GET", "/webdav"),
    ("GET", "/nobody/knows"),
]


class Door:
    def __init__(self, configuration: dict[str, Any] = CONFIGURATION) -> None:
        self.notes = Notes()
        self._guard = Guard(configuration, self.notes.note)

    def admits(self, who: str, method: str, path: str, ip: str = "192.0.2.7", **headers: str) -> bool:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        said["authorization"] = "Basic " + base64.b64encode(f"{who}:x".encode()).decode()
        told: dict[str, Any] = {"method": METHODS[method], "ip": ip, "headers": {"host": "pacs:8042", **said}}
        if method == "GET":
            told["get"] = {}
        return self._guard.admits(path, told)


@pytest.mark.parametrize(
    ("routes", "may"),
    [
        (READS, {"mori", "stranger", "router", "sato", "abe"}),
        (UPLOADS, {"router", "sato", "abe"}),
        (SECRETS, {"abe"}),
        (CHANGES[:-1], {"abe"}),
        ([("POST", f"/instances/{ID}/export"), ("POST", "/tools/execute-script")], set()),
    ],
)
def test_who_may_what(routes: list[tuple[str, str]], may: set[str]) -> None:
    door = Door()
    for method, path in routes:
        assert {who for who in [*ROLES, "stranger"] if door.admits(who, method, path)} == may, (method, path)


FOREIGN = [
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://pacs"},
    {"origin": "http://pacs:8042.evil.example"},
    {"origin": "http://pacs:8042", "sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
    {"sec_fetch_site": "none"},
    {"referer": "http://evil.example/pacs:8042"},
    {"referer": "http://[evil"},
    {"user_agent": "Mozilla/5.0 (X11; Linux x86_64)"},
]
OURS = [
    {"origin": "http://pacs:8042", "user_agent": "Mozilla/5.0"},
    {"origin": "https://PACS:8042"},
    {"origin": "https://pacs.example"},
    {"origin": "http://evil.example", "x_triage": "page"},
    {"origin": "http://inner", "sec_fetch_site": "same-origin"},
    {"user_agent": "curl/7.88.1"},
    {"user_agent": "python-requests/2"},
    {},
]


@pytest.mark.parametrize("method_and_path", [*CHANGES, *UPLOADS, ("POST", "/tools/find")])
def test_another_sites_page_changes_nothing(method_and_path: tuple[str, str]) -> None:
    door = Door()
    for headers in FOREIGN:
        assert not door.admits("abe", *method_and_path, **headers), headers
    assert {detail for note in door.notes.take() for detail in note.detail if detail[0] == "why"} == {
        ("why", "foreign_page")
    }
    for headers in OURS:
        assert door.admits("abe", *method_and_path, **headers), headers


def test_a_post_of_our_own_page_in_an_old_browser() -> None:
    old = {"user_agent": "Mozilla/5.0", "referer": "http://pacs:8042/app/explorer.html"}
    assert Door().admits("abe", "POST", "/instances", **old)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"referer": "http://pacs:8042/triage/"},
        {"sec_fetch_site": "same-origin"},
        {"user_agent": "Mozilla/5.0", "referer": "http://pacs:8042/triage/", "sec_fetch_site": "same-origin"},
    ],
)
def test_a_get_that_says_it_is_another_method(method: str, headers: dict[str, str]) -> None:
    """Orthanc tells of ``?_method=`` only the method that it stands for. Browsers name no origin then."""
    assert not Door().admits("abe", method, f"/studies/{ID}", **headers)


@pytest.mark.parametrize("name", ["x_http_method_override", "x_http_method", "x_method_override"])
def test_no_header_changes_the_method(name: str) -> None:
    door = Door()
    assert not door.admits("abe", "DELETE", f"/studies/{ID}", x_triage="1", **{name: "DELETE"})
    assert not door.admits("abe", "GET", "/system", **{name: "GET"})


def test_an_argument_that_orthanc_did_not_take_for_a_method() -> None:
    notes = Notes()
    told = {"method": 1, "ip": "", "headers": {}, "get": {"_method": "delete"}}
    assert not Guard(CONFIGURATION, notes.note).admits("/system", told)
    assert dict(notes.take()[0].detail)["why"] == "method_override"


class TestBodies:
    @pytest.mark.parametrize(
        "length", ["", "-1", "+5", "1e3", "0x10", "5, 5", "٣", "9" * 30, str(LARGEST_UPLOAD + 1)]
    )
    def test_too_large_or_no_length_at_all(self, length: str) -> None:
        assert not Door().admits("abe", "POST", "/instances", content_length=length)

    def test_images_may_be_large_and_nothing_else(self) -> None:
        door = Door()
        for method, path in UPLOADS:
            assert door.admits("sato", method, path, content_length=str(LARGEST_UPLOAD))
        for path in (
            "/tools/find",
            "/triage/api/v1/imports",
            "/tools/create-dicom",
            f"/instances/{ID}/modify",
        ):
            assert door.admits("abe", "POST", path, content_length=str(LARGEST_BODY))
            assert not door.admits("abe", "POST", path, content_length=str(LARGEST_BODY + 1))

    def test_triage_says_itself_what_is_too_large_for_it(self) -> None:
        assert Door().admits("mori", "POST", "/triage/api/v1/photos", content_length=str(25 * 10**6))

    def test_of_unknown_length_where_orthanc_does_not_keep_it(self) -> None:
        door = Door()
        assert door.admits("sato", "POST", "/dicom-web/studies", transfer_encoding="chunked")
        for path in ("/instances", "/tools/find", "/triage/api/v1/imports"):
            assert not door.admits("abe", "POST", path, transfer_encoding="chunked")
            assert door.admits("abe", "POST", path, transfer_encoding="chunked", content_length="10")


class TestTheAudit:
    def test_who_what_from_where_and_why(self) -> None:
        door = Door()
        door.admits("mori", "POST", f"/studies/{ID}/anonymize")
        (note,) = door.notes.take()
        assert (note.event, note.actor, note.address) == ("route_refused", "mori", "192.0.2.7")
        assert dict(note.detail) == {"method": "POST", "route": "/studies/*/anonymize", "why": "role"}

    def test_what_is_let_in_is_not_told(self) -> None:
        door = Door()
        door.admits("mori", "GET", "/studies")
        assert door.notes.take() == []

    @given(st.lists(st.text(max_size=20), max_size=12))
    def test_names_nobody_that_was_asked_for(self, parts: list[str]) -> None:
        told = name_of(("studies", "Yamada", *parts)).split("/")
        assert set(told) <= {"", "*", *WORDS}
        assert len(told) <= 11

    @pytest.mark.parametrize(
        ("ip", "headers", "address"),
        [
            ("192.0.2.7", {}, "192.0.2.7"),
            ("192.0.2.7", {"x_real_ip": "192.0.2.9"}, "192.0.2.7"),
            ("127.0.0.1", {"x_real_ip": "192.0.2.9"}, "192.0.2.9"),
            ("127.0.0.1", {"x_real_ip": "Yamada Taro"}, "127.0.0.1"),
            ("127.0.0.1", {}, "127.0.0.1"),
            ("::1", {"x_real_ip": "2001:db8::7"}, "2001:db8::7"),
        ],
    )
    def test_where_from(self, ip: str, headers: dict[str, str], address: str) -> None:
        door = Door()
        door.admits("mori", "POST", "/tools/reset", ip=ip, **headers)
        assert door.notes.take()[0].address == address

    def test_nobody_is_believed_where_orthanc_checks_no_password(self) -> None:
        door = Door({**CONFIGURATION, "AuthenticationEnabled": False})
        assert door.admits("abe", "GET", "/studies")
        assert not door.admits("abe", "POST", "/instances")
        assert door.notes.take()[0].actor == ""


class TestRoutes:
    def test_everything_is_closed_by_default(self) -> None:
        last = TABLE[-1]
        assert (last.method, last.path, last.role) == ("*", ("**",), Role.ADMINISTRATOR)
        assert all(rule.why for rule in TABLE)

    @given(st.sampled_from([*METHODS]), st.lists(st.text(max_size=12), max_size=6))
    def test_every_request_has_a_rule(self, method: str, parts: list[str]) -> None:
        rule = rule_of(method, tuple(parts))
        if method in ("PUT", "DELETE") and parts[:1] != ["triage"]:
            assert rule.role in (Role.ADMINISTRATOR, None)

    @pytest.mark.parametrize(
        ("path", "parts"),
        [("/", ()), ("", ()), ("/a/b", ("a", "b")), ("/a/b/", ("a", "b")), ("/a b?c/;", ("a b?c", ";"))],
    )
    def test_a_path_is_split_as_orthanc_splits_it(self, path: str, parts: tuple[str, ...]) -> None:
        assert parts_of(path) == parts

    @pytest.mark.parametrize(
        "path",
        [
            "/Studies",
            "/studies;x",
            "/studies?x",
            "/studies#",
            "/studies\n",
            "/studies /x",
            "/studies%2f",
            "/x/studies",
            "/triagefoo",
        ],
    )
    def test_what_only_looks_like_a_known_route_is_none(self, path: str) -> None:
        assert rule_of("GET", parts_of(path)).role is Role.ADMINISTRATOR

    def test_dicomweb_under_another_address(self) -> None:
        moved = Door({**CONFIGURATION, "DicomWeb": {"Root": "/pacs/web/"}})
        assert moved.admits("mori", "GET", "/pacs/web/studies")
        assert moved.admits("router", "POST", "/pacs/web/studies")
        assert not moved.admits("sato", "POST", "/pacs/web/servers/x/get")
        for root in ("/", "", None, 7, "/tools"):
            odd = Door({**CONFIGURATION, "DicomWeb": {"Root": root}})
            assert not odd.admits("sato", "POST", "/tools/shutdown")


@given(
    st.dictionaries(
        st.sampled_from(["host", "origin", "referer", "sec-fetch-site", "user-agent"]), st.text(max_size=30)
    )
)
def test_any_headers_can_be_read(headers: dict[str, str]) -> None:
    is_foreign("POST", headers)
    assert not is_foreign("POST", {**headers, "x-triage": ""})
