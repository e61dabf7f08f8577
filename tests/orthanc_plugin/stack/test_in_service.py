"""What `headct up` and the demo say of the model that judges, without starting anything."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from orthanc_plugin.stack import demo, in_service, up
from orthanc_plugin.stack.options import Options
from orthanc_plugin.stack.processes import Stopped

FREE = {"id": "free-1", "use": "any", "licence": "Apache-2.0; trained on some", "shipped": True}
BOUND = {
    "id": "bound-1",
    "use": "research",
    "licence": "that of its data; trained on it",
    "shipped": True,
}
FREE_LINE = "Model      free-1: any use; licence: Apache-2.0"
BOUND_LINE = (
    "Model      bound-1: research only, not for clinical or commercial use; licence: that of its data"
)


def listed(*models: dict[str, Any], events: tuple[str, ...] = ("shipped",)) -> dict[str, Any]:
    states = ["active"] + ["available"] * (len(models) - 1)
    shown = [{**m, "state": s, "workers": int(s == "active")} for m, s in zip(models, states, strict=True)]
    return {"models": shown, "history": [{"event": event} for event in events]}


def test_the_licence_is_said_in_one_line() -> None:
    assert in_service.describe(listed(FREE, BOUND), research=False) == FREE_LINE
    assert in_service.describe(listed(BOUND, FREE), research=True) == BOUND_LINE
    assert in_service.describe(listed(BOUND, FREE), research=False) == BOUND_LINE, "an administrator chose it"


@pytest.mark.parametrize(
    ("models", "why"),
    [
        (listed(FREE), "none for research only ships"),
        (listed(FREE, BOUND, events=("shipped", "activated", "shipped")), "an administrator chose this one"),
        (listed(FREE, BOUND, events=("gave_way", "shipped")), "another one was named, or cannot be loaded"),
        (listed(FREE, {**BOUND, "shipped": False}), "none for research only ships"),
    ],
)
def test_that_another_one_judges_than_was_asked_for_is_said(models: dict[str, Any], why: str) -> None:
    first, second = in_service.describe(models, research=True).splitlines()
    assert first == FREE_LINE and f"--research changes nothing: {why}" in second


@pytest.mark.parametrize(
    ("alive", "wanted", "models", "known"),
    [
        (1, 1, listed(FREE), True),
        (0, 1, listed(FREE), False),  # a worker of an earlier start has it
        (0, 0, listed(FREE), True),  # workers are elsewhere
        (1, 1, {"models": [], "history": []}, False),
        (1, 1, listed({**FREE, "use": None}), False),  # no worker has loaded it since licences are kept
    ],
)
def test_it_waits_for_a_worker_of_this_start(
    alive: int, wanted: int, models: dict[str, Any], known: bool
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        status = {"workers_alive": alive, "workers_wanted": wanted}
        return httpx.Response(200, json=models if request.url.path.endswith("/models") else status)

    with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://x") as client:
        assert (in_service._loaded(client) is not None) is known
    refusing = httpx.MockTransport(lambda _: httpx.Response(503))
    with httpx.Client(transport=refusing, base_url="http://x") as client:
        assert in_service._loaded(client) is None


@pytest.mark.parametrize(
    ("command", "arguments", "research"),
    [(up.command, [], False), (up.command, ["--research"], True), (demo.main, ["--once"], True)],
)
def test_who_starts_for_research(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Any,
    arguments: list[str],
    research: bool,
) -> None:
    started: list[Options] = []

    @contextmanager
    def running(options: Options) -> Iterator[None]:
        started.append(options)
        raise Stopped
        yield

    monkeypatch.setattr(up, "running", running)
    monkeypatch.setattr(demo, "running", running)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 0, done.output
    assert [options.research for options in started] == [research]
