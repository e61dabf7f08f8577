"""Inside a real Orthanc the guard and who answers are asked on one thread, whatever else comes meanwhile."""

import csv
import json
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from io import StringIO
from pathlib import Path
from threading import Barrier

import pytest
from orthanc_process import ORTHANC, PLUGIN, OrthancProcess

pytestmark = pytest.mark.skipif(
    not (ORTHANC.exists() and PLUGIN.exists()), reason="Orthanc with its Python plugin is not installed"
)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[OrthancProcess]:
    one = OrthancProcess(tmp_path / "orthanc", {"Workers": 0}).start()
    one.wait(one.triage_answers)
    yield one
    one.stop()


def test_what_triage_refuses_is_told_with_the_address_it_came_from(running: OrthancProcess) -> None:
    """Many at once, on connections that are kept, with bodies and what is not refused in between."""
    login = f"Basic {b64encode(b'tester:not-a-secret').decode()}"
    api, series = "/triage/api/v1", "-".join(["b0000001"] * 5)
    asked = {
        "192.0.2.1": (f"{api}/imports", f"{api}/imports"),
        "192.0.2.2": (f"{api}/models/rollback", f"{api}/models/rollback"),
        "192.0.2.3": (f"{api}/models/x/activate", f"{api}/models/<name>/activate"),
        "192.0.2.4": (f"{api}/series/{series}/rerun", f"{api}/series/<series_id>/rerun"),
        "192.0.2.5": (f"{api}/series/{series}/review", f"{api}/series/<series_id>/review"),
    }
    together = Barrier(len(asked))

    def ask(address: str) -> None:
        headers = {"Authorization": login, "X-Real-IP": address}
        line = HTTPConnection("127.0.0.1", running.http_port, timeout=60)
        together.wait(60)
        with closing(line):
            for method, route, expected in [("POST", asked[address][0], 403), ("GET", "/system", 200)] * 10:
                line.request(method, route, b" " * 9_000 if method == "POST" else None, headers)
                with line.getresponse() as answer:
                    answer.read()
                    assert answer.status == expected

    with ThreadPoolExecutor(len(asked)) as threads:
        list(threads.map(ask, asked))

    def told() -> set[tuple[str, str]]:
        table = csv.DictReader(StringIO(running.http.get(f"{api}/audit.csv").text, newline=""))
        refused = [row for row in table if row["event"] == "route_refused"]
        return {(row["address"], json.loads(row["detail"])["route"]) for row in refused}

    expected = {(address, route) for address, (_, route) in asked.items()}
    running.wait(lambda: expected <= told())
    assert {one for one in told() if one[0].startswith("192.")} == expected
