"""``headct-train promise``, and a cycle's, against a server that says what was judged and read."""

import json
from collections.abc import Iterable, Iterator
from datetime import timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from bundles import threshold_bundle
from click.testing import CliRunner, Result

from headct.network.bundle import Bundle
from headct.network.promise import Promise, beside
from headct.terms.judged_case import JudgedCase
from headct.terms.urgency import Urgency
from model_training.cli import main
from model_training.cycle.command import _renewed
from tests.model_training.pacs import LOGIN, web_server
from tests.model_training.promise.test_sample import BLEED, START, case, unread


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with web_server() as running:
        yield running


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return threshold_bundle(tmp_path / "models" / "threshold-1.0")


def part(cases: Iterable[JudgedCase], following: int | None = None) -> tuple[int, bytes]:
    rows = [one.to_json() for one in cases]
    return 200, json.dumps({"cases": rows, "next": following}).encode()


def asked(server: ThreadingHTTPServer, bundle: Bundle, cases: Iterable[JudgedCase], *more: str) -> Result:
    found = list(cases)
    server.answers = [part(found[:40], 40), part(found[40:])]  # type: ignore[attr-defined]
    url = f"http://127.0.0.1:{server.server_port}"
    return CliRunner().invoke(
        main,
        ["promise", url, "--bundle", str(bundle.folder), *more],
        env={"HEADCT_USER": LOGIN.user, "HEADCT_PASSWORD": LOGIN.password},
    )


def test_a_promise_is_made_kept_and_renewed_from_later_cases(
    server: ThreadingHTTPServer, bundle: Bundle
) -> None:
    first = [case(n, Urgency.RED if n % 10 == 0 else Urgency.GREEN) for n in range(66)]
    done = asked(server, bundle, first)
    assert done.exit_code == 0, done.output
    assert "Of sure GREENs at most 5.0 % bleed: 0 of 59 did." in done.output
    path = beside(bundle.folder)
    made = Promise.read(path, bundle.digest)
    assert made is not None and (made.cases, made.alerts.of) == (66, 7)
    assert str(path) in done.output
    # The cases of the promise before are known: they are not counted again.
    again = asked(server, bundle, [*first, *(case(n) for n in range(66, 100))])
    assert again.exit_code == 1
    assert "25 more sure GREENs are needed; 34 of 59 have come, of which 0" in again.output
    assert Promise.read(path, bundle.digest) == made
    worse = [case(n, Urgency.GREEN, *([BLEED] if n in {70, 80} else [])) for n in range(66, 125)]
    renewed = asked(server, bundle, [*first, *worse])
    assert renewed.exit_code == 0
    assert "at most 10.3 % bleed: 2 of 59" in renewed.output
    assert "That is more than 5 %. With 2 wrong it takes 124 sure GREENs" in renewed.output
    now = Promise.read(path, bundle.digest)
    assert now is not None and now.since == START + timedelta(hours=66)
    earlier = asked(server, bundle, [], "--since", f"{START:%Y-%m-%d}")
    assert earlier.exit_code == 2 and "a new one begins after them" in " ".join(earlier.output.split())


def test_reviews_picked_by_colour_are_refused_and_nothing_is_written(
    server: ThreadingHTTPServer, bundle: Bundle
) -> None:
    cases = [case(n, Urgency.RED if n % 10 == 0 else Urgency.GREEN) for n in range(80)]
    picked = asked(server, bundle, [unread(c) if c.urgency.alert else c for c in cases])
    assert picked.exit_code == 1
    assert "chosen by the machine's answer" in picked.output
    assert "read blind were 59 of 59 sure GREENs, 0 of 7 sure alerts" in picked.output
    assert not beside(bundle.folder).exists()


def test_another_share_into_another_folder(
    server: ThreadingHTTPServer, bundle: Bundle, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    wish = ["--share", "0.1", "--confidence", "0.9", "--models", str(own)]
    done = asked(server, bundle, map(case, range(22)), *wish)
    assert done.exit_code == 0 and (own / "threshold-1.0.promise.json").exists()
    assert not beside(bundle.folder).exists()
    assert asked(server, bundle, map(case, range(21)), *wish[:4]).exit_code == 1


def test_what_is_no_help(server: ThreadingHTTPServer, bundle: Bundle) -> None:
    url = f"http://127.0.0.1:{server.server_port}"
    env = {"HEADCT_USER": LOGIN.user, "HEADCT_PASSWORD": LOGIN.password}
    server.answers = [(404, b"")]  # type: ignore[attr-defined]
    asked_of = ["promise", url, "--bundle", str(bundle.folder)]
    assert "triage does not run" in CliRunner().invoke(main, asked_of, env=env).output
    (bundle.folder / "MODEL_CARD.md").write_text("altered")
    altered = CliRunner().invoke(main, asked_of, env=env)
    assert altered.exit_code == 2 and "was altered" in altered.output


def test_a_cycle_says_what_is_promised_now_or_why_not(
    server: ThreadingHTTPServer, bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEADCT_PASSWORD", LOGIN.password)
    url, models = f"http://127.0.0.1:{server.server_port}", tmp_path / "own"
    server.answers = [part(map(case, range(10)))]  # type: ignore[attr-defined]
    said = _renewed(url, bundle.folder, models, LOGIN.user, None)
    assert said.startswith("The promise of threshold-1.0 is not renewed: 49 more sure GREENs are needed")
    server.answers = [part(map(case, range(59)))]  # type: ignore[attr-defined]
    said = _renewed(url, bundle.folder, models, LOGIN.user, None)
    assert said.startswith("Promised of threshold-1.0:\nOf sure GREENs at most 5.0 % bleed")
    assert Promise.read(models / "threshold-1.0.promise.json", bundle.digest) is not None
