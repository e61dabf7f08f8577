"""A real store with judged studies, and the web application over it: for tests of reading and reviewing."""

import atexit
import shutil
import tempfile
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import httpx
from fake_cases import DEEP, SLICES, draw_slice, orthanc_id
from one_app import Served
from stack_process import free_ports
from store_samples import MEMORY, judgement, open_another, open_store, seen, settings
from werkzeug.serving import make_server

from headct.terms.assessment import Finding, KeySlice
from headct.terms.urgency import Urgency
from orthanc_plugin.access.roles import login
from orthanc_plugin.service import Triage
from orthanc_plugin.states import Window
from orthanc_plugin.store import outbox, queue, results
from orthanc_plugin.store.preview_files import Folder

PEOPLE = {
    login: {"Name": name, "Organisation": "St. Elsewhere", "Role": role}
    for login, name, role in (
        ("sato", "Sato^Hanako=佐藤^花子=さとう^はなこ", "reader"),
        ("ito", "Ito^Taro=伊藤^太郎=いとう^たろう", "reader"),
        ("abe", "Abe^Ken=安部^健=あべ^けん", "administrator"),
        ("mori", "Mori^Aya=森^彩=もり^あや", "viewer"),
    )
}
LATELY_SECONDS = 300.0
"""A room that was furnished so long ago is furnished anew: its studies have waited for less than an hour."""
_SLABS = [n // 3 for n in range(SLICES)]


class Nobody:
    """No processes: nothing is judged here but by the tests."""

    restarts = 0
    problem = ""
    alive = 1
    trouble = None


class ReadingRoom:
    """Studies judged as told, each of one series, named by a key; the first one arrived first."""

    def __init__(self, folder: Path, studies: Mapping[str, Urgency], *, authentication: bool = True) -> None:
        self.options = settings(folder, People=PEOPLE, quiet_seconds=2)
        self.arrived = len(studies)
        self._start = queue.utcnow() - timedelta(minutes=50)
        if studies:
            lately = int(time.monotonic() / LATELY_SECONDS)
            shutil.copytree(_judged(tuple(studies.items()), lately), folder, dirs_exist_ok=True)
            self.database = open_another(folder / "triage.sqlite")
        else:
            self.database = open_store(folder)
        self.triage = Triage(
            self.database, self.options, Nobody(), Nobody(), "1.10.1", authentication=authentication
        )
        self.app = Served(self.triage)

    def arrive(self, key: str, urgency: Urgency, study: str | None = None) -> None:
        """A series comes and is judged; of a study of its own unless told otherwise."""
        self.arrived += 1
        with self.database.writing() as session:
            found = seen(
                self.series(key),
                orthanc_id(study or key),
                series_instance_uid=f"1.2.{self.arrived}",
                study_instance_uid=f"1.3.{study or key}",
            )
            queue.arrive(session, found, self._start + timedelta(minutes=self.arrived), self.options)
        self.judge(key, urgency, series_number=str(self.arrived + 1))

    def judge(
        self,
        key: str,
        urgency: Urgency,
        findings: tuple[Finding, ...] | None = None,
        bundle: str = "b" * 64,
        series_number: str = "2",
    ) -> None:
        """The machine speaks, of what came or again."""
        now = queue.utcnow()
        with self.database.writing() as session:
            series_id = self.series(key)
            queue.rerun(session, series_id, "test", now)
            claim = queue.claim(session, "w", now, self.options)
            assert claim is not None and claim.series_id == series_id
            made = judgement(urgency, bundle=bundle, series=series_id, pixels=series_id)
            said = replace(
                made.assessment,
                findings=((DEEP,) if urgency else ()) if findings is None else findings,
                key_slices=tuple(KeySlice(n, f"1.2.9.{n}") for n in (15, 13, 17)),
                rules=("deep_volume",) if urgency.alert else (),
            )
            patient = replace(
                made.description,
                demographics=replace(
                    made.description.demographics,
                    patient_id=f"P-{key}",
                    patient_name=f"{key.title()}^Patient",
                    sex="F",
                    age="071Y",
                ),
                series_number=series_number,
                series_description="HEAD 5.0 H31s",
            )
            results.record_assessed(
                session,
                claim,
                replace(made, assessment=said, description=patient, slices=SLICES),
                now,
                self.options,
            )
            outbox.previews_done(session, series_id, claim.generation)
        folder = Folder.of(self.options.previews_folder, self.series(key))
        folder.create(_SLABS)
        for slab in range(max(_SLABS) + 1):
            for window in Window:
                folder.write(slab, window, _picture(slab * 3 + 1, window))

    def more_images(self, key: str, count: int) -> None:
        """Images come late."""
        with self.database.writing() as session:
            late = seen(self.series(key), orthanc_id(key), count=count)
            queue.arrive(session, late, queue.utcnow(), self.options)

    @staticmethod
    def series(key: str) -> str:
        """Orthanc's identifier of a study's series."""
        return orthanc_id(f"series of {key}")

    def reviews(self, key: str) -> list[Any]:
        """What persons said, as the store has it."""
        return list(self.triage.series(self.series(key)).reviews)

    def close(self) -> None:
        """Let go of the store."""
        self.database.close()


@cache
def _judged(studies: tuple[tuple[str, Urgency], ...], _lately: int) -> Path:
    """A room's folder in which these studies came and were judged, an hour ago at most."""
    folder = Path(tempfile.mkdtemp(prefix="triage-room-", dir=MEMORY))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    room = ReadingRoom(folder, {})
    for key, urgency in studies:
        room.arrive(key, urgency)
    room.close()
    return folder


def as_login(who: str) -> dict[str, str]:
    """A browser's header once somebody has logged in (RFC 7617)."""
    return {"Authorization": "Basic " + b64encode(f"{who}:x".encode()).decode()}


@cache
def _picture(number: int, window: Window) -> bytes:
    return draw_slice(number, window)


class Door:
    """The application behind HTTP on a port of its own; whoever knocks is believed who they say they are."""

    def __init__(self, app: Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]) -> None:
        self.silent = threading.Event()
        (port,) = free_ports(1)
        self.origin = f"http://127.0.0.1:{port}"

        def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            user = login(environ.get("HTTP_AUTHORIZATION", ""))
            return app({**environ, **({"REMOTE_USER": user} if user else {})}, start)

        self._server = make_server("127.0.0.1", port, answer, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def say(self, who: str, room: ReadingRoom, key: str, **changes: Any) -> httpx.Response:
        """Another reader's review, by the REST interface."""
        series = f"{self.origin}/triage/api/v1/series/{room.series(key)}"
        with httpx.Client(auth=(who, "x"), trust_env=False) as client:
            body = {
                "action": "relabel",
                "urgency": "GREEN",
                "based_on": client.get(series).json()["based_on"],
                "request_id": f"{who}-{len(room.reviews(key))}",
                **changes,
            }
            return client.post(f"{series}/review", json=body, headers={"X-Triage": "test"})

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
