"""What each place leaves in the log when something fails in it: type and own lines, and nobody's name."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest
from bundles import threshold_bundle
from report_cases import header
from sqlalchemy.exc import OperationalError
from store_samples import after, arrive_and_judge, judgement, seen, settings

from headct.errors import ReportError
from headct.reports.seals import KeyRing
from headct.terms.review import Action, Person, Review
from headct.terms.urgency import Urgency
from orthanc_plugin.intake.arrivals import Arrivals
from orthanc_plugin.intake.supervisor import Supervisor
from orthanc_plugin.settings import ROOT, Settings
from orthanc_plugin.store import queue, reviews
from orthanc_plugin.store.clock import ClockWatch
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import Series
from orthanc_plugin.worker import judging, previews
from orthanc_plugin.worker.in_hand import InHand
from orthanc_plugin.worker.judging import Completeness, Look
from orthanc_plugin.worker.loop import Worker
from orthanc_plugin.worker.orthanc_client import OrthancError
from orthanc_plugin.worker.publishing import Publisher
from orthanc_plugin.worker.rendering import Renderer
from orthanc_plugin.worker.reporting import report_next
from orthanc_plugin.worker.serving import Serving

NAME = "Yamada^Tarou"


def fails(*_: Any, **__: Any) -> NoReturn:
    """As a library that quotes a header."""
    raise KeyError(NAME)


class Orthanc:
    """Has one image of every series; what is asked otherwise fails."""

    well = True

    def instances(self, _: str) -> tuple[str, ...]:
        return ("i",)

    def reports_of(self, _: str) -> tuple[str, ...]:
        return ()

    @contextmanager
    def reading(self, _: str) -> Iterator[Iterator[bytes]]:
        yield iter([b"no image"])

    def is_well(self) -> bool:
        return self.well

    def refuses(self, error: Exception) -> bool:
        return isinstance(error, OrthancError) and self.well

    def __getattr__(self, _: str) -> Callable[..., NoReturn]:
        return fails


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[str, str], None]:
    """Checks that the log says so, and no more."""
    caplog.set_level(logging.DEBUG, logger="orthanc_plugin")

    def check(what: str, where: str) -> None:
        lines = [r.getMessage() for r in caplog.records if r.getMessage().startswith(what)]
        assert lines, caplog.text
        assert f"orthanc_plugin/{where}:" in lines[0]
        assert "Yamada" not in caplog.text

    return check


@pytest.fixture
def worker(database: Database, tmp_path: Path) -> Worker:
    """One with a model, on a store of its own and an Orthanc that is hardly there."""
    options = settings(tmp_path, Bundle=threshold_bundle(tmp_path / "threshold-1.0").folder)
    with database.writing() as session:
        queue.sign_of_life(session, "w", queue.utcnow())
    client: Any = Orthanc()
    return Worker("w", client, database, options, Serving("w", database, options))


def arrive(database: Database, options: Settings) -> None:
    with database.writing() as session:
        queue.arrive(session, seen(), after(0), options)


def judged(database: Database, options: Settings) -> None:
    with database.writing() as session:
        arrive_and_judge(session, options)


def test_a_series_that_cannot_be_judged(
    worker: Worker, database: Database, options: Settings, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(database, options)
    monkeypatch.setattr(judging, "look", fails)
    assert worker._judge_next()
    said("judging failed: KeyError", "worker/loop.py")
    with database.reading() as session:
        assert session.get_one(Series, "s1").attempts == 1
    assert worker.in_hand.busy_since is None


def test_an_orthanc_that_is_away(
    worker: Worker, database: Database, options: Settings, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(self: Orthanc, _: str) -> NoReturn:
        raise OrthancError(NAME)

    class Once:
        """Stops the loop after its first turn."""

        def __init__(self) -> None:
            self.turns = 0

        def is_set(self) -> bool:
            self.turns += 1
            return self.turns > 1

        def wait(self, _: float) -> None:
            """It is not waited here."""

    arrive(database, options)
    monkeypatch.setattr(Orthanc, "well", False)
    monkeypatch.setattr(Orthanc, "reading", away)
    monkeypatch.setattr(Publisher, "publish_next", lambda _: False)
    stopped: Any = Once()
    worker.run(stopped)
    said("trouble with Orthanc, the store or the disk: OrthancError", "worker/fetching.py")
    with database.reading() as session:
        assert session.get_one(Series, "s1").attempts == 0, "given back"


def test_what_cannot_be_published(database: Database, options: Settings, said: Any) -> None:
    judged(database, options)
    client: Any = Orthanc()
    assert Publisher(client, database, options).publish_next()
    said("publishing failed: KeyError", "worker/publishing.py")


def test_what_cannot_be_rendered(
    database: Database, options: Settings, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(database, options)
    monkeypatch.setattr(previews, "render", fails)
    monkeypatch.setattr(Renderer, "_read", lambda *_: object())
    client: Any = Orthanc()
    assert Renderer("w", client, database, options).render_next()
    said("rendering failed: KeyError", "worker/rendering.py")


def test_a_review_of_which_no_report_can_be_written(database: Database, options: Settings, said: Any) -> None:
    judged(database, options)
    with database.writing() as session:
        reviews.record(
            session,
            "s1",
            Review(Person("sato", "Sato^Hanako", "Hospital"), after(60), Action.CONFIRM, Urgency.RED),
            seen=reviews.based_on(session.get_one(Series, "s1")),
            request_id="r",
            asked="r",
            now=after(60),
        )
    client: Any = Orthanc()
    assert report_next(client, database, options, KeyRing((bytes(32),)))
    said("no report could be written of a review: ReportError", "store/review_documents.py")


def test_a_result_of_which_no_report_can_be_written(
    options: Settings, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: Any, **__: Any) -> NoReturn:
        raise ReportError(NAME)

    monkeypatch.setattr(judging.structured_report, "write", refuses)
    monkeypatch.setattr(judging, "case_identity", lambda _: "c")
    made = judgement()
    series: Any = type("Stack", (), {"pixel_digest": "p", "sop_instance_uids": (), "headers": (header(0),)})
    found: Any = Look(None, Completeness.COMPLETE, series)  # type: ignore[arg-type]
    judging.judgement(
        found,
        made.assessment,
        made.description,
        predecessor=lambda _: None,
        settings=options,
        sent_at=after(0),
    )
    said("no report could be written: ReportError", "worker/judging.py")


def test_a_store_that_is_away_while_a_claim_is_given_back(
    database: Database, options: Settings, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> NoReturn:
        raise OperationalError(NAME, {}, Exception(NAME))

    arrive(database, options)
    with database.writing() as session:
        claim = queue.claim(session, "w", after(9), options)
    monkeypatch.setattr(queue, "release", away)
    in_hand = InHand(claim)
    in_hand.give_back(database)
    said("not released: OperationalError", "worker/in_hand.py")
    assert in_hand.claim is None


def test_arrivals_that_fail(
    database: Database, options: Settings, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower = Arrivals(fails, database, options, ClockWatch(database, options))
    follower.rounds.once()
    said("arrivals: KeyError", "intake/arrivals.py")
    assert str(follower.trouble) == "KeyError"


def test_a_worker_that_cannot_be_started(
    database: Database, options: Settings, said: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Supervisor(options, database, ClockWatch(database, options), "token")
    monkeypatch.setattr("orthanc_plugin.intake.supervisor.subprocess.Popen", fails)
    watched.rounds.once()
    said("supervisor: KeyError", "intake/supervisor.py")
    assert str(watched.trouble) == "KeyError"
    watched.stop()


ORTHANC = """
import runpy, sys, types
said = []
orthanc = types.ModuleType("orthanc")
orthanc.LogError = orthanc.LogWarning = orthanc.LogInfo = said.append
orthanc.ChangeType = types.SimpleNamespace(
    NEW_INSTANCE=1, NEW_SERIES=2, UPDATED_METADATA=3, ORTHANC_STARTED=4, ORTHANC_STOPPED=5, DELETED=6
)
orthanc.ResourceType = types.SimpleNamespace(SERIES=1, INSTANCE=2)
orthanc.OrthancException = OSError
orthanc.RegisterRestCallback = orthanc.RegisterOnChangeCallback = lambda *_: None
orthanc.RegisterReceivedInstanceCallback = lambda _: None
orthanc.RegisterIncomingHttpRequestFilter = lambda _: None
orthanc.GetConfiguration = lambda: "{}"
orthanc.GenerateRestApiAuthorizationToken = lambda: "Bearer token"
orthanc.CheckVersionAdvanced = lambda *asked: asked <= (1, 12, 6)
sys.modules["orthanc"] = orthanc
plugin = runpy.run_path(sys.argv[1])
assert plugin["triage"].version == "1.12.6"


class Runtime:
    def answer(self, *_):
        import logging

        try:
            {}[NAME]
        except KeyError:
            logging.getLogger("orthanc_plugin.part").exception("it failed")
        raise ValueError(NAME)


class Output:
    def SendHttpStatus(self, status, body):
        print(status, body)


NAME = "Yamada^Tarou"
plugin["triage"].runtime = Runtime()
plugin["on_request"](Output(), "/triage/api", method="GET")
print(*said, sep="\\n")
"""
"""A server that loads the plugin's script and lets it fail in a callback."""


def test_a_callback_of_orthanc_that_fails() -> None:
    script = ROOT / "orthanc_plugin" / "plugin.py"
    ended = subprocess.run(
        [sys.executable, "-c", ORTHANC, str(script)], text=True, capture_output=True, check=True
    )
    status, *lines = ended.stdout.splitlines()
    assert status.startswith("500 ")
    assert lines[0] == "orthanc_plugin.part: it failed (KeyError)"
    assert lines[1].startswith("Triage, REST: ValueError at orthanc_plugin/plugin.py:")
    assert "Yamada" not in ended.stdout + ended.stderr


@pytest.mark.parametrize(
    ("greeting", "line"),
    [
        ({NAME: 1}, "cannot work: KeyError at orthanc_plugin/worker/__main__.py:"),
        (
            {"settings": {"Storage": NAME}},
            "cannot work: ValidationError at orthanc_plugin/worker/__main__.py:",
        ),
    ],
)
def test_a_worker_that_cannot_begin(greeting: dict[str, Any], line: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "orthanc_plugin.worker"],
        input=json.dumps(greeting),
        text=True,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert ended.returncode == 3
    assert line in ended.stderr
    assert "Yamada" not in ended.stderr + ended.stdout
