"""Reviews that the server does not have yet, one by one: kept, sent in order, and never lost."""

import dataclasses
import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from HeadCTTriageLib.errors import StorageError, TriageError
from HeadCTTriageLib.server import outbox
from HeadCTTriageLib.server.cases import Review, Urgency
from HeadCTTriageLib.server.outbox import Kept, Outbox, State
from model_server import FAULTS, REFUSALS, Crash, ModelServer
from places import ROOT


@pytest.fixture
def server() -> ModelServer:
    return ModelServer()


@pytest.fixture
def box(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path, "pacs:8042", "sato")


def say(box: Outbox, server: Any, one: str = "s1", urgency: Urgency = Urgency.RED) -> Kept:
    study = server.study("st1")
    based_on = next(series.based_on for series in study.series if series.id == one)
    return box.keep(study, one, Review("relabel", based_on, urgency, comment="硬膜下血腫"), "佐藤 花子")


def states(box: Outbox) -> list[State]:
    return [kept.state for kept in box.pending()]


def sent(box: Outbox, server: Any) -> list[State]:
    return [outcome.kept.state for outcome in box.send_all(server)]


def test_what_was_kept_is_read_back_as_it_was(box: Outbox, server: ModelServer) -> None:
    kept = say(box, server)
    assert Outbox(box.folder.parent, "http://pacs:8042/", "sato").pending() == [kept]
    server.record("s1", Review("relabel", server.based_on("s1"), Urgency.GREEN), "ito")
    (outcome,) = box.send_all(server)  # type: ignore[arg-type]
    assert outcome.kept.state is State.CONFLICT
    assert outcome.kept.current == server.series("s1")
    assert box.pending() == [outcome.kept]
    assert sent(box, server) == [], "a conflict is sent again by nobody but the reader"


def test_for_this_account_alone_and_without_a_password(box: Outbox, server: ModelServer) -> None:
    say(box, server)
    assert stat.S_IMODE(box.folder.stat().st_mode) == 0o700
    (file,) = box.folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "sato" not in file.read_text()
    assert set(json.loads(file.read_text())) == {field.name for field in dataclasses.fields(Kept)}


def test_each_login_and_each_server_has_its_own(box: Outbox, server: ModelServer) -> None:
    say(box, server)
    for other in (("pacs:8042", "ito"), ("archive:8042", "sato"), ("https://pacs:8042", "sato")):
        assert Outbox(box.folder.parent, *other).pending() == []


def test_two_words_before_the_server_has_the_first(box: Outbox, server: ModelServer) -> None:
    say(box, server, urgency=Urgency.RED)
    say(box, server, urgency=Urgency.BLACK)
    assert sent(box, server) == [State.SENT, State.SENT]
    assert [given.urgency for _, given in server.reviews["s1"]] == [Urgency.RED, Urgency.BLACK]
    assert box.pending() == []


def test_the_first_was_recorded_and_its_answer_lost(box: Outbox, server: ModelServer) -> None:
    say(box, server, urgency=Urgency.RED)
    server.trouble = [("after", FAULTS[0])]
    assert sent(box, server) == [State.UNSENT]
    say(box, server, urgency=Urgency.GREEN)  # they have seen that it is there
    assert sent(box, server) == [State.SENT, State.SENT]
    assert [given.urgency for _, given in server.reviews["s1"]] == [Urgency.RED, Urgency.GREEN]


def test_the_second_was_recorded_and_its_answer_lost(box: Outbox, server: ModelServer) -> None:
    say(box, server, urgency=Urgency.RED)
    say(box, server, urgency=Urgency.BLACK)
    server.trouble = [None, None, ("after", FAULTS[0])]  # the study is asked for in between
    assert sent(box, server) == [State.SENT, State.UNSENT]
    assert sent(box, server) == [State.SENT]
    assert len(server.reviews["s1"]) == 2


def test_the_first_is_heard_of_after_the_second(box: Outbox, server: ModelServer) -> None:
    say(box, server, urgency=Urgency.RED)
    server.trouble = [("after", FAULTS[0])]
    assert sent(box, server) == [State.UNSENT]
    server.trouble = [("before", REFUSALS[1])]
    assert sent(box, server) == [State.REFUSED]
    say(box, server, urgency=Urgency.BLACK)
    say(box, server, urgency=Urgency.GREEN)
    server.trouble = [None, ("before", FAULTS[1])]  # the second goes, for the third the study is asked for
    assert sent(box, server) == [State.SENT, State.UNSENT]
    box.again(box.pending()[0])
    assert sent(box, server) == [State.SENT, State.SENT]
    said = [given.urgency for _, given in server.reviews["s1"]]
    assert said == [Urgency.RED, Urgency.BLACK, Urgency.GREEN]


def test_slicer_ends_before_the_second_word_knows_of_the_first(
    box: Outbox, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(box, server, urgency=Urgency.RED)
    say(box, server, urgency=Urgency.BLACK)

    write = outbox._write

    def crash(path: Path, kept: Kept) -> None:
        if kept.mine:
            raise Crash
        write(path, kept)

    with monkeypatch.context() as during, pytest.raises(Crash):
        during.setattr(outbox, "_write", crash)
        box.send_all(server)  # type: ignore[arg-type]
    assert len(server.reviews["s1"]) == 1
    assert sent(box, server) == [State.SENT, State.SENT]
    assert [given.urgency for _, given in server.reviews["s1"]] == [Urgency.RED, Urgency.BLACK]


@pytest.mark.parametrize("what", ["ito", "sato", "machine", "another series", "image"])
def test_between_two_words_something_happens(box: Outbox, server: ModelServer, what: str) -> None:
    say(box, server, urgency=Urgency.RED)
    say(box, server, urgency=Urgency.BLACK)

    def happen() -> None:
        server.meanwhile = None
        server.record("s1", box.pending()[0].review, "sato")
        if what == "machine":
            server.judged["s1"] = 7
        elif what == "another series":
            server.judged["s2"] = 7
        elif what == "image":
            server.images["s1"] += 1
        else:
            server.record("s1", Review("relabel", server.based_on("s1"), Urgency.GREEN), what)

    server.meanwhile = happen
    assert sent(box, server) == [State.SENT, State.CONFLICT]
    (kept,) = box.pending()
    assert kept.current == server.series("s1")
    assert kept.review.urgency is Urgency.BLACK


def test_a_server_that_is_away_is_asked_once(box: Outbox, server: ModelServer) -> None:
    say(box, server, "s1")
    say(box, server, "s2")
    server.trouble = [("before", FAULTS[0])]
    (outcome,) = box.send_all(server)  # type: ignore[arg-type]
    assert (outcome.kept.state, outcome.why) == (State.UNSENT, "silence")
    assert states(box) == [State.UNSENT, State.UNSENT]
    assert sent(box, server) == [State.SENT, State.SENT]


@pytest.mark.parametrize("fault", FAULTS[1:3])
def test_one_that_cannot_be_taken_now_holds_up_its_series_alone(
    box: Outbox, server: ModelServer, fault: TriageError
) -> None:
    say(box, server, "s1", Urgency.RED)
    say(box, server, "s1", Urgency.GREEN)
    say(box, server, "s2")
    server.trouble = [("before", fault)]
    assert sent(box, server) == [State.UNSENT, State.SENT]
    assert sent(box, server) == [State.SENT, State.SENT]
    assert [given.urgency for _, given in server.reviews["s1"]] == [Urgency.RED, Urgency.GREEN]


def test_a_wrong_password_refuses_nothing(box: Outbox, server: ModelServer) -> None:
    say(box, server)
    server.trouble = [("before", REFUSALS[0])]
    assert sent(box, server) == [State.UNSENT]


def test_what_the_server_refuses_is_kept_until_the_reader_decides(box: Outbox, server: ModelServer) -> None:
    say(box, server, "s1")
    say(box, server, "s2")
    server.trouble = [("before", REFUSALS[1])] * 2
    assert sent(box, server) == [State.REFUSED, State.REFUSED]
    one, two = box.pending()
    assert one.message == "you may only look"
    assert sent(box, server) == []
    box.drop(one)
    box.again(two)
    assert sent(box, server) == [State.SENT]
    assert server.reviews["s1"] == []


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"series_id": "s1"}', b"nothing"])
def test_a_damaged_file_is_set_aside_and_holds_up_nothing(
    box: Outbox, server: ModelServer, content: bytes
) -> None:
    say(box, server, "s1")
    (file,) = box.folder.glob("*.json")
    file.write_bytes(content)
    say(box, server, "s2")
    assert sent(box, server) == [State.SENT]
    assert [path.read_bytes() for path in box.damaged()] == [content]
    assert box.pending() == []


def test_a_state_that_is_none_is_damage(box: Outbox, server: ModelServer) -> None:
    say(box, server)
    (file,) = box.folder.glob("*.json")
    file.write_text(file.read_text().replace('"unsent"', '"forgotten"'))
    assert box.pending() == []
    assert len(box.damaged()) == 1


def test_a_disk_that_keeps_nothing_is_said(tmp_path: Path, server: ModelServer) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="could not be written"):
        say(Outbox(tmp_path / "file", "pacs", "sato"), server)


def test_a_file_that_cannot_be_removed_or_written_is_said(box: Outbox, server: ModelServer) -> None:
    say(box, server)
    (kept,) = box.pending()
    (file,) = box.folder.glob("*.json")
    file.unlink()
    file.mkdir()
    for wish in (box.drop, box.again):
        with pytest.raises(StorageError, match="could not be written"):
            wish(kept)


def test_another_slicer_that_sends_is_left_to_it_and_its_end_is_noticed(
    box: Outbox, server: ModelServer
) -> None:
    say(box, server)
    program = """
import sys, time
from pathlib import Path
from HeadCTTriageLib.server.locking import locked
with locked(Path(sys.argv[1])) as held:
    print(held, flush=True)
    time.sleep(60)
"""
    other = subprocess.Popen(
        [sys.executable, "-c", program, box.folder / "lock"],
        stdout=subprocess.PIPE,
        cwd=ROOT / "slicer_module" / "HeadCTTriage",
    )
    assert other.stdout is not None
    with other:
        assert other.stdout.readline() == b"True\n"
        assert sent(box, server) == []
        other.kill()
    assert sent(box, server) == [State.SENT]
