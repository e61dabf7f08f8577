"""The review by keyboard, in a page that a test drives."""

import re
from typing import Any

from fake_cases import orthanc_id
from playwright.sync_api import Page, expect

from headct.terms.urgency import Urgency

STUDIES = {"anna": Urgency.GREEN, "bert": Urgency.BLACK, "cora": Urgency.RED, "dora": Urgency.YELLOW}
IN_ORDER = ("bert", "cora", "dora", "anna")


def address(key: str) -> str:
    return f"/triage/studies/{orthanc_id(key)}"


def open_case(page: Page, key: str, query: str = "") -> None:
    page.goto(address(key) + query)
    expect(page.locator("form.review[data-settled]")).to_be_visible()


def expect_case(page: Page, key: str) -> None:
    expect(page).to_have_url(re.compile(re.escape(address(key))))
    page.wait_for_load_state()
    expect(page.locator("form.review[data-settled]")).to_be_visible()


def status(page: Page) -> Any:
    return page.locator("form.review [role=status]")
