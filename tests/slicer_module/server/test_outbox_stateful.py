"""A review that was given is recorded once or shown as not recorded, whatever happens in between."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from HeadCTTriageLib.server import outbox
from HeadCTTriageLib.server.cases import Review, Study, Urgency
from HeadCTTriageLib.server.outbox import Kept, Outbox, State
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from model_server import FAULTS, IDS, REFUSALS, Crash, ModelServer
from store_samples import MEMORY

MOSTLY_S1 = st.sampled_from(["s1", "s1", "s2"])
SURE = [Urgency.GREEN, Urgency.RED]

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
        """What somebody else than the reader's Slicer contributed to what they saw."""
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
                    assert self.given[review.request_id] == (one, state[one]), (
                        "spoke of what they had not seen"
                    )

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


TestSlicers = pytest.mark.long(Slicers.TestCase)
TestSlicers.settings = settings(max_examples=50, stateful_step_count=25)
