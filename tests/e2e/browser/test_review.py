"""Reviewing in a real browser over the real store: keys, conflicts, silence of the server, blind reading."""

import re

import pytest
from browser import open_page
from playwright.sync_api import Browser, Page, Request, Route, expect
from reading_room import Door, ReadingRoom, as_login

from headct.terms.review import Action, Exclusion, ReviewFinding
from headct.terms.urgency import Urgency
from tests.e2e.browser.review_form import IN_ORDER, address, expect_case, open_case, status


def test_from_case_to_case_by_keyboard(page: Page, room: ReadingRoom) -> None:
    page.goto("/triage/")
    page.keyboard.press("n")
    expect_case(page, "bert")
    # The machine's black is a suspicion: a person's takes a second key.
    page.keyboard.press("a")
    expect(status(page)).to_contain_text("treatment is not expected to change the outcome")
    assert room.reviews("bert") == []
    page.keyboard.press("3")
    for key in "hdf":
        page.keyboard.press(key)
    page.keyboard.press("f")
    page.keyboard.press("Enter")
    expect_case(page, "cora")
    expect(page.locator("#flash")).to_contain_text("Sent: RED, Bert Patient")
    page.keyboard.press("Enter")
    expect_case(page, "dora")
    page.keyboard.press("x")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    expect_case(page, "anna")
    page.keyboard.press("a")
    expect(page).to_have_url(re.compile("/triage/$"))
    expect(page.locator("#flash")).to_contain_text("Sent: GREEN, Anna Patient")
    expect(page.locator("#cases .said")).to_have_count(4)
    page.keyboard.press("u")
    expect_case(page, "anna")

    (bert,), (cora,), (dora,), (anna,) = (room.reviews(key) for key in IN_ORDER)
    assert (bert.action, bert.urgency) == (Action.RELABEL, Urgency.RED)
    assert bert.findings == {
        ReviewFinding.HAEMORRHAGE: True,
        ReviewFinding.SUBDURAL: True,
        ReviewFinding.FRACTURE: False,
    }
    assert (cora.action, cora.urgency) == (Action.CONFIRM, Urgency.RED)
    assert (dora.action, dora.reason) == (Action.EXCLUDE, Exclusion.POST_OPERATIVE)
    assert (anna.action, anna.urgency) == (Action.CONFIRM, Urgency.GREEN)
    assert {r.login for r in (bert, cora, dora, anna)} == {"sato"}
    assert not any(r.blind for r in (bert, cora, dora, anna))


def test_slices_windows_and_keys_beside_the_form(page: Page) -> None:
    open_case(page, "cora")
    image = page.locator(".stage img")
    for key, shown in (("ArrowUp", "16.png?window=brain"), ("w", "16.png?window=subdural"), ("k", "15.png")):
        page.keyboard.press(key)
        expect(image).to_have_attribute("src", re.compile(re.escape(shown)))
    expect(page.locator(".caption .key")).to_have_text("Slice 15 of 32")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".caption .key")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("a")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    expect(page).to_have_url(re.compile(address("cora")))


def test_who_writes_fires_no_keys(page: Page, room: ReadingRoom) -> None:
    open_case(page, "cora")
    page.keyboard.press("c")
    page.keyboard.type("a n x 3 k w b u r ? h")
    page.keyboard.press("Enter")
    page.keyboard.type("and a line")
    expect(page.locator("textarea")).to_have_value("a n x 3 k w b u r ? h\nand a line")
    assert room.reviews("cora") == []
    expect(page.locator("[aria-pressed=true]")).to_have_count(0)
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    expect(page.locator("[aria-pressed=true]")).to_have_text(re.compile("YELLOW"))
    page.keyboard.press("c")
    page.keyboard.press("Control+Enter")
    expect_case(page, "bert")
    assert [r.comment for r in room.reviews("cora")] == ["a n x 3 k w b u r ? h\nand a line"]


def test_a_key_pressed_twice_does_not_speak_of_the_next_case(page: Page, room: ReadingRoom) -> None:
    open_case(page, "cora")
    page.add_init_script("""addEventListener("DOMContentLoaded", () => {
      for (const key of ["Enter", "a"]) {
        document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
      }
    });""")
    page.keyboard.press("a")
    expect_case(page, "bert")
    page.keyboard.press("n")
    expect_case(page, "dora")
    assert [len(room.reviews(key)) for key in IN_ORDER] == [0, 1, 0, 0]


def test_choosing_by_mouse_and_thinking_again(page: Page, room: ReadingRoom) -> None:
    open_case(page, "cora")
    send = page.get_by_role("button", name=re.compile("^Send"))
    expect(send).to_be_disabled()
    page.get_by_role("button", name=re.compile("^GREEN")).click()
    page.get_by_role("button", name="subdural bleed: not stated").click()
    expect(page.get_by_role("button", name="bleed within the skull: present")).to_be_visible()
    page.get_by_role("button", name="bleed within the skull: present").click()
    expect(page.get_by_role("button", name="subdural bleed: not stated")).to_be_visible()
    page.keyboard.press("Escape")
    expect(send).to_be_disabled()
    page.get_by_role("button", name="Exclude from training").click()
    page.get_by_role("button", name="another reason").click()
    expect(page.locator("textarea")).to_be_focused()
    expect(status(page)).to_have_text("Say in the comment why the case is excluded.")
    page.keyboard.press("Control+Enter")
    assert room.reviews("cora") == [], "a reason first"
    page.keyboard.type("phantom")
    send.click()
    expect_case(page, "bert")
    (said,) = room.reviews("cora")
    assert (said.reason, said.comment) == (Exclusion.OTHER, "phantom")
    assert said.findings == {ReviewFinding.HAEMORRHAGE: False}


def test_a_draft_outlives_a_reload(page: Page, room: ReadingRoom) -> None:
    open_case(page, "cora")
    page.keyboard.press("2")
    page.keyboard.press("m")
    page.keyboard.press("c")
    page.keyboard.type("unsure")
    page.reload()
    expect(page.locator("[aria-pressed=true]")).to_have_text(re.compile("YELLOW"))
    expect(page.locator("textarea")).to_have_value("unsure")
    expect(page.get_by_role("button", name="midline shift: present")).to_be_visible()
    assert room.reviews("cora") == []


# --- two at once --------------------------------------------------------------------------------------


def test_another_reader_was_faster(browser: Browser, room: ReadingRoom, door: Door) -> None:
    """No poll in between: the server refuses, the reader is told, their entries stay."""
    page, troubles = open_page(browser, door.origin, extra_http_headers=as_login("sato"))
    page.clock.install()
    page.goto(address("cora"))
    page.clock.run_for(700)
    page.keyboard.press("2")
    page.keyboard.press("d")
    assert door.say("ito", room, "cora", urgency="BLACK").status_code == 201
    with page.expect_response(re.compile("/review$")) as refused:
        page.keyboard.press("Enter")
    assert refused.value.status == 409
    told = page.get_by_role("alert").filter(has_text="This case has changed since you opened it.")
    expect(told).to_contain_text("Ito Taro says BLACK")
    expect(page.locator(".standing")).to_contain_text("Reviewed: BLACK.")
    page.keyboard.press("1")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(told).to_be_hidden()
    page.clock.run_for(700)
    expect(page.locator("[aria-pressed=true]")).to_have_text(re.compile("YELLOW"))
    expect(page.get_by_role("button", name="subdural bleed: present")).to_be_visible()
    assert len(room.reviews("cora")) == 1, "decided anew, not sent by itself"
    page.keyboard.press("Enter")
    expect_case(page, "dora")
    assert [(r.login, r.urgency) for r in room.reviews("cora")] == [
        ("ito", Urgency.BLACK),
        ("sato", Urgency.YELLOW),
    ]
    page.context.close()
    assert [t for t in troubles.seen if "409" not in t] == []


def test_a_new_result_while_the_reader_looks(page: Page, room: ReadingRoom) -> None:
    open_case(page, "cora")
    page.keyboard.press("c")
    page.keyboard.type("looks old")
    page.keyboard.press("Escape")
    room.judge("cora", Urgency.YELLOW, bundle="c" * 64)
    expect(page.locator(".changed")).to_contain_text("The machine's result is new: YELLOW.")
    page.keyboard.press("a")
    assert room.reviews("cora") == [], "what is superseded cannot be confirmed"
    page.keyboard.press("Enter")
    expect(page.locator("[data-confirm]")).to_contain_text("Confirm: YELLOW")
    expect(page.locator("textarea")).to_have_value("looks old")
    expect(page.locator(".history .superseded")).to_contain_text("Urgent, specialist now")
    expect(page.locator("form.review[data-settled]")).to_be_visible()
    page.keyboard.press("a")
    expect_case(page, "bert")
    (said,) = room.reviews("cora")
    assert (said.action, said.urgency, said.comment) == (Action.CONFIRM, Urgency.YELLOW, "looks old")


def test_images_that_come_late_are_told(page: Page, room: ReadingRoom) -> None:
    open_case(page, "cora")
    room.more_images("cora", 40)
    expect(page.locator("#no-review-yet, .changed:visible")).to_have_count(1)
    page.keyboard.press("a")
    assert room.reviews("cora") == []


# --- nothing lost, nothing doubled ------------------------------------------------------------------------


@pytest.mark.parametrize("recorded", [False, True])
def test_an_answer_that_never_came(browser: Browser, room: ReadingRoom, door: Door, recorded: bool) -> None:
    """The line breaks before or after the server has the review: sent again it is there once."""
    page, _ = open_page(browser, door.origin, extra_http_headers=as_login("sato"))

    def break_off(route: Route) -> None:
        if recorded:
            route.fetch()
        route.abort()

    page.route("**/review", break_off)
    open_case(page, "cora")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(status(page)).to_contain_text("Not sent: the server does not answer.")
    expect(page.locator("#unsent")).to_contain_text("Not sent yet: YELLOW, Cora Patient")
    page.keyboard.press("Enter")
    expect(status(page)).to_contain_text("Not sent")
    page.reload()
    expect(page.locator("#unsent")).to_be_visible()
    page.keyboard.press("n")
    expect_case(page, "bert" if recorded else "dora")
    expect(page.locator("#unsent")).to_contain_text("Cora Patient")
    page.unroute("**/review")
    page.keyboard.press("r")
    expect(page.locator("#flash")).to_contain_text("Sent: YELLOW, Cora Patient")
    expect(page.locator("#unsent")).to_be_hidden()
    assert [(r.login, r.urgency) for r in room.reviews("cora")] == [("sato", Urgency.YELLOW)]
    page.context.close()


def test_nobody_sends_what_another_left_unsent(browser: Browser, room: ReadingRoom, door: Door) -> None:
    """On one machine, one after the other: what Sato could not send does not become Ito's word."""
    page, _ = open_page(browser, door.origin, extra_http_headers=as_login("sato"))
    page.route("**/review", lambda route: route.abort())
    open_case(page, "cora")
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.locator("#unsent")).to_contain_text("Cora Patient")
    page.unroute("**/review")
    page.context.set_extra_http_headers(as_login("ito"))
    open_case(page, "dora")
    expect(page.locator("#unsent")).to_be_hidden()
    page.keyboard.press("r")
    open_case(page, "cora")
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    expect_case(page, "bert")
    assert [(r.login, r.urgency) for r in room.reviews("cora")] == [("ito", Urgency.RED)]
    page.context.set_extra_http_headers(as_login("sato"))
    open_case(page, "dora")
    expect(page.locator("#unsent")).to_contain_text("Not sent yet: YELLOW, Cora Patient")
    page.context.close()


def test_a_refusal_is_shown(browser: Browser, room: ReadingRoom, door: Door) -> None:
    page, _ = open_page(browser, door.origin, extra_http_headers=as_login("sato"))
    open_case(page, "cora")
    page.context.set_extra_http_headers(as_login("mori"))
    page.keyboard.press("a")
    expect(status(page)).to_have_text("Refused. This is for a reader; you are a viewer.")
    expect(page.locator("#unsent")).to_be_hidden()
    assert room.reviews("cora") == []
    page.context.close()


# --- blind ------------------------------------------------------------------------------------------------


def test_blind_from_the_list_to_the_answer(page: Page, room: ReadingRoom, door: Door) -> None:
    door.say("ito", room, "anna", urgency="RED", comment="told by Ito")
    answers: list[str] = []

    def listen(request: Request) -> None:
        answer = request.response()
        if answer and not re.search(r"\.(png|css|js|svg)", request.url) and "/review" not in request.url:
            answers.append(answer.text())

    page.goto("/triage/")
    page.keyboard.press("b")
    expect(page.locator("#blind")).to_be_visible()
    page.wait_for_load_state()  # before that nothing listens to keys
    page.on("requestfinished", listen)
    page.keyboard.press("n")
    expect_case(page, "anna")
    expect(page.locator("[data-confirm]")).to_have_count(0)
    with page.expect_response(re.compile(r"/studies/.*blind=1")):
        pass  # one poll
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    expect(status(page)).to_have_text("Choose a colour first.")
    text = "\n".join(answers)
    assert "Anna Patient" in text
    assert not re.search(r"told by Ito|flagged|Alert probability|Ito Taro says", text)
    page.remove_listener("requestfinished", listen)
    page.keyboard.press("2")
    page.keyboard.press("Enter")
    expect(page.locator(".agreement")).to_contain_text("You said YELLOW")
    expect(page.locator(".agreement")).to_contain_text("The machine said otherwise: Nothing flagged.")
    expect(page.locator(".history")).to_contain_text("told by Ito")
    assert [(r.login, r.blind) for r in room.reviews("anna")] == [("ito", False), ("sato", True)]
    page.wait_for_load_state()
    page.keyboard.press("Enter")
    expect_case(page, "bert")
    assert len(room.reviews("anna")) == 2
    page.keyboard.press("b")
    expect(page.locator("#blind")).to_have_count(0)


def test_who_saw_the_answer_is_not_blind_any_more(page: Page, room: ReadingRoom) -> None:
    open_case(page, "cora")
    open_case(page, "cora", "?blind=1")
    expect(status(page)).to_contain_text("your review does not count as blind")
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    expect(page.locator(".agreement")).to_contain_text("The machine said the same.")
    assert [r.blind for r in room.reviews("cora")] == [False]
