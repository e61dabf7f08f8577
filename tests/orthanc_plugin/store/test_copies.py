"""Copies that Orthanc makes of images that are here: one of a family stands for all in the queue."""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, strategies
from hypothesis import settings as run_with
from sqlalchemy import select
from sqlalchemy.orm import Session
from store_samples import MEMORY, NOT_COVERED, after, claimed, judgement, open_store, seen, settings

from headct.terms.review import Action, Person, Review
from headct.terms.urgency import Urgency
from orthanc_plugin.cases import records, worklist
from orthanc_plugin.recycling import unread
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import DocumentKind, SeriesState
from orthanc_plugin.store import copies, imports, queue, results, review_documents, reviews, withdrawal
from orthanc_plugin.store.reviews import based_on
from orthanc_plugin.store.tables import AuditEntry, Series, Study

SATO = Person("sato", "Sato^Hanako", "St. Elsewhere")


def arrive(
    session: Session, options: Settings, at: float, name: str, count: int = 33, **changes: object
) -> None:
    queue.arrive(session, seen(name, f"st-{name}", count, **changes), after(at), options)


def judge(
    session: Session,
    options: Settings,
    at: float,
    urgency: Urgency = Urgency.RED,
    pixels: str = "head",
) -> Series:
    claim = claimed(session, options, at)
    said = judgement(urgency, series=claim.series_id, pixels=pixels)
    assert results.record_assessed(session, claim, said, after(at + 1), options)
    return session.get_one(Series, claim.series_id)


def original(session: Session, options: Settings, *, read: Urgency | None = None) -> Series:
    """Arrived at 0, judged at 4, read at 10."""
    arrive(session, options, 0, "a")
    series = judge(session, options, 3)
    if read is not None:
        review(session, series, read, 10)
    return series


def review(session: Session, series: Series, urgency: Urgency, at: float) -> None:
    said = Review(SATO, after(at), Action.RELABEL, urgency)
    reviews.record(
        session, series.id, said, seen=based_on(series), request_id=f"r{at}", asked="", now=after(at)
    )


def modified(session: Session, options: Settings, at: float, **changes: object) -> Series:
    arrive(session, options, at, "b", copied_from="a", uploaded=True, **changes)
    return session.get_one(Series, "b")


def anew(session: Session) -> None:
    """As the next transaction finds it."""
    session.flush()
    session.expire_all()


def queued(session: Session) -> list[str]:
    return sorted(s.series[0].id for s in records.studies(session) if s.shown and not s.earlier)


def row(session: Session, series: str) -> worklist.WorklistRow:
    (study,) = records.studies(session, [f"st-{series}"])
    return worklist.row(study, after(1000))


class TestTheSourceIsDeleted:
    def test_the_copy_takes_its_place(self, session: Session, options: Settings) -> None:
        first = original(session, options, read=Urgency.GREEN)
        copy = modified(session, options, 100)
        withdrawal.withdraw(session, "a", after(101))
        assert copy.first_arrival == copy.study.first_arrival == after(0), "before it is judged"
        judge(session, options, 103)
        anew(session)
        shown = row(session, "b")
        assert (shown.urgency, shown.machine_urgency) == (Urgency.GREEN, Urgency.RED)
        assert shown.reviewed and not shown.reopened
        assert shown.waiting_seconds == 10, "until the first word"
        assert queued(session) == ["b"]
        assert first.superseded_by == "b"
        events = session.scalars(select(AuditEntry.event).where(AuditEntry.series_id == "b")).all()
        assert "took_place" in events
        due = review_documents.next_due(session)
        assert due is not None and due.series_id == "b" and due.machine_report is not None

    def test_also_when_it_was_judged_before_the_source_was_deleted(
        self, session: Session, options: Settings
    ) -> None:
        original(session, options, read=Urgency.GREEN)
        copy = modified(session, options, 100)
        judge(session, options, 103)
        assert queued(session) == ["a"] and not copy.reviews
        withdrawal.withdraw(session, "a", after(200))
        anew(session)
        assert queued(session) == ["b"] and row(session, "b").reviewed

    def test_twice_in_a_row_before_anything_is_judged(self, session: Session, options: Settings) -> None:
        original(session, options, read=Urgency.GREEN)
        modified(session, options, 100)
        withdrawal.withdraw(session, "a", after(101))
        arrive(session, options, 102, "c", copied_from="b", uploaded=True)
        withdrawal.withdraw(session, "b", after(103))
        judge(session, options, 106)
        anew(session)
        assert queued(session) == ["c"]
        assert row(session, "c").reviewed and session.get_one(Series, "c").first_arrival == after(0)

    def test_other_pixels_take_the_waiting_time_and_no_words(
        self, session: Session, options: Settings
    ) -> None:
        original(session, options, read=Urgency.GREEN)
        copy = modified(session, options, 100, count=10)
        withdrawal.withdraw(session, "a", after(101))
        judge(session, options, 103, pixels="part of the head")
        assert not copy.reviews and copy.first_arrival == after(0) and not row(session, "b").reviewed

    def test_what_was_not_analysed_and_read_stays_read(self, session: Session, options: Settings) -> None:
        arrive(session, options, 0, "a")
        results.record_not_analysed(session, claimed(session, options, 60), NOT_COVERED, None, after(61))
        review(session, session.get_one(Series, "a"), Urgency.GREEN, 70)
        modified(session, options, 100)
        withdrawal.withdraw(session, "a", after(101))
        results.record_not_analysed(session, claimed(session, options, 160), NOT_COVERED, None, after(161))
        anew(session)
        assert row(session, "b").reviewed and not row(session, "b").reopened

    def test_a_series_nobody_spoke_of_does_not_open_the_study_again(
        self, session: Session, options: Settings
    ) -> None:
        for name in ("a", "x"):
            queue.arrive(session, seen(name, "st-a"), after(0), options)
            judge(session, options, 3, Urgency.RED, pixels=name)
        review(session, session.get_one(Series, "a"), Urgency.GREEN, 10)
        anew(session)
        assert row(session, "a").reviewed
        for name, source in (("b", "a"), ("y", "x")):
            queue.arrive(session, seen(name, "st-b", copied_from=source), after(100), options)
            withdrawal.withdraw(session, source, after(101))
            judge(session, options, 103, Urgency.RED, pixels=source)
        anew(session)
        assert row(session, "b").reviewed and not row(session, "b").reopened

    def test_an_import_stays_an_earlier_study(self, session: Session, options: Settings) -> None:
        imports.announce(session, ["1.3.st-a"], new=False, actor="x", now=after(0))
        arrive(session, options, 0, "a", uploaded=True)
        judge(session, options, 3)
        modified(session, options, 100)
        withdrawal.withdraw(session, "a", after(101))
        judge(session, options, 103)
        assert queued(session) == []
        assert session.get_one(Study, "st-b").earlier

    def test_the_source_comes_again_from_the_scanner(self, session: Session, options: Settings) -> None:
        original(session, options, read=Urgency.GREEN)
        modified(session, options, 100)
        withdrawal.withdraw(session, "a", after(101))
        judge(session, options, 103)
        arrive(session, options, 200, "a")
        judge(session, options, 203)
        anew(session)
        assert queued(session) == ["b"], "the corrected one keeps the place that it took"
        arrive(session, options, 300, "a", count=40)
        judge(session, options, 303, pixels="more of the head")
        assert queued(session) == ["a", "b"]


class TestTheSourceIsKept:
    def test_the_copy_is_earlier(self, session: Session, options: Settings) -> None:
        original(session, options)
        copy = modified(session, options, 100)
        assert queued(session) == ["a"], "at once"
        judge(session, options, 103)
        assert queued(session) == ["a"] and copy.state is SeriesState.ASSESSED

    def test_uids_that_are_kept_take_nothing_off_the_worklist(
        self, session: Session, options: Settings
    ) -> None:
        original(session, options)
        same = {"series_instance_uid": "1.2.a", "study_instance_uid": "1.3.st-a"}
        modified(session, options, 100, **same)
        judge(session, options, 103)
        assert session.get_one(Series, "a").state is SeriesState.ASSESSED
        assert queued(session) == ["a"]

    def test_uids_that_are_kept_while_the_source_is_still_judged(
        self, session: Session, options: Settings
    ) -> None:
        arrive(session, options, 0, "a")
        same = {"series_instance_uid": "1.2.a", "study_instance_uid": "1.3.st-a"}
        slow = claimed(session, options, 3)
        modified(session, options, 4, **same)
        judge(session, options, 8)
        said = judgement(Urgency.RED, series="a", pixels="head")
        results.record_assessed(session, slow, said, after(9), options)
        assert session.get_one(Series, "a").state is SeriesState.ASSESSED
        assert queued(session) == ["a"]

    def test_a_copy_that_shows_worse_is_queued(self, session: Session, options: Settings) -> None:
        arrive(session, options, 0, "a")
        judge(session, options, 3, Urgency.GREEN)
        modified(session, options, 100)
        judge(session, options, 103, Urgency.RED, pixels="others")
        assert queued(session) == ["a", "b"]

    def test_a_copy_beside_a_source_of_which_nothing_is_known_is_queued(
        self, session: Session, options: Settings
    ) -> None:
        arrive(session, options, 0, "a", count=5)
        results.record_not_analysed(session, claimed(session, options, 60), NOT_COVERED, None, after(61))
        modified(session, options, 100)
        judge(session, options, 103)
        assert queued(session) == ["a", "b"]

    def test_a_study_with_images_of_its_own_stays_queued(self, session: Session, options: Settings) -> None:
        original(session, options)
        queue.arrive(session, seen("own", "st-b"), after(50), options)
        judge(session, options, 53, Urgency.GREEN, pixels="own")
        modified(session, options, 100)
        judge(session, options, 103)
        shown = [s.id for s in records.studies(session) if s.shown and not s.earlier]
        assert sorted(shown) == ["st-a", "st-b"]


class TestAnonymised:
    def test_it_takes_the_place_and_names_nobody(self, session: Session, options: Settings) -> None:
        original(session, options, read=Urgency.GREEN)
        copy = modified(session, options, 100, anonymised=True)
        withdrawal.withdraw(session, "a", after(101))
        judge(session, options, 103)
        anew(session)
        assert queued(session) == ["b"] and row(session, "b").reviewed
        assert review_documents.next_due(session) is None
        assert [r.report_uid for r in copy.reviews] == [reviews.NONE_WRITTEN]
        assert not [d for d in copy.documents if d.kind is DocumentKind.REVIEW]

    def test_a_corrected_one_comes_before_it(self, session: Session, options: Settings) -> None:
        original(session, options)
        arrive(session, options, 50, "n", copied_from="a", anonymised=True)
        judge(session, options, 53)
        modified(session, options, 100)
        withdrawal.withdraw(session, "a", after(101))
        assert queued(session) == ["b", "n"], "until it is judged: nothing known is put aside for it"
        judge(session, options, 103)
        anew(session)
        assert queued(session) == ["b"]
        withdrawal.withdraw(session, "b", after(200))
        anew(session)
        assert queued(session) == ["n"]

    def test_what_is_made_of_it_names_nobody_either(self, session: Session, options: Settings) -> None:
        original(session, options)
        arrive(session, options, 50, "n", copied_from="a", anonymised=True)
        arrive(session, options, 60, "m", copied_from="n")
        assert session.get_one(Series, "m").anonymised


class TestMergedOrSplit:
    """Orthanc notes of no image what it was made of."""

    def test_the_pixels_tell(self, session: Session, options: Settings) -> None:
        original(session, options, read=Urgency.GREEN)
        arrive(session, options, 100, "m", joined=True, uploaded=True)
        withdrawal.withdraw(session, "a", after(101))
        judge(session, options, 103)
        anew(session)
        assert queued(session) == ["m"] and row(session, "m").reviewed
        assert session.get_one(Series, "m").first_arrival == after(0)

    @pytest.mark.parametrize("counted", [33, 1])
    def test_what_was_deleted_before_it_was_judged_is_no_loss(
        self, session: Session, options: Settings, counted: int
    ) -> None:
        arrive(session, options, 0, "a", counted)
        arrive(session, options, 1, "m", joined=True, uploaded=True)
        withdrawal.withdraw(session, "a", after(2))
        assert [s.id for s in unread.lost(session)] == ["a"], "until its copy is judged"
        judge(session, options, 5)
        anew(session)
        assert not unread.lost(session), "it is here under another study"
        assert queued(session) == ["m"] and session.get_one(Series, "m").first_arrival == after(0)

    def test_what_was_not_analysed_and_read_stays_read(self, session: Session, options: Settings) -> None:
        arrive(session, options, 0, "a")
        results.record_not_analysed(session, claimed(session, options, 60), NOT_COVERED, None, after(61))
        review(session, session.get_one(Series, "a"), Urgency.GREEN, 70)
        arrive(session, options, 100, "m", joined=True, uploaded=True)
        withdrawal.withdraw(session, "a", after(101))
        results.record_not_analysed(session, claimed(session, options, 160), NOT_COVERED, None, after(161))
        anew(session)
        assert row(session, "m").reviewed and not row(session, "m").reopened

    def test_what_was_deleted_for_good_stays_lost(self, session: Session, options: Settings) -> None:
        original(session, options)
        arrive(session, options, 50, "other", 20)
        arrive(session, options, 100, "m", joined=True, uploaded=True)
        withdrawal.withdraw(session, "a", after(101))
        withdrawal.withdraw(session, "other", after(102))
        judge(session, options, 104)
        anew(session)
        assert [s.id for s in unread.lost(session)] == ["other"]

    def test_while_the_source_is_here_it_is_earlier(self, session: Session, options: Settings) -> None:
        original(session, options)
        arrive(session, options, 100, "m", joined=True, uploaded=True)
        judge(session, options, 103)
        assert queued(session) == ["a"]

    def test_the_one_deleted_since_is_the_source_not_its_twin(
        self, session: Session, options: Settings
    ) -> None:
        original(session, options, read=Urgency.GREEN)
        arrive(session, options, 20, "twin")
        judge(session, options, 23)
        arrive(session, options, 100, "m", joined=True, uploaded=True)
        withdrawal.withdraw(session, "twin", after(101))
        judge(session, options, 103)
        assert session.get_one(Series, "m").copied_from == "twin"
        assert queued(session) == ["a", "m"]

    def test_the_same_pixels_sent_from_elsewhere_are_a_case_of_their_own(
        self, session: Session, options: Settings
    ) -> None:
        original(session, options, read=Urgency.GREEN)
        arrive(session, options, 100, "other")
        withdrawal.withdraw(session, "a", after(101))
        judge(session, options, 103)
        assert queued(session) == ["other"] and not row(session, "other").reviewed


STEP = strategies.tuples(
    strategies.sampled_from(["source", "modified", "anonymised", "of modified", "delete", "read"]),
    strategies.integers(0, 3),
    strategies.sampled_from(list(Urgency)),
    strategies.sampled_from([20, 33]),
)
MADE_OF = {"source": None, "modified": "source", "anonymised": "source", "of modified": "modified"}


@pytest.mark.long
@given(steps=strategies.lists(STEP, max_size=10))
@run_with(phases=[Phase.generate], max_examples=9, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_happens_nothing_worse_is_hidden(steps: list[tuple[str, int, Urgency, int]]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="triage-copies-", dir=MEMORY))
    database, options = open_store(folder), settings(folder)
    names = list(MADE_OF)
    with database.writing() as session:
        for number, (what, which, urgency, count) in enumerate(steps):
            at = 100.0 * number
            series = session.get(Series, names[which])
            if what == "delete":
                withdrawal.withdraw(session, names[which], after(at))
            elif what == "read":
                if series is not None and series.state.final:
                    review(session, series, urgency, at)
            else:
                made = {"copied_from": MADE_OF[what], "anonymised": what == "anonymised"}
                arrive(session, options, at, what, count, **made)
                while claim := queue.claim(session, "w", after(at + 5), options):
                    said = judgement(urgency, f"{urgency}{count}", series=claim.series_id)
                    results.record_assessed(session, claim, said, after(at + 6), options)
            anew(session)
            here = [s for s in session.scalars(select(Series)) if s.state is not SeriesState.WITHDRAWN]
            standing = [s for s in here if not s.aside]
            assert bool(here) == bool(standing)
            for family in {frozenset(s.id for s in copies.family(session, s)) for s in here}:
                shown = [s.current.urgency for s in standing if s.id in family and s.current]
                hidden = [s.current.urgency for s in here if s.id in family and s.aside and s.current]
                assert not hidden or max(hidden) <= max(shown)
            assert sum(len(s.reviews) for s in here) <= sum(w == "read" for w, *_ in steps) * len(names)
    database.close()
    shutil.rmtree(folder)
