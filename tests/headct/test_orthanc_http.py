"""What is asked of Orthanc again, and what is not."""

from collections.abc import Callable

import httpx
import pytest

from headct.orthanc_http import AwayError, UntrustedError, ask, is_here


def answering(*answers: int | httpx.TransportError) -> Callable[[], httpx.Response]:
    """A server that answers so, one time after the other."""
    left = list(answers)

    def send() -> httpx.Response:
        answer = left.pop(0)
        if isinstance(answer, httpx.TransportError):
            raise answer
        return httpx.Response(answer)

    return send


@pytest.mark.parametrize("status", [200, 401, 404, 500, 507])
def test_an_answer_is_an_answer(status: int) -> None:
    assert ask(answering(status), ()).status_code == status


def test_a_broken_line_and_a_proxy_without_its_server_are_asked_again() -> None:
    send = answering(httpx.ReadError("broken"), 502, httpx.ConnectTimeout("slow"), 503, 504, 200)
    assert ask(send, (0.0,) * 5).status_code == 200


@pytest.mark.parametrize(
    ("last", "kind"), [(httpx.ConnectError("http://secret"), "ConnectError"), (503, "status 503")]
)
def test_in_the_end_the_kind_of_trouble_is_said(last: int | httpx.TransportError, kind: str) -> None:
    with pytest.raises(AwayError) as caught:
        ask(answering(502, last), (0.0,))
    assert str(caught.value) == kind


def test_others_may_say_what_no_answer_is() -> None:
    assert ask(answering(503), (), is_away=lambda _: False).status_code == 503


def test_a_certificate_that_is_not_trusted_does_not_become_so() -> None:
    with pytest.raises(UntrustedError):
        ask(answering(httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), 200), (0.0,))


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:8042", True),
        ("https://127.4.4.4", True),
        ("https://localhost:8042/", True),
        ("https://[::1]:8042", True),
        ("https://pacs.example", False),
        ("https://192.0.2.1", False),
        ("https://127.0.0.1.example", False),
        ("https://localhost@192.0.2.1", False),
        ("https://localhost.example", False),
    ],
)
def test_which_addresses_are_this_machine(url: str, here: bool) -> None:
    assert is_here(url) is here
