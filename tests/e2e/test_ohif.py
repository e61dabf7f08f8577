"""The viewer: study list, images and the structured report, in a real browser without a console error."""

import re
from pathlib import Path

from browser import chromium, open_page
from copies import copy_series
from data import SHARED, needs_shared_data
from places import ROOT
from playwright.sync_api import Playwright, expect
from stack_process import StackProcess

SOURCE = SHARED / "ct_ich" / "series" / "CTICH-049"
SCREENSHOTS = ROOT / "build" / "screenshots"
# OHIF draws with WebGL; without a graphics card Chromium can do that in software.
SOFTWARE_GRAPHICS = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")


@needs_shared_data
def test_study_and_report_open_in_ohif(playwright: Playwright, stack: StackProcess, tmp_path: Path) -> None:
    uid = copy_series(SOURCE, tmp_path / "ohif", 7000, "ohif")
    stack.send(tmp_path / "ohif")
    series = stack.wait_final([uid])[uid]
    assert series["state"] == "assessed"
    stack.wait_published()
    assert stack.documents("SEG") == [], "no place is marked unless that is asked for"
    study = stack.api(f"series/{series['id']}")["study_id"]
    study_uid = stack.get(f"/studies/{study}")["MainDicomTags"]["StudyInstanceUID"]

    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with chromium(playwright, *SOFTWARE_GRAPHICS) as browser:
        login = {"username": stack.user, "password": stack.password}
        page, troubles = open_page(
            browser, stack.ohif_url, http_credentials=login, viewport={"width": 1400, "height": 900}
        )
        page.goto("/")
        expect(page.get_by_text("Copy, 7000")).to_be_visible()
        page.screenshot(path=SCREENSHOTS / "ohif-studies.png")

        page.goto(stack.api("status")["ohif_url"] + study_uid)
        report = page.get_by_role("button", name=re.compile("^SR Head CT triage"))
        expect(report).to_be_visible()
        expect(page.get_by_text("(1/33)")).to_be_visible()
        # The picture itself is drawn on a canvas, of which the page cannot be asked whether it is done.
        page.wait_for_timeout(2000)
        page.screenshot(path=SCREENSHOTS / "ohif-images.png")
        report.dblclick()
        expect(page.get_by_text("Head CT triage report")).to_be_visible()
        expect(page.get_by_text("the physician makes the final judgement")).to_be_visible()
        page.screenshot(path=SCREENSHOTS / "ohif-report.png")
    assert not [t for t in troubles.seen if not harmless(t)]


def harmless(trouble: str) -> bool:
    """What Chromium says of drawing without a graphics card, and OHIF's own advice to developers."""
    return "GPU stall" in trouble or "GL Driver Message" in trouble
