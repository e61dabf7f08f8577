"""Where a request comes from, as the guard hands it on to who answers."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from orthanc_plugin.access.callers import Callers

HEADERS = {"authorization": "Basic x"}


def test_each_thread_has_its_own() -> None:
    callers, together = Callers(), Barrier(8)

    def ask(number: int) -> str:
        callers.came("/triage/", HEADERS, f"192.0.2.{number}")
        together.wait(60)
        return callers.take("/triage/", dict(HEADERS))

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == [f"192.0.2.{number}" for number in range(8)]


def test_it_is_handed_on_once_and_for_that_request_alone() -> None:
    callers = Callers()
    assert callers.take("/triage/", HEADERS) == ""
    for uri, headers in (("/triage/other", HEADERS), ("/triage/", {"authorization": "Bearer a worker's"})):
        callers.came("/triage/", HEADERS, "192.0.2.7")
        assert callers.take(uri, headers) == ""
        assert callers.take("/triage/", HEADERS) == ""
    callers.came("/system", HEADERS, "192.0.2.7")
    callers.came("/triage/", HEADERS, "192.0.2.8")
    assert callers.take("/triage/", HEADERS) == "192.0.2.8"
