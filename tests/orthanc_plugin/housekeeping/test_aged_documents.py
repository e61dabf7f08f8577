"""Documents as years pass: the same bytes in less room, and none let go that anybody might need."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from store_samples import after, arrive_and_judge, claimed, judgement, open_store, seen, settings

from headct.terms.review import Action, Person, Review
from headct.terms.urgency import Urgency
from orthanc_plugin.forwarding.tables import Delivery, Receiver
from orthanc_plugin.housekeeping import aged_documents
from orthanc_plugin.housekeeping.aged_documents import LET_GO_AFTER
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import DocumentKind
from orthanc_plugin.store import copies, outbox, queue, results, review_documents, reviews, withdrawal
from orthanc_plugin.store.base import Compressed
from orthanc_plugin.store.database import INCREMENTAL, KEPT_PAGES, PAGES_AT_ONCE, Database
from orthanc_plugin.store.tables import CopiedDocument, Document, Series

REPORT = bytes(128) + b"DICM" + b"a finding and its code " * 500
MONTHS = (LET_GO_AFTER + timedelta(days=1)).total_seconds()


def publish(session: Session, at: float, series: str = "s1") -> list[bytes]:
    """As a worker does; what it sends."""
    wanted = outbox.publication(session, series)
    sent = [session.get_one(Document, uid).content for uid in wanted.send]
    for uid in wanted.send:
        outbox.document_sent(session, uid, f"o-{uid}", after(at))
    for uid, orthanc_id in wanted.remove:
        outbox.document_removed(session, uid, orthanc_id, after(at))
    return sent


def contents(session: Session) -> list[bytes]:
    return list(session.scalars(select(Document.content).order_by(Document.sop_instance_uid)))


@given(st.one_of(st.binary(max_size=200), st.sampled_from([REPORT, Compressed.MARK, Compressed.MARK + b"x"])))
def test_bytes_come_back_as_they_were(value: bytes) -> None:
    kind, nobody = Compressed(), None
    stored = kind.process_bind_param(value, nobody)  # type: ignore[arg-type]
    assert stored is not None
    assert kind.process_result_value(stored, nobody) == value  # type: ignore[arg-type]
    assert len(stored) <= len(value) or value.startswith(Compressed.MARK)


def test_what_an_earlier_release_wrote_is_compressed_by_and_by(database: Database, options: Settings) -> None:
    with database.writing() as session:
        arrive_and_judge(session, options)
    raw = text("UPDATE documents SET content = :content, compressed = 0")
    size = text("SELECT sum(length(content)) FROM documents")
    with database.writing() as session:
        session.execute(raw, {"content": REPORT})
        before = session.scalar(size)
    with database.writing() as session:
        assert contents(session) == [REPORT, REPORT], "read as they lie"
        assert aged_documents.age(session, after(9))
    with database.writing() as session:
        assert session.scalar(size) < before / 10
        assert contents(session) == [REPORT, REPORT]
        assert not aged_documents.age(session, after(9))


class TestLettingGo:
    @pytest.fixture(autouse=True)
    def judged_and_sent(self, session: Session, options: Settings) -> None:
        arrive_and_judge(session, options)
        assert publish(session, 5) == [b"1", b"2"]

    def gone(self, session: Session, at: float = 10) -> None:
        withdrawal.withdraw(session, "s1", after(at))
        publish(session, at + 1)

    def test_what_orthanc_has_is_never_let_go(self, session: Session) -> None:
        assert not aged_documents.age(session, after(100 * MONTHS))
        assert contents(session) == [b"1", b"2"]

    def test_results_whose_images_are_gone_are_after_a_month(self, session: Session) -> None:
        self.gone(session)
        assert not aged_documents.age(session, after(MONTHS / 2))
        assert aged_documents.age(session, after(MONTHS + 20))
        assert contents(session) == [b"", b""]
        assert not aged_documents.age(session, after(MONTHS + 20)), "once"
        assert publish(session, MONTHS + 30) == [], "nothing empty is ever sent"

    def test_not_before_they_are_gone_from_orthanc(self, session: Session) -> None:
        withdrawal.withdraw(session, "s1", after(10))
        assert not aged_documents.age(session, after(100 * MONTHS))
        assert contents(session) == [b"1", b"2"]

    def test_not_what_was_sent_on(self, session: Session) -> None:
        first = session.scalars(select(Document.sop_instance_uid).order_by(Document.sop_instance_uid)).first()
        session.add(Receiver(name="pacs", not_before=after(0)))
        session.flush()
        session.add(Delivery(sop_instance_uid=first, receiver="pacs", delivered_at=after(6)))
        self.gone(session)
        aged_documents.age(session, after(MONTHS + 20))
        assert contents(session) == [b"1", b""]

    def test_not_while_copies_are_to_be_compared_with_them(self, session: Session) -> None:
        session.add(CopiedDocument(id="copy", found_at=after(9)))
        self.gone(session)
        assert not aged_documents.age(session, after(MONTHS + 20))

    def test_the_images_come_again(self, session: Session, options: Settings) -> None:
        self.gone(session)
        aged_documents.age(session, after(MONTHS + 20))
        assert list(copies.of_images(session, ["1.2.s1"])) == []
        queue.arrive(session, seen(), after(MONTHS + 30), options)
        claim = claimed(session, options, MONTHS + 40)
        results.record_assessed(session, claim, judgement(), after(MONTHS + 41), options)
        assert publish(session, MONTHS + 42) == [b"1", b"2"]
        assert not aged_documents.age(session, after(9 * MONTHS))

    def test_reviews_are_never_let_go_and_are_reported_without_the_machines(
        self, session: Session, options: Settings
    ) -> None:
        said = Review(Person("sato", "Sato^Hanako", "Hospital"), after(6), Action.CONFIRM, Urgency.RED)
        seen_now = reviews.based_on(session.get_one(Series, "s1"))
        for request in ("r1", "r2"):
            reviews.record(
                session, "s1", said, seen=seen_now, request_id=request, asked=request, now=after(6)
            )
            seen_now = reviews.based_on(session.get_one(Series, "s1"))
        session.add(
            Document(
                sop_instance_uid="2.25.9",
                series_id="s1",
                kind=DocumentKind.REVIEW,
                content=REPORT,
                created_at=after(7),
            )
        )
        session.flush()
        session.expire_all()
        publish(session, 8)
        self.gone(session)
        aged_documents.age(session, after(9 * MONTHS))
        assert sorted(contents(session)) == [b"", b"", REPORT]
        queue.arrive(session, seen(), after(9 * MONTHS + 30), options)
        due = review_documents.next_due(session)
        assert due is not None
        assert due.machine_report is None, "the report is written of the images"


def test_the_file_gives_back_what_it_no_longer_needs(tmp_path: Path) -> None:
    database, options = open_store(tmp_path), settings(tmp_path)
    with database.writing() as session:
        arrive_and_judge(session, options)
        session.execute(text("CREATE TABLE ballast (content BLOB)"))
        for _ in range(40):
            session.execute(text("INSERT INTO ballast VALUES (randomblob(500000))"))
    full = size_of(database)
    assert full > 20_000_000
    with database.writing() as session:
        session.execute(text("DELETE FROM ballast"))
    assert size_of(database) == full
    for _ in range(full // 4096 // PAGES_AT_ONCE + 1):
        database.shrink()
    assert size_of(database) < 4096 * (KEPT_PAGES + 500)
    database.close()


def test_a_file_of_an_earlier_release_gives_back_too(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "triage.sqlite", isolation_level=None)
    old.executescript("PRAGMA journal_mode=WAL; CREATE TABLE old (x); INSERT INTO old VALUES (1);")
    old.close()
    database = Database(f"sqlite:///{tmp_path / 'triage.sqlite'}")
    database.migrate()
    with database.engine.connect() as connection:
        assert connection.execute(text("PRAGMA auto_vacuum")).scalar_one() == INCREMENTAL
        assert connection.execute(text("SELECT x FROM old")).scalar_one() == 1
    database.close()


def size_of(database: Database) -> int:
    with database.engine.connect() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    return int(pages) * 4096
