"""The whole night, from the first head to the table."""

import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from places import ROOT
from stack_process import PATIENCE, StackProcess, wait_until

from night.checks import in_the_end, soon_known, unsaid
from night.clock import Clock
from night.disk import disk
from night.plan import Happened, plan, table
from night.troubles import Troubles
from night.watching import Watcher
from night.work import PASSWORD, PEOPLE, READERS, Doctors, Scanner

LOCAL = {
    "RegisteredUsers": dict.fromkeys(READERS, PASSWORD),
    "HeadCTTriage": {
        "People": PEOPLE,
        "Workers": 2,
        "WorkerNiceness": 0,
        "WorkerMegabytes": 4096,
        "MinimumFreeGigabytes": 0.1,
    },
}
_MEGABYTES = (1500, 40)
"""Of the disk: at the beginning, and more for each minute; a real head takes 20."""


def a_night(minutes: float, kills: int, seed: int) -> str:
    """Series arrive and reviews are sent while everything happens that can; fail if anything is lost."""
    happened: list[Happened] = []
    with _at_work(minutes, seed) as (troubles, scanner, doctors, stack):
        start = time.monotonic()
        for planned in plan(minutes, kills, seed):
            time.sleep(max(0.0, start + planned.at - time.monotonic()))
            happened.append(_one(planned.what, troubles, scanner, doctors, stack))
            print(_line(time.monotonic() - start, happened[-1]), flush=True)
        time.sleep(max(0.0, start + 60 * minutes - time.monotonic()))
        scanner.stop()
        doctors.stop()
        text = table(happened)
        print(text, flush=True)
        came = f"{len(scanner.accepted)} heads ({scanner.refusals} sent again)"
        said = f"{len(doctors.accepted)} reviews ({doctors.again} tried again)"
        died = f"nested files that ended Orthanc: {dict(troubles.died_of)}"
        work = f"{minutes:.0f} minutes, {came}, {said}, {troubles.killed.total()} kills, {died}"
        print(work, flush=True)
        wrong = [line for one in happened for line in one.wrong] + scanner.wrong + doctors.wrong
        wrong += in_the_end(
            stack, scanner.accepted, doctors.accepted, troubles.killed, troubles.died_of.total()
        )
        states = Counter(s["state"] for s in stack.series().values())
    report = ROOT / "reports" / "night.md"
    report.parent.mkdir(exist_ok=True)
    report.write_text(f"{text}\n{work}\n\n" + "".join(f"- {line}\n" for line in wrong))
    assert not wrong, f"{len(wrong)} things are wrong, such as {wrong[0]}; all in {report}"
    return f"{work}; series {dict(states)}; table in {report}"


@contextmanager
def _at_work(minutes: float, seed: int) -> Iterator[tuple[Troubles, Scanner, Doctors, StackProcess]]:
    """A stack on a disk and with a clock of its own, work that comes in, and somebody who watches."""
    with tempfile.TemporaryDirectory() as name, disk(Path(name) / "disk", _size(minutes)) as small:
        stack = StackProcess(small.folder / "stack", LOCAL)
        watcher, scanner = Watcher(stack), Scanner(stack, Path(name) / "heads", seed)
        doctors = Doctors(stack, seed)
        troubles = Troubles(stack, watcher, scanner, Clock(Path(name)), small, seed)
        try:
            troubles.start_stack()
            watcher.start()
            wait_until(lambda: bool(watcher.last().status), PATIENCE, lambda: f"no triage:\n{stack.log()}")
            scanner.start()
            doctors.start()
            yield troubles, scanner, doctors, stack
        finally:
            watcher.stop()
            stack.stop()
            stack.http.close()


def _size(minutes: float) -> int:
    return round(_MEGABYTES[0] + _MEGABYTES[1] * minutes)


def _one(what: str, troubles: Troubles, scanner: Scanner, doctors: Doctors, stack: StackProcess) -> Happened:
    """It happens, and what was taken before is there after it."""
    heads, reviews = list(scanner.accepted), list(doctors.accepted)
    try:
        found = troubles.happen(what)
        lost = [*soon_known(stack, heads), *unsaid(stack, reviews, go_on=True)]
    except (AssertionError, httpx.HTTPError) as error:  # the night goes on, and fails at its end
        traceback.print_exc()
        return Happened(what, wrong=(f"{what}: {type(error).__name__}: {error}",))
    return Happened(what, found.seconds, found.said, (*found.wrong, *(f"after {what}: {x}" for x in lost)))


def _line(at: float, one: Happened) -> str:
    took = "" if one.seconds is None else f", back after {one.seconds:.1f} s"
    said, wrong = " / ".join(one.said) or "nothing", " / ".join(one.wrong) or "nothing"
    return f"{at:.0f} s: {one.what}{took}; said: {said}; wrong: {wrong}"
