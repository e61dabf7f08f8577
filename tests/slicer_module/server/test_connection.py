"""Connections that break, answers without an end, and calls that another thread ends."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from asking import at, kind, status, triage, wrong
from HeadCTTriageLib.errors import CancelledError, TriageError, UnreachableError, UnreadableError
from HeadCTTriageLib.server import client
from HeadCTTriageLib.server.client import TriageClient
from HeadCTTriageLib.server.connection import Limit
from slicer_servers import Asked, Authority, Reply, http_server, socket_server
from stack_process import PATIENCE, wait_until


def test_a_connection_that_the_server_closed_meanwhile_is_opened_again() -> None:
    calm = triage()
    answers: Iterator[Any] = iter([calm, None, calm])

    def answer(asked: Asked) -> Reply | None:
        how = next(answers)
        return how(asked) if how else None

    with http_server(answer) as (url, asked):
        one = at(url)
        one.status()
        one.status()
    assert len(asked) == 3


def test_a_server_that_always_hangs_up_is_asked_twice_and_no_more() -> None:
    with http_server(lambda asked: None) as (url, asked):
        assert kind(wrong(url)) == UnreachableError.BROKEN
    assert len(asked) == 2


def test_half_an_answer_is_none() -> None:
    body = status().model_dump_json().encode()
    long = {"Content-Length": str(len(body) + 10), "Connection": "close"}
    with http_server(lambda asked: (200, long, body)) as (url, _):
        assert kind(wrong(url)) == UnreachableError.BROKEN


def test_an_answer_without_end_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER", Limit(seconds=20, bytes=100_000))
    with http_server(lambda asked: (200, {}, b" " * 10_000_000)) as (url, _):
        error = wrong(url)
    assert isinstance(error, UnreadableError)
    assert "larger" in str(error)


def test_an_answer_drop_by_drop_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER", Limit(seconds=0.5, bytes=10_000))

    sent = 0

    def drip(talk: socket.socket) -> None:
        nonlocal sent
        talk.recv(1000)
        for drop in b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b" " * 1000:
            talk.sendall(bytes([drop]))
            sent += 1
            time.sleep(0.03)

    with socket_server(drip) as address:
        assert kind(wrong(address)) == UnreachableError.SLOW
        assert sent < 1000


def waiting(one: TriageClient, asked: list[Asked]) -> tuple[threading.Thread, list[Any]]:
    """Somebody in a thread who has asked a silent server; what they get in the end."""
    before = len(asked)
    ended: list[Any] = []

    def ask() -> None:
        try:
            ended.append(one.status())
        except TriageError as error:
            ended.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(lambda: len(asked) > before, PATIENCE, lambda: "nothing was asked", pause=0.01)
    assert not ended
    return thread, ended


def test_closing_ends_what_is_under_way_and_what_comes_later(authority: Authority) -> None:
    ended_all = threading.Event()

    def silent(asked: Asked) -> Reply:
        ended_all.wait()
        return 200, {}, b""

    for certificate in (None, authority.certificate("localhost")):
        with http_server(silent, certificate) as (url, asked):
            one = at(url, ca_file=str(authority.file))
            thread, ended = waiting(one, asked)
            one.close()
            thread.join(PATIENCE)
            assert kind(ended[0]) == UnreachableError.CLOSED
            assert kind(_error(one)) == UnreachableError.CLOSED
    ended_all.set()


def _error(one: TriageClient) -> TriageError:
    with pytest.raises(TriageError) as caught:
        one.status()
    return caught.value


def test_one_thread_is_cancelled_and_others_go_on() -> None:
    ready = threading.Event()

    def answer(asked: Asked) -> Reply:
        ready.wait()
        return triage()(asked)

    with http_server(answer) as (url, asked):
        one = at(url)
        cancelled, ended = waiting(one, asked)
        other, got = waiting(one, asked)
        one.cancel(cancelled)
        cancelled.join(PATIENCE)
        assert isinstance(ended[0], CancelledError)
        assert not got
        ready.set()
        other.join(PATIENCE)
        assert got[0].running
        assert one.status().running
