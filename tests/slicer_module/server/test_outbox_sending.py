"""Unsent reviews sent to the real store and REST interface of triage."""

import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from HeadCTTriageLib.errors import RefusedError
from HeadCTTriageLib.server.cases import Review, Urgency
from HeadCTTriageLib.server.client import Server, TriageClient
from HeadCTTriageLib.server.outbox import Outbox, State, as_seen
from reading_room import Door, ReadingRoom

from headct.terms.urgency import Urgency as ServersUrgency


def sent(box: Outbox, server: Any) -> list[State]:
    return [outcome.kept.state for outcome in box.send_all(server)]


class Losing:
    """The application behind a line that breaks after each of the next answers was given."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self.losing = 0

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        body = self._app(environ, start)
        if environ["REQUEST_METHOD"] == "POST" and self.losing:
            self.losing -= 1
            b"".join(body)
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        return body


def test_an_answer_lost_on_the_way_and_sent_again(tmp_path: Path) -> None:
    room = ReadingRoom(tmp_path, {"one": ServersUrgency.RED, "two": ServersUrgency.GREEN})
    line = Losing(room.app)
    door = Door(line)
    try:
        client = TriageClient(Server(door.origin, "sato", "x"))
        box = Outbox(tmp_path / "outbox", door.origin, "sato")
        study = client.study(client.worklist().rows[0].id)
        (series,) = study.series
        for urgency in (Urgency.BLACK, Urgency.YELLOW):
            box.keep(study, series.id, Review("relabel", series.based_on, urgency), "one")
        line.losing = 2  # the client asks once more by itself
        assert sent(box, client) == [State.UNSENT]
        assert len(room.reviews("one")) == 1
        assert sent(box, client) == [State.SENT, State.SENT]
        assert [said.urgency.name for said in room.reviews("one")] == ["BLACK", "YELLOW"]
        # Another reader, and a word based on what was before.
        door.say("ito", room, "one")
        box.keep(study, series.id, Review("relabel", series.based_on, Urgency.RED), "one")
        (outcome,) = box.send_all(client)
        assert outcome.kept.state is State.CONFLICT
        assert outcome.kept.current is not None
        assert [said.login for said in outcome.kept.current.reviews] == ["sato", "sato", "ito"]
        # A viewer is refused by the server's own sentence.
        viewer = TriageClient(Server(door.origin, "mori", "x"))
        with pytest.raises(RefusedError, match="you are a viewer"):
            viewer.review(series.id, Review("relabel", series.based_on, Urgency.RED))
    finally:
        door.close()
        room.close()


def test_what_is_seen_changes_with_what_the_server_calls_based_on(tmp_path: Path) -> None:
    room = ReadingRoom(tmp_path, {"one": ServersUrgency.RED})
    door = Door(room.app)
    try:
        client = TriageClient(Server(door.origin, "sato", "x"))
        study_id = client.worklist().rows[0].id
        found: dict[str, str] = {}

        def look() -> None:
            study = client.study(study_id)
            series = next(one for one in study.series if one.id == room.series("one"))
            seen = as_seen(study, series.id)
            assert found.setdefault(series.based_on, seen) == seen
            assert len(set(found.values())) == len(found)

        look()
        look()
        door.say("ito", room, "one")
        look()
        room.judge("one", ServersUrgency.YELLOW, bundle="c" * 64)
        look()
        room.arrive("beside", ServersUrgency.RED, study="one")
        look()
        room.more_images("one", 40)
        look()
        assert len(found) == 5
    finally:
        door.close()
        room.close()
