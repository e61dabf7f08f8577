"""A reader at work on a real Orthanc, by keyboard from case to case: what they say reaches store and PACS."""

import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

from browser import open_page
from playwright.sync_api import Browser, Page, expect
from pydicom import dcmread
from stack_process import PATIENCE, StackProcess, wait_until

from headct.generator.generation import generate, write
from headct.reports.review_report import read
from headct.terms.urgency import Urgency

PEOPLE = {
    "tester": {"Name": "Sato^Hanako=佐藤^花子", "Organisation": "St. Elsewhere", "Role": "reader"},
}
KINDS = ("intracerebral", "normal", "epidural")


def sent_and_judged(stack: StackProcess, folder: Path) -> list[dict[str, Any]]:
    """Three generated cases, in the order of the worklist, with their slices rendered."""
    made = [generate(kind, 7, salt=f"review-{kind}", matrix=256, thickness_mm=7.0) for kind in KINDS]
    for number, series in enumerate(made):
        write(series, folder / str(number))
    stack.send(*(folder / str(number) for number in range(len(made))))
    stack.wait_final({series.header.series_uid for series in made})
    stack.wait_published()
    rows = stack.rows()
    assert len(rows) == len(KINDS)

    def rendered() -> bool:
        return all(stack.api(f"series/{row['series'][0]['id']}")["slices"] for row in rows)

    wait_until(rendered, PATIENCE, lambda: "no previews")
    return rows


def expect_case(page: Page, row: dict[str, Any]) -> None:
    expect(page).to_have_url(re.compile(f"/triage/studies/{row['id']}"))
    page.wait_for_load_state()
    expect(page.locator("form.review[data-settled]")).to_be_visible()
    assert page.locator(".stage img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 0


def test_three_cases_by_keyboard(
    browser: Browser, new_stack: Callable[..., StackProcess], tmp_path: Path
) -> None:
    stack = new_stack({"HeadCTTriage": {"People": PEOPLE}}).start()
    rows = sent_and_judged(stack, tmp_path)
    first = min(rows, key=lambda row: (row["first_arrival"], row["id"]))
    second, third = (row for row in rows if row is not first)
    other = next(u for u in Urgency if u.name != third["urgency"])
    login = {"username": stack.user, "password": stack.password, "send": "always"}
    page, troubles = open_page(browser, stack.url, http_credentials=login)
    page.goto("/triage/?blind=1")
    expect(page.locator(".me")).to_contain_text("Sato Hanako")
    page.keyboard.press("n")
    expect_case(page, first)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    expect(page.locator(".agreement")).to_contain_text("You said RED")
    page.wait_for_load_state()  # before that nothing listens to keys
    page.keyboard.press("b")
    expect(page.locator("#blind")).to_have_count(0)
    page.wait_for_load_state()
    page.keyboard.press("Enter")
    # Confirmed with one key; black takes two.
    expect_case(page, second)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("w")
    page.keyboard.press("a")
    if second["urgency"] == "BLACK":
        page.keyboard.press("Enter")
    # Relabelled, with a finding and a comment.
    expect_case(page, third)
    page.keyboard.press(str(other + 1))
    page.keyboard.press("s")
    page.keyboard.press("c")
    page.keyboard.type("a veil over the tentorium")
    page.keyboard.press("Control+Enter")
    expect(page).to_have_url(f"{stack.url}/triage/")
    expect(page.locator("#cases .said")).to_have_count(3)
    page.context.close()
    assert troubles.seen == []
    said = [("relabel", "RED", True), ("confirm", second["urgency"], False), ("relabel", other.name, False)]
    in_store = [stack.api(f"series/{row['series'][0]['id']}")["reviews"] for row in (first, second, third)]
    assert [(r["action"], r["urgency"], r["blind"]) for (r,) in in_store] == said
    (last,) = in_store[2]
    assert last["comment"] == "a veil over the tentorium"
    assert last["findings"] == {"haemorrhage": True, "subarachnoid": True}
    (confirmed,) = in_store[1]
    judged = stack.api(f"series/{second['series'][0]['id']}")["assessment"]["findings"]
    called_a_bleed = any(finding["kind"] == "haemorrhage" for finding in judged)
    assert confirmed["findings"] == ({"haemorrhage": True} if called_a_bleed else {})
    assert {r["reader"] for (r,) in in_store} == {"Sato^Hanako=佐藤^花子"}

    def reports() -> list[Any]:
        found = [read(stack.file(i)) for i in verified(stack)]
        return sorted(found, key=lambda report: report.review.at)

    wait_until(lambda: len(verified(stack)) == 3, PATIENCE, lambda: stack.log())
    told = [(r.review.action.value, r.review.urgency.name, r.review.blind) for r in reports()]
    assert told == said


def verified(stack: StackProcess) -> list[str]:
    """Reports in Orthanc that bear a verifying observer."""
    return [
        i for i in stack.documents("SR") if dcmread(BytesIO(stack.file(i))).VerificationFlag == "VERIFIED"
    ]
