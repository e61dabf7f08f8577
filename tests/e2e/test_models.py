"""Models changed in a running Orthanc: activated, in shadow, rolled back, altered; no worker is restarted."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from copies import copy_files
from data import SHARED, needs_shared_data
from httpx import Response
from orthanc_process import ORTHANC, PLUGIN, OrthancProcess

from headct.network.bundle import Bundle, default_bundle, load_bundle, write_bundle
from headct.reports import segmentation, structured_report

pytestmark = [
    needs_shared_data,
    pytest.mark.skipif(not (ORTHANC.exists() and PLUGIN.exists()), reason="Orthanc is not installed"),
]
CASE = SHARED / "ct_ich" / "series" / "CTICH-049"
OWN = {"X-Triage": "test"}
PEOPLE = {
    login: {"Name": login.title(), "Organisation": "St. Elsewhere", "Role": role}
    for login, role in (("tester", "administrator"), ("reader", "reader"))
}


def with_other_cuts(folder: Path, version: str) -> Bundle:
    """The model that ships, under another version: it wants more blood before it calls a bleed."""
    shipped = load_bundle(default_bundle())
    thresholds = replace(
        shipped.contents.thresholds, haemorrhage=shipped.contents.thresholds.haemorrhage + 0.05
    )
    contents = replace(shipped.contents, version=version, thresholds=thresholds)
    path = folder / f"{contents.name}-{contents.version}"
    return write_bundle(
        path, contents, shipped.networks[0].read_bytes(), "# Other cuts\n\nFor tests alone.\n"
    )


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[OrthancProcess]:
    folder = tmp_path / "models"
    folder.mkdir()
    options = {
        "People": PEOPLE,
        "Models": str(folder / "models"),
        "QuietSeconds": 0.5,
        "WorkerNiceness": 0,
        "Previews": False,
        "KeyObjects": False,
        "Annotations": True,
    }
    one = OrthancProcess(folder, options)
    one.configuration["RegisteredUsers"]["reader"] = "not-a-secret"
    yield one.start_triage()
    one.stop()
    one.http.close()


class Hospital:
    """Sends copies of a study and changes models."""

    def __init__(self, orthanc: OrthancProcess, salt: str) -> None:
        self.orthanc = orthanc
        self._files = [path.read_bytes() for path in sorted(CASE.iterdir())]
        self._salt = salt
        self._sent = 0

    def send(self) -> str:
        """Another patient; Orthanc's identifier of the series."""
        self._sent += 1
        (series,) = self.orthanc.send(copy_files(self._files, self._sent, self._salt))
        return series

    def final(self, series: str) -> dict[str, Any]:
        """Once its report is in Orthanc."""

        def done() -> bool:
            answer = self.orthanc.http.get(f"/triage/api/v1/series/{series}")
            found.update(answer.json())
            documents = found.get("documents", [])
            return (
                found.get("state") == "assessed"
                and bool(documents)
                and all(d["published_at"] for d in documents)
            )

        found: dict[str, Any] = {}
        self.orthanc.wait(done, pause=0.1)
        return found

    def change(self, route: str, login: str = "tester", **body: Any) -> Response:
        """POST below ``models/``."""
        return self.orthanc.http.post(
            f"/triage/api/v1/models/{route}", json=body, headers=OWN, auth=(login, "not-a-secret")
        )

    def models(self) -> dict[str, Any]:
        """As the REST interface lists them."""
        found: dict[str, Any] = self.orthanc.get("models")
        return found


def documents(series: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [d for d in series["documents"] if d["kind"] == kind]


def said_by(series: dict[str, Any], orthanc: OrthancProcess) -> set[str]:
    """Device UIDs of a series' result: in the API, in its newest report and in the one region drawn."""
    report = documents(series, "structured_report")[-1]
    (region,) = (d for d in documents(series, "segmentation") if not d["withdrawn"])
    return {
        series["assessment"]["bundle"]["device_uid"],
        *(
            read(orthanc.http.get(f"/instances/{document['orthanc_id']}/file").content).bundle.device_uid
            for read, document in ((structured_report.read, report), (segmentation.read, region))
        ),
    }


def rolled_back_in_hand(hospital: Hospital, model: str) -> dict[str, Any]:
    """A series that was being judged by a model at the moment when that was rolled back."""
    orthanc = hospital.orthanc
    for _ in range(20):
        series = hospital.send()
        orthanc.wait(lambda: orthanc.get("status")["judging"] or orthanc.settled(), pause=0.01)
        change = hospital.change("rollback", reason="for the test").json()["history"][0]
        assert (change["event"], change["by"], change["reason"]) == ("rolled_back", "tester", "for the test")
        finished = hospital.final(series)
        said = finished["assessment"]
        later = datetime.fromisoformat(said["judged_at"]) > datetime.fromisoformat(change["at"])
        if later and said["bundle"]["device_uid"] == model:
            return finished
        # Judged before the roll back, or on a busy machine begun or once more begun after it: once more.
        newest = max(m["id"] for m in hospital.models()["models"])
        assert hospital.change(f"{newest}/activate").status_code == 200
    raise AssertionError("no judgement in hand was finished by the model that was rolled back")


def test_models_come_and_go_and_an_altered_one_gives_way(orthanc: OrthancProcess) -> None:
    """Two stories of one house: which model is in service at the end of one is where the other begins."""
    come_and_go(orthanc)
    altered(orthanc)


def come_and_go(orthanc: OrthancProcess) -> None:
    """Between two series, and in the middle of one."""
    first = load_bundle(default_bundle())
    first_name = f"{first.contents.name}-{first.contents.version}"
    second = with_other_cuts(orthanc.folder / "models", "99.0.0")
    name = second.folder.name
    assert second.device_uid != first.device_uid
    (worker,) = orthanc.workers()
    hospital = Hospital(orthanc, "come")
    assert [m["state"] for m in hospital.models()["models"] if m["id"] == name] == ["available"]

    # A reader may not, an administrator may.
    assert hospital.change(f"{name}/shadow", "reader").status_code == 403
    assert hospital.change(f"{name}/shadow", reason="is it better?").status_code == 200

    # In shadow it publishes nothing and is compared.
    judged = hospital.final(hospital.send())
    assert said_by(judged, orthanc) == {first.device_uid}
    orthanc.wait(lambda: hospital.models()["comparisons"])
    (pair,) = hospital.models()["comparisons"]
    assert (pair["shadow"], pair["active"], pair["cases"], pair["failed"]) == (name, first_name, 1, 0)
    assert orthanc.results() == {"SR": 1, "SEG": 1}
    again = orthanc.get(f"series/{judged['id']}")
    assert (again["assessment"], again["history"]) == (judged["assessment"], [])

    # Activated, it judges the next series, with a device UID of its own.
    stale = hospital.models()["based_on"]
    assert hospital.change(f"{name}/activate", reason="gate passed", based_on=stale).status_code == 200
    late = hospital.change("rollback", based_on=stale)
    assert (late.status_code, late.json()["current"]["models"][0]["id"]) == (409, name)
    assert orthanc.get("status")["bundle"]["device_uid"] == second.device_uid
    assert said_by(hospital.final(hospital.send()), orthanc) == {second.device_uid}

    # What is in hand while it is rolled back is finished by it; the next one is judged by the first again.
    assert said_by(rolled_back_in_hand(hospital, second.device_uid), orthanc) == {second.device_uid}
    assert orthanc.get("status")["bundle"]["device_uid"] == first.device_uid
    assert said_by(hospital.final(hospital.send()), orthanc) == {first.device_uid}

    # Asked again, the first series gets a report of the other model, whose predecessor is the first one's.
    assert hospital.change(f"{name}/activate").status_code == 200
    rerun = orthanc.http.post(f"/triage/api/v1/series/{judged['id']}/rerun", json={}, headers=OWN)
    assert rerun.status_code == 202
    orthanc.wait(lambda: len(hospital.final(judged["id"])["documents"]) == 4)
    detail = hospital.final(judged["id"])
    assert said_by(detail, orthanc) == {second.device_uid}
    # The region that the first one drew is taken back, not laid under the new one.
    gone, _ = documents(detail, "segmentation")
    orthanc.wait(lambda: not orthanc.answers(f"/instances/{gone['orthanc_id']}"))
    old, new = documents(detail, "structured_report")
    assert new["predecessor_uid"] == old["sop_instance_uid"] and [
        a["current"] for a in detail["history"]
    ] == [False]

    assert [w.pid for w in orthanc.workers()] == [worker.pid], "no worker was restarted"
    assert orthanc.get("status")["model_problem"] is None

    # Images deleted take along what was said and drawn of them.
    there = orthanc.results()
    orthanc.http.delete(f"/series/{judged['id']}").raise_for_status()
    orthanc.wait(lambda: orthanc.results() == {"SR": there["SR"] - 2, "SEG": there["SEG"] - 1})


def altered(orthanc: OrthancProcess) -> None:
    """It is refused, and after a restart gives way in plain words."""
    first = load_bundle(default_bundle())
    second = with_other_cuts(orthanc.folder / "models", "98.0.0")
    name = second.folder.name
    broken = second.folder.with_name("headct-bleed-1.0.0")
    shutil.copytree(second.folder, broken)
    body = json.loads((broken / "bundle.json").read_text())
    (broken / "bundle.json").write_text(json.dumps({**body, "version": "1.0.0"}))
    hospital = Hospital(orthanc, "altered")
    first_name = f"{first.contents.name}-{first.contents.version}"
    assert hospital.change(f"{first_name}/activate").status_code == 200

    refused = hospital.change(f"{broken.name}/activate")
    assert refused.status_code == 409 and "altered" in refused.json()["message"]
    assert orthanc.get("status")["bundle"]["device_uid"] == first.device_uid
    assert hospital.change("nothing-1.0/activate").status_code == 404

    assert hospital.change(f"{name}/activate").status_code == 200
    orthanc.wait(lambda: [m["workers"] for m in hospital.models()["models"] if m["id"] == name] == [1])
    network = second.networks[0].read_bytes()
    second.networks[0].write_bytes(network[:-1] + b"x")
    # Loaded, it judges on, from memory; and the list says what will happen.
    assert said_by(hospital.final(hospital.send()), orthanc) == {second.device_uid}
    assert "altered" in hospital.models()["models"][0]["reason"]["en"]

    orthanc.stop()
    orthanc.start_triage()
    orthanc.wait(lambda: orthanc.get("status")["model_problem"])
    assert f"{name} could not be loaded" in orthanc.get("status")["model_problem"]["en"]
    assert f"{name} could not be loaded" in orthanc.http.get("/triage/?lang=en").text
    assert said_by(hospital.final(hospital.send()), orthanc) == {first.device_uid}
    assert hospital.models()["history"][0]["event"] == "gave_way"

    second.networks[0].write_bytes(network)
    assert hospital.change(f"{name}/activate").status_code == 200
    assert orthanc.get("status")["model_problem"] is None
