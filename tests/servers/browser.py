"""A real Chromium, and a page in it that keeps what went wrong."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, expect
from stack_process import PATIENCE

expect.set_options(timeout=1000 * PATIENCE)

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-smooth-scrolling",
]
LAPTOP = {"width": 1366, "height": 768}

CONTRAST = """() => {
  const channel = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.6) return colour;
    }
    return [255, 255, 255];
  };
  const poor = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const element = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !element.checkVisibility() || element.closest("svg")) continue;
    const both = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    const [a, b] = both.sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${walk.currentNode.data.trim()}`);
  }
  return poor;
}"""
"""In a page: every text whose contrast is below 4.5 to 1 (WCAG 2.2, 1.4.3)."""


@contextmanager
def chromium(playwright: Playwright, *more: str) -> Iterator[Browser]:
    """The system's own Chromium without its windows, talking to nobody but the address under test."""
    executable = shutil.which("chromium-headless-shell")
    if executable is None:
        raise RuntimeError("chromium-headless-shell is not installed; `make test` installs it")
    browser = playwright.chromium.launch(executable_path=executable, args=[*ARGUMENTS, *more])
    try:
        yield browser
    finally:
        browser.close()


class Troubles:
    """Everything a page complained of: console errors, uncaught errors, failed requests, other hosts."""

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.seen: list[str] = []
        context.on("page", lambda page: self._watch(page, origin))

    def _watch(self, page: Page, origin: str) -> None:
        page.on("console", lambda m: self._note(f"console: {m.text}") if _complains(m) else None)
        page.on("pageerror", lambda error: self._note(f"error: {error}"))
        page.on(
            "request",
            lambda r: None if r.url.startswith((origin, "data:")) else self._note(f"foreign: {r.url}"),
        )
        page.on("response", lambda r: self._note(f"{r.status}: {r.url}") if r.status >= 400 else None)

    def _note(self, trouble: str) -> None:
        self.seen.append(trouble)


def _complains(message: ConsoleMessage) -> bool:
    """A question given up because the machine was busy is asked again, and the page says so meanwhile."""
    return message.type in {"error", "warning"} and not message.text.startswith("htmx: htmx:error: timeout")


def arrive(page: Page, address: str) -> None:
    """Wait until a click or key has led to a page whose scripts run; before that, keys are lost."""
    expect(page).to_have_url(address)
    page.wait_for_load_state()


def open_page(browser: Browser, origin: str, **options: Any) -> tuple[Page, Troubles]:
    """A page in a context of its own, as on a laptop."""
    context = browser.new_context(base_url=origin, **{"viewport": LAPTOP, "locale": "en-US", **options})
    troubles = Troubles(context, origin)
    context.set_default_timeout(1000 * PATIENCE)
    return context.new_page(), troubles
