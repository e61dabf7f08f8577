"""Whoever reads with other means, other colours or on another screen can review too."""

from typing import Any

import pytest
from browser import CONTRAST, open_page
from playwright.sync_api import Browser, Page
from reading_room import Door, ReadingRoom, as_login

from tests.e2e.browser.review_form import open_case

CONTROLS = {
    "button",
    "link",
    "textbox",
    "slider",
    "checkbox",
    "combobox",
    "DisclosureTriangle",
    "dialog",
    "img",
}


def unnamed(page: Page) -> list[str]:
    """Controls without an accessible name, from Chromium's own accessibility tree."""
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    shown = [n for n in nodes if not n["ignored"] and n["role"]["value"] in CONTROLS]
    assert len(shown) > 10
    return [n["role"]["value"] for n in shown if not n.get("name", {}).get("value", "").strip()]


@pytest.mark.parametrize(("locale", "query"), [("en-US", ""), ("ja-JP", "?blind=1")])
def test_every_control_has_a_name(browser: Browser, door: Door, locale: str, query: str) -> None:
    page, troubles = open_page(browser, door.origin, extra_http_headers=as_login("sato"), locale=locale)
    open_case(page, "bert", query)
    page.keyboard.press("x")
    assert unnamed(page) == []
    page.keyboard.press("?")
    assert unnamed_in_dialog(page) == []
    page.goto(f"/triage/{query}")
    assert unnamed(page) == []
    page.context.close()
    assert troubles.seen == []


def unnamed_in_dialog(page: Page) -> list[str]:
    """The same where everything behind the dialog is out of reach."""
    buttons = page.get_by_role("dialog").get_by_role("button").all()
    assert buttons
    return [str(b) for b in buttons if not b.inner_text().strip()]


@pytest.mark.parametrize(("scheme", "locale"), [("dark", "en-US"), ("light", "ja-JP")])
def test_the_form_can_be_read(
    browser: Browser, room: ReadingRoom, door: Door, scheme: Any, locale: str
) -> None:
    """Contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3), nothing cut off sideways."""
    door.say("ito", room, "bert", urgency="RED", comment="small")
    page, troubles = open_page(
        browser, door.origin, extra_http_headers=as_login("sato"), color_scheme=scheme, locale=locale
    )
    open_case(page, "bert")
    for key in "2hdx":
        page.keyboard.press(key)
    assert page.evaluate(CONTRAST) == []
    send, footer = (page.locator(s).bounding_box() for s in ("form.review [type=submit]", "footer"))
    assert send and footer and send["y"] + send["height"] <= footer["y"], "always in sight"
    for width in (1366, 800, 420):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.goto("/triage/")
    assert page.evaluate(CONTRAST) == []
    page.goto("/triage/?blind=1")
    assert page.evaluate(CONTRAST) == []
    page.context.close()
    assert troubles.seen == []
