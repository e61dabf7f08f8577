"""A store of the last release opens, upgrades, and says what that release said (`last_release/make.py`)."""

import gzip
import json
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from reading_room import PEOPLE, Nobody
from sqlalchemy import select
from store_samples import judgement, settings

from headct.reports.seals import KeyRing
from headct.terms.urgency import Urgency
from orthanc_plugin.audit import chain
from orthanc_plugin.audit.checking import Check
from orthanc_plugin.drift import monitoring
from orthanc_plugin.service import Triage
from orthanc_plugin.store import outbox, queue, results
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import AuditEntry, Document, Series

LAST = Path(__file__).parent / "last_release"
CLOCK = {"generated_at", "waiting_seconds", "result_age_seconds"}
"""What depends on when it is asked."""
SENTENCES = {"en", "ja"}
"""Words may become better from release to release; what they are said of stays."""


NEW = {
    "aside",
    "by_person",
    "change",
    "doubts",
    "frame",
    "images_missing",
    "lost",
    "unsure",
    "unverified",
    "waited_until",
    "waiting_known",
}
"""Fields that answers have since then."""


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What the last release said."""
    found: dict[str, Any] = json.loads((LAST / "answers.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def triage(tmp_path: Path) -> Iterator[Triage]:
    """Today's program on that store."""
    (tmp_path / "triage.sqlite").write_bytes(gzip.decompress((LAST / "store.sqlite.gz").read_bytes()))
    # Which kept what was read on the list.
    options = settings(tmp_path, People=PEOPLE, ReadLeaveAfterHours=0)
    database = Database(options.database_url)
    database.migrate()
    yield Triage(database, options, Nobody(), Nobody(), "1.12.9", authentication=True)
    database.close()


def facts(said: Any) -> Any:
    """Without the clock, the sentences and what is told since."""
    if isinstance(said, dict):
        return {name: facts(value) for name, value in said.items() if name not in CLOCK | SENTENCES | NEW}
    return [facts(value) for value in said] if isinstance(said, list) else said


def test_the_worklist_is_the_same_in_the_same_order(triage: Triage, told: dict[str, Any]) -> None:
    listed = triage.worklist().model_dump(mode="json")
    assert facts({name: listed[name] for name in told["worklist"]}) == facts(told["worklist"])


def test_every_series_with_its_reviews_history_and_documents_is_the_same(
    triage: Triage, told: dict[str, Any]
) -> None:
    assert len(told["series"]) > 15
    for series in told["series"]:
        assert facts(triage.series(series["id"]).model_dump(mode="json")) == facts(series)


def test_labels_and_models_are_the_same(triage: Triage, told: dict[str, Any]) -> None:
    labels = triage.labels().model_dump(mode="json")
    assert facts({name: labels[name] for name in told["labels"]}) == facts(told["labels"])
    models = triage.models().model_dump(mode="json")
    assert {name: facts(models[name]) for name in told["models"]} == facts(told["models"])


def test_the_weeks_of_drift_monitoring_are_the_same(triage: Triage, told: dict[str, Any]) -> None:
    with triage.database.reading() as session:
        watched = monitoring.drift(session, datetime.fromisoformat(told["now"]))
    assert facts(watched.model_dump(mode="json")) == facts(told["drift"])


def test_documents_are_kept_to_the_byte_and_labels_in_orthanc_stay(
    triage: Triage, told: dict[str, Any]
) -> None:
    with triage.database.reading() as session:
        kept = {d.sop_instance_uid: sha256(d.content).hexdigest() for d in session.scalars(select(Document))}
        shown = {
            s.id: list(outbox.publication(session, s.id).series_labels)
            for s in session.scalars(select(Series))
        }
    assert kept == told["documents"]
    assert shown == told["shown_in_orthanc"]


def test_work_goes_on_where_it_was_left(triage: Triage) -> None:
    """What was being judged when the program was updated is taken up again, as all that is pending."""
    options, done = triage.settings, []
    with triage.database.writing() as session:
        queue.host_lost(session, "box", queue.utcnow())
        while (claim := queue.claim(session, "w", queue.utcnow(), options)) is not None:
            said = judgement(Urgency.GREEN, series=claim.series_id)
            assert results.record_assessed(session, claim, said, queue.utcnow(), options)
            done.append(claim.series_id)
    assert len(done) == 4
    assert {row.state for row in triage.worklist().rows} == {"assessed", "not_analysed", "failed"}


def test_who_did_what_is_taken_into_the_chain_under_its_mark(triage: Triage) -> None:
    ring = KeyRing((b"k" * 32,))
    with triage.database.reading() as session:
        before = [
            (e.at, e.event, e.actor) for e in session.scalars(select(AuditEntry).order_by(AuditEntry.id))
        ]
    with triage.database.writing() as session:
        chain.begin(session, ring, queue.utcnow())
        while chain.link(session, ring, 0, 7):
            pass
    check = Check(ring)
    with triage.database.reading() as session:
        assert not check.go_on(session, 10_000)
        began, *after = session.scalars(select(AuditEntry).order_by(AuditEntry.number))
    assert check.faults == []
    assert (began.event, began.detail) == (chain.BEGAN, {"earlier": len(before)})
    assert [(e.at, e.event, e.actor) for e in after] == before
