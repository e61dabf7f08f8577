"""An alert of the first of several networks goes out while the others look; one report follows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundles import THREE, threshold_bundle
from drawn_heads import BLOOD, ball, whole_head, write_series
from store_samples import seen, settings

from headct.terms.urgency import Urgency
from orthanc_plugin.states import DocumentKind, SeriesState
from orthanc_plugin.store import outbox, queue
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import Series
from orthanc_plugin.worker import loop
from orthanc_plugin.worker.fetching import Fetched
from orthanc_plugin.worker.loop import Worker
from orthanc_plugin.worker.publishing import Publisher
from orthanc_plugin.worker.serving import Serving
from orthanc_plugin.worker.verifying import Verifier

SLABS = 28


class Orthanc:
    """Has a series of which the files are given by hand."""

    def instances(self, _: str) -> tuple[str, ...]:
        return ("i",) * SLABS

    def reports_of(self, _: str) -> tuple[str, ...]:
        return ()


@pytest.fixture
def shown() -> list[tuple[tuple[str, ...], SeriesState]]:
    """Labels and state of the series whenever something might be published."""
    return []


@pytest.fixture
def worker(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shown: Any) -> Worker:
    write_series(
        tmp_path / "series",
        np.where(ball(SLABS, 16, row=20, column=25), BLOOD, whole_head(SLABS)),
        PatientAge="050Y",
    )
    files = sorted((tmp_path / "series").iterdir())
    monkeypatch.setattr(loop, "fetch", lambda *_: Fetched(files))
    for work in ("seek", "look_next", "list_next"):
        monkeypatch.setattr(Verifier, work, lambda *_: False)

    def look(_: Publisher) -> bool:
        with database.reading() as session:
            found = outbox.publication(session, "s1")
            shown.append((found.series_labels, session.get_one(Series, "s1").state))
        return False

    monkeypatch.setattr(Publisher, "publish_next", look)
    bundle = threshold_bundle(tmp_path / "threshold-1.0", networks=THREE)
    options = settings(tmp_path, Bundle=bundle.folder, Previews=False, MinimumFreeGigabytes=0.1)
    with database.writing() as session:
        queue.sign_of_life(session, "w", queue.utcnow())
        queue.arrive(session, seen(count=SLABS), queue.utcnow(), options)
        session.get_one(Series, "s1").not_before = queue.utcnow()
    client: Any = Orthanc()
    return Worker("w", client, database, options, Serving("w", database, options))


def test_it_goes_out_at_once_and_one_report_follows(worker: Worker, database: Database, shown: Any) -> None:
    assert worker.step()
    assert (("triage-red", "triage-preliminary"), SeriesState.JUDGING) in shown
    with database.reading() as session:
        series = session.get_one(Series, "s1")
        assert series.state is SeriesState.ASSESSED
        assert outbox.publication(session, "s1").series_labels == ("triage-red",)
        assert [a.preliminary for a in series.assessments] == [False, True]
        reports = [d for d in series.documents if d.kind is DocumentKind.STRUCTURED_REPORT]
        assert len(reports) == 1 and reports[0].withdrawn_at is None
        assert series.current is not None and series.current.urgency is Urgency.RED


def test_where_it_cannot_go_out_early_the_series_is_judged_all_the_same(
    worker: Worker, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> bool:
        raise OSError("the disk is away")

    monkeypatch.setattr(loop.results, "record_early", away)
    assert worker.step()
    with database.reading() as session:
        series = session.get_one(Series, "s1")
        assert series.state is SeriesState.ASSESSED and len(series.assessments) == 1


@pytest.mark.parametrize("announced", [True, False])
def test_what_is_complete_by_its_ends_is_said_when_it_is_quiet_and_what_was_announced_at_once(
    worker: Worker, database: Database, monkeypatch: pytest.MonkeyPatch, announced: bool
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(loop.time, "sleep", slept.append)
    monkeypatch.setattr(loop.judging, "all_there", lambda _: announced)
    monkeypatch.setattr(loop.queue, "HEAD_START_SECONDS", 7200.0)
    worker._settings = worker._settings.model_copy(update={"quiet_seconds": 3600.0})
    assert worker.step()
    assert any(seconds > 60 for seconds in slept) is not announced
    with database.reading() as session:
        assert session.get_one(Series, "s1").state is SeriesState.ASSESSED
