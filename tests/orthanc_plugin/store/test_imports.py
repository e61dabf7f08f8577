"""Where imported studies are found: never before those of the scanner, and never instead of them."""

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as run_with
from hypothesis import strategies as st
from sqlalchemy.orm import Session
from store_samples import MEMORY, START, after, judgement, open_store, owner_of, seen, settings

from orthanc_plugin.answer import ImportedStudyView
from orthanc_plugin.errors import RefusedError, UnavailableError
from orthanc_plugin.service import Triage
from orthanc_plugin.store import imports, queue, results, withdrawal
from orthanc_plugin.store.queue import Seen
from orthanc_plugin.store.results import Description
from orthanc_plugin.store.tables import AuditEntry, Import, Study

UID = "1.3.st1"
"""Of the study that ``seen`` makes."""


def announce(session: Session, *, new: bool = False, uid: str = UID) -> ImportedStudyView:
    (said,) = imports.announce(session, [uid, uid], new=new, actor="clerk", now=START)
    return said


def uploaded(series: str = "s1", **changes: object) -> Seen:
    return seen(series, uploaded=True, **changes)


def earlier(session: Session) -> bool:
    return session.get_one(Study, "st1").earlier


def describe(session: Session, options: queue.Settings, *, by_date: bool) -> None:
    """A worker judges whatever waits."""
    while claim := queue.claim(session, "h/1", after(100), options):
        said = judgement(series=claim.series_id)
        object.__setattr__(said, "description", Description(earlier=by_date))
        assert results.record_assessed(session, claim, said, after(101), options)


@pytest.mark.parametrize("new", [False, True])
@pytest.mark.parametrize("by_date", [False, True])
def test_what_was_said_counts_before_and_after_the_date_is_known(
    session: Session, options: queue.Settings, new: bool, by_date: bool
) -> None:
    said = announce(session, new=new)
    assert (said.known, said.earlier) == (False, not new)
    queue.arrive(session, uploaded(), after(1), options)
    assert earlier(session) == (not new), "its place is known before anybody looks at the images"
    describe(session, options, by_date=by_date)
    assert earlier(session) == (not new)


@pytest.mark.parametrize("by_date", [False, True])
def test_unannounced_studies_go_by_their_date(
    session: Session, options: queue.Settings, by_date: bool
) -> None:
    queue.arrive(session, uploaded(), after(1), options)
    describe(session, options, by_date=by_date)
    assert earlier(session) == by_date


def test_an_import_moves_nothing_out_of_the_queue(session: Session, options: queue.Settings) -> None:
    queue.arrive(session, seen(), after(1), options)
    said = announce(session)
    assert (said.known, said.earlier) == (True, False)
    queue.arrive(session, uploaded("s2"), after(2), options)
    describe(session, options, by_date=False)
    assert not earlier(session)


def test_what_the_scanner_sends_is_queued_whatever_was_announced(
    session: Session, options: queue.Settings
) -> None:
    announce(session)
    queue.arrive(session, uploaded(), after(1), options)
    assert earlier(session)
    queue.arrive(session, seen("s2"), after(2), options)
    assert not earlier(session)
    queue.arrive(session, uploaded(), after(3), options)
    describe(session, options, by_date=False)
    assert not earlier(session)


def test_declared_new_later_it_comes_into_the_queue_and_stays(
    session: Session, options: queue.Settings
) -> None:
    announce(session)
    queue.arrive(session, uploaded(), after(1), options)
    said = announce(session, new=True)
    assert (said.known, said.earlier) == (True, False)
    assert not earlier(session)
    assert not announce(session).earlier, "once in the queue it is not moved out"
    queue.arrive(session, seen("s2"), after(2), options)
    describe(session, options, by_date=True)
    assert not earlier(session)


def test_a_deleted_study_is_imported_anew(session: Session, options: queue.Settings) -> None:
    queue.arrive(session, seen(), after(1), options)
    withdrawal.withdraw(session, "s1", after(2))
    assert not announce(session).known
    queue.arrive(session, uploaded(), after(3), options)
    assert earlier(session)


def test_a_cd_never_keeps_the_queue_waiting(session: Session, options: queue.Settings) -> None:
    announce(session)
    for number in range(3):
        queue.arrive(session, uploaded(f"cd{number}"), after(number), options)
    queue.arrive(session, seen("new", "st2", study_instance_uid="1.3.st2"), after(5), options)
    assert owner_of(queue.claim(session, "h/1", after(60), options)) == "new"
    assert owner_of(queue.claim(session, "h/1", after(60), options)) == "cd0"


@pytest.mark.parametrize(("uid", "told"), [("1.2.840.1", "1.2.840.1"), ("Yamada^Tarou", "no UID")])
def test_who_announced_is_kept_and_no_name_that_was_typed(session: Session, uid: str, told: str) -> None:
    announce(session, new=True, uid=uid)
    row = session.get_one(Import, uid)
    assert (row.actor, row.announced_at, row.earlier) == ("clerk", START, False)
    entry = session.query(AuditEntry).one()
    assert (entry.event, entry.actor) == ("import_announced", "clerk")
    assert entry.detail == {"study_instance_uid": told, "new": True}


@dataclass
class Nobody:
    """No processes: nothing is judged here."""

    restarts = 0
    problem = ""
    alive = 1
    trouble = None


def test_only_named_readers_announce(tmp_path: Path) -> None:
    database = open_store(tmp_path)
    people = {
        login: {"Name": login, "Organisation": "St. Elsewhere", "Role": role}
        for login, role in (("sato", "reader"), ("mori", "viewer"))
    }
    options = settings(tmp_path, People=people)
    for login, authentication in (("sato", False), ("mori", True), ("stranger", True), ("", True)):
        triage = Triage(database, options, Nobody(), Nobody(), "1.10.1", authentication=authentication)
        with pytest.raises(RefusedError):
            triage.announce_import([UID], login, new=False)
    with database.reading() as session:
        assert session.get(Import, UID) is None
    said = triage.announce_import([UID, "1.3.other"], "sato", new=False)
    assert [study.study_instance_uid for study in said.studies] == [UID, "1.3.other"]
    with database.reading() as session:
        assert session.get_one(Import, UID).actor == "sato"
    full = settings(tmp_path, People=people, minimum_free_gigabytes=10**9)
    triage = Triage(database, full, Nobody(), Nobody(), "1.10.1", authentication=True)
    with pytest.raises(UnavailableError, match="disk is nearly full"):
        triage.announce_import(["1.3.more"], "sato", new=False)
    database.close()


EVENTS = st.sampled_from(["announce", "declare new", "upload", "scan", "delete", "judge"])


@given(st.lists(EVENTS, max_size=10))
@run_with(max_examples=16)
def test_once_in_the_queue_a_study_leaves_it_only_when_it_is_deleted(events: list[str]) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        database, options = open_store(Path(name)), settings(Path(name))
        with database.writing() as session:
            queued = there = False
            for step, event in enumerate(events):
                now = START + timedelta(minutes=step)
                match event:
                    case "announce" | "declare new":
                        imports.announce(session, [UID], new=event == "declare new", actor="a", now=now)
                    case "upload" | "scan":
                        queue.arrive(session, seen(uploaded=event == "upload"), now, options)
                        there = True
                    case "delete":
                        withdrawal.withdraw(session, "s1", now)
                        queued = there = False
                    case "judge":
                        if claim := queue.claim(session, "h/1", now + timedelta(seconds=30), options):
                            results.record_assessed(session, claim, judgement(), now, options)
                if there:
                    is_earlier = earlier(session)
                    assert not (queued and is_earlier), f"moved out of the queue by {event}"
                    assert not (event in {"scan", "declare new"} and is_earlier)
                    queued = not is_earlier
        database.close()
