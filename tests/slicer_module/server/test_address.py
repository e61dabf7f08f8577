"""A server's address as doctors type it."""

from urllib.parse import urlsplit

import pytest
from HeadCTTriageLib.errors import UnreachableError
from HeadCTTriageLib.server.address import in_clear, server_url
from hypothesis import given
from hypothesis import strategies as st

HOSTS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z][a-z0-9]{0,5}){0,2}", fullmatch=True)
ADDRESSES = st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(lambda ip: f"[{ip.compressed}]")


@pytest.mark.parametrize(
    ("typed", "used"),
    [
        ("pacs.local:8042", "http://pacs.local:8042"),
        ("  PACS.local:8042/ ", "http://pacs.local:8042"),
        ("http://pacs.local:8042/triage/", "http://pacs.local:8042"),
        ("http://pacs.local:8042/triage/api/v1/status", "http://pacs.local:8042"),
        ("https://pacs.local/triage/studies/ab?window=bone#slices", "https://pacs.local"),
        ("http://pacs:8042/app/explorer.html#study?uuid=1", "http://pacs:8042"),
        ("https://pacs.local/orthanc/ui/app/#/", "https://pacs.local/orthanc"),
        ("https://pacs.local/orthanc", "https://pacs.local/orthanc"),
        ("pacs.local:443", "https://pacs.local"),
        ("http://pacs.local:80/", "http://pacs.local"),
        ("HTTPS://pacs.local:443", "https://pacs.local"),
        ("192.168.1.20:8042", "http://192.168.1.20:8042"),
        ("::1", "http://[::1]"),
        ("[::1]:8042", "http://[::1]:8042"),
        ("https://[FD00:0::12]:8043/", "https://[fd00::12]:8043"),
        ("ｐａｃｓ．ｌｏｃａｌ：８０４２", "http://pacs.local:8042"),
        ("pacs。local:8042", "http://pacs.local:8042"),
        ("http://病院.example:8042", "http://xn--0rys90e.example:8042"),
        ("pacs.lo cal:80 42", "http://pacs.local:8042"),
        ("pacs_1:8042", "http://pacs_1:8042"),
    ],
)
def test_what_is_typed_is_understood(typed: str, used: str) -> None:
    assert server_url(typed) == used


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "http://",
        "://pacs",
        "ftp://pacs",
        "file:///etc/passwd",
        "pacs:port",
        "pacs:99999",
        "pacs:0",
        "pacs:-1",
        "[::1",
        "fe80::1%eth0",
        "-pacs",
        "pacs..local",
        "pacs.local/../x",
        "pacs.local/%2e",
        "http://http://pacs",
        "pacs\\share",
        "a" * 70,
    ],
)
def test_what_is_no_address_is_said(typed: str) -> None:
    with pytest.raises(UnreachableError, match="no address") as caught:
        server_url(typed)
    assert caught.value.kind == UnreachableError.ADDRESS


def test_no_password_goes_into_the_address() -> None:
    with pytest.raises(UnreachableError, match="without user and password") as caught:
        server_url("http://sato:secret@pacs:8042")
    assert "secret" not in str(caught.value)


@given(
    scheme=st.sampled_from(["", "http://", "https://", "HTTP://"]),
    host=HOSTS | ADDRESSES,
    port=st.none() | st.integers(1, 65535),
    path=st.sampled_from(["", "/", "/triage/", "/orthanc", "/orthanc/triage/api/v1", "/a/b/"]),
)
def test_address_and_port_are_kept_and_a_second_time_changes_nothing(
    scheme: str, host: str, port: int | None, path: str
) -> None:
    used = server_url(f"{scheme}{host}{'' if port is None else f':{port}'}{path}")
    assert server_url(used) == used
    parts = urlsplit(used)
    assert f"[{parts.hostname}]" == host or parts.hostname == host
    standard = {"http": 80, "https": 443}[parts.scheme]
    assert (parts.port or standard) == (port or standard)
    assert parts.scheme == "https" if "https" in scheme or (not scheme and port == 443) else "http"
    assert not used.endswith("/")


@given(st.text(max_size=30))
def test_whatever_is_typed_is_an_address_or_none(typed: str) -> None:
    try:
        used = server_url(typed)
    except UnreachableError as error:
        assert error.kind == UnreachableError.ADDRESS
    else:
        assert server_url(used) == used
        assert urlsplit(used).hostname


@pytest.mark.parametrize(
    ("url", "clear"),
    [
        ("http://pacs.local:8042", True),
        ("http://192.168.1.20", True),
        ("http://[fd00::12]", True),
        ("http://127.example.org", True),
        ("https://pacs.local", False),
        ("http://localhost:8042", False),
        ("http://127.0.0.1:8042", False),
        ("http://127.9.9.9", False),
        ("http://[::1]:8042", False),
    ],
)
def test_only_another_machine_without_encryption_is_in_clear(url: str, clear: bool) -> None:
    assert in_clear(url) is clear
