"""Whatever the machine and persons said, in any order: label, metadata, report and page say the same."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

from hypothesis import HealthCheck, Phase, strategies
from hypothesis import settings as run_with
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from report_cases import MADE_AT, green
from report_cases import series as images
from sqlalchemy import select
from sqlalchemy.orm import Session
from store_samples import MEMORY, after, open_store, seen, settings
from worklist_samples import in_order

from headct.images.series import CTSeries
from headct.reasons import Reason, ReasonCode
from headct.reports import review_report, structured_report
from headct.reports.identity import case_identity
from headct.terms.review import Action, Exclusion, Person, Review
from headct.terms.urgency import Urgency
from orthanc_plugin.cases import records
from orthanc_plugin.cases.views import WorklistRow
from orthanc_plugin.errors import ConflictError, NotFoundError
from orthanc_plugin.states import DocumentKind
from orthanc_plugin.store import outbox, queue, results, review_documents, reviews, withdrawal
from orthanc_plugin.store.results import Description, Judgement, NewDocument
from orthanc_plugin.store.tables import Document, Series
from orthanc_plugin.web.page import person_sign, sign, urgency_sign
from orthanc_plugin.worker.orthanc_client import OrthancClient
from orthanc_plugin.worker.publishing import Publisher

STUDY = "st"
SERIES = strategies.sampled_from(["a", "b"])
READER = strategies.sampled_from(
    [Person(n, f"{n.title()}^Hanako", "St. Elsewhere") for n in ("sato", "ito", "abe")]
)
URGENCY = strategies.sampled_from(list(Urgency))


class Shelf:
    """An Orthanc that holds every series, and whatever is written on it."""

    def __init__(self) -> None:
        self.metadata: dict[str, str] = {}
        self.labelled: dict[str, set[str]] = {}

    def instances(self, series_id: str) -> tuple[str, ...]:
        return (series_id,)

    def instances_of(self, sop_instance_uid: str) -> tuple[str, ...]:
        return (sop_instance_uid,)

    def has_instance(self, instance_id: str) -> bool:
        return bool(instance_id)

    def store(self, content: bytes) -> str:
        return f"stored {len(content)}"

    def delete_instance(self, instance_id: str) -> None:
        assert instance_id

    def urgency(self, level: str, identifier: str) -> str | None:
        assert level in {"series", "studies"}
        return self.metadata.get(identifier)

    def set_urgency(self, level: str, identifier: str, value: str | None) -> None:
        assert level in {"series", "studies"}
        self.metadata.pop(identifier, None)
        if value is not None:
            self.metadata[identifier] = value

    def labels(self, level: str, identifier: str) -> frozenset[str]:
        assert level in {"series", "studies"}
        return frozenset(self.labelled.get(identifier, ()))

    def set_label(self, level: str, identifier: str, label: str, *, present: bool) -> None:
        assert level in {"series", "studies"}
        held = self.labelled.setdefault(identifier, set())
        (held.add if present else held.discard)(label)


class OneUrgency(RuleBasedStateMachine):
    """One study of two series: images come, a worker judges, three readers speak."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="triage-urgency-", dir=MEMORY))
        self.database = open_store(self.folder)
        self.options = settings(self.folder)
        self.shelf = Shelf()
        self.now = 0.0
        self.images: dict[str, int] = {}
        self.requests = 0

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    @initialize(second=strategies.booleans())
    def first(self, *, second: bool) -> None:
        self.arrive("a")
        if second:
            self.arrive("b")

    @rule(name=SERIES)
    def arrive(self, name: str) -> None:
        """Images of a series, new or late."""
        self.images[name] = self.images.get(name, 0) + 1
        with self.database.writing() as session:
            queue.arrive(session, seen(name, STUDY, self.images[name]), after(self.now), self.options)
        self.look()

    @rule(urgency=URGENCY, early=strategies.booleans())
    def judge(self, urgency: Urgency, *, early: bool) -> None:
        """The next series as a whole, or of a part of it an alert."""
        self.now += 3 if early else 61
        with self.database.writing() as session:
            claim = queue.claim(session, "w", after(self.now), self.options)
            if claim is None:
                return
            said = judged(claim.series_id, claim.instance_count, urgency, early=early and urgency.alert)
            assert results.record_assessed(session, claim, said, after(self.now), self.options)
        self.look()

    @rule()
    def refuse(self) -> None:
        """The next series may not be judged."""
        self.now += 61
        with self.database.writing() as session:
            claim = queue.claim(session, "w", after(self.now), self.options)
            if claim is None:
                return
            reason = Reason(ReasonCode.HEAD_NOT_COVERED)
            assert results.record_not_analysed(session, claim, reason, None, after(self.now))
        self.look()

    @rule(name=SERIES, by=READER, urgency=strategies.none() | URGENCY)
    def review(self, name: str, by: Person, urgency: Urgency | None) -> None:
        """A reader gives a colour, or excludes the series."""
        self.now += 1
        self.requests += 1
        said = Review(
            by=by,
            at=after(self.now),
            action=Action.RELABEL if urgency is not None else Action.EXCLUDE,
            urgency=urgency,
            reason=Exclusion.REPEAT if urgency is None else None,
        )
        try:
            with self.database.writing() as session:
                row = session.get(Series, name)
                reviews.record(
                    session,
                    name,
                    said,
                    seen=reviews.based_on(row) if row else "",
                    request_id=f"r{self.requests}",
                    asked="",
                    now=after(self.now),
                )
        except (ConflictError, NotFoundError):
            return
        self.look()

    @precondition(lambda self: len(self.images) > 1)
    @rule(name=SERIES)
    def delete(self, name: str) -> None:
        """A series is deleted from Orthanc."""
        self.images.pop(name, None)
        with self.database.writing() as session:
            withdrawal.withdraw(session, name, after(self.now))
        self.look()

    def look(self) -> None:
        """All is published, and says one thing."""
        self.publish()
        with self.database.reading() as session:
            for row in in_order(records.studies(session), after(self.now)):
                self.agree(session, row)

    def publish(self) -> None:
        while True:
            with self.database.reading() as session:
                due = review_documents.next_due(session)
            if due is None:
                break
            headers = stack_of(due.series_id, self.images[due.series_id]).headers
            report = review_documents.write(due, partial(tuple, headers), MADE_AT, "en")
            with self.database.writing() as session:
                review_documents.record(session, due, report, after(self.now))
        publisher = Publisher(cast(OrthancClient, self.shelf), self.database, self.options)
        # The store's times are not the clock's: what is wished for at any of them is due by now.
        while publisher.publish_next():
            pass

    def agree(self, session: Session, row: WorklistRow) -> None:
        expected = labels(row.urgency, by_person=row.by_person, preliminary=row.preliminary)
        self.shows(row.id, expected)
        if row.urgency is not None:
            shown = (person_sign if row.by_person else urgency_sign)(row.urgency, "en")
            assert sign(row, "en") == shown
        reported: set[tuple[Urgency, bool]] = set()
        for summary in row.series:
            series = session.get_one(Series, summary.id)
            current, verdict = series.current, series.verdict
            if current is not None and not current.preliminary:
                assert says(session, series, DocumentKind.STRUCTURED_REPORT) == current.urgency
                reported.add((current.urgency, False))
            if verdict.urgency is not None:
                assert says(session, series, DocumentKind.REVIEW) == verdict.urgency
                reported.add((verdict.urgency, True))
            by_person = verdict.urgency is not None
            urgency = verdict.urgency if by_person else current.urgency if current else None
            early = not by_person and current is not None and current.preliminary
            self.shows(series.id, labels(urgency, by_person=by_person, preliminary=early))
        of_a_part = row.preliminary and not row.by_person
        assert row.urgency is None or of_a_part or (row.urgency, row.by_person) in reported

    def shows(self, identifier: str, labels: Sequence[str]) -> None:
        assert self.shelf.urgency("series", identifier) == (",".join(labels) or None)
        assert self.shelf.labels("series", identifier) == set(labels)


def judged(name: str, count: int, urgency: Urgency, *, early: bool) -> Judgement:
    """As a worker makes it, with the report written of it; another model for every urgency."""
    stack = stack_of(name, count)
    said = replace(green(stack), urgency=urgency, key_slices=())
    said = replace(said, bundle=replace(said.bundle, digest=f"{urgency:064d}"))
    report = structured_report.write(stack, said, sent_at=MADE_AT)
    uid = structured_report.read(report).sop_instance_uid
    return Judgement(
        assessment=said,
        case_identity=case_identity(stack),
        pixel_digest=stack.pixel_digest,
        preliminary=early,
        description=Description(),
        documents=() if early else (NewDocument(uid, DocumentKind.STRUCTURED_REPORT, report),),
    )


def stack_of(name: str, count: int) -> CTSeries:
    """The images of a series."""
    return images(count + 2, SeriesInstanceUID=f"1.2.{ord(name)}")


def labels(urgency: Urgency | None, *, by_person: bool, preliminary: bool) -> tuple[str, ...]:
    """As the contract has them."""
    if urgency is None:
        return ()
    if by_person:
        return urgency.person_labels()
    return urgency.machine_labels() + ((outbox.PRELIMINARY_LABEL,) if preliminary else ())


def says(session: Session, series: Series, kind: DocumentKind) -> Urgency | None:
    """The report of what counts of a series: of the machine's result, or of the review that counts."""
    if kind is DocumentKind.REVIEW:
        by = series.verdict.by
        assert by is not None
        (row,) = (r for r in series.reviews if Review.from_json(r.content) == by)
        assert row.report_uid
        document = session.get_one(Document, row.report_uid)
        assert document.withdrawn_at is None
        return review_report.read(document.content).review.urgency
    current = series.current
    assert current is not None
    found = session.scalars(
        select(Document).where(
            Document.assessment_id == current.id, Document.kind == kind, Document.withdrawn_at.is_(None)
        )
    ).one()
    return structured_report.read(found.content).urgency


def test_more_of_an_alert_that_readers_saw_in_part_counts_beside_their_word() -> None:
    study = OneUrgency()
    study.arrive("a")
    study.judge(Urgency.GREEN, early=False)
    study.arrive("b")
    study.judge(Urgency.RED, early=True)
    study.review("a", Person("sato", "Sato^Hanako", "St. Elsewhere"), Urgency.GREEN)
    assert study.shelf.urgency("studies", STUDY) == "triage-green"
    study.now += 1
    study.arrive("b")
    assert study.shelf.urgency("studies", STUDY) == f"triage-red,{outbox.PRELIMINARY_LABEL}"
    study.teardown()


def test_what_was_said_of_a_deleted_series_counts_again_when_it_is_back() -> None:
    study = OneUrgency()
    for name in ("a", "b"):
        study.arrive(name)
        study.judge(Urgency.GREEN, early=False)
    study.review("b", Person("sato", "Sato^Hanako", "St. Elsewhere"), Urgency.RED)
    study.delete("b")
    assert study.shelf.urgency("studies", STUDY) == "triage-green"
    study.arrive("b")
    assert study.shelf.urgency("studies", STUDY) == "triage-red"
    study.teardown()


TestOneUrgency = OneUrgency.TestCase
TestOneUrgency.settings = run_with(
    max_examples=7,
    stateful_step_count=15,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.reuse, Phase.generate],  # to shrink a find would take many minutes
)
