"""Who asks an Orthanc that has no disk to write on is told so, in their language; the port is left to it."""

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from stack_process import free_ports

from orthanc_plugin.stack.stand_in import StandIn, why_not
from orthanc_plugin.system_words import words_of_system

FULL = words_of_system("No space left on device")


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture
def http(port: int) -> Iterator[httpx.Client]:
    with StandIn("127.0.0.1", port) as stand_in:
        stand_in.say(FULL)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60) as client:
            yield client


def test_the_page_and_the_status_say_why(http: httpx.Client) -> None:
    for path in ("/triage/", "/triage", "/triage/study/x?lang=en"):
        page = http.get(path)
        assert (page.status_code, page.headers["Content-Language"]) == (503, "en")
        assert "No space left on device" in page.text
        assert "refresh" in page.text, "it is looked at again"
    status = http.get("/triage/api/v1/status", headers={"Accept-Language": "ja,en;q=0.5"})
    assert status.status_code == 503
    assert status.json()["code"] == "unavailable"
    assert FULL.say("ja") in status.json()["message"]


@pytest.mark.parametrize("size", [10, 5_000_000])
def test_no_image_is_taken(http: httpx.Client, size: int) -> None:
    try:
        answer = http.post("/instances", content=bytes(size))
    except httpx.TransportError:  # it is not read to its end
        assert size > 10
    else:
        assert answer.status_code == 503
        assert "No space left on device" in answer.json()["message"]


def test_the_port_is_free_again(port: int) -> None:
    stand_in = StandIn("127.0.0.1", port)
    for _turn in range(2):
        stand_in.say(FULL)
        stand_in.say(words_of_system("Read-only file system"))
        answer = httpx.get(f"http://127.0.0.1:{port}/triage/", trust_env=False, timeout=60)
        assert "Read-only file system" in answer.text
        stand_in.close()
        with socket.create_server(("127.0.0.1", port)):
            stand_in.say(FULL)  # another program has the port now, and keeps it
        stand_in.close()


def test_a_folder_that_can_be_written(tmp_path: Path) -> None:
    assert why_not(tmp_path) is None
    assert list(tmp_path.iterdir()) == []
    assert "No such file" in str(why_not(tmp_path / "nowhere"))
