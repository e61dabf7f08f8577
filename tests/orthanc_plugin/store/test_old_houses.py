"""What is asked often costs the same however long the house has run, and says the same as counting would."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from database_work import counted
from old_house import NOW, RECEIVER, House
from sqlalchemy.orm import Session
from store_samples import open_store, settings

from headct.reports.seals import KeyRing
from orthanc_plugin.audit import chain
from orthanc_plugin.audit.chain import Head
from orthanc_plugin.audit.checking import cut_off
from orthanc_plugin.cases import records
from orthanc_plugin.drift import monitoring
from orthanc_plugin.forwarding import deliveries
from orthanc_plugin.health import figures
from orthanc_plugin.health.figures import Known
from orthanc_plugin.labelling_queue import kept
from orthanc_plugin.models import comparison
from orthanc_plugin.recycling import unread
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import (
    copies,
    imports,
    outbox,
    queue,
    review_documents,
    sent_again,
    shadow,
)
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.queue import Seen
from orthanc_plugin.worker.summing import sum_some

SMALL, LARGE = 40, 240
"""Studies; so many that a third of a row a study would be noticed."""
UNREAD = 20
"""What waits is shown, and costs what it is worth."""
LONG_AGO = NOW - timedelta(minutes=5)
OPTIONS = Settings.model_validate({**settings(Path("/nowhere")).model_dump(), "forward_to": (RECEIVER,)})
RING = KeyRing((b"k" * 32,))
A_NEW_ONE = Seen("n", "st-n", "1.2.9", "1.3.9", "CT", 33)

ASKED_OFTEN: dict[str, Callable[[Session], object]] = {
    "status": lambda s: Known.of(s, OPTIONS, NOW),
    "metrics": lambda s: figures.metrics(s, OPTIONS, NOW),
    "drift monitoring": lambda s: monitoring.drift(s, NOW),
    "labelling queue": lambda s: kept.view(s, NOW),
    "labels": lambda s: records.labels(s, most=10),
    "unread alerts": unread.unread_alerts,
    "what was lost": unread.lost,
    "next to publish": lambda s: outbox.claim_publication(s, NOW),
    "next to judge": lambda s: queue.claim(s, "w", NOW, OPTIONS),
    "does anything wait": queue.anything_waits,
    "next to compare": lambda s: sent_again.claim_comparison(s, NOW, OPTIONS),
    "next copied document": copies.next_document,
    "next report": review_documents.next_due,
    "is there to render": lambda s: outbox.previews_due(s, "w"),
    "next to render": lambda s: outbox.claim_preview(s, "w", 3),
    "next for the shadow": shadow.is_due,
    "next to check": lambda s: outbox.want_checks(s, LONG_AGO, NOW, 1),
    "next to deliver": lambda s: deliveries.claim(s, [RECEIVER], NOW),
    "today": lambda s: imports.today(s, 30, NOW),
    "a series comes": lambda s: queue.arrive(s, A_NEW_ONE, NOW, OPTIONS),
    "a study is announced": lambda s: imports.announce(s, ["1.9"], new=False, actor="sato", now=NOW),
    "a worker is lost": lambda s: queue.worker_lost(s, "nobody", NOW, OPTIONS),
    "is anything to link": chain.is_unlinked,
    "a link": lambda s: chain.link(s, RING, 0, 1),
    "is the end still there": lambda s: cut_off(s, Head(1, "")),
    "next to be summed": lambda s: sum_some(s, 1),
}


@pytest.fixture(scope="module")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, Database]]:
    found = []
    for size in (SMALL, LARGE):
        database = open_store(tmp_path_factory.mktemp("house"))
        House(size, unread=UNREAD, document=b"x").move_in(database)
        with database.writing() as session:
            while sum_some(session, 100):
                pass
        found.append(database)
    yield found[0], found[1]
    for database in found:
        database.close()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown and compared at most, so that the small house has as many."""
    monkeypatch.setattr(kept, "SHOWN", 5)
    monkeypatch.setattr(comparison, "COMPARED", 20)


class Undone(Exception):
    """What was done is not to stay."""


def work(database: Database, what: Callable[[Session], object]) -> tuple[int, int]:
    with counted(database) as done, pytest.raises(Undone), database.writing() as session:
        what(session)
        session.flush()
        raise Undone
    return done.instructions, done.statements


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", ASKED_OFTEN)
def test_what_is_asked_often_costs_the_same(houses: tuple[Database, Database], name: str) -> None:
    small, large = (work(house, ASKED_OFTEN[name]) for house in houses)
    assert large[1] <= small[1] + 2, "statements"
    assert large[0] <= small[0] * 1.5 + 200, "what SQLite does for them"
