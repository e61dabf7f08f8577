"""Anything may happen in any order: nothing is ever stuck, and at most one result counts."""

import shutil
import tempfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, strategies
from hypothesis import settings as run_with
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from report_cases import header
from sqlalchemy import select
from store_samples import MEMORY, after, judgement, open_store, seen, settings

from headct.reasons import Reason, ReasonCode
from headct.reports import review_report
from headct.terms.review import Action, Person, Review
from headct.terms.urgency import Urgency
from orthanc_plugin.drift import sums
from orthanc_plugin.drift.facts import Figures, of_study
from orthanc_plugin.errors import ConflictError, NotFoundError
from orthanc_plugin.housekeeping import aged_documents
from orthanc_plugin.housekeeping.aged_documents import LET_GO_AFTER
from orthanc_plugin.states import FINAL, DocumentKind, SeriesState
from orthanc_plugin.store import (
    outbox,
    queue,
    results,
    review_documents,
    reviews,
    sent_again,
    tables,
    withdrawal,
)
from orthanc_plugin.store.queue import Claim
from orthanc_plugin.store.reviews import based_on
from orthanc_plugin.store.standing import tallies
from orthanc_plugin.store.tables import Assessment, Document, Series
from orthanc_plugin.worker.summing import sum_some

READERS = tuple(Person(n, f"{n.title()}^Hanako", "St. Elsewhere") for n in ("sato", "ito"))
READER = strategies.sampled_from(READERS)
IMAGED = review_report.Subject.of_images([header(n) for n in range(3)], "case")
SERIES = strategies.sampled_from(["a", "b"])
URGENCY = strategies.sampled_from(list(Urgency))


def not_nothing(figures: Figures) -> dict[tuple[object, ...], list[int]]:
    flat = {(*key, name): numbers for key, of in figures.of.items() for name, numbers in of.items()}
    return {key: numbers for key, numbers in flat.items() if any(numbers)}


class StoreMachine(RuleBasedStateMachine):
    """Arrivals, deletions, two workers that finish, die or are too late, an Orthanc that is killed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="triage-store-", dir=MEMORY))
        self.database = open_store(self.folder)
        self.options = settings(self.folder)
        self.now = 0.0
        self.images: dict[str, int] = {}
        self.claims: list[Claim] = []
        self.requests = 0
        self.seen: dict[int, str] = {}
        self.said: dict[str, Review] = {}
        """What readers were told is kept, by request."""

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    @initialize()
    def first(self) -> None:
        self.arrive("a")

    @rule(series=SERIES)
    def arrive(self, series: str) -> None:
        self.images[series] = self.images.get(series, 0) + 11
        with self.database.writing() as session:
            row = queue.arrive(
                session, seen(series, "st", self.images[series]), after(self.now), self.options
            )
            assert row.current is None or row.current.preliminary

    @rule(series=SERIES)
    def come_again(self, series: str) -> None:
        """The same number of images; whether they are the same nobody knows yet."""
        if series in self.images:
            with self.database.writing() as session:
                queue.arrive(session, seen(series, "st", self.images[series]), after(self.now), self.options)

    @rule(same=strategies.booleans())
    def compare(self, *, same: bool) -> None:
        with self.database.writing() as session:
            due = sent_again.claim_comparison(session, after(self.now), self.options)
            if due is not None:
                digest = session.get_one(Series, due.series_id).files_digest
                sent_again.compared(session, due, digest if same else "other", after(self.now))

    @rule(seconds=strategies.sampled_from([0.5, 2, 10, 70]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(worker=strategies.sampled_from(["h/1", "h/2"]))
    def claim(self, worker: str) -> None:
        with self.database.writing() as session:
            queue.sign_of_life(session, worker, after(self.now))
            claim = queue.claim(session, worker, after(self.now), self.options)
        if claim is not None:
            self.claims.append(claim)

    def still_held(self, claim: Claim) -> bool:
        with self.database.reading() as session:
            row = session.get_one(Series, claim.series_id)
        return (row.state, row.lease_owner, row.generation) == (
            SeriesState.JUDGING,
            claim.owner,
            claim.generation,
        )

    @precondition(lambda self: self.claims)
    @rule(urgency=URGENCY, preliminary=strategies.booleans(), drawn=strategies.booleans())
    def finish(self, urgency: Urgency, *, preliminary: bool, drawn: bool) -> None:
        claim = self.claims.pop(0)
        held = self.still_held(claim)
        preliminary = preliminary and urgency.alert
        images = str(claim.instance_count)
        said = judgement(urgency, images, preliminary=preliminary, series=claim.series_id, drawn=drawn)
        with self.database.writing() as session:
            recorded = results.record_assessed(
                session, claim, said, after(self.now), self.options, files_digest=images
            )
        assert recorded == held
        if recorded:
            with self.database.reading() as session:
                row = session.get_one(Series, claim.series_id)
                assert row.current is not None
                assert row.current.case_identity == said.case_identity
                regions = [d.sop_instance_uid for d in self.regions(row) if d.withdrawn_at is None]
                assert regions == [d.sop_instance_uid for d in said.documents[2:]]

    @staticmethod
    def regions(series: Series) -> list[Document]:
        return [d for d in series.documents if d.kind is DocumentKind.SEGMENTATION]

    @precondition(lambda self: self.claims)
    @rule(code=strategies.sampled_from([ReasonCode.HEAD_NOT_COVERED, ReasonCode.LOCALIZER]))
    def finish_not_analysed(self, code: ReasonCode) -> None:
        claim = self.claims.pop(0)
        held = self.still_held(claim)
        with self.database.writing() as session:
            assert results.record_not_analysed(session, claim, Reason(code), None, after(self.now)) == held

    @precondition(lambda self: self.claims)
    @rule(judged=strategies.booleans())
    def finish_waiting(self, judged: bool) -> None:
        claim = self.claims.pop(0)
        with self.database.writing() as session:
            results.record_waiting(session, claim, None, after(self.now), self.options, judged=judged)

    @precondition(lambda self: self.claims)
    @rule()
    def fail(self) -> None:
        claim = self.claims.pop(0)
        reason = Reason(ReasonCode.INTERNAL_ERROR, "ValueError")
        with self.database.writing() as session:
            queue.record_failure(session, claim, reason, after(self.now), self.options)

    @precondition(lambda self: self.claims)
    @rule(told=strategies.booleans())
    def worker_killed(self, told: bool) -> None:
        claim = self.claims.pop(0)
        if told:
            with self.database.writing() as session:
                queue.worker_lost(session, claim.owner, after(self.now), self.options)

    @rule()
    def orthanc_killed(self) -> None:
        self.claims.clear()
        with self.database.writing() as session:
            queue.host_lost(session, "h", after(self.now))

    @rule(series=SERIES)
    def delete(self, series: str) -> None:
        self.images.pop(series, None)
        with self.database.writing() as session:
            withdrawal.withdraw(session, series, after(self.now))

    @rule(series=SERIES)
    def rerun(self, series: str) -> None:
        with self.database.writing() as session:
            queue.rerun(session, series, "doctor", after(self.now))

    @rule(fails=strategies.booleans())
    def publish(self, fails: bool) -> None:
        with self.database.writing() as session:
            wish = outbox.claim_publication(session, after(self.now))
            if wish is None:
                return
            if fails:
                outbox.publication_failed(session, wish[0], after(self.now))
                return
            wanted = outbox.publication(session, wish[0])
            for uid in wanted.send:
                outbox.document_sent(session, uid, f"o-{uid}", after(self.now))
            for uid, orthanc_id in wanted.remove:
                outbox.document_removed(session, uid, orthanc_id, after(self.now))
            outbox.published(session, *wish, after(self.now))

    @rule()
    def a_month_passes(self) -> None:
        """As far as documents are concerned."""
        with self.database.writing() as session:
            aged_documents.age(session, after(self.now) + 2 * LET_GO_AFTER)

    @rule(series=SERIES, by=READER, urgency=URGENCY, stale=strategies.booleans(), again=strategies.booleans())
    def review(self, series: str, by: Person, urgency: Urgency, *, stale: bool, again: bool) -> None:
        """A reader speaks, sometimes of what is no longer so, sometimes twice for want of an answer."""
        said = Review(by, after(self.now), Action.RELABEL, urgency)
        self.requests += 1
        for _ in range(1 + again):
            with self.database.writing() as session:
                row = session.get(Series, series)
                seen = "other" if stale or row is None else self.seen.get(self.requests, based_on(row))
                self.seen[self.requests] = seen
                try:
                    reviews.record(
                        session,
                        series,
                        said,
                        seen=seen,
                        request_id=f"r{self.requests}",
                        asked=f"{by.login} {urgency} {seen}",
                        now=after(self.now),
                    )
                except (ConflictError, NotFoundError):
                    continue
            self.said[f"r{self.requests}"] = said

    @rule()
    def report_review(self) -> None:
        with self.database.reading() as session:
            due = review_documents.next_due(session)
        if due is None:
            return
        report = review_report.write(due.review, IMAGED, request_id=due.request_id, sent_at=after(self.now))
        for _worker in range(2):
            with self.database.writing() as session:
                review_documents.record(session, due, report, after(self.now))

    @rule(count=strategies.integers(1, 3))
    def keep_figures(self, count: int) -> None:
        with self.database.writing() as session:
            sum_some(session, count)

    @invariant()
    def what_is_kept_is_what_counting_would_say(self) -> None:
        with self.database.reading() as session:
            kept = {(t.kind, t.key): t.count for t in session.scalars(select(tables.Tally))}
            rows = tallies.of_rows(session.connection())
            assert {kind: kept[kind] for kind in rows} == {kind: count for kind, (count, _) in rows.items()}
            weeks, anew = sums.since(session, date.min), Figures()
            for study_id in session.scalars(select(tables.Study.id)):
                anew.add(of_study(session, study_id))
            assert not_nothing(weeks) == not_nothing(anew)

    @invariant()
    def what_persons_said_stays_and_counts(self) -> None:
        with self.database.reading() as session:
            rows = session.scalars(select(tables.Review).order_by(tables.Review.id)).all()
            assert {row.request_id: Review.from_json(row.content) for row in rows} == self.said
            assert len(rows) == len(self.said)
            for series in session.scalars(select(Series)):
                latest = {row.login: row.urgency for row in series.reviews}
                if series.state is not SeriesState.WITHDRAWN and len(set(latest.values())) == 1:
                    (urgency,) = set(latest.values())
                    assert urgency is not None
                    assert outbox.publication(session, series.id).series_labels == urgency.person_labels()

    @invariant()
    def what_counts_is_one_and_fits_the_state(self) -> None:
        with self.database.reading() as session:
            for row in session.scalars(select(Series)):
                current = [a for a in row.assessments if a.withdrawn_at is None]
                assert len(current) <= 1
                assert 0 <= row.attempts <= self.options.max_attempts
                assert (row.lease_owner is not None) == (row.state is SeriesState.JUDGING)
                assert (row.reason_code is not None) == (
                    row.state in {SeriesState.NOT_ANALYSED, SeriesState.FAILED}
                )
                if row.state is SeriesState.ASSESSED:
                    assert current
                    assert not current[0].preliminary
                if row.state is SeriesState.WITHDRAWN:
                    assert not current
                labels = outbox.publication(session, row.id).series_labels
                spoken_of = bool(row.reviews) and row.state is not SeriesState.WITHDRAWN
                assert (labels == ()) == (not current and not spoken_of)
                if row.state is SeriesState.WAITING and current:
                    assert current[0].urgency.alert

    @invariant()
    def no_document_twice_and_none_without_its_assessment(self) -> None:
        with self.database.reading() as session:
            documents = session.scalars(select(Document)).all()
            of_machine = [d for d in documents if d.kind is not DocumentKind.REVIEW]
            assert len({(d.assessment_id, d.kind) for d in of_machine}) == len(of_machine)
            known = set(session.scalars(select(Assessment.id)))
            assert {d.assessment_id for d in of_machine} <= known
            reported = [r for r in session.scalars(select(tables.Review.report_uid)) if r is not None]
            of_persons = [d.sop_instance_uid for d in documents if d.kind is DocumentKind.REVIEW]
            assert sorted(reported) == sorted(of_persons)
            withdrawn = set(session.scalars(select(Series.id).where(Series.state == SeriesState.WITHDRAWN)))
            for document in documents:
                if document.kind is DocumentKind.REVIEW:
                    assert (document.withdrawn_at is not None) == (document.series_id in withdrawn)

    @invariant()
    def what_is_to_be_in_orthanc_is_never_let_go(self) -> None:
        with self.database.reading() as session:
            for document in session.scalars(select(Document)):
                if document.withdrawn_at is None or document.kind is DocumentKind.REVIEW:
                    assert document.content
                assert (document.content == b"") == (document.let_go_at is not None)

    @invariant()
    def only_what_counts_is_drawn(self) -> None:
        with self.database.reading() as session:
            for row in session.scalars(select(Series)):
                live = [d.assessment_id for d in self.regions(row) if d.withdrawn_at is None]
                assert not live or (row.current is not None and live == [row.current.id])

    @rule()
    def everything_ends(self) -> None:
        """Left alone with a worker that works, every series reaches a final state and is published."""
        self.claims.clear()
        for _ in range(12):
            self.now += 61
            with self.database.writing() as session:
                claim = queue.claim(session, "h/3", after(self.now), self.options)
                if claim is not None:
                    said = judgement(Urgency.GREEN, str(claim.instance_count), series=claim.series_id)
                    assert results.record_assessed(session, claim, said, after(self.now), self.options)
            self.now += 300
            self.report_review()
            self.publish(fails=False)
        with self.database.reading() as session:
            for row in session.scalars(select(Series)):
                assert row.state in FINAL | {SeriesState.WITHDRAWN}
                assert row.publish_wanted == row.publish_done
                for document in row.documents:
                    shown = document.sent_at is not None and document.removed_at is None
                    assert shown == (document.withdrawn_at is None)


TestStore = pytest.mark.long(StoreMachine.TestCase)
TestStore.settings = run_with(
    max_examples=6, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
