"""Persons' words on a real Orthanc: nothing lost, nothing doubled, the later reader told, all in the PACS."""

import os
import shutil
import signal
import uuid
from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from pydicom import dcmread
from stack_process import PATIENCE, StackProcess, alive, wait_until

from headct.generator.generation import GeneratedSeries, generate, write
from headct.images.quiet import quiet
from headct.reports import segmentation
from headct.reports.labels import Found, find_reports, rebuild
from headct.reports.seals import KEY_FILE
from headct.reports.vouching import Vouching
from orthanc_plugin.worker.orthanc_client import METADATA

READERS = ("sato", "ito", "abe")
STRANGER, PASSWORD = "stranger", "not-a-secret"
PEOPLE = {
    login: {"Name": f"{login.title()}^Hanako", "Organisation": "St. Elsewhere", "Role": "reader"}
    for login in READERS
}
LOCAL = {
    "RegisteredUsers": dict.fromkeys((*READERS, STRANGER), PASSWORD),
    "HeadCTTriage": {"People": PEOPLE},
}


def small(salt: str, kind: str) -> GeneratedSeries:
    return generate(kind, 7, salt=f"reviews-{salt}", matrix=256, thickness_mm=7.0)


def review(
    stack: StackProcess, series_id: str, login: str, urgency: str, based_on: str, password: str = PASSWORD
) -> httpx.Response:
    """As a client of the REST interface sends it."""
    body = {"action": "relabel", "urgency": urgency, "based_on": based_on, "request_id": uuid.uuid4().hex}
    return stack.http.post(
        f"/triage/api/v1/series/{series_id}/review",
        json=body,
        headers={"X-Triage": "test"},
        auth=(login, password),
    )


def based_on(stack: StackProcess, series_id: str) -> str:
    return str(stack.api(f"series/{series_id}")["based_on"])


def say(stack: StackProcess, series_id: str, login: str, urgency: str) -> None:
    answer = review(stack, series_id, login, urgency, based_on(stack, series_id))
    assert answer.status_code == 201, answer.text


def wait_reported(stack: StackProcess, reviews: int) -> None:
    """Until every review has its report in Orthanc."""

    def sent() -> int:
        every = [d for s in stack.series().values() for d in stack.api(f"series/{s['id']}")["documents"]]
        return sum(d["kind"] == "review" and d["published_at"] is not None for d in every)

    wait_until(lambda: sent() >= reviews, PATIENCE, lambda: f"{sent()} of {reviews}\n{stack.log()}")


def exported(stack: StackProcess, folder: Path) -> Found:
    """What the PACS gives away."""
    folder.mkdir()
    for number, instance in enumerate([*stack.documents("SR"), *stack.documents("SEG")]):
        (folder / f"{number}.dcm").write_bytes(stack.file(instance))
    return find_reports(folder, Vouching.of(stack.data / "secrets" / KEY_FILE))


def rebuilt(found: Found) -> list[dict[str, Any]]:
    """The table of labels from that, and nothing else."""
    return [label.to_json() for label in rebuild(found.reports)]


def colours(stack: StackProcess, *series_ids: str) -> list[str]:
    return [stack.http.get(f"/series/{one}/metadata/{METADATA}").text for one in series_ids]


@quiet()
def forged(report: bytes) -> bytes:
    """A report of another review that nobody gave: the same words under another name."""
    said = dcmread(BytesIO(report))
    said.SOPInstanceUID = said.file_meta.MediaStorageSOPInstanceUID = f"{said.SOPInstanceUID[:50]}.7"
    for item in said.iterall():
        if item.value == "reviewed-RED":
            item.value = "reviewed-BLACK"
    buffer = BytesIO()
    said.save_as(buffer)
    return buffer.getvalue()


def from_the_store(stack: StackProcess) -> list[dict[str, Any]]:
    rows = stack.api("labels")["labels"]
    for row in rows:
        del row["series_id"], row["study_id"], row["unseen"], row["unverified"]
    return sorted(rows, key=lambda row: str(row["series_instance_uid"]))


def same_moments(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With times that compare whatever their zone."""
    return [{**row, "reviewed_at": datetime.fromisoformat(row["reviewed_at"])} for row in rows]


# Long: one story, each step of which stands on the one before, with one Orthanc.
def test_what_persons_said_survives_everything(
    new_stack: Callable[..., StackProcess], tmp_path: Path
) -> None:
    made = [small("one", "epidural"), small("two", "normal"), small("three", "intracerebral")]
    stack = new_stack(LOCAL, "--annotations").start()
    for number, series in enumerate(made):
        write(series, tmp_path / str(number))
        stack.send(tmp_path / str(number))
    found = stack.wait_final(series.header.series_uid for series in made)
    one, two, three = (found[series.header.series_uid]["id"] for series in made)

    # Who may not: nothing is written.
    seen = based_on(stack, one)
    assert review(stack, one, STRANGER, "RED", seen).status_code == 403
    assert review(stack, one, "sato", "RED", seen, password="guessed").status_code == 401
    assert stack.api("labels")["labels"] == []

    # Two readers of the same state: the later one is told, and looks again; a third settles it.
    assert review(stack, one, "sato", "GREEN", seen).status_code == 201
    late = review(stack, one, "ito", "BLACK", seen)
    assert late.status_code == 409
    assert [r["reader"] for r in late.json()["current"]["reviews"]] == ["Sato^Hanako"]
    say(stack, one, "ito", "BLACK")
    assert stack.api(f"series/{one}")["verdict"]["standing"] == "disputed"
    say(stack, one, "abe", "BLACK")

    # While it is judged again the reader is told or recorded; of a result that is gone they are told.
    seen = based_on(stack, two)
    rerun = stack.http.post(
        f"/triage/api/v1/series/{two}/rerun", json={}, headers={"X-Triage": "test"}, auth=("sato", PASSWORD)
    )
    assert rerun.status_code == 202
    during = review(stack, two, "sato", "YELLOW", seen)
    assert during.status_code in {201, 409}
    stack.wait_final([made[1].header.series_uid])
    if during.status_code == 409:
        say(stack, two, "sato", "YELLOW")
    assert review(stack, two, "ito", "YELLOW", seen).status_code == 409
    assert len(stack.api(f"series/{two}")["reviews"]) == 1

    # Everything dies between the word and its report.
    wait_reported(stack, 4)
    workers = stack.worker_pids()
    for _ in range(10):
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        answer = review(stack, three, "sato", "RED", based_on(stack, three))
        if answer.status_code != 503:
            break
        # Stopped in the middle of a transaction, a worker keeps the store from everybody: once more.
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    assert answer.status_code == 201, answer.text
    stack.kill_orthanc()
    assert not any(alive(pid) for pid in workers)
    wait_reported(stack, 5)
    stack.wait_published()

    labels = same_moments(from_the_store(stack))
    assert [(row["verdict"]["label"], row["readers"]) for row in labels if row["readers"] == 3] == [
        ("BLACK", 3)
    ]
    found_there = exported(stack, tmp_path / "pacs")
    assert same_moments(rebuilt(found_there)) == labels
    assert len(found_there.reports) == 5, "one report a review"
    assert not found_there.doubtful
    # Where a bleed was seen it is drawn, beside report and key objects; it is no series to be judged.
    drawn = [segmentation.read(stack.file(instance)) for instance in stack.documents("SEG")]
    assert sorted(d.series_instance_uid for d in drawn) == sorted(made[k].header.series_uid for k in (0, 2))
    assert len(stack.documents("KO")) == len(stack.series()) == 3
    assert colours(stack, one, two, three) == ["triage-black", "triage-yellow", "triage-red"]

    # The store is lost, with all that lies beside it; somebody stores a report that nobody gave.
    (report,) = (r for r in found_there.reports if r.series_instance_uid == made[2].header.series_uid)
    (false,) = (i for i in stack.documents("SR") if report.sop_instance_uid.encode() in stack.file(i))
    false_report = forged(stack.file(false))
    stack.stop()
    shutil.rmtree(stack.data / "orthanc" / "headct-triage")
    stack.start()
    stack.http.post("/instances", content=false_report).raise_for_status()
    stack.wait_final(series.header.series_uid for series in made)
    stack.wait_published()
    assert same_moments(from_the_store(stack)) == labels
    wait_until(
        lambda: stack.api("status")["unverified"] == 1 and not stack.api(f"series/{two}")["unverified"],
        PATIENCE,
        stack.log,
    )
    stack.wait_published()
    assert colours(stack, one, two, three) == [
        "triage-black",
        "triage-yellow",
        "triage-red,triage-review-unverified",
    ]
    assert [u["why"] for u in stack.api(f"series/{three}")["unverified"]] == ["altered"]
    rows = {row["study_instance_uid"]: row for row in stack.api("worklist")["rows"]}
    assert [rows[series.header.study_uid]["reviewed"] for series in made] == [True, True, False]
    with_forged = exported(stack, tmp_path / "again")
    assert same_moments(rebuilt(with_forged)) == labels
    assert len(with_forged.doubtful) == 1
