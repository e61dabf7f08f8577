"""The judging process, started as ``python -m orthanc_plugin.worker`` by the supervisor.

It gets one line of JSON on its standard input, a pipe that stays open. The worker ends when the pipe closes
or Orthanc refuses its token.
"""

import json
import logging
import os
import resource
import signal
import sys
import threading
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

from headct.safe_log import Formatter, failure, set_level
from orthanc_plugin.housekeeping import work_folders
from orthanc_plugin.rounds import Rounds
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import WorkerExit
from orthanc_plugin.store import queue
from orthanc_plugin.store.database import Database
from orthanc_plugin.system_words import cause_of
from orthanc_plugin.worker.delivering import Deliverer
from orthanc_plugin.worker.in_hand import InHand
from orthanc_plugin.worker.loop import OutOfMemoryError, Worker
from orthanc_plugin.worker.orthanc_client import OrthancClient, TokenError
from orthanc_plugin.worker.serving import Serving

log = logging.getLogger("orthanc_plugin.worker")

_FIRST_TO_GO = "500"
"""How much sooner than others the kernel ends a worker when the machine's memory is used up, of 1000."""


def main() -> int:
    """Read the greeting and work; the exit status. Why it could not is said on standard output."""
    _log_safely()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for Orthanc, whose end we follow
    try:
        greeting = json.loads(sys.stdin.buffer.readline())
        _work(greeting, Settings.model_validate(greeting["settings"]))
    except TokenError:
        log.warning("Orthanc refuses the token")
        return WorkerExit.NO_TOKEN
    except OutOfMemoryError:
        log.warning("more than WorkerMegabytes was needed for a series")
        return WorkerExit.OUT_OF_MEMORY
    except Exception as error:
        log.warning("cannot work: %s", failure(error))
        print(cause_of(error), flush=True)
        return WorkerExit.TROUBLE
    return WorkerExit.DONE


def _log_safely() -> None:
    """Of libraries warnings alone, and of pydicom none: they quote what stands in patients' headers."""
    handler = logging.StreamHandler()
    handler.setFormatter(Formatter("%(asctime)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"pydicom\b")


def _work(greeting: dict[str, Any], settings: Settings) -> None:
    set_level(settings.log_level)
    os.nice(settings.worker_niceness)
    bound_memory(settings.worker_megabytes)
    name = str(greeting["name"])
    try:
        work_folders.remove_dead(settings)
    except OSError as error:  # no reason not to judge
        log.warning("what killed workers left stays: %s", failure(error))
    database = Database(settings.database_url)
    with database.writing() as session:
        queue.sign_of_life(session, name, queue.utcnow())
    serving = Serving(name, database, settings)
    with OrthancClient(str(greeting["url"]), str(greeting["token"])) as client:
        worker = Worker(name, client, database, settings, serving)
        threading.Thread(target=follow_pipe, args=(worker.in_hand, database), daemon=True).start()
        Rounds("heartbeat", partial(heartbeat, worker.in_hand, name, database, settings)).start()
        Deliverer(client, database, settings).rounds.start()
        try:
            worker.run(threading.Event())
        finally:
            worker.in_hand.give_back(database)
            work_folders.of_this_process(settings).remove()


def bound_memory(megabytes: int) -> None:
    """Take no more memory than this, and be the first to go where the machine has less.

    What counts is what may be written to: all that threads and allocators reserved, nothing of the files of
    networks and libraries.
    """
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    most = megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (most if hard < 0 else min(most, hard), hard))
    try:
        Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)
    except OSError as error:
        log.debug("not the first to go: %s", failure(error))


def heartbeat(in_hand: InHand, name: str, database: Database, settings: Settings) -> float:
    """Renew the lease for as long as a series may take, then end the process: a hung one helps nobody."""
    claim, since = in_hand.claim, in_hand.busy_since
    if since is not None and time.monotonic() - since > settings.series_limit_seconds:
        log.error("a series took longer than %g s", settings.series_limit_seconds)
        os._exit(WorkerExit.TOO_LONG)
    with database.writing() as session:
        queue.sign_of_life(session, name, queue.utcnow())
        if claim is not None:
            queue.renew(session, claim, queue.utcnow(), settings)
        spare = in_hand.is_spare() and queue.untried_is_due(session, queue.utcnow(), settings)
    if spare:
        log.warning("something new waits: what was tried before, or is less urgent, is broken off")
        in_hand.give_back(database)
        os._exit(WorkerExit.GAVE_WAY)
    return min(5.0, settings.lease_seconds / 4)


def follow_pipe(in_hand: InHand, database: Database) -> None:
    """End with Orthanc, however it ended."""
    try:
        # Not by the buffer, whose lock this thread would still hold when the interpreter ends.
        while os.read(sys.stdin.fileno(), 4096):
            pass
        in_hand.give_back(database)
    finally:
        os._exit(WorkerExit.DONE)


if __name__ == "__main__":
    sys.exit(main())
