"""The page of models in a real browser: changed by keyboard after a question, refused in words."""

import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser import open_page
from model_samples import activate, begin_shadow, judge, options, own_model, repeat
from playwright.sync_api import Browser, Page, expect
from stack_process import free_ports
from store_samples import open_store
from werkzeug.serving import make_server

from headct.network.bundle import Bundle
from headct.terms.urgency import Urgency
from orthanc_plugin.service import Triage
from orthanc_plugin.store import model_history, queue
from orthanc_plugin.store.database import Database
from orthanc_plugin.web import create_app


@dataclass
class Nobody:
    """No processes: nothing is judged here."""

    restarts = 0
    problem = ""
    alive = 1
    trouble = None


@dataclass
class Hospital:
    """A web server over a real store; whoever asks has logged in as ``login``."""

    database: Database
    bundles: list[Bundle]
    origin: str = ""
    login: str = "abe"

    def history(self) -> list[tuple[str, str, str]]:
        with self.database.reading() as session:
            return [(c.event.value, c.actor, c.reason) for c in model_history.history(session)]

    def active(self) -> str | None:
        with self.database.reading() as session:
            return model_history.active(session)


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    settings = options(tmp_path)
    bundles = [own_model(settings, version) for version in ("1.0", "2.0", "3.0")]
    found = Hospital(open_store(tmp_path), bundles)
    with found.database.writing() as session:
        activate(session, bundles[0])
        begin_shadow(session, bundles[1])
        judge(session, settings, 1, Urgency.RED, bundles[0])
        repeat(session, Urgency.GREEN, bundles[1])
    triage = Triage(found.database, settings, Nobody(), Nobody(), "1.10.1", authentication=True)
    app = create_app(triage)

    def logged_in(environ: dict[str, object], start: Callable[..., object]) -> Iterable[bytes]:
        return app(environ | {"REMOTE_USER": found.login}, start)

    (port,) = free_ports(1)
    found.origin = f"http://127.0.0.1:{port}"
    server = make_server("127.0.0.1", port, logged_in, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()
    found.database.close()


@pytest.fixture
def page(browser: Browser, hospital: Hospital) -> Iterator[Page]:
    """Of an administrator; the test fails when the browser complained of anything."""
    opened, troubles = open_page(browser, hospital.origin)
    opened.goto("/triage/models")
    yield opened
    opened.context.close()
    assert [t for t in troubles.seen if "409" not in t] == []


def test_activated_by_keyboard_with_a_reason(page: Page, hospital: Hospital) -> None:
    row = page.locator("tbody tr", has_text="threshold-3.0").first
    row.get_by_role("button", name="Activate…").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="From the next series on threshold-3.0 judges every patient")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.wait_for_timeout(2500)  # longer than the page takes to renew what is behind the question
    page.keyboard.type("gate passed")
    page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    expect(page.locator("tr.active")).to_contain_text("threshold-3.0")
    assert hospital.active() == hospital.bundles[2].digest
    assert hospital.history()[-1] == ("activated", "abe", "gate passed")


def test_nothing_happens_without_a_yes(page: Page, hospital: Hospital) -> None:
    before = hospital.history()
    page.get_by_role("button", name="End shadow…").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="End shadow…").click()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert hospital.history() == before
    page.get_by_role("button", name="End shadow…").click()
    page.get_by_role("button", name="Yes, change").click()
    expect(page.locator("tr.shadow")).to_have_count(0)
    assert hospital.history()[-1][0] == "shadow_ended"


def test_a_refusal_is_said_where_it_was_asked(page: Page, hospital: Hospital) -> None:
    page.locator("tbody tr", has_text="threshold-3.0").first.get_by_role("button", name="Activate…").click()
    with hospital.database.writing() as session:
        model_history.end_shadow(session, actor="ito", reason="", seen=None, now=queue.utcnow())
    page.get_by_role("button", name="Yes, change").click()
    expect(page.get_by_role("dialog").get_by_role("alert")).to_have_text(
        "Not changed. The models were changed since they were shown; look again."
    )
    assert hospital.active() == hospital.bundles[0].digest


def test_a_model_that_is_altered_meanwhile_is_shown_refused(page: Page, hospital: Hospital) -> None:
    expect(page.locator("tr.available")).to_contain_text(["headct-bleed", "threshold-3.0"])
    shutil.copy(hospital.bundles[2].folder / "bundle.json", hospital.bundles[2].folder / "MODEL_CARD.md")
    expect(page.locator("tr.refused")).to_contain_text("threshold-3.0 was altered")


def test_every_control_has_a_name_and_a_reader_has_no_buttons(page: Page, hospital: Hospital) -> None:
    for control in page.locator("main button, main a, main [role=region], main summary").all():
        name = control.get_attribute("aria-label") or control.inner_text()
        assert name.strip(), control.evaluate("element => element.outerHTML")
    page.get_by_role("link", name="Open case 1").click()
    expect(page).to_have_url(f"{hospital.origin}/triage/studies/{'-'.join(['b0000001'] * 5)}")
    hospital.login = "sato"
    page.goto("/triage/models")
    expect(page.locator("main button")).to_have_count(0)
    expect(page.locator("main")).to_contain_text("Only an administrator changes models.")
