"""``headct import`` against a small server that behaves like Orthanc, and misbehaves like one."""

import base64
import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from dicom_stack import file_bytes, head, write
from pydicom import dcmread
from pydicom.fileset import FileSet
from stack_process import free_ports

from headct.cli import main
from orthanc_plugin.media import command, upload
from orthanc_plugin.media.command import bring_in
from orthanc_plugin.media.upload import Server, ServerError
from orthanc_plugin.stack.credentials import Credentials

LOGIN = Credentials("clerk", "secret")
DISK_FULL = {"Message": "Cannot write to file", "OrthancStatus": 14}
BAD_FILE = {"Message": "Bad file format", "Details": "Cannot parse an invalid DICOM file"}


class Orthanc(ThreadingHTTPServer):
    """Keeps images in memory; answers from ``script`` first, one entry a request to ``/instances``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.images: dict[str, str] = {}
        self.series: dict[str, str] = {}
        self.overwrites = False
        """Whether images sent again replace those that are there; then Orthanc calls them new."""
        self.announced: list[tuple[str, bool]] = []
        self.seen_before: list[set[str]] = []
        """Images that were there at each announcement."""
        self.script: list[tuple[int, Any] | None] = []
        """Status and body; ``None``: the line breaks."""
        self.refuses_imports: tuple[int, Any] | None = None
        self.system: Any = {"Version": "1.10.1"}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Orthanc

    def do_GET(self) -> None:
        self.answer(200, self.server.system)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/triage/api/v1/imports":
            assert self.headers["Content-Type"] == "application/json"
            assert "X-Triage" in self.headers
            self.announce(json.loads(body))
            return
        if self.path == "/tools/find":
            query = json.loads(body)["Query"]
            found = self.server.overwrites and query["SOPInstanceUID"] in self.server.images
            self.answer(200, [{"ParentSeries": self.server.series[query["SOPInstanceUID"]]}] if found else [])
            return
        assert self.path == "/instances"
        if self.server.script:
            step = self.server.script.pop(0)
            if step is None:
                self.connection.close()
            else:
                self.answer(*step)
            return
        image = dcmread(io.BytesIO(body))
        known = image.SOPInstanceUID in self.server.images
        self.server.images[image.SOPInstanceUID] = image.StudyInstanceUID
        self.server.series[image.SOPInstanceUID] = image.SeriesInstanceUID
        status = "AlreadyStored" if known and not self.server.overwrites else "Success"
        self.answer(200, {"ID": "i", "ParentSeries": image.SeriesInstanceUID, "Status": status})

    def announce(self, said: dict[str, Any]) -> None:
        if self.server.refuses_imports:
            self.answer(*self.server.refuses_imports)
            return
        (uid,) = said["study_instance_uids"]
        self.server.announced.append((uid, said["new"]))
        self.server.seen_before.append({i for i, study in self.server.images.items() if study == uid})
        self.answer(200, {"studies": [{"study_instance_uid": uid, "earlier": not said["new"]}]})

    def answer(self, status: int, body: Any) -> None:
        right = base64.b64encode(f"{LOGIN.user}:{LOGIN.password}".encode()).decode()
        if self.headers["Authorization"] != f"Basic {right}":
            status, body = 401, None
        data = (
            body.encode() if isinstance(body, str) else json.dumps(body).encode() if body is not None else b""
        )
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on standard error."""


@pytest.fixture
def orthanc() -> Iterator[Orthanc]:
    with Orthanc() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "PAUSES", (0.0, 0.0, 0.0))


def study(number: int, count: int = 3) -> list[bytes]:
    datasets = write(head(slabs=count, size=16), series=f"2.25.{number}")
    for dataset in datasets:
        dataset.StudyInstanceUID = f"2.25.{number}.0"
    return [file_bytes(dataset) for dataset in datasets]


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    """Two studies and what lies beside them."""
    folder = tmp_path / "cd"
    for number in (31, 32):
        (folder / str(number)).mkdir(parents=True)
        for index, data in enumerate(study(number)):
            (folder / str(number) / f"IM{index}").write_bytes(data)
    (folder / "readme.html").write_text("<html>")
    return folder


def run(path: Path, url: str, *more: str, **environment: str | None) -> Result:
    login = {"HEADCT_USER": LOGIN.user, "HEADCT_PASSWORD": LOGIN.password}
    arguments = ["import", str(path), "--url", url, *more]
    return CliRunner().invoke(main, arguments, env={**login, **environment})


def words(result: Result) -> dict[str, int]:
    """Counts of the summary by what is counted."""
    lines = (line.strip().partition(" ") for line in result.stdout.splitlines())
    return {rest: int(count) for count, _, rest in lines if count.isdigit()}


def test_what_is_there_is_never_replaced(orthanc: Orthanc, medium: Path) -> None:
    orthanc.overwrites = True
    assert words(run(medium, orthanc.url))["images stored"] == 6
    orthanc.script = [(500, None)] * 9  # nothing is sent
    again = run(medium, orthanc.url)
    assert words(again).items() >= {"images that were there already": 6, "studies, 2 series": 2}.items()
    assert "images stored" not in words(again)


@pytest.mark.parametrize(
    ("patient_id", "asked"),
    [
        ("4711", True),
        ("A 1-2^3", True),
        ("", False),
        ("a*", False),
        ("a?", False),
        ("a\\b", False),
        ("患者", False),
    ],
)
def test_patients_that_orthanc_would_mistake_are_not_asked_for(patient_id: str, asked: bool) -> None:
    assert bool(upload._MATCHED_EXACTLY.fullmatch(patient_id)) is asked


def test_first_time_then_again(orthanc: Orthanc, medium: Path) -> None:
    first = run(medium, orthanc.url)
    assert first.exit_code == 0, first.output
    counts = words(first)
    assert counts["studies, 2 series"] == 2
    assert counts["images stored"] == 6
    assert counts["files that are not DICOM"] == 1
    assert counts["of the studies are among the earlier ones: assessed, not queued."] == 2
    assert orthanc.announced == [("2.25.31.0", False), ("2.25.32.0", False)]
    assert orthanc.seen_before == [set(), set()], "told before the first image comes"
    again = run(medium, orthanc.url)
    assert again.exit_code == 0
    assert words(again)["images that were there already"] == 6
    assert "images stored" not in words(again)


def test_new_studies(orthanc: Orthanc, medium: Path) -> None:
    result = run(medium, orthanc.url, "--new")
    assert orthanc.announced == [("2.25.31.0", True), ("2.25.32.0", True)]
    assert words(result)["of the studies are on the worklist."] == 2
    assert "earlier" not in result.stdout


def test_one_bad_file_does_not_stop_the_others(orthanc: Orthanc, medium: Path) -> None:
    (medium / "31" / "IM1").write_bytes(study(31)[1][:400])
    orthanc.script = [(400, BAD_FILE)]
    result = run(medium, orthanc.url)
    assert result.exit_code == 1
    assert len(orthanc.images) == 4
    assert "Orthanc refuses it (Cannot parse an invalid DICOM file): 31/IM0" in result.stdout
    assert "damaged DICOM header" in result.stdout


@pytest.mark.parametrize("trouble", [[None], [None, None, None], [(502, "<html>"), None], [(503, "")]])
def test_a_line_that_breaks_is_taken_up_again(orthanc: Orthanc, medium: Path, trouble: list[Any]) -> None:
    orthanc.script = trouble
    result = run(medium, orthanc.url)
    assert result.exit_code == 0, result.output
    assert words(result)["images stored"] == 6


def test_a_line_that_stays_broken(orthanc: Orthanc, medium: Path) -> None:
    with Server(orthanc.url, LOGIN, pauses=()) as server:
        server.store(study(31)[0])
        orthanc.script = [None] * 4
        with pytest.raises(ServerError, match="does not answer"):
            bring_in(medium, server, new=False, progress=lambda _: None)
    orthanc.script = []
    done: list[int] = []

    def progress(size: int) -> None:
        done.append(size)
        if len(done) == 3:  # the page beside the images and two of them
            orthanc.script = [None] * 4

    with Server(orthanc.url, LOGIN, pauses=(0, 0, 0)) as server:
        tally = bring_in(medium, server, new=False, progress=progress)
    assert (tally.stored, tally.duplicates, tally.exit_status) == (1, 1, 1)
    assert "does not answer" in tally.summary()
    assert "everything from 31/IM2 on" in tally.summary()
    assert words_of(run(medium, orthanc.url)) == {"images stored": 4, "images that were there already": 2}


def words_of(result: Result) -> dict[str, int]:
    return {key: count for key, count in words(result).items() if key.startswith("images")}


def test_a_full_disk_ends_it_at_once(orthanc: Orthanc, medium: Path) -> None:
    orthanc.script = [(500, DISK_FULL)]
    result = run(medium, orthanc.url)
    assert result.exit_code == 2
    assert "is its disk full?" in result.stderr
    assert orthanc.images == {}
    run(medium / "31" / "IM0", orthanc.url)
    orthanc.script = [(200, {"Status": "AlreadyStored", "ParentSeries": "s"}), (507, {"Message": "full"})]
    result = run(medium, orthanc.url)
    assert result.exit_code == 1
    assert "is its disk full?" in result.stdout
    assert "everything from 31/IM1 on" in result.stdout


def test_interrupted(orthanc: Orthanc, medium: Path) -> None:
    def progress(_: int) -> None:
        if len(orthanc.images) == 4:
            raise KeyboardInterrupt

    with Server(orthanc.url, LOGIN) as server:
        tally = bring_in(medium, server, new=False, progress=progress)
    assert (tally.stored, tally.stopped, tally.exit_status) == (4, "interrupted", 1)


def test_what_the_directory_names_and_is_not_there(orthanc: Orthanc, tmp_path: Path) -> None:
    fileset = FileSet()
    for data in study(33):
        dataset = dcmread(io.BytesIO(data))
        dataset.StudyID, dataset.SeriesNumber, dataset.StudyTime = "1", 1, "120000"
        fileset.add(dataset)
    fileset.write(tmp_path / "cd")
    assert run(tmp_path / "cd", orthanc.url).exit_code == 0
    next(f for f in (tmp_path / "cd").rglob("*") if f.is_file() and f.name != "DICOMDIR").unlink()
    result = run(tmp_path / "cd", orthanc.url)
    assert result.exit_code == 1
    assert words(result)["images named by the DICOMDIR are not on the medium"] == 1
    only = run(tmp_path / "cd" / "DICOMDIR", orthanc.url)
    assert (only.exit_code, "name the folder" in only.stderr) == (2, True)


class TestUnusable:
    """Exit status 2, and one line that says what to do."""

    def check(self, result: Result, why: str) -> None:
        assert result.exit_code == 2
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert why in line

    def test_no_such_path(self, orthanc: Orthanc, tmp_path: Path) -> None:
        self.check(run(tmp_path / "none", orthanc.url), "there is no file or folder")

    def test_nothing_dicom(self, orthanc: Orthanc, tmp_path: Path) -> None:
        (tmp_path / "letter").write_text("Dear colleague")
        self.check(run(tmp_path, orthanc.url), "no DICOM image")

    def test_no_server(self, medium: Path) -> None:
        (port,) = free_ports(1)
        self.check(run(medium, f"http://127.0.0.1:{port}"), "does not answer")

    def test_another_server(self, orthanc: Orthanc, medium: Path) -> None:
        orthanc.system = "<html>printer</html>"
        self.check(run(medium, orthanc.url), "no Orthanc")

    def test_wrong_password(self, orthanc: Orthanc, medium: Path) -> None:
        result = run(medium, orthanc.url, HEADCT_PASSWORD="wrong")
        self.check(result, "refuses the user clerk")
        assert "wrong" not in result.output

    def test_no_password(self, orthanc: Orthanc, medium: Path, tmp_path: Path) -> None:
        result = run(medium, orthanc.url, "--data", str(tmp_path), HEADCT_PASSWORD=None, HEADCT_USER=None)
        self.check(result, "set HEADCT_USER and HEADCT_PASSWORD")

    @pytest.mark.parametrize(
        ("answer", "why"),
        [
            ((404, ""), "triage does not run"),
            ((403, {"code": "refused", "message": "Imports are refused."}), "Imports are refused."),
            ((503, {"code": "unavailable", "message": "The store is broken."}), "The store is broken."),
        ],
    )
    def test_no_triage(self, orthanc: Orthanc, medium: Path, answer: tuple[int, Any], why: str) -> None:
        orthanc.refuses_imports = answer
        self.check(run(medium, orthanc.url), why)
        assert orthanc.images == {}, "nothing is stored whose place is not known"

    @pytest.mark.parametrize("url", ["localhost:8042", "ftp://127.0.0.1", "http://[::1", ""])
    def test_no_address(self, medium: Path, url: str) -> None:
        self.check(run(medium, url), "")


def test_password_of_the_data_folder(orthanc: Orthanc, medium: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "credentials").write_text(f"user: {LOGIN.user}\npassword: {LOGIN.password}\n")
    nothing = {"HEADCT_USER": None, "HEADCT_PASSWORD": None}
    assert run(medium, orthanc.url, "--data", str(tmp_path / "data"), **nothing).exit_code == 0


def test_address_of_the_data_folder(orthanc: Orthanc, medium: Path, tmp_path: Path) -> None:
    port = httpx.URL(orthanc.url).port
    (tmp_path / "orthanc.json").write_text(json.dumps({"HttpPort": port}))
    environment = {"HEADCT_USER": LOGIN.user, "HEADCT_PASSWORD": LOGIN.password}
    result = CliRunner().invoke(main, ["import", str(medium), "--data", str(tmp_path)], env=environment)
    assert (result.exit_code, len(orthanc.images)) == (0, 6)


def test_this_machine_s_password_goes_to_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HEADCT_USER", "HEADCT_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "headct-data").mkdir()
    (tmp_path / "headct-data" / "credentials").write_text("user: own\npassword: ours\n")
    for url in ("http://127.0.0.1:8042", "http://localhost:1", "https://[::1]:8042"):
        assert command._login(url, None) == Credentials("own", "ours")
    for url in ("http://192.0.2.1:8042", "https://pacs.example", "http://127.0.0.1.example"):
        with pytest.raises(command.HeadCTError, match="no password"):
            command._login(url, None)


def test_names_that_would_steer_a_terminal_do_not() -> None:
    tally = command.Tally()
    tally.refuse("a\x1b[2J\udcff画像", "damaged")
    assert "a?[2J?画像" in tally.summary()
