"""Asked by nginx before every request that wants a login: is it one, and were there too many refused ones?

A process of its own, ``python -m orthanc_plugin.stack.doorkeeper``; Orthanc asks for the password again. It
counts refused logins by address: of one, ten a minute are looked at, and whether the next password is right
or wrong is not told before its turn. No login is ever locked out: who was let in from an address before goes
on from there at once, and each login has a count of its own, beside one for all names that nobody has.
"""

import asyncio
import contextlib
import hmac
import json
import logging
import signal
import sys
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeVar

from orthanc_plugin.access.roles import basic
from orthanc_plugin.audit.refused_logins import Refusals

AT_ONCE = 5
"""So many refused logins in a row are answered without delay: persons mistype."""
RATE = 5 / 60
"""How many a second may follow: in no minute are there more than ten."""
WAITING = 3
"""How many of one address wait for their turn; others are told to come again."""
HELD_SECONDS = 1.0
"""Until one is told to come again, so that a program that tries on costs next to nothing."""
MOST = 10_000
"""Addresses that are remembered, the last ones."""
LONGEST = 16 * 2**10
"""Bytes of a question."""
SOCKET = "door"
"""In the folder of nginx, where both run: the path of a socket may have 107 bytes."""

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
log = logging.getLogger(__name__)


class Answer(IntEnum):
    """Status of an answer; nginx knows these."""

    ENTER = 204
    WHO = 401
    LATER = 403
    """nginx makes 429 of it."""


@dataclass(slots=True)
class _Budget:
    """What one address has left for one login."""

    tokens: float
    at: float
    waiting: int = 0

    def seconds_left(self, now: float) -> float:
        """Until it may be looked at again."""
        self.tokens, self.at = min(AT_ONCE, self.tokens + (now - self.at) * RATE), now
        return max(0.0, (1 - self.tokens) / RATE)


class Door:
    """Who may come in."""

    def __init__(
        self,
        users: Mapping[str, str] | None,
        refused: Callable[[str, str], object],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Open it.

        Args:
            users: their passwords; where Orthanc asks for none, ``None``.
            refused: is told of each refused login: whose it is, if anybody's, and the address.
            clock: in seconds.
            sleep: waits for some of them.
        """
        self._users = users
        self._refused = refused
        self._clock = clock
        self._sleep = sleep
        self._budgets: OrderedDict[tuple[str, str], _Budget] = OrderedDict()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def ask(self, address: str, authorization: str) -> Answer:
        """Whether a request may come in."""
        if self._users is None:
            return Answer.ENTER
        if not authorization:
            return Answer.WHO  # as every browser begins
        login, is_right = _look(self._users, authorization)
        if is_right and (address, login) in self._known:
            self._known.move_to_end((address, login))
            return Answer.ENTER
        budget = self._budget(address, login)
        if not await self._has_its_turn(budget):
            self._refused(login, address)
            await self._sleep(HELD_SECONDS)
            return Answer.LATER
        if is_right:
            _remember(self._known, (address, login), None)
            return Answer.ENTER
        budget.tokens -= 1
        self._refused(login, address)
        return Answer.WHO

    def _budget(self, address: str, login: str) -> _Budget:
        key = (address, login)
        if key not in self._budgets:
            _remember(self._budgets, key, _Budget(AT_ONCE, self._clock()))
        self._budgets.move_to_end(key)
        return self._budgets[key]

    async def _has_its_turn(self, budget: _Budget) -> bool:
        if budget.waiting >= WAITING:
            return False
        budget.waiting += 1
        try:
            while (seconds := budget.seconds_left(self._clock())) > 0:
                await self._sleep(seconds)
        finally:
            budget.waiting -= 1
        return True


def _remember(memory: "OrderedDict[_Key, _Value]", key: _Key, value: _Value) -> None:
    memory[key] = value
    if len(memory) > MOST:
        memory.popitem(last=False)


def _look(users: Mapping[str, str], authorization: str) -> tuple[str, bool]:
    """The login, empty if nobody has it, and whether the password is theirs."""
    login, password = basic(authorization)
    right = users.get(login)
    if right is None:
        return "", False
    return login, hmac.compare_digest(right.encode(), password.encode())


async def answer(door: Door, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection of nginx, request by request."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        while True:
            headers = _headers(await reader.readuntil(b"\r\n\r\n"))
            status = await door.ask(headers.get("x-real-ip", ""), headers.get("authorization", ""))
            challenge = 'WWW-Authenticate: Basic realm="Orthanc Secure Area"\r\n' * (status == Answer.WHO)
            writer.write(f"HTTP/1.1 {status:d} -\r\n{challenge}Content-Length: 0\r\n\r\n".encode())
            await writer.drain()
    writer.close()


def _headers(request: bytes) -> dict[str, str]:
    lines = request.decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def users_of(configuration: Mapping[str, Any]) -> dict[str, str] | None:
    """Logins with their passwords by Orthanc's configuration; ``None`` where it asks for none."""
    if not configuration.get("AuthenticationEnabled", True):
        return None
    return {str(login): str(password) for login, password in (configuration["RegisteredUsers"] or {}).items()}


async def serve(door: Door, refusals: Refusals) -> None:
    """Answer until the process is asked to end."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    Path(SOCKET).unlink(missing_ok=True)
    await asyncio.start_unix_server(
        lambda reader, writer: answer(door, reader, writer), SOCKET, limit=LONGEST, backlog=512
    )
    while not ended.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), refusals.every)
        refusals.write()


def main() -> None:
    """Two arguments: Orthanc's configuration, and the file for refused logins."""
    logging.basicConfig(format="%(asctime)s %(message)s")
    configuration = json.loads(Path(sys.argv[1]).read_text())
    refusals = Refusals(Path(sys.argv[2]))
    asyncio.run(serve(Door(users_of(configuration), refusals.add), refusals))


if __name__ == "__main__":
    main()
