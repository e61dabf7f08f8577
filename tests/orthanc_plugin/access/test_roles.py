"""Whatever the configuration says, a login of which nothing can be made out only looks."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orthanc_plugin.access.roles import Logins, Role, asks_for_password, login

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def people(**said: Any) -> Logins:
    return Logins.of({"AuthenticationEnabled": True, "HeadCTTriage": {"People": said}})


def test_each_role_may_what_those_before_may() -> None:
    order = [Role.VIEWER, Role.SERVICE, Role.READER, Role.ADMINISTRATOR]
    for number, role in enumerate(order):
        assert [role.may(needed) for needed in order] == [index <= number for index in range(4)]


def test_a_login_that_is_named() -> None:
    logins = people(
        sato={"Role": "administrator"}, ito={}, router={"Role": "service"}, mori={"Role": "viewer"}
    )
    assert [logins.role(name) for name in ("sato", "ito", "router", "mori")] == [
        Role.ADMINISTRATOR,
        Role.READER,
        Role.SERVICE,
        Role.VIEWER,
    ]


@pytest.mark.parametrize("name", ["stranger", "Sato", "sato ", "", None])
def test_one_that_is_not(name: str | None) -> None:
    assert people(sato={"Role": "administrator"}).role(name) is Role.VIEWER


@pytest.mark.parametrize(
    "said", [{"Role": "king"}, {"Role": ["administrator"]}, {"Role": None}, [], "x", None]
)
def test_a_role_that_nobody_knows(said: Any) -> None:
    assert people(sato=said).role("sato") is Role.VIEWER


def test_where_orthanc_asks_nobody_everybody_only_looks() -> None:
    logins = Logins.of({"HeadCTTriage": {"People": {"sato": {"Role": "administrator"}}}})
    assert not logins.authentication
    assert logins.role("sato") is Role.VIEWER


@given(st.dictionaries(st.sampled_from(["HeadCTTriage", "AuthenticationEnabled"]), JSON), JSON)
def test_any_configuration_can_be_read(configuration: dict[str, Any], said: Any) -> None:
    Logins.of(configuration).role("sato")
    Logins.of({"HeadCTTriage": {"People": said}}).role("sato")
    assert people(sato={"Role": said}).role("sato") in set(Role)


@pytest.mark.parametrize(
    ("options", "asks"),
    [
        ({}, False),
        ({"RemoteAccessAllowed": True}, True),
        ({"RemoteAccessAllowed": True, "AuthenticationEnabled": False}, False),
        ({"AuthenticationEnabled": True}, True),
    ],
)
def test_does_orthanc_ask_for_a_password(options: dict[str, Any], asks: bool) -> None:
    assert asks_for_password(options) is asks


@given(st.text(max_size=40), st.text(max_size=40))
def test_whose_password_it_is(name: str, password: str) -> None:
    if "\ud800" <= max(name + password, default="") <= "\udfff":
        return
    said = base64.b64encode(f"{name}:{password}".encode()).decode()
    assert login(f"Basic {said}") == (name.partition(":")[0] or None)


@pytest.mark.parametrize(
    "said", ["", "Basic", "Basic !", "Bearer c2F0bzp4", "Basic c2F0bw==", "Basic /w==", "Basic Ong="]
)
def test_no_login(said: str) -> None:
    assert login(said) is None
