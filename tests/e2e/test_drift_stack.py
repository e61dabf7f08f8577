"""Drift monitoring and labelling queue in an Orthanc: a case just judged counts, with how it was scanned."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from stack_process import PATIENCE, StackProcess, wait_until

from headct.generator.generation import trauma_study, write

KEPT_SECONDS = 60.0
"""As long as an answer from before the case came is kept."""


@pytest.fixture(scope="module")
def row(stack: StackProcess, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("drift")
    study = trauma_study("subdural", seed=11, salt="drift", matrix=256)
    for number, series in enumerate(study):
        write(series, folder / str(number))
    stack.send(*(Path(folder) / str(number) for number in range(len(study))))
    uids = {series.header.series_uid for series in study}
    stack.wait_final(uids)
    return next(r for r in stack.rows() if uids & {s["series_instance_uid"] for s in r["series"]})


def test_a_case_is_counted_in_the_week_that_runs(stack: StackProcess, row: dict[str, Any]) -> None:
    judged = datetime.fromisoformat(row["judged_at"])

    def drift() -> dict[str, Any]:
        found: dict[str, Any] = stack.api("drift")
        return found

    def counted() -> bool:
        return datetime.fromisoformat(drift()["generated_at"]) > judged

    wait_until(counted, KEPT_SECONDS + PATIENCE, lambda: "an old answer")
    view = drift()
    # The week may have ended since the case was judged.
    assert sum(week["cases"] for week in view["weeks"][-2:]) > 0
    model = view["models"][0]
    assert model["in_service"]
    spacing = next(q for q in model["quantities"] if q["quantity"] == "slice_distance_mm")
    assert sum(sum(week["counts"]) for week in spacing["weeks"][-2:]) > 0
    page = stack.http.get(f"{stack.url}/triage/drift?lang=en")
    assert page.status_code == 200 and "Distance of slices (mm)" in page.text
    metrics = stack.http.get(f"{stack.url}/triage/api/v1/metrics").text
    assert "headct_watch_alarm" in {f.name for f in text_string_to_metric_families(metrics)}


def test_an_alert_nobody_read_is_left_to_the_worklist(stack: StackProcess, row: dict[str, Any]) -> None:
    view = stack.api("labelling")
    alert = row["urgency"] in {"RED", "BLACK"}
    on_it = any(listed["study_id"] == row["id"] for listed in view["rows"])
    assert not (alert and on_it)
    assert view["left_to_worklist"] >= alert
    page = stack.http.get(f"{stack.url}/triage/labelling?lang=en")
    assert page.status_code == 200 and "Not for clinical order" in page.text
