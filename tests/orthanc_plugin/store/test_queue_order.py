"""What failed once waits behind what was never tried, whatever it was that failed and however many work."""

import heapq
import shutil
import tempfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as run_with
from hypothesis import strategies as st
from sqlalchemy import select, update
from sqlalchemy.orm import Session
from store_samples import MEMORY, NOT_COVERED, after, claimed, judgement, open_store, seen, settings, state

from headct.reasons import Reason, ReasonCode
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import PENDING, UNCLAIMED, SeriesState
from orthanc_plugin.store import outbox, queue, results
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.queue import Claim
from orthanc_plugin.store.tables import Series, Study

BROKEN = Reason(ReasonCode.INTERNAL_ERROR, "ValueError")
LIMIT = 600.0
"""What a series may take, ``SeriesLimitSeconds``."""
TAKES = {"good": 10.0, "hangs": LIMIT, "crashes": 4.0, "fails": 6.0, "trouble": 3.0, "silent": 5.0}
"""Seconds that each kind of series holds its worker."""


def test_a_series_that_hangs_is_tried_again_behind_what_is_new(session: Session, options: Settings) -> None:
    queue.arrive(session, seen("hangs"), after(0), options)
    assert claimed(session, options, 3, "w1").series_id == "hangs"
    queue.arrive(session, seen("bleed", "st2"), after(500), options)
    queue.worker_lost(session, "w1", after(603), options)
    at = 700.0  # long after it may be tried again
    for worker, expected in (("w2", "bleed"), ("w3", "hangs")):
        assert claimed(session, options, at, worker).series_id == expected


@pytest.mark.parametrize("how", ["fails", "worker lost", "lease ended", "trouble with the disk"])
def test_however_it_failed(session: Session, options: Settings, how: str) -> None:
    queue.arrive(session, seen("bad"), after(0), options)
    claim = claimed(session, options, 3, "w1")
    assert not claim.tried_before
    queue.arrive(session, seen("mr", "st2", modality="MR"), after(4), options)
    if how == "fails":
        queue.record_failure(session, claim, BROKEN, after(10), options)
    elif how == "worker lost":
        queue.worker_lost(session, "w1", after(10), options)
    elif how == "trouble with the disk":
        queue.release(session, claim, after(10), setback=True)
        assert session.get_one(Series, "bad").attempts == 0, "through no fault that is known"
    first, second = (claimed(session, options, 100 + 10 * n, f"v{n}") for n in range(2))
    assert (first.series_id, second.series_id) == ("mr", "bad")
    assert (first.tried_before, second.tried_before) == (False, True)


def test_what_a_worker_gave_back_in_good_order_keeps_its_place(session: Session, options: Settings) -> None:
    queue.arrive(session, seen("first"), after(0), options)
    queue.arrive(session, seen("second", "st2"), after(1), options)
    queue.release(session, claimed(session, options, 9), after(10))
    assert claimed(session, options, 11).series_id == "first"


def test_images_that_still_come_do_not_bring_it_to_the_front(session: Session, options: Settings) -> None:
    """Else one that grows for ever and hangs every worker would be tried first each time."""
    queue.arrive(session, seen("bad", count=10), after(0), options)
    queue.record_failure(session, claimed(session, options, 3), BROKEN, after(4), options)
    queue.arrive(session, seen("bad", count=20), after(5), options)
    queue.arrive(session, seen("new", "st2"), after(6), options)
    assert [claimed(session, options, 100, f"w{n}").series_id for n in range(2)] == ["new", "bad"]


@pytest.mark.parametrize("looked_at", ["assessed", "not analysed", "not complete yet"])
def test_looked_at_to_the_end_it_is_as_any_other(session: Session, options: Settings, looked_at: str) -> None:
    queue.arrive(session, seen("bad", count=10), after(0), options)
    queue.record_failure(session, claimed(session, options, 3), BROKEN, after(4), options)
    claim = claimed(session, options, 20)
    if looked_at == "assessed":
        results.record_assessed(session, claim, judgement(series="bad"), after(21), options)
    elif looked_at == "not analysed":
        results.record_not_analysed(session, claim, NOT_COVERED, None, after(21))
    else:
        results.record_waiting(session, claim, None, after(21), options, judged=False)
    queue.arrive(session, seen("bad", count=20), after(30), options)
    queue.arrive(session, seen("new", "st2"), after(31), options)
    assert claimed(session, options, 100).series_id == "bad"


def test_earlier_studies_wait_behind_what_failed(session: Session, options: Settings) -> None:
    """A whole CD of them keeps nobody waiting who is here now."""
    queue.arrive(session, seen("bad"), after(0), options)
    queue.record_failure(session, claimed(session, options, 3), BROKEN, after(4), options)
    queue.arrive(session, seen("old", "st2"), after(5), options)
    session.get_one(Study, "st2").earlier = True
    session.flush()
    assert not queue.untried_is_due(session, after(100), options), "another attempt is not broken off for it"
    assert [claimed(session, options, 100, f"w{n}").series_id for n in range(2)] == ["bad", "old"]


def test_another_attempt_gives_way_to_what_is_new(session: Session, options: Settings) -> None:
    queue.arrive(session, seen("bad"), after(0), options)
    queue.record_failure(session, claimed(session, options, 3), BROKEN, after(4), options)
    assert claimed(session, options, 20).tried_before
    assert not queue.untried_is_due(session, after(50), options)
    queue.arrive(session, seen("new", "st2"), after(50), options)
    assert not queue.untried_is_due(session, after(50.4), options), "it still arrives"
    assert queue.untried_is_due(session, after(53), options)


def test_an_alert_seen_in_a_part_stays_while_the_whole_fails(session: Session, options: Settings) -> None:
    queue.arrive(session, seen("bleed", count=20), after(0), options)
    part = judgement(preliminary=True, series="bleed")
    results.record_assessed(session, claimed(session, options, 3), part, after(4), options)
    queue.arrive(session, seen("bleed", count=33), after(5), options)
    for at in (10, 100, 200):
        queue.record_failure(session, claimed(session, options, at), BROKEN, after(at + 1), options)
        labels = outbox.publication(session, "bleed").series_labels
        assert "triage-red" in labels and "triage-preliminary" in labels
    assert state(session, "bleed") is SeriesState.FAILED


# --- A night, minute by minute --------------------------------------------------------------------


@dataclass
class Night:
    """Series of every kind arrive, some workers take them up; the queue is the store's own."""

    database: Database
    options: Settings
    kinds: dict[str, str]
    earlier: frozenset[str]
    done: list[str] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)
    leases: dict[str, float] = field(default_factory=dict)
    """Until when each that was taken up is its worker's."""

    def run(self, arrivals: dict[str, float], workers: int) -> None:
        """Until nothing is pending."""
        events = [(at, 0, name) for name, at in arrivals.items()] + [(0.0, 1, str(n)) for n in range(workers)]
        heapq.heapify(events)
        hands: dict[str, Claim] = {}
        while events:
            at, _, who = heapq.heappop(events)
            assert at < 100_000, "something is never done with"
            with self.database.writing() as session:
                if who in self.kinds:
                    queue.arrive(session, seen(who, f"st-{who}"), after(at), self.options)
                    session.get_one(Study, f"st-{who}").earlier = who in self.earlier
                    continue
                if (claim := hands.pop(who, None)) is not None:
                    self.end(session, claim, at)
                queue.sign_of_life(session, f"h/{who}", after(at))
                before = self.waiting(session, at)
                self.tried.update(name for name, until in self.leases.items() if until < at)
                claim = queue.claim(session, f"h/{who}", after(at), self.options)
                if claim is not None:
                    self.check(claim.series_id, before)
                    hands[who] = claim
                    self.leases[claim.series_id] = at + self.options.lease_seconds
                    heapq.heappush(events, (at + TAKES[self.kinds[claim.series_id]], 1, who))
                elif (next_at := self.next_change(session, at, events, hands)) is not None:
                    heapq.heappush(events, (next_at, 1, who))

    @staticmethod
    def next_change(
        session: Session, at: float, events: list[tuple[float, int, str]], busy: Collection[str]
    ) -> float | None:
        """When there may be something to do again; nothing when it is all over.

        Of workers who are idle too nothing is expected: each would wake the other for ever.
        """
        rows = session.scalars(select(Series).where(Series.state.in_(PENDING))).all()
        times = [t for row in rows for t in (row.not_before, row.lease_until) if t is not None]
        later = [(t - after(0)).total_seconds() + 0.1 for t in times]
        later += [event_at + 0.1 for event_at, kind, who in events if kind == 0 or who in busy]
        return min((t for t in later if t > at), default=None)

    def waiting(self, session: Session, at: float) -> dict[str, float]:
        rows = session.scalars(
            select(Series).where(Series.state.in_(UNCLAIMED), Series.not_before <= after(at))
        )
        return {row.id: row.first_arrival.timestamp() for row in rows}

    def check(self, taken: str, before: dict[str, float]) -> None:
        """It is the right one of those that waited, by a rule that is said once more here."""
        # What a lost lease brought back within the claim was not waiting before it.
        place = {name: (name in self.earlier, name in self.tried, at) for name, at in before.items()}
        untried = [name for name in before if name not in self.tried and name not in self.earlier]
        if taken in self.tried or taken in self.earlier:
            assert untried == []
        else:
            assert place[taken] == min(place[name] for name in untried)
        if taken in self.earlier:
            assert all(name in self.earlier for name in before)

    def end(self, session: Session, claim: Claim, at: float) -> None:
        name, now = claim.series_id, after(at)
        self.leases.pop(name, None)
        kind = self.kinds[name]
        first = name not in self.tried
        if kind != "good":
            self.tried.add(name)
        if kind == "good":
            self.done.append(name)
            assert results.record_assessed(session, claim, judgement(series=name), now, self.options)
        elif kind == "fails":
            queue.record_failure(session, claim, BROKEN, now, self.options)
        elif kind == "trouble":
            if first:
                queue.release(session, claim, now, setback=True)
            else:
                self.kinds[name] = "good"
                queue.release(session, claim, now)
        elif kind != "silent":
            queue.worker_lost(session, claim.owner, now, self.options)


@pytest.fixture(scope="module")
def shared_store() -> Iterator[Database]:
    folder = Path(tempfile.mkdtemp(prefix="triage-store-", dir=MEMORY))
    yield open_store(folder)
    shutil.rmtree(folder)


@run_with(deadline=None, max_examples=10)
@given(
    series=st.lists(
        st.tuples(st.sampled_from(sorted(TAKES)), st.integers(0, 60), st.booleans()), min_size=3, max_size=7
    ),
    workers=st.integers(1, 3),
)
def test_a_night(shared_store: Database, series: list[tuple[str, int, bool]], workers: int) -> None:
    with shared_store.writing() as session:
        session.execute(update(Series).values(state=SeriesState.WITHDRAWN))
    names = [f"{hash(tuple(series)) % 10**9}-{workers}-{n}" for n in range(len(series))]
    night = Night(
        shared_store,
        settings(Path(tempfile.gettempdir()), series_limit_seconds=LIMIT),
        {name: kind for name, (kind, _, _) in zip(names, series, strict=True)},
        frozenset(name for name, (_, _, earlier) in zip(names, series, strict=True) if earlier),
    )
    night.run({name: at * 1.0 for name, (_, at, _) in zip(names, series, strict=True)}, workers)
    with shared_store.reading() as session:
        found = {name: session.get_one(Series, name).state for name in names}
    good = SeriesState.ASSESSED
    for name, at_last in night.kinds.items():
        assert found[name] is (good if at_last == "good" else SeriesState.FAILED)
    assert len(night.done) == len(set(night.done))
