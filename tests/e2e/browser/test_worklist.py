"""The page in a real browser: refreshes itself, keeps the doctor's place, says when the server is silent."""

import re
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from browser import CONTRAST, LAPTOP, arrive, open_page
from fake_cases import NOW, case, orthanc_id, summary
from fake_triage import FakeTriage
from playwright.sync_api import Browser, Page, expect
from stack_process import free_ports
from werkzeug.serving import BaseWSGIServer, make_server

from headct.terms.urgency import Urgency
from orthanc_plugin.cases.views import LostView
from orthanc_plugin.web import create_app


class Server:
    """The web application over a fake triage, on a port of its own; may fall silent and come back."""

    def __init__(self) -> None:
        self.triage = FakeTriage()
        self.app = create_app(self.triage)
        (self.port,) = free_ports(1)
        self.start()

    def start(self) -> None:
        self._server: BaseWSGIServer = make_server("127.0.0.1", self.port, self.app, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """A page on a laptop; the test fails when the browser complained of anything."""
    opened, troubles = open_page(browser, server.origin)
    yield opened
    opened.context.close()
    assert troubles.seen == []


def rows(page: Page) -> list[str]:
    ids = page.locator("#cases > .case").evaluate_all("rows => rows.map(row => row.id)")
    return [str(i).removeprefix("case-") for i in ids]


def test_the_worklist_is_in_sight_however_much_was_deleted(
    page: Page, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = tuple(
        LostView(study_id=orthanc_id(f"gone{n}"), study_instance_uid=f"1.2.{n}", deleted_at=NOW)
        for n in range(40)
    )
    listed = server.triage.worklist().model_copy(update={"lost": lost})
    monkeypatch.setattr(server.triage, "worklist", lambda asked: listed)
    page.goto("/triage/")
    expect(page.locator("#cases > .case").first).to_be_in_viewport()
    last = page.locator("#lost > li").last
    last.scroll_into_view_if_needed()
    expect(last).to_be_in_viewport()


def test_a_new_alert_comes_first_by_itself(page: Page, server: Server) -> None:
    page.goto("/triage/")
    old = [row.id for row in server.triage.rows]
    assert rows(page) == old
    new = case("new", "New^Patient", 0.1, summary("new", urgency=Urgency.RED), urgency=Urgency.RED)
    server.triage.rows = (new, *server.triage.rows)
    expect(page.locator("#cases > .case").first).to_have_id(f"case-{new.id}")
    assert rows(page) == [new.id, *old]
    expect(page).to_have_title("(4) Head CT triage")
    server.triage.rows = server.triage.rows[3:]
    expect(page.locator("#cases > .case")).to_have_count(len(old) - 2)


def test_a_refresh_keeps_place_focus_and_open_details(page: Page, server: Server) -> None:
    page.goto("/triage/")
    red = orthanc_id("red")
    page.locator(f"#series-of-{red} summary").click()
    page.locator("#earlier > summary").click()
    page.locator(f"#case-{orthanc_id('green')} .open").focus()
    before = page.evaluate("scrollY")
    page.mouse.wheel(0, 300)
    page.wait_for_function("before => scrollY > before", arg=before)
    page.evaluate("document.getElementById('cases').lastElementChild.mark = 'same element'")
    place = page.evaluate("scrollY")
    server.triage.current = server.triage.current.model_copy(
        update={"now": server.triage.current.now + timedelta(seconds=61)}
    )
    expect(page.locator("#heart")).to_contain_text("1 min ago")
    assert page.evaluate("document.getElementById('cases').lastElementChild.mark") == "same element"
    assert page.evaluate("scrollY") == place
    expect(page.locator(f"#case-{orthanc_id('green')} .open")).to_be_focused()
    expect(page.locator(f"#series-of-{red} ul")).to_be_visible()
    expect(page.locator("#earlier ol")).to_be_visible()


def test_silence_is_loud_and_ends_by_itself(browser: Browser, server: Server) -> None:
    page, _ = open_page(browser, server.origin)
    page.clock.install()
    page.goto("/triage/")
    expect(page.locator("#stale")).to_be_hidden()
    server.stop()
    page.clock.run_for(9000)
    expect(page.locator("#stale")).to_be_visible()
    expect(page.locator("#stale")).to_contain_text("Not updated since")
    assert page.title().startswith("⚠")
    assert page.locator("#cases > .case").count() == len(server.triage.rows), "the last list stays readable"
    server.start()
    page.clock.run_for(2500)
    expect(page.locator("#stale")).to_be_hidden()
    expect(page).to_have_title("(3) Head CT triage")
    page.context.close()


@pytest.mark.parametrize("lost", ["**/triage.js*", "**/htmx.min.js*", "**/*.js*"])
def test_a_page_without_its_script_says_that_it_is_not_updated(
    browser: Browser, server: Server, lost: str
) -> None:
    page, _ = open_page(browser, server.origin)
    page.route(lost, lambda route: route.abort())
    page.goto("/triage/")
    expect(page.locator("#stale")).to_be_visible()
    expect(page.locator("#stale")).to_contain_text("out of date")
    page.context.close()


def test_a_page_that_has_just_come_is_not_stale(browser: Browser, server: Server) -> None:
    page, _ = open_page(browser, server.origin)
    page.route("**/*.js*", lambda route: route.abort())
    page.goto("/triage/")
    expect(page.locator("#stale")).to_be_hidden()
    page.context.close()


def test_errors_are_silence_too(browser: Browser, server: Server) -> None:
    page, _ = open_page(browser, server.origin)
    page.clock.install()
    page.goto("/triage/")
    server.triage.trouble = RuntimeError("broken")
    page.clock.run_for(9000)
    expect(page.locator("#stale")).to_be_visible()
    assert page.locator("#cases > .case").count() == len(server.triage.rows)
    page.context.close()


def test_list_by_keyboard(page: Page, server: Server) -> None:
    page.goto("/triage/")
    names = page.locator("#cases .open")
    page.keyboard.press("j")
    expect(names.nth(0)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(names.nth(1)).to_be_focused()
    for _ in range(20):
        page.keyboard.press("j")
    expect(names.last).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    arrive(page, f"{server.origin}/triage/studies/{server.triage.rows[-2].id}")
    page.keyboard.press("Escape")
    arrive(page, f"{server.origin}/triage/")


def test_whole_row_opens_the_study(page: Page, server: Server) -> None:
    page.goto("/triage/")
    sign = page.locator(f"#case-{orthanc_id('red')} .sign").bounding_box()
    assert sign is not None
    page.mouse.click(sign["x"] + 20, sign["y"] + 20)
    expect(page).to_have_url(f"{server.origin}/triage/studies/{orthanc_id('red')}")


def expect_shown(page: Page, slice_and_window: str) -> None:
    """Wait until the viewer asks for this slice in this window."""
    wanted = re.compile(rf"/slices/{re.escape(slice_and_window)}&")
    expect(page.locator(".stage img")).to_have_attribute("src", wanted)


def test_slices_by_keyboard_wheel_and_click(page: Page) -> None:
    page.goto(f"/triage/studies/{orthanc_id('black')}")
    caption = page.locator(".caption")
    expect(caption).to_have_text("Slice 15 of 32")
    for key, slice_and_window in (
        ("ArrowUp", "16.png?window=brain"),
        ("w", "16.png?window=subdural"),
        ("PageDown", "11.png?window=subdural"),
        ("w", "11.png?window=stroke"),
        ("w", "11.png?window=bone"),
        ("ArrowDown", "10.png?window=bone"),
        ("w", "10.png?window=brain"),
        ("Shift+W", "10.png?window=bone"),
        ("w", "10.png?window=brain"),
        ("k", "15.png?window=brain"),
        ("k", "13.png?window=brain"),
    ):
        page.keyboard.press(key)
        expect_shown(page, slice_and_window)
    for _ in range(40):
        page.keyboard.press("ArrowDown")
    expect(caption).to_have_text("Slice 0 of 32")
    page.locator(".stage").hover()
    page.mouse.wheel(0, -120)
    expect(caption).to_have_text("Slice 1 of 32")
    page.locator(".keys a").nth(2).click()
    expect(caption).to_have_text("Slice 17 of 32")
    page.get_by_role("link", name="Bone").click()
    expect_shown(page, "17.png?window=bone")
    page.locator(".scroll a").first.click()
    expect(caption).to_have_text("Slice 16 of 32")
    assert (
        page.locator(".stage img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 512
    )


def test_a_refresh_keeps_the_slice_until_the_assessment_changes(page: Page, server: Server) -> None:
    page.goto(f"/triage/studies/{orthanc_id('black')}")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("w")
    status = server.triage.current
    server.triage.current = status.model_copy(update={"now": status.now + timedelta(seconds=61)})
    expect(page.locator("#heart")).to_contain_text("1 min ago")
    expect_shown(page, "16.png?window=subdural")

    study = server.triage.study(orthanc_id("black"))
    assessment = study.series[0].assessment
    assert assessment is not None
    again = assessment.model_copy(update={"judged_at": assessment.judged_at + timedelta(minutes=5)})
    changed = study.series[0].model_copy(update={"assessment": again})
    server.triage.study = lambda _: study.model_copy(update={"series": (changed,)})  # type: ignore[method-assign]
    slider = page.locator(".scroll input")
    expect(slider).to_have_attribute("aria-valuetext", "Slice 15 of 32")
    page.keyboard.press("ArrowUp")
    expect_shown(page, "16.png?window=brain")


def test_judge_again(page: Page, server: Server) -> None:
    page.goto(f"/triage/studies/{orthanc_id('yellow')}")
    page.get_by_role("button", name="Judge again").click()
    expect(page.get_by_role("button", name="Queued")).to_be_disabled()
    assert [series for series, _ in server.triage.reruns] == [orthanc_id("yellow")]


def test_language_stays_chosen(page: Page, server: Server) -> None:
    page.goto("/triage/")
    page.get_by_role("link", name="日本語").click()
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    page.locator("#cases .open").first.click()
    expect(page.locator("html")).to_have_attribute("lang", "ja")
    status = server.triage.current
    server.triage.current = status.model_copy(update={"judging": 7})
    expect(page.locator("#heart")).to_contain_text("解析中 7件")


def test_without_script(browser: Browser, server: Server) -> None:
    page, troubles = open_page(browser, server.origin, java_script_enabled=False)
    page.goto("/triage/")
    server.triage.rows = server.triage.rows[1:]
    expect(page.locator("#cases > .case")).to_have_count(len(server.triage.rows))
    page.locator(f"#case-{orthanc_id('red')} .open").click()
    page.get_by_role("link", name="Subdural").click()
    page.get_by_role("link", name="Next slice").click()
    expect_shown(page, "16.png?window=subdural")
    page.context.close()
    assert troubles.seen == []


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("address", ["/triage/", f"/triage/studies/{orthanc_id('black')}"])
def test_text_can_be_read(browser: Browser, server: Server, scheme: str, address: str) -> None:
    """Contrast of at least 4.5 to 1 everywhere (WCAG 2.2, 1.4.3), nothing cut off sideways."""
    page, troubles = open_page(browser, server.origin, color_scheme=scheme)
    page.goto(address)
    assert page.evaluate(CONTRAST) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= LAPTOP["width"]
    page.set_viewport_size({"width": 420, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    page.context.close()
    assert troubles.seen == []


def test_the_first_case_is_seen_at_once(page: Page) -> None:
    page.goto("/triage/")
    first = page.locator("#cases > .case").first.bounding_box()
    assert first is not None
    assert first["y"] + first["height"] < LAPTOP["height"] / 2
    fourth = page.locator("#cases > .case").nth(3).bounding_box()
    assert fourth is not None
    assert fourth["y"] + fourth["height"] < LAPTOP["height"]


def test_controls_have_names(page: Page) -> None:
    for address in ("/triage/", f"/triage/studies/{orthanc_id('red')}"):
        page.goto(address)
        for control in page.locator("a, button, input, summary, img").all():
            name = control.evaluate("e => e.getAttribute('aria-label') || e.alt || e.textContent.trim()")
            assert name, control.evaluate("e => e.outerHTML")
