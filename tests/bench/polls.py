"""(f) What looking at it costs Orthanc's process, however long the house has been running.

A real Orthanc on the store of a house of 30, 1,000, 5,000 and 20,000 studies, asked as browsers and programs
ask it, by a real Chromium, and by fifty browsers at once.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orthanc_index
import psutil
from browser import chromium, open_page
from old_house import House
from orthanc_process import OrthancProcess
from playwright.sync_api import sync_playwright

from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import Series
from orthanc_plugin.worker.summing import sum_some

SIZES = (30, 1_000, 5_000, 20_000)
ASKED = 20
"""Times that each answer is asked for; the system counts in hundredths of a second."""
BROWSERS, POLL_SECONDS, WATCHED_SECONDS = 50, 2.0, 30.0
REFRESHES = 5
AS_HTMX = {"HX-Request": "true"}
API = "/triage/api/v1"

Cells = dict[str, str]


def polls(work: Path, sizes: Sequence[int] = SIZES) -> list[tuple[str, str]]:
    """Rows of the report; in each the cells of all sizes."""
    found = [_of_size(work / str(size), size) for size in sizes]
    heads = " / ".join(f"{size:,}" for size in sizes)
    rows = [(what, " / ".join(cells[what] for cells in found)) for what in found[0]]
    return [("polls of houses of so many studies", heads), *rows]


def _of_size(folder: Path, size: int) -> Cells:
    # All that nobody read waits in the queue: two thirds of all, more than any hospital leaves unread.
    house = House(size, unread=None, images=1, now=datetime.now(UTC))
    cells: Cells = {}
    with _running(folder, house, cells) as (orthanc, database):
        for name, path, headers in (
            ("worklist, REST", f"{API}/worklist", {}),
            ("worklist, page", "/triage/", AS_HTMX),
        ):
            cells |= _conditional(orthanc, database, house, name, path, headers)
        for name, path in (
            ("status", f"{API}/status"),
            ("drift, page", "/triage/drift"),
            ("labelling queue, page", "/triage/labelling"),
            ("models, page", "/triage/models"),
            ("metrics", f"{API}/metrics"),
            ("labels, first part", f"{API}/labels"),
        ):
            first = _cost(orthanc, lambda path=path: [orthanc.http.get(path)], 1)
            again = _cost(orthanc, lambda path=path: [orthanc.http.get(path) for _ in range(ASKED)], ASKED)
            cells[f"{name}: first, then"] = f"{first}, {again}"
            cells[f"{name}: KB"] = f"{len(orthanc.http.get(path).content) / 1000:.0f}"
        cells |= _in_chromium(orthanc)
        cells[f"{BROWSERS} browsers, share of one core"] = _fifty(orthanc)
    return cells


@contextmanager
def _running(folder: Path, house: House, cells: Cells) -> Iterator[tuple[OrthancProcess, Database]]:
    """An Orthanc that has what the store has; nobody judges."""
    # Its sweep would ask for minutes; what that costs is measured apart.
    orthanc = OrthancProcess(folder, {"Workers": 0, "SweepSeconds": 86_400})
    orthanc.start().stop()
    orthanc_index.fill(folder / "orthanc" / "index", house)
    store = folder / "orthanc" / "headct-triage" / "triage.sqlite"
    store.unlink(missing_ok=True)
    database = Database(f"sqlite:///{store}")
    database.migrate()
    house.move_in(database)
    began = time.process_time()
    while _sum(database):
        pass
    took = (time.process_time() - began) / house.studies
    cells["figures of a study made anew, in a worker"] = f"{took * 1000:.0f} ms"
    orthanc.start()
    orthanc.wait(lambda: orthanc.triage_answers())
    try:
        cells["sweep, a page of 20 series"] = _sweep(orthanc, house)
        yield orthanc, database
    finally:
        orthanc.stop()
        database.close()


def _sum(database: Database) -> int:
    with database.writing() as session:
        return sum_some(session, 100)


def _sweep(orthanc: OrthancProcess, house: House) -> str:
    """While nobody asks anything: the sweep at the start, as long as it lasts or for half a minute."""
    series = sum(len(house.series(number)) for number in range(house.studies))
    seconds = min(30.0, series / 20 * 0.5)
    before = _used(orthanc)
    time.sleep(seconds)
    return f"{(_used(orthanc) - before) / seconds * 0.5 * 1000:.0f} ms"


def _conditional(
    orthanc: OrthancProcess, database: Database, house: House, name: str, path: str, headers: dict[str, str]
) -> Cells:
    """With nothing new and with something new each time."""
    answer = orthanc.http.get(path, headers=headers)
    answer.raise_for_status()
    known = {**headers, "If-None-Match": answer.headers.get("ETag", "")}
    codes: list[int] = []

    def ask(changed: bool) -> list[httpx.Response]:
        answers = []
        for turn in range(ASKED):
            if changed:
                _change(database, house, f"{name} {turn}")
            answers.append(orthanc.http.get(path, headers=known))
        codes.append(answers[-1].status_code)
        return answers

    unchanged = _cost(orthanc, lambda: ask(False), ASKED)
    changed = _cost(orthanc, lambda: ask(True), ASKED)
    return {
        f"{name}: KB": f"{len(answer.content) / 1000:.0f}",
        f"{name}: nothing new": f"{unchanged} ({codes[0]})",
        # What is new may stand in a part of the list that was not asked for.
        f"{name}: something new": f"{changed} ({codes[1]})",
    }


def _change(database: Database, house: House, text: str) -> None:
    """Something that is shown of the newest study."""
    with database.writing() as session:
        session.get_one(Series, house.series(house.studies - 1)[0].id).description = text


def _in_chromium(orthanc: OrthancProcess) -> Cells:
    """Until rows are there, and whether what the page asks by itself is answered."""
    broken_off: list[str] = []
    answered: list[int] = []
    with sync_playwright() as playwright, chromium(playwright) as browser:
        page, _ = open_page(
            browser,
            str(orthanc.http.base_url),
            http_credentials={"username": "tester", "password": "not-a-secret"},
        )
        page.on("requestfailed", lambda request: broken_off.append(request.url))
        page.on("response", lambda response: answered.append(response.status))
        began = time.monotonic()
        page.goto("/triage/")
        page.locator("ol.cases > li").first.wait_for()
        shown = time.monotonic() - began
        answered.clear()
        deadline = time.monotonic() + 60
        while len(answered) + len(broken_off) < REFRESHES and time.monotonic() < deadline:
            page.wait_for_timeout(200)
        page.context.close()
    return {
        "page in Chromium, until rows are shown": f"{shown:.2f} s",
        "- refreshes answered, broken off": f"{len(answered)}, {len(broken_off)}",
    }


def _fifty(orthanc: OrthancProcess) -> str:
    """Browsers that look at the worklist, each with what it was answered last."""
    stopped = threading.Event()

    def browse(number: int) -> None:
        with httpx.Client(
            base_url=orthanc.http.base_url, auth=orthanc.http.auth, timeout=60, trust_env=False
        ) as http:
            tag = ""
            stopped.wait(POLL_SECONDS * number / BROWSERS)
            while not stopped.is_set():
                answer = http.get("/triage/", headers={**AS_HTMX, "If-None-Match": tag})
                tag = answer.headers.get("ETag", tag)
                stopped.wait(POLL_SECONDS)

    threads = [threading.Thread(target=browse, args=(number,), daemon=True) for number in range(BROWSERS)]
    for thread in threads:
        thread.start()
    time.sleep(POLL_SECONDS)
    before, began = _used(orthanc), time.monotonic()
    time.sleep(WATCHED_SECONDS)
    used, passed = _used(orthanc) - before, time.monotonic() - began
    stopped.set()
    for thread in threads:
        thread.join()
    return f"{used / passed:.0%}"


def _cost(orthanc: OrthancProcess, ask: Callable[[], Sequence[Any]], count: int) -> str:
    """Processor time of Orthanc's process for one answer."""
    before = _used(orthanc)
    for answer in ask():
        assert answer.status_code in {200, 304}, answer.text
    return f"{(_used(orthanc) - before) / count * 1000:.0f} ms"


def _used(orthanc: OrthancProcess) -> float:
    """Processor seconds so far, of all its threads."""
    assert orthanc.process is not None
    times = psutil.Process(orthanc.process.pid).cpu_times()
    return float(times.user + times.system)
