"""A review that was given is recorded once or shown as not recorded, whatever happens in between."""

import dataclasses
import json
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from data import ROOT
from HeadCTTriageLib.errors import (
    RefusedError,
    StorageError,
    TriageError,
    UnreachableError,
    UnreadableError,
)
from HeadCTTriageLib.server import cases, outbox
from HeadCTTriageLib.server.cases import (
    Assessment,
    Bundle,
    Case,
    GivenReview,
    Review,
    Series,
    Study,
    Urgency,
    Verdict,
)
from HeadCTTriageLib.server.client import ConflictError, Server, TriageClient
from HeadCTTriageLib.server.outbox import Kept, Outbox, State, as_seen
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from reading_room import Door, ReadingRoom
from store_samples import MEMORY

from headct.terms.urgency import Urgency as ServersUrgency

START = datetime(2026, 3, 4, 18, tzinfo=UTC)
IDS = ("s1", "s2")
MOSTLY_S1 = st.sampled_from(["s1", "s1", "s2"])
SURE = [Urgency.GREEN, Urgency.RED]


class Crash(BaseException):
    """Slicer is ended from outside."""


FAULTS: list[BaseException] = [
    UnreachableError("silence", UnreachableError.SLOW),
    UnreachableError("internal error", UnreachableError.FAILED),
    UnreadableError("a page of a proxy"),
    Crash(),
]
REFUSALS: list[BaseException] = [
    RefusedError("wrong password", RefusedError.LOGIN),
    RefusedError("you may only look", "refused"),
]


class ModelServer:
    """What the server does with reviews, and how it fails: before or after it has recorded one."""

    def __init__(self) -> None:
        self.judged = dict.fromkeys(IDS, 1)
        self.images = dict.fromkeys(IDS, 30)
        self.reviews: dict[str, list[tuple[Review, GivenReview]]] = {one: [] for one in IDS}
        self.clock = START
        self.trouble: list[tuple[str, BaseException] | None] = []
        self.meanwhile: Callable[[], object] | None = None

    def study(self, study_id: str) -> Study:
        fault = self._fault()
        if fault is not None:
            raise fault[1]
        case = Case("st1", "1.2", START, 60.0, "assessed")
        return Study(case, tuple(self.series(one) for one in IDS))

    def review(self, series_id: str, review: Review) -> cases.ReviewAnswer:
        if self.meanwhile is not None:
            self.meanwhile()
        when, fault = self._fault() or ("", None)
        if fault is not None and (when == "before" or isinstance(fault, RefusedError)):
            raise fault
        answer = self.record(series_id, review, "sato")
        if fault is not None:
            raise fault
        return answer

    def record(self, series_id: str, review: Review, login: str) -> cases.ReviewAnswer:
        rows = self.reviews[series_id]
        for known, given in rows:
            if known.request_id == review.request_id and given.login == login:
                if known != review:
                    raise ConflictError("used for another review", self.series(series_id))
                return cases.ReviewAnswer(given, Verdict("reviewed", given.urgency))
        if review.based_on != self.based_on(series_id):
            raise ConflictError("The case has changed.", self.series(series_id))
        self.clock += timedelta(seconds=1)
        said = GivenReview(
            review.action, review.urgency, {}, None, review.comment, login, login, "St. Elsewhere", self.clock
        )
        rows.append((review, said))
        return cases.ReviewAnswer(said, Verdict("reviewed", said.urgency))

    def based_on(self, series_id: str) -> str:
        rest = max(version for one, version in self.judged.items() if one != series_id)
        reviews = self.reviews[series_id]
        return f"{self.judged[series_id]}-{self.images[series_id]}-{len(reviews)}-{rest}"

    def series(self, one: str) -> Series:
        judged_at = START + timedelta(minutes=self.judged[one])
        said = Assessment(Urgency.RED, 0.9, 0.9, (), (), "1", Bundle("b", "1", "ab"), judged_at)
        reviews = tuple(given for _, given in self.reviews[one])
        return Series(
            one,
            f"1.2.{one}",
            self.images[one],
            "assessed",
            study_id="st1",
            based_on=self.based_on(one),
            assessment=said,
            reviews=reviews,
        )

    def _fault(self) -> tuple[str, BaseException] | None:
        return self.trouble.pop(0) if self.trouble else None


TROUBLE = st.lists(
    st.none() | st.tuples(st.sampled_from(["before", "after"]), st.sampled_from([*FAULTS, *REFUSALS])),
    max_size=4,
)


class Slicers(RuleBasedStateMachine):
    """Two Slicers of one login, another reader, the machine, and everything that breaks."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="outbox-", dir=MEMORY))
        self.server = ModelServer()
        self.shown = self.server.study("st1")
        self.given: dict[str, tuple[str, frozenset[object]]] = {}
        self.dropped: set[str] = set()
        self.crash_in = 0
        self.write, outbox._write = outbox._write, self._writing

    def teardown(self) -> None:
        outbox._write = self.write
        try:
            self.server.trouble, self.server.meanwhile = [], None
            box = self.box()
            for kept in box.pending():
                if kept.state is State.REFUSED:
                    box.again(kept)
            box.send_all(self.client)
            assert all(kept.state is State.CONFLICT for kept in box.pending())
            self.check()
            order = list(self.given)
            for one in IDS:
                ours = [review.request_id for review, _ in self.server.reviews[one]]
                ours = [request for request in ours if request in self.given]
                again = [request for request in ours if request not in self.tried_again]
                assert again == sorted(again, key=order.index), "words overtook each other"
        finally:
            shutil.rmtree(self.folder)

    tried_again: frozenset[str] = frozenset()

    @property
    def client(self) -> Any:
        return self.server

    def box(self) -> Outbox:
        return Outbox(self.folder, "pacs:8042", "sato")

    def _writing(self, path: Path, kept: Kept) -> None:
        """Slicer may end just before or after anything is written."""
        self.crash_in -= 1
        if self.crash_in == 1:
            raise Crash
        self.write(path, kept)
        if self.crash_in == 0:
            raise Crash

    def facts(self, study: Study, series_id: str) -> frozenset[object]:
        """What somebody else than the reader's Slicer contributed to what he saw."""
        found: set[object] = {
            (one.id, one.assessment.judged_at) for one in study.series if one.assessment is not None
        }
        series = next(one for one in study.series if one.id == series_id)
        own = {
            said.at
            for review, said in self.server.reviews[series_id]
            if review.request_id in self.given and said.login == "sato"
        }
        return frozenset(found | {series.images} | {one.at for one in series.reviews if one.at not in own})

    @rule(
        one=MOSTLY_S1,
        urgency=st.sampled_from(SURE),
        stale=st.booleans(),
        crash=st.integers(0, 3),
    )
    def give(self, one: str, urgency: Urgency, stale: bool, crash: int) -> None:
        if not stale:
            self.shown = self.peek()
        shown = self.shown
        based_on = next(series.based_on for series in shown.series if series.id == one)
        review = Review("relabel", based_on, urgency)
        self.crash_in = crash
        try:
            self.box().keep(shown, one, review, "Sato, 71 years")
        except Crash:
            # The reader was not told that it is kept; it may be.
            if review.request_id not in {kept.review.request_id for kept in self.box().pending()}:
                return
        finally:
            self.crash_in = 0
        self.given[review.request_id] = (one, self.facts(shown, one))

    @rule(trouble=TROUBLE, crash=st.integers(0, 5), interloper=st.booleans())
    def send(self, trouble: list[tuple[str, BaseException] | None], crash: int, interloper: bool) -> None:
        self.server.trouble = list(trouble)
        before = {review.request_id for rows in self.server.reviews.values() for review, _ in rows}
        state = {one: self.facts(self.peek(), one) for one in IDS}
        if interloper:
            self.server.meanwhile = self.another_slicer
        self.crash_in = crash
        try:
            self.box().send_all(self.client)
        except Crash:
            pass
        finally:
            self.crash_in = 0
            self.server.trouble, self.server.meanwhile = [], None
        for one, rows in self.server.reviews.items():
            for review, _ in rows:
                if review.request_id in self.given and review.request_id not in before:
                    assert self.given[review.request_id] == (one, state[one]), "spoke of what he had not seen"

    def another_slicer(self) -> None:
        assert self.box().send_all(self.client) == [], "two send at once"

    def peek(self) -> Study:
        return Study(self.shown.case, tuple(self.server.series(one) for one in IDS))

    @rule(one=st.sampled_from(IDS), what=st.sampled_from(["ito", "sato", "machine", "image"]))
    def the_case_changes(self, one: str, what: str) -> None:
        if what == "machine":
            self.server.judged[one] = max(self.server.judged.values()) + 1
        elif what == "image":
            self.server.images[one] += 1
        else:  # on the page
            self.server.record(one, Review("relabel", self.server.based_on(one), Urgency.YELLOW), what)

    @precondition(lambda self: any(True for _ in self.folder.rglob("*.json")))
    @rule(data=st.data())
    def a_file_is_damaged(self, data: st.DataObject) -> None:
        file = data.draw(st.sampled_from(sorted(self.folder.rglob("*.json"))))
        text = file.read_bytes()
        file.write_bytes(data.draw(st.sampled_from([b"", text[: len(text) // 2], b'{"series_id": 3}'])))

    @rule(data=st.data(), drop=st.booleans())
    def the_reader_decides(self, data: st.DataObject, drop: bool) -> None:
        box = self.box()
        stuck = [kept for kept in box.pending() if kept.state is not State.UNSENT]
        if not stuck:
            return
        kept = data.draw(st.sampled_from(stuck))
        if drop:
            box.drop(kept)
            self.dropped.add(kept.review.request_id)
        elif kept.state is State.REFUSED:
            box.again(kept)
            self.tried_again |= {kept.review.request_id}

    @invariant()
    def check(self) -> None:
        box = self.box()
        shown = {kept.review.request_id: kept.state for kept in box.pending()}
        aside = {path.name.split("-")[1].split(".")[0] for path in box.damaged()}
        recorded = [review.request_id for rows in self.server.reviews.values() for review, _ in rows]
        for request in self.given:
            assert recorded.count(request) <= 1, "recorded twice"
            there = request in shown or request in aside or request in self.dropped
            assert request in recorded or there, "lost"
            if request in recorded:
                # Of one whose answer was lost the server may say no before it looks whether it knows it.
                assert shown.get(request) is not State.CONFLICT, "recorded, and shown as not"


TestSlicers = Slicers.TestCase
TestSlicers.settings = settings(max_examples=120, stateful_step_count=25)


# One by one -----------------------------------------------------------------------------------------------


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
    say(box, server, urgency=Urgency.GREEN)  # he has seen that it is there
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


# The server itself ----------------------------------------------------------------------------------------


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
