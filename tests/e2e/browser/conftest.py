"""One Chromium for all tests of a process, and a reading room for those of the review."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import chromium, open_page
from playwright.sync_api import Browser, Page, Playwright
from reading_room import Door, ReadingRoom, as_login

from tests.e2e.browser.review_form import STUDIES


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with chromium(playwright) as running:
        yield running


@pytest.fixture
def room(tmp_path: Path) -> Iterator[ReadingRoom]:
    made = ReadingRoom(tmp_path, STUDIES)
    yield made
    made.close()


@pytest.fixture
def door(room: ReadingRoom) -> Iterator[Door]:
    made = Door(room.app)
    yield made
    made.close()


@pytest.fixture
def page(browser: Browser, door: Door) -> Iterator[Page]:
    """Reader Sato's page; the test fails when the browser complained of anything."""
    opened, troubles = open_page(browser, door.origin, extra_http_headers=as_login("sato"))
    yield opened
    opened.context.close()
    assert troubles.seen == []
