"""The doorkeeper: refused logins are looked at ten times a minute and address, and no login is locked out."""

import asyncio
import base64
import itertools
import json
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from places import ROOT
from stack_process import PATIENCE, wait_until

from orthanc_plugin.access.roles import basic
from orthanc_plugin.stack import doorkeeper
from orthanc_plugin.stack.doorkeeper import Answer, Door, users_of

USERS = {"sato": "right", "ito": "right: too"}
T = TypeVar("T")
HERE, THERE = "192.0.2.7", "192.0.2.8"


def header(login: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode()


class Clock:
    """Goes on by itself while everybody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self._number = itertools.count()
        self._alarms: list[tuple[float, int, asyncio.Event]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        alarm = asyncio.Event()
        self._alarms.append((self.now + seconds, next(self._number), alarm))
        await alarm.wait()

    async def run_to(self, end: float) -> None:
        for _ in range(20):
            await asyncio.sleep(0)
        while self._alarms and min(self._alarms)[0] <= end:
            first = min(self._alarms)
            self._alarms.remove(first)
            self.now = max(self.now, first[0])
            first[2].set()
            for _ in range(20):
                await asyncio.sleep(0)
        self.now = end


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def refused() -> Counter[tuple[str, str]]:
    return Counter()


@pytest.fixture
def door(clock: Clock, refused: Counter[tuple[str, str]]) -> Door:
    def note(*who: str) -> None:
        refused[who] += 1

    return Door(USERS, note, clock=clock, sleep=clock.sleep)


def in_a_loop(what: Coroutine[Any, Any, T]) -> T:
    """The answer. Where a browser is driven in the same process, this thread has a loop that runs."""
    with ThreadPoolExecutor(1) as other:
        return other.submit(asyncio.run, what).result()


def run(clock: Clock, seconds: float, *asked: Awaitable[Answer]) -> list[Answer | None]:
    """Answers within so many seconds; ``None`` for those that still wait."""

    async def all_of() -> list[Answer | None]:
        tasks = [asyncio.ensure_future(one) for one in asked]
        await clock.run_to(clock.now + seconds)
        answers = [task.result() if task.done() else None for task in tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return answers

    return in_a_loop(all_of())


def test_who_is_right_comes_in_and_who_says_nothing_is_asked(
    door: Door, clock: Clock, refused: Counter[tuple[str, str]]
) -> None:
    right = [door.ask(HERE, header(*user)) for user in USERS.items()]
    assert run(clock, 0, *right, door.ask(HERE, "")) == [Answer.ENTER, Answer.ENTER, Answer.WHO]
    assert not refused


@pytest.mark.parametrize("names", [["sato"], ["nobody"], ["", "admin", "root", "x"]])
def test_of_a_flood_ten_a_minute_are_looked_at(
    door: Door, clock: Clock, refused: Counter[tuple[str, str]], names: list[str]
) -> None:
    answers: list[Answer | None] = []
    for second in range(120):
        wrong = [door.ask(HERE, header(names[n % len(names)], f"{second} {n}")) for n in range(20)]
        answers += run(clock, 1, *wrong)
        if second == 59:
            assert 5 <= answers.count(Answer.WHO) <= 10
    assert 10 <= answers.count(Answer.WHO) <= 15
    assert Answer.ENTER not in answers
    assert sum(refused.values()) > 1000
    assert set(refused) == {("sato" if names == ["sato"] else "", HERE)}, "what was typed is not noted"


def test_a_right_guess_in_a_flood_waits_its_turn_like_all_others(door: Door, clock: Clock) -> None:
    run(clock, 0, *(door.ask(HERE, header("sato", str(n))) for n in range(8)))
    many = [door.ask(HERE, header("sato", "right" if n == 50 else str(n))) for n in range(100)]
    answers = run(clock, 1, *many)
    assert answers[50] == Answer.LATER
    assert answers.count(Answer.LATER) == 97


def test_nobody_is_locked_out(door: Door, clock: Clock) -> None:
    """Who was here before goes on; another login, or the same elsewhere, comes in; and so do all, later."""
    assert run(clock, 0, door.ask(HERE, header("sato", "right"))) == [Answer.ENTER]
    flood = [door.ask(HERE, header("sato", str(n))) for n in range(200)]
    others = [door.ask(HERE, header(*user)) for user in USERS.items()]
    assert run(clock, 2, *flood, *others)[200:] == [Answer.ENTER, Answer.ENTER]
    run(clock, 0, *(door.ask(THERE, header("ito", str(n))) for n in range(5)))
    assert run(clock, 1, door.ask(HERE, header("ito", "right: too"))) == [Answer.ENTER]
    assert run(clock, 9, door.ask(THERE, header("ito", "right: too"))) == [None], "it waits"
    assert run(clock, 13, door.ask(THERE, header("ito", "right: too"))) == [Answer.ENTER]


def test_it_forgets_in_time_and_keeps_no_more_than_it_may(
    door: Door, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorkeeper, "MOST", 10)
    for number in range(50):
        run(clock, 0, door.ask(f"192.0.2.{number}", header("sato", "wrong")))
        run(clock, 0, door.ask(f"192.0.2.{number}", header("sato", "right")))
    assert len(door._budgets) == len(door._known) == 10


def test_where_orthanc_asks_for_no_password_everybody_may(clock: Clock) -> None:
    users = users_of({"AuthenticationEnabled": False, "RegisteredUsers": {"a": "b"}})
    assert run(clock, 0, Door(users, print).ask(HERE, "")) == [Answer.ENTER]
    assert users_of({"AuthenticationEnabled": True, "RegisteredUsers": None}) == {}


@pytest.mark.parametrize(
    "authorization", ["Basic", "Basic \x00", "Basic !!!!", "Bearer c2F0bzpyaWdodA==", "Basic /w==", "x"]
)
def test_what_is_no_login(authorization: str) -> None:
    assert basic(authorization) == ("", "")


def test_it_answers_nginx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    async def ask(*requests: str) -> list[bytes]:
        door = Door(USERS, lambda *_: None)
        server = await asyncio.start_unix_server(
            lambda *streams: doorkeeper.answer(door, *streams), doorkeeper.SOCKET
        )
        async with server:
            reader, writer = await asyncio.open_unix_connection(doorkeeper.SOCKET)
            answers = []
            for request in requests:
                writer.write(request.encode())
                answers.append(await reader.readuntil(b"\r\n\r\n"))
            writer.close()
        return answers

    right = f"GET / HTTP/1.1\r\nx-real-ip: {HERE}\r\nAUTHORIZATION: {header('sato', 'right')}\r\n\r\n"
    entered, asked = in_a_loop(ask(right, "GET / HTTP/1.1\r\n\r\n"))
    assert entered.startswith(b"HTTP/1.1 204 ")
    assert asked.startswith(b"HTTP/1.1 401 ")
    assert b'WWW-Authenticate: Basic realm="Orthanc Secure Area"\r\n' in asked


def test_what_was_refused_is_handed_over_when_it_is_asked_to_end(tmp_path: Path) -> None:
    (tmp_path / "orthanc.json").write_text(json.dumps({"RegisteredUsers": USERS}))
    command = [sys.executable, "-m", "orthanc_plugin.stack.doorkeeper", "orthanc.json", "refused"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=tmp_path, env=environment)
    path = f"/proc/{process.pid}/cwd/{doorkeeper.SOCKET}"  # a socket's path may not be long
    with socket.socket(socket.AF_UNIX) as nginx:
        # There is a socket before anybody listens at it.
        wait_until(lambda: nginx.connect_ex(path) == 0, PATIENCE, lambda: "no doorkeeper", pause=0.02)
        wrong = header("sato", "wrong")
        nginx.sendall(f"GET / HTTP/1.1\r\nX-Real-IP: {HERE}\r\nAuthorization: {wrong}\r\n\r\n".encode())
        assert nginx.recv(100).startswith(b"HTTP/1.1 401 ")
    process.terminate()
    assert process.wait(PATIENCE) == 0
    assert (tmp_path / "refused").read_text() == f'["sato", "{HERE}", 1]\n'
