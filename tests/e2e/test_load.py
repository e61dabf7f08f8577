"""Small seeded versions of the soak: many series at once while the worklist is read, and damaged files."""

import random
from collections.abc import Callable
from pathlib import Path

from copies import copy_files
from data import SHARED, needs_shared_data
from load import Reader, check_nothing_lost_or_doubled, kill_something, send_all, series_uid
from mutation import mutants
from stack_process import PATIENCE, StackProcess, wait_until

pytestmark = needs_shared_data
NewStack = Callable[..., StackProcess]


def some_series() -> list[Path]:
    folders = [SHARED / "ct_ich" / "series", SHARED / "phe_sich" / "series"]
    return [f for folder in folders for f in sorted(folder.iterdir())[:5]]


def test_many_at_once_while_the_worklist_is_read_and_a_kill(new_stack: NewStack) -> None:
    folders = some_series()
    uids = [series_uid(f) for f in folders]
    stack = new_stack({"HeadCTTriage": {"Previews": False}}).start()
    reader = Reader(stack)
    reader.start()
    send_all(stack, folders, parallel=len(folders))
    kill_something(stack, random.Random(3))
    check_nothing_lost_or_doubled(stack, uids)
    reader.stop()


def test_damaged_files_through_orthanc_each_get_a_state(new_stack: NewStack) -> None:
    stack = new_stack({"HeadCTTriage": {"LongQuietSeconds": 5}}).start()
    source = SHARED / "real_studies" / "siemens_stroke_0019983" / "ct"
    files = [f.read_bytes() for f in sorted(source.iterdir())[:6]]
    for number in range(6):
        for _, damaged in mutants(copy_files(files, number), seed=number, count=1):
            for content in damaged:
                stack.http.post("/instances", content=content)
    series = stack.get("/series?expand")
    uids = [
        s["MainDicomTags"].get("SeriesInstanceUID", "")
        for s in series
        if s["MainDicomTags"].get("Modality") not in {"SR", "KO"}
    ]
    assert uids, "Orthanc took none of the files"
    final = stack.wait_final(uids)
    assert all(s["reason"] for s in final.values() if s["state"] in {"not_analysed", "failed"})
    wait_until(lambda: bool(stack.worker_pids()), PATIENCE, lambda: "no worker any more")
