"""A stack is backed up while it works, and goes on in another folder and on other ports."""

import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bundles import threshold_bundle
from stack_process import PATIENCE, StackProcess, wait_until

from headct.generator.generation import generate, write
from orthanc_plugin.backup.making import backup
from orthanc_plugin.backup.restoring import restore

NewStack = Callable[..., StackProcess]
OPTIONS = {"HeadCTTriage": {"Previews": False, "KeyObjects": False, "QuietSeconds": 0.5}}
OURS = {"X-Triage": "test"}


def drawn(kind: str, folder: Path) -> str:
    """A small head in a folder; the UID of its series."""
    series = generate(kind, 7, salt="backup", matrix=256, thickness_mm=7.0)
    write(series, folder)
    return series.header.series_uid


def activate_own_model(stack: StackProcess) -> None:
    folder = stack.data / "orthanc" / "headct-triage" / "models" / "threshold-9.0"
    threshold_bundle(folder, version="9.0")
    answer = stack.http.post(
        f"/triage/api/v1/models/{folder.name}/activate", json={"reason": "ours"}, headers=OURS
    )
    answer.raise_for_status()


def review(stack: StackProcess, series_id: str) -> None:
    body = {
        "action": "relabel",
        "urgency": "BLACK",
        "based_on": stack.api(f"series/{series_id}")["based_on"],
        "request_id": uuid.uuid4().hex,
    }
    stack.http.post(f"/triage/api/v1/series/{series_id}/review", json=body, headers=OURS).raise_for_status()


def said(stack: StackProcess, uids: list[str]) -> dict[str, Any]:
    """All that a reader cares for, of some series."""
    return {
        "worklist": [
            (row["urgency"], row["by_person"], row["reviewed"], row["patient_id"], row["first_arrival"])
            for row in stack.rows()
            if any(s["series_instance_uid"] in uids for s in row["series"])
        ],
        "labels": stack.api("labels")["labels"],
        "reviews": {uid: stack.api(f"series/{stack.series()[uid]['id']}")["reviews"] for uid in uids},
        "model": [(m["id"], m["state"], m["since"], m["by"]) for m in stack.api("models")["models"]][:1],
    }


def can_be_read(stack: StackProcess, instance: str) -> bool:
    return stack.http.get(f"/instances/{instance}/file").status_code == 200


def test_it_goes_on_elsewhere(new_stack: NewStack, tmp_path: Path) -> None:
    read, unread, late = (tmp_path / "sent" / name for name in ("read", "unread", "late"))
    uids = [drawn("epidural", read), drawn("normal", unread)]
    late_uid = drawn("intracerebral", late)
    old = new_stack(OPTIONS).start()
    activate_own_model(old)
    old.send(read, unread)
    review(old, old.wait_final(uids)[uids[0]]["id"])
    old.wait_published()
    wait_until(lambda: len(old.documents("SR")) == 3, PATIENCE, lambda: "no report of the review")
    before = said(old, uids)
    assert ("BLACK", True, True) in [row[:3] for row in before["worklist"]]
    assert before["model"][0][0] == "threshold-9.0"

    sending = threading.Thread(target=old.send, args=(late,))
    sending.start()
    with_images = backup(old.data, tmp_path / "backups" / "whole", images=True)
    sending.join()
    without = backup(old.data, tmp_path / "backups", keep=1).folder
    assert with_images.about.missing_files == 0
    old.wait_final([late_uid])
    old.stop()

    restore(with_images.folder, tmp_path / "new")
    assert (tmp_path / "new" / "credentials").read_text() == (old.data / "credentials").read_text()
    with StackProcess(tmp_path / "new") as new:
        there = {series["MainDicomTags"]["SeriesInstanceUID"] for series in new.get("/series?expand")}
        new.wait_final({*uids, late_uid} & there)
        assert said(new, uids) == before
        assert all(can_be_read(new, i) for i in new.get("/instances")), "index and images agree"
        assert new.api("status")["without_images"] == 0

    restore(without, tmp_path / "bare")
    with StackProcess(tmp_path / "bare") as bare:
        assert said(bare, uids) == before
        missing = bare.api("status")["without_images"]
        assert missing >= len(uids)
        assert all(can_be_read(bare, i) for i in bare.documents("SR")), "reports came along"
        assert "Restored without images" in bare.http.get("/triage/?lang=en").text
        series = bare.series()[uids[0]]["id"]
        assert bare.api(f"series/{series}")["images_missing"]
        bare.send(read)
        wait_until(
            lambda: not bare.api(f"series/{series}")["images_missing"],
            PATIENCE,
            lambda: f"the images were not found to be back:\n{bare.log()}",
        )
        assert said(bare, uids) == before
        assert bare.api("status")["without_images"] == missing - 1
