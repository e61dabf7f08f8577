"""Lists from the database are the full list by the rule: nothing unread is missing, whatever happened."""

import shutil
import tempfile
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, strategies
from hypothesis import settings as run_with
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from sqlalchemy import insert, select
from sqlalchemy.orm import Session
from store_samples import (
    MEMORY,
    START,
    after,
    arrive_and_judge,
    claimed,
    judgement,
    open_store,
    seen,
    settings,
)
from worklist_samples import in_order

from headct.reasons import Reason, ReasonCode
from headct.terms.review import Action, Exclusion, Person, Review
from headct.terms.urgency import Urgency
from orthanc_plugin.cases import kept_lists, records
from orthanc_plugin.cases.kept_lists import KeptLists
from orthanc_plugin.cases.selection import EVERYTHING, Asked, following
from orthanc_plugin.cases.views import WorklistRow, WorklistView
from orthanc_plugin.errors import ConflictError, NotFoundError
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import imports, queue, results, reviews, withdrawal
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import Series, Standing, Study

DAY = timedelta(days=1)
NAMES = strategies.sampled_from(["a1", "a2", "b1", "c1"])
"""The letter is the study's."""
READERS = {n: Person(n, f"{n.title()}^Hanako", "St. Elsewhere") for n in ("sato", "ito", "abe")}
URGENCY = strategies.sampled_from(list(Urgency))


def say(
    session: Session, series: str, at: float, urgency: Urgency | None, by: str = "sato", request: str = "r"
) -> None:
    """A reader gives a colour, or excludes the series."""
    said = Review(
        by=READERS[by],
        at=after(at),
        action=Action.RELABEL if urgency is not None else Action.EXCLUDE,
        urgency=urgency,
        reason=Exclusion.REPEAT if urgency is None else None,
    )
    row = session.get(Series, series)
    seen_by_them = reviews.based_on(row) if row else ""
    reviews.record(session, series, said, seen=seen_by_them, request_id=request, asked="", now=after(at))


def walk(lists: KeptLists, database: Database, asked: Asked, now: float) -> list[WorklistView]:
    """All parts of a list."""
    parts = [lists.get(database, asked, after(now), DAY)]
    while (offset := parts[-1].next) is not None:
        further = Asked(offset, asked.most, asked.search, asked.day, asked.blind_for)
        parts.append(lists.get(database, further, after(now), DAY))
    return parts


def by_the_rule(session: Session, now: float, *, earlier: bool) -> list[WorklistRow]:
    """The full list, without those that were read more than a day ago."""
    studies = [s for s in records.studies(session) if s.earlier == earlier]
    return [
        row
        for row in in_order(studies, after(now))
        if not row.reviewed or max(review.at for review in row.reviews) > after(now) - DAY
    ]


class Histories(RuleBasedStateMachine):
    """Three studies and what may happen to them, in any order, over days."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="triage-lists-", dir=MEMORY))
        self.database = open_store(self.folder)
        self.options = settings(self.folder, max_attempts=1)
        self.lists = KeptLists()
        self.now = 0.0
        self.images: dict[str, int] = {}
        self.requests = 0

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    @initialize()
    def first(self) -> None:
        self.arrive("a1", late=False)

    @rule(name=NAMES, late=strategies.booleans())
    def arrive(self, name: str, *, late: bool) -> None:
        """Images of a series, for the first time or more of them."""
        self.images[name] = self.images.get(name, 10) + late
        with self.database.writing() as session:
            queue.arrive(session, seen(name, name[0], self.images[name]), after(self.now), self.options)
        self.look()

    @rule(name=NAMES, how=strategies.sampled_from(["corrected", "copied"]))
    def again(self, name: str, how: str) -> None:
        """The same images under a corrected patient; or copied by Orthanc."""
        if name in self.images:
            again = {"series_instance_uid": f"1.2.{name}", "study_instance_uid": f"1.3.{name[0]}"}
            made_of = {"copied_from": name} if how == "copied" else again
            found = seen(f"{name}-{how}", f"{name[0]}-{how}", self.images[name], **made_of)
            with self.database.writing() as session:
                queue.arrive(session, found, after(self.now), self.options)
            self.look()

    @rule(urgency=URGENCY | strategies.none(), early=strategies.booleans())
    def judge(self, urgency: Urgency | None, *, early: bool) -> None:
        """The next series as a whole, or an alert in a part of it; or it may not be judged."""
        self.now += 3 if early else 61
        with self.database.writing() as session:
            claim = queue.claim(session, "w", after(self.now), self.options)
            if claim is None:
                return
            if urgency is None:
                reason = Reason(ReasonCode.HEAD_NOT_COVERED)
                results.record_not_analysed(session, claim, reason, None, after(self.now))
            else:
                pixels = f"{claim.series_id.split('-')[0]} {claim.instance_count}"
                said = judgement(
                    urgency,
                    pixels,
                    preliminary=early and urgency.alert,
                    series=claim.series_id,
                    bundle=f"{urgency:064d}",
                )
                results.record_assessed(session, claim, said, after(self.now), self.options)
        self.look()

    @rule()
    def fail(self) -> None:
        """The next series cannot be judged."""
        self.now += 61
        with self.database.writing() as session:
            claim = queue.claim(session, "w", after(self.now), self.options)
            if claim is not None:
                wrong = Reason(ReasonCode.INTERNAL_ERROR)
                queue.record_failure(session, claim, wrong, after(self.now), self.options)
        self.look()

    @rule(
        name=NAMES,
        copy=strategies.sampled_from(["", "", "-corrected", "-copied"]),
        by=strategies.sampled_from(sorted(READERS)),
        urgency=strategies.none() | URGENCY,
    )
    def review(self, name: str, copy: str, by: str, urgency: Urgency | None) -> None:
        """A reader speaks."""
        self.now += 1
        self.requests += 1
        try:
            with self.database.writing() as session:
                say(session, name + copy, self.now, urgency, by, f"r{self.requests}")
        except (ConflictError, NotFoundError):
            return
        self.look()

    @rule(name=NAMES, new=strategies.booleans())
    def move(self, name: str, *, new: bool) -> None:
        """A study is asked for again, or goes to the other list."""
        with self.database.writing() as session:
            queue.rerun(session, name, "sato", after(self.now))
            imports.announce(session, [f"1.3.{name[0]}"], new=new, actor="sato", now=after(self.now))
            study = session.get(Study, name[0])
            if study is not None:
                study.earlier = not new
        self.look()

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        """A series is deleted from Orthanc."""
        with self.database.writing() as session:
            withdrawal.withdraw(session, name, after(self.now))
        self.look()

    @rule(hours=strategies.sampled_from([1, 23, 30]))
    def wait(self, hours: float) -> None:
        """Nothing happens."""
        self.now += 3600 * hours
        self.look()

    def look(self) -> None:
        """The list in parts of two is what the rule makes of everything."""
        self.now += 6  # what changes by time alone is seen after five seconds
        parts = walk(self.lists, self.database, Asked(most=2), self.now)
        with self.database.reading() as session:
            for name in ("rows", "earlier"):
                shown = [row for part in parts for row in getattr(part, name)]
                expected = by_the_rule(session, self.now, earlier=name == "earlier")
                assert [row.model_copy(update={"change": 0}) for row in shown] == expected
            every = in_order(records.studies(session), after(self.now))
        assert parts[0].total == sum(len(part.rows) for part in parts)
        unread = {row.id for row in every if not row.reviewed}
        assert unread <= {row.id for part in parts for row in (*part.rows, *part.earlier)}
        for asked in (Asked(search="Tarou yamada"), Asked(day=START.date())):
            described = {r.id for r in every if asked.day or r.patient_id}
            came = {r.id for r in every if asked.search or r.first_arrival < START + DAY / 2}
            found = lists_found(self.lists, self.database, asked, self.now)
            assert described & came <= found


def lists_found(lists: KeptLists, database: Database, asked: Asked, now: float) -> set[str]:
    return {row.id for part in walk(lists, database, asked, now) for row in (*part.rows, *part.earlier)}


TestHistories = Histories.TestCase
TestHistories.settings = run_with(
    max_examples=6,
    stateful_step_count=16,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.reuse, Phase.generate],
)


def ids(database: Database, now: float, asked: Asked = EVERYTHING) -> list[str]:
    view = KeptLists().get(database, asked, after(now), DAY)
    return [row.id for row in (*view.rows, *view.earlier)]


@pytest.fixture
def judged(database: Database, options: Settings) -> Database:
    """One study, a RED."""
    with database.writing() as session:
        arrive_and_judge(session, options)
    return database


def test_a_read_case_leaves_and_is_found(judged: Database) -> None:
    with judged.writing() as session:
        say(session, "s1", 100, Urgency.GREEN)
    assert ids(judged, 100 + 86399) == ["st1"]
    assert ids(judged, 100 + 86401) == []
    for asked in (Asked(search="p1"), Asked(search="yamada"), Asked(day=START.astimezone().date())):
        assert ids(judged, 1e6, asked) == ["st1"]
    # The day that the images have, whenever they came.
    assert ids(judged, 1e6, Asked(day=date(2026, 3, 1))) == ["st1"]
    assert ids(judged, 1e6, Asked(day=date(2026, 3, 9))) == ids(judged, 1e6, Asked(search="suzuki")) == []


def test_what_waits_never_leaves(judged: Database, options: Settings) -> None:
    year = 366 * 86400.0
    assert ids(judged, year) == ["st1"], "unread"
    with judged.writing() as session:
        say(session, "s1", 100, Urgency.GREEN)
        say(session, "s1", 200, Urgency.RED, "ito")
    assert ids(judged, year) == ["st1"], "in dispute"
    with judged.writing() as session:
        say(session, "s1", 300, Urgency.GREEN, "abe")
    assert ids(judged, year) == []
    with judged.writing() as session:
        queue.arrive(session, seen(count=40), after(year), options)
    assert ids(judged, 2 * year) == ["st1"], "open again"
    with judged.writing() as session:
        claim = claimed(session, options, 2 * year)
        for _ in range(options.max_attempts):
            wrong = Reason(ReasonCode.INTERNAL_ERROR)
            queue.record_failure(session, claim, wrong, after(2 * year), options)
    assert ids(judged, 3 * year) == ["st1"], "failed after it was read"


def test_what_happens_to_images_under_their_first_patient_opens_the_case_again(
    judged: Database, options: Settings
) -> None:
    """What was said of them is said of the corrected case, which nothing else touches."""
    with judged.writing() as session:
        say(session, "s1", 100, Urgency.GREEN)
        right = seen("s2", "st2", series_instance_uid="1.2.s1", study_instance_uid="1.3.st1")
        queue.arrive(session, right, after(200), options)
        results.record_assessed(
            session, claimed(session, options, 210), judgement(series="s2"), after(210), options
        )
        session.get_one(Series, "s2").known_since = None  # as an earlier release left it
    assert ids(judged, 300) == ["st2"]
    assert ids(judged, 1e6) == []
    with judged.writing() as session:
        queue.arrive(session, seen(count=40), after(400), options)
    assert set(ids(judged, 1e6)) == {"st1", "st2"}


def test_nothing_is_made_again_while_nothing_changes(judged: Database, options: Settings) -> None:
    lists = KeptLists()
    first = lists.get(judged, EVERYTHING, after(100), DAY)
    later = lists.get(judged, EVERYTHING, after(1000), DAY)
    assert later.rows[0].waiting_seconds == first.rows[0].waiting_seconds + 900
    assert later.state == first.state
    assert later.rows[0].findings is first.rows[0].findings
    with judged.writing() as session:
        queue.sign_of_life(session, "h/1", after(1001))
        session.get_one(Series, "s1").publish_done += 1
    assert lists.get(judged, EVERYTHING, after(1001), DAY).state == first.state
    with judged.writing() as session:
        say(session, "s1", 1002, Urgency.GREEN)
    # Within the five seconds.
    said = lists.get(judged, EVERYTHING, after(1002), DAY)
    assert said.state != first.state
    assert said.rows[0].reviewed


def test_a_long_list_comes_in_parts_within_their_bytes(
    database: Database, options: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_lists, "MOST_BYTES", 10_000)
    with database.writing() as session:
        for number in range(30):
            queue.arrive(session, seen(f"s{number:03}", f"st{number:03}"), after(number), options)
    parts = walk(KeptLists(), database, EVERYTHING, 1000)
    assert [row.id for part in parts for row in part.rows] == [f"st{n:03}" for n in range(30)]
    assert len(parts) > 1
    assert all(len(part.model_dump_json()) < 11_000 for part in parts)
    assert parts[0].counts.total == parts[0].total == 30


def test_rows_that_came_by_another_way_are_on_the_list(judged: Database) -> None:
    with judged.reading() as session:
        study, series = (dict(session.execute(select(t.__table__)).mappings().one()) for t in (Study, Series))
    with judged.engine.begin() as connection:
        connection.execute(insert(Study.__table__).values(**{**study, "id": "bulk"}))
        connection.execute(insert(Series.__table__).values(**{**series, "id": "bulk1", "study_id": "bulk"}))
    assert set(ids(judged, 100)) == {"st1", "bulk"}
    with judged.writing() as session:
        session.get_one(Standing, "st1").rule = 0
    judged.complete()
    with judged.reading() as session:
        assert len(set(session.scalars(select(Standing.rule)))) == 1


@pytest.mark.parametrize(
    "asked",
    [
        "p1",
        "Ｐ１",
        "YAMADA",
        "tarou  yama",
        "山田太郎",
        "ヤマダ",
        "ﾔﾏﾀﾞ",
        "やまだ 太郎",
        "muller",
        "a%b_c",
    ],
)
def test_words_are_found_however_they_are_typed(database: Database, options: Settings, asked: str) -> None:
    with database.writing() as session:
        arrive_and_judge(session, options)
        whose = session.get_one(Study, "st1").demographics
        session.get_one(Study, "st1").demographics = type(whose)(
            "P1", "Yamada^Tarou^Müller=山田^太郎=やまだ^たろう", accession_number="a%b_c"
        )
        queue.arrive(session, seen("s2", "st2"), after(0), options)
    assert ids(database, 100, Asked(search=asked)) == ["st1"]


def test_next_goes_round_from_where_the_reader_is(database: Database, options: Settings) -> None:
    with database.writing() as session:
        for number in range(3):
            queue.arrive(session, seen(f"s{number}", f"st{number}"), after(number), options)

    def from_(study: str) -> list[str]:
        with database.reading() as session:
            return [row.id for row in following(session, study, EVERYTHING, after(1000), DAY)]

    assert from_("") == from_("gone") == ["st0", "st1", "st2"]
    assert from_("st0") == ["st1", "st2"]
    assert from_("st1") == ["st2", "st0"]


def test_a_blind_reader_s_list_is_by_arrival_with_what_they_spoke_of_last(
    database: Database, options: Settings
) -> None:
    with database.writing() as session:
        for number, urgency in enumerate((Urgency.GREEN, Urgency.BLACK, Urgency.RED)):
            queue.arrive(session, seen(f"s{number}", f"st{number}"), after(10 * number), options)
            claim = claimed(session, options, 10 * number + 3)
            said = judgement(urgency, f"{number}", series=f"s{number}")
            results.record_assessed(session, claim, said, after(10 * number + 4), options)
        say(session, "s0", 100, Urgency.GREEN)
        say(session, "s1", 100, Urgency.GREEN, "ito")
    assert ids(database, 200) == ["st2", "st0", "st1"]
    view = KeptLists().get(database, Asked(blind_for="sato"), after(200), DAY)
    assert [row.id for row in view.rows] == ["st1", "st2", "st0"]
    assert view.to_speak_of == 2
