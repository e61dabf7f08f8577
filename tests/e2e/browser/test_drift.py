"""Drift monitoring and labelling queue in a browser: from the bar, open tables stay, all has a name."""

import threading
from collections.abc import Iterator

import pytest
from browser import open_page
from drift_samples import drifted
from fake_triage import FakeTriage
from playwright.sync_api import Browser, Page, expect
from stack_process import free_ports
from werkzeug.serving import make_server

from orthanc_plugin.web import create_app


class Drifting(FakeTriage):
    """A triage whose drift monitoring is worked out once."""

    def reset(self) -> None:
        super().reset()
        self.last = drifted()

    def drift(self):  # type: ignore[no-untyped-def]
        return self.last


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    (port,) = free_ports(1)
    server = make_server("127.0.0.1", port, create_app(Drifting()), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    opened, troubles = open_page(browser, f"http://127.0.0.1:{port}")
    yield opened
    opened.context.close()
    server.shutdown()
    assert troubles.seen == []


def named(page: Page) -> None:
    for control in page.locator("a:visible, button:visible, summary:visible, svg[role=img]").all():
        name = control.evaluate("e => e.getAttribute('aria-label') || e.textContent.trim()")
        assert name, control.evaluate("e => e.outerHTML")


def test_a_table_stays_open_while_the_page_refreshes(page: Page) -> None:
    page.goto("/triage/")
    page.get_by_role("link", name="Drift monitoring").click()
    expect(page.locator("h1")).to_have_text("Drift monitoring")
    expect(page.locator("#alarms")).to_have_text("▲ Changed: 1")
    figure = page.locator("figure", has_text="Age (years)")
    figure.locator("summary").click()
    expect(figure.locator("table")).to_be_visible()
    page.locator("#heart").evaluate("e => e.classList.add('seen')")
    expect(page.locator("#heart.seen")).to_have_count(0)  # refreshed
    expect(figure.locator("table")).to_be_visible()
    expect(figure.locator("tbody tr").first).to_contain_text("Trained on")
    named(page)


@pytest.mark.parametrize("width", [1366, 480])
def test_nothing_is_wider_than_the_window(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 768})
    for address in ("/triage/drift", "/triage/labelling"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 1366, "height": 768})


def test_from_the_labelling_queue_to_a_case(page: Page) -> None:
    page.goto("/triage/")
    page.get_by_role("link", name="Labelling queue").click()
    expect(page.locator(".not-clinical")).to_have_text("Not for clinical order")
    named(page)
    first = page.locator("li.row a").first
    assert first.get_attribute("href") == "studies/discordant?series=t1"
