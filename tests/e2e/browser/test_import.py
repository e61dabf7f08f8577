"""A medium into a real Orthanc, by command and by the page: where its studies are found, nothing twice."""

import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Troubles, open_page
from playwright.sync_api import Browser, Page, expect
from pydicom import dcmread
from pydicom.fileset import FileSet
from stack_process import PATIENCE, StackProcess, wait_until

from headct.generator.generation import GeneratedSeries, generate, write

HEADCT = str(Path(sys.executable).with_name("headct"))


def series(salt: str, kind: str = "epidural", seed: int = 7) -> GeneratedSeries:
    """A head of few images."""
    return generate(kind, seed, salt=f"import-{salt}", matrix=256, thickness_mm=7.0)


def cd(made: GeneratedSeries, folder: Path) -> Path:
    """A CD as a PACS writes it, with what else lies on one."""
    fileset = FileSet()
    for number, file in enumerate(write(made, folder.with_name(f"{folder.name}-loose"))):
        dataset = dcmread(file)
        dataset.StudyID = dataset.get("StudyID") or "1"
        dataset.SeriesNumber = dataset.get("SeriesNumber") or 1
        dataset.InstanceNumber = dataset.get("InstanceNumber") or number
        fileset.add(dataset)
    fileset.write(folder)
    (folder / "VIEWER").mkdir()
    (folder / "VIEWER" / "IM0001.dcm").write_bytes(b"MZ, in spite of its name")
    (folder / "index.html").write_text("<html>")
    return folder


def run(stack: StackProcess, path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [HEADCT, "import", str(path), "--url", stack.url, "--data", str(stack.data), *more]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def place(stack: StackProcess, made: GeneratedSeries) -> str | None:
    """Where the study of a series is shown."""
    worklist = stack.api("worklist")
    for name in ("rows", "earlier"):
        for row in worklist[name]:
            if made.header.series_uid in {s["series_instance_uid"] for s in row["series"]}:
                return name
    return None


def wait_shown(stack: StackProcess, made: GeneratedSeries) -> str | None:
    """Where a study is shown first."""
    wait_until(lambda: place(stack, made) is not None, 60, stack.log, pause=0.05)
    return place(stack, made)


def test_a_cd_goes_to_the_earlier_studies_and_the_second_time_nowhere(
    stack: StackProcess, tmp_path: Path
) -> None:
    made = series("cd")
    folder = cd(made, tmp_path / "cd")
    done = run(stack, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    count = len(made.datasets)
    assert f"{count} images stored" in done.stdout
    assert "2 files that are not DICOM" in done.stdout
    assert wait_shown(stack, made) == "earlier", "from the first moment"
    (judged,) = stack.wait_final({made.header.series_uid}).values()
    assert judged["state"] == "assessed"
    assert place(stack, made) == "earlier"
    again = run(stack, folder)
    assert again.returncode == 0
    assert f"{count} images that were there already" in again.stdout
    assert "images stored" not in again.stdout
    new = run(stack, folder, "--new")
    assert new.returncode == 0
    assert place(stack, made) == "rows", "declared new afterwards, it is queued at once"


def test_what_the_scanner_sent_stays_in_the_queue(stack: StackProcess, tmp_path: Path) -> None:
    made = series("scanner")
    files = write(made, tmp_path / "images")
    stack.send(*files[: len(files) // 2])
    assert wait_shown(stack, made) == "rows"
    done = run(stack, tmp_path / "images")
    assert done.returncode == 0
    assert "1 of the studies are on the worklist." in done.stdout
    stack.wait_final({made.header.series_uid})
    assert place(stack, made) == "rows"


def test_what_the_scanner_adds_to_an_import_is_queued(stack: StackProcess, tmp_path: Path) -> None:
    made = series("added")
    files = write(made, tmp_path / "images")
    for file in files[::2]:
        file.rename(tmp_path / file.name)
    assert run(stack, tmp_path / "images").returncode == 0
    assert wait_shown(stack, made) == "earlier"
    stack.send(*tmp_path.glob("*.dcm"))
    wait_until(lambda: place(stack, made) == "rows", PATIENCE, stack.log)


def test_wrong_password(stack: StackProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(series("password"), tmp_path)
    monkeypatch.setenv("HEADCT_PASSWORD", "wrong")
    done = run(stack, tmp_path)
    assert done.returncode == 2
    assert "refuses the user" in done.stderr
    assert "wrong" not in done.stderr.replace("with this password", "")


# --- by the page ------------------------------------------------------------------------------------------


@pytest.fixture
def page(browser: Browser, stack: StackProcess) -> Iterator[Page]:
    """The import page; the test fails when the browser complained of anything."""
    opened, troubles = signed_in(browser, stack)
    opened.goto("/triage/")
    opened.get_by_role("link", name="Import images").press("Enter")
    yield opened
    opened.context.close()
    assert troubles.seen == []


def signed_in(browser: Browser, stack: StackProcess, **options: Any) -> tuple[Page, Troubles]:
    login = {"username": stack.user, "password": stack.password, "send": "always"}
    return open_page(browser, stack.url, http_credentials=login, **options)


def counts(page: Page) -> dict[str, int]:
    shown = page.locator("[data-count]").evaluate_all("all => all.map(e => [e.dataset.count, e.textContent])")
    return {key: int(count) for key, count in shown}


def finished(page: Page, how: str) -> None:
    state = page.get_by_role("status")
    expect(state).to_have_text(how)
    expect(state).to_be_focused()


def test_a_folder_by_the_page(page: Page, stack: StackProcess, tmp_path: Path) -> None:
    made = series("page")
    folder = cd(made, tmp_path / "cd")
    page.get_by_role("button", name="Import").press("Enter")
    expect(page.get_by_role("status")).to_have_text("Choose a folder or files first")
    page.get_by_label("Folder, CD or USB stick").set_input_files(folder)
    page.get_by_role("button", name="Import").press("Enter")
    finished(page, "Finished: every image is stored")
    said = counts(page)
    expected = {"stored": len(made.datasets), "known": 0, "studies": 1, "series": 1, "earlier": 1}
    assert said == {**expected, "queued": 0, "other": 2, "refused": 0}
    assert wait_shown(stack, made) == "earlier"
    page.get_by_role("button", name="Import").click()
    expect(page.locator("[data-count=known]")).to_have_text(str(len(made.datasets)))
    finished(page, "Finished: every image is stored")
    assert counts(page)["stored"] == 0


def test_a_zip_of_new_studies_by_the_page(page: Page, stack: StackProcess, tmp_path: Path) -> None:
    made = series("zip")
    files = write(made, tmp_path / "images")
    with zipfile.ZipFile(tmp_path / "images.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files[:-1]:
            archive.write(file, f"deep/../er/{file.stem}")
        archive.writestr("cut.dcm", files[-1].read_bytes()[:300])
        archive.writestr("letter.txt", "Dear colleague")
        archive.write(files[-1], "last")
    page.get_by_label("Files, or a ZIP").set_input_files(tmp_path / "images.zip")
    page.get_by_label("These studies are new").check()
    page.get_by_role("button", name="Import").press("Enter")
    finished(page, "Finished, but not everything could be stored: see below")
    said = counts(page)
    assert (said["stored"], said["refused"], said["other"], said["queued"]) == (len(files), 1, 1, 1)
    expect(page.locator("#import-reasons")).to_contain_text("images.zip/cut.dcm")
    assert wait_shown(stack, made) == "rows"


def test_cancel_and_silence(browser: Browser, stack: StackProcess, tmp_path: Path) -> None:
    made = series("cancel")
    folder = tmp_path / "images"
    write(made, folder)
    page, _ = signed_in(browser, stack)
    page.goto("/triage/import")
    page.get_by_label("Folder, CD or USB stick").set_input_files(folder)
    page.route("**/instances", lambda route: None)  # never answers
    page.get_by_role("button", name="Import").press("Enter")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    finished(page, "Cancelled. What was sent stays stored; import again to add the rest")
    page.unroute("**/instances")
    page.route("**/instances", lambda route: route.abort())
    page.clock.install()
    page.get_by_role("button", name="Import").press("Enter")
    for _ in range(4):
        page.clock.run_for(10_000)
    expect(page.get_by_role("status")).to_contain_text("The server does not answer.")
    page.unroute("**/instances")
    page.get_by_role("button", name="Import").press("Enter")
    finished(page, "Finished: every image is stored")
    assert counts(page)["stored"] == len(made.datasets)
    page.context.close()
