"""Who keeps a web server from its work: says nothing, stops in the middle, announces too much, or guesses."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import httpx

HEADS = {
    "says nothing": b"",
    "half a header": b"GET /triage/ HTTP/1.1\r\nHost: x\r\n",
    "half a body": b"POST /instances HTTP/1.1\r\nHost: x\r\n{login}Content-Length: 100000\r\n\r\nDICM",
    "half a body of nobody": b"POST /instances HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nDICM",
    "four gigabytes": b"POST /instances HTTP/1.1\r\nHost: x\r\n{login}Content-Length: 4000000000\r\n\r\nDICM",
    "no end": b"POST /instances HTTP/1.1\r\nHost: x\r\n{login}Transfer-Encoding: chunked\r\n\r\n4\r\nDICM",
}


@contextmanager
def held(
    port: int, count: int, login: tuple[str, str], kinds: Sequence[str] = tuple(HEADS)
) -> Iterator[None]:
    """Connections to a port of this machine, of every kind, that are held for as long as the block runs."""
    authorization = httpx.BasicAuth(*login)._auth_header
    with ExitStack() as opened:
        for number in range(count):
            head = HEADS[kinds[number % len(kinds)]]
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            connection.sendall(head.replace(b"{login}", f"Authorization: {authorization}\r\n".encode()))
        yield


class Guesser(threading.Thread):
    """Tries passwords without pause until it is stopped."""

    def __init__(self, url: str, login: str) -> None:
        super().__init__(daemon=True)
        self.answers: Counter[int] = Counter()
        self._url, self._login = url, login
        self._stopped = threading.Event()

    def run(self) -> None:
        """Guess."""
        with httpx.Client(base_url=self._url, timeout=120, trust_env=False) as http:
            number = 0
            while not self._stopped.is_set():
                number += 1
                try:
                    answer = http.get("/system", auth=(self._login, f"{self.ident}-{number}"))
                except httpx.TransportError:
                    continue  # the server is gone, or a connection was idle for too long
                self.answers[answer.status_code] += 1

    def stop(self) -> None:
        """Give up; one that waits for its answer is not waited for."""
        self._stopped.set()


@contextmanager
def guessing(url: str, login: str, threads: int) -> Iterator[list[Guesser]]:
    """Some that guess while the block runs."""
    guessers = [Guesser(url, login) for _ in range(threads)]
    for one in guessers:
        one.start()
    try:
        yield guessers
    finally:
        for one in guessers:
            one.stop()
