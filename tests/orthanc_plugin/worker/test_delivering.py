"""Results sent on by a real Orthanc to receivers that take all, less, or nothing."""

import base64
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
import report_cases as cases
from orthanc_process import ORTHANC, OrthancProcess
from pydicom import dcmread
from pydicom.uid import BasicTextSRStorage, Comprehensive3DSRStorage, KeyObjectSelectionDocumentStorage
from stack_process import PATIENCE, free_ports, port_is_free
from store_samples import after, judgement, seen

from headct.reports import key_objects, plain_text, structured_report
from headct.terms.urgency import Urgency
from orthanc_plugin.forwarding import deliveries, standing
from orthanc_plugin.forwarding.deliveries import Due
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import DeliveryTrouble, DocumentKind
from orthanc_plugin.store import outbox, queue, results
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.results import NewDocument
from orthanc_plugin.worker.delivering import Deliverer
from orthanc_plugin.worker.orthanc_client import OrthancClient, OrthancError

pytestmark = pytest.mark.skipif(
    not ORTHANC.exists() or shutil.which("storescp") is None, reason="Orthanc or DCMTK is not installed"
)
CONTEXTS = """\
[[TransferSyntaxes]]
[T]
{syntaxes}
[[PresentationContexts]]
[C]
{contexts}
[[Profiles]]
[Default]
PresentationContexts = C
"""
ALL = ("LocalEndianExplicit", "LittleEndianImplicit")
FULL_SR, TEXT_SR, KEYS = "Comprehensive3DSRStorage", "BasicTextSRStorage", "KeyObjectSelectionDocumentStorage"
TAKES = {
    "ALL": (ALL, (FULL_SR, TEXT_SR, KEYS)),
    "IMPLICIT": (("LittleEndianImplicit",), (FULL_SR, KEYS)),
    "TEXT": (ALL, (TEXT_SR, KEYS)),
    "OLD": (("LittleEndianImplicit",), (TEXT_SR,)),
    "IMAGES": (ALL, ("CTImageStorage",)),
}
"""Receivers: encodings and kinds of objects that they take."""


@contextmanager
def receiver(folder: Path, name: str, port: int) -> Iterator[None]:
    """DCMTK's receiver, which writes what it gets into a folder of its name."""
    syntaxes, kinds = TAKES[name]
    config, into = folder / f"{name}.cfg", folder / name
    into.mkdir()
    config.write_text(
        CONTEXTS.format(
            syntaxes="\n".join(f"TransferSyntax{n} = {s}" for n, s in enumerate(syntaxes, start=1)),
            contexts="\n".join(
                f"PresentationContext{n} = {kind}\\T"
                for n, kind in enumerate((*kinds, "VerificationSOPClass"), start=1)
            ),
        )
    )
    command = [
        "storescp",
        "-v",
        "-aet",
        name,
        "-xf",
        config,
        "Default",
        "--output-directory",
        into,
        str(port),
    ]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        end = time.monotonic() + PATIENCE
        while port_is_free(port):
            assert time.monotonic() < end
            time.sleep(0.02)
        yield
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("receivers")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[OrthancClient]:
    ports = dict(zip((*TAKES, "DEAD"), free_ports(len(TAKES) + 1), strict=True))
    one = OrthancProcess(folder / "orthanc", {})
    one.configuration["Plugins"] = []
    one.configuration["DicomModalities"] = {n: [n, "127.0.0.1", p] for n, p in ports.items()}
    login = base64.b64encode(b"tester:not-a-secret").decode()
    with ExitStack() as stack:
        for name in TAKES:
            stack.enter_context(receiver(folder, name, ports[name]))
        one.start()
        stack.callback(one.http.close)
        stack.callback(one.stop)
        yield stack.enter_context(OrthancClient(str(one.http.base_url), f"Basic {login}"))


def written(number: int) -> tuple[NewDocument, NewDocument]:
    """A report and key objects of the n-th patient."""
    series = cases.series(PatientID=f"P-{number}", StudyInstanceUID=f"1.2.3.{number}")
    said = cases.bleeding(series)
    report = structured_report.write(series, said, sent_at=cases.MADE_AT)
    keys = key_objects.write(series, said, sent_at=cases.MADE_AT)
    return (
        NewDocument(uid_of(report), DocumentKind.STRUCTURED_REPORT, report),
        NewDocument(uid_of(keys), DocumentKind.KEY_OBJECTS, keys),
    )


def uid_of(document: bytes) -> str:
    return str(dcmread(BytesIO(document)).SOPInstanceUID)


def published(database: Database, options: Settings, patients: int = 1) -> list[NewDocument]:
    """Judged, and in Orthanc as far as the store knows."""
    documents = []
    for number in range(patients):
        both = written(number)
        with database.writing() as session:
            queue.arrive(session, seen(f"s{number}", f"st{number}"), after(0), options)
            claim = queue.claim(session, "w", after(10), options)
            assert claim is not None
            said = replace(judgement(Urgency.RED, series=claim.series_id), documents=both)
            assert results.record_assessed(session, claim, said, after(11), options)
            for document in both:
                outbox.document_sent(session, document.sop_instance_uid, "x", after(12), forward=True)
        documents += both
    return documents


def deliver(client: OrthancClient, database: Database, options: Settings, *names: str) -> int:
    deliverer = Deliverer(client, database, options.model_copy(update={"forward_to": names}))
    attempts = 0
    while deliverer.deliver_next():
        attempts += 1
    return attempts


def received(folder: Path, name: str) -> list[str]:
    """SOP class of each file that arrived since the last look, by its UID."""
    found = sorted((folder / name).iterdir())
    classes = [str(dcmread(file).SOPClassUID) for file in found]
    for file in found:
        file.unlink()
    return sorted(classes)


@pytest.mark.parametrize(
    ("name", "classes", "as_text"),
    [
        ("ALL", [Comprehensive3DSRStorage, KeyObjectSelectionDocumentStorage], 0),
        ("IMPLICIT", [Comprehensive3DSRStorage, KeyObjectSelectionDocumentStorage], 0),
        ("TEXT", [BasicTextSRStorage, KeyObjectSelectionDocumentStorage], 1),
        ("OLD", [BasicTextSRStorage], 1),
        ("IMAGES", [], 0),
    ],
)
def test_each_receiver_gets_the_best_that_it_takes(
    client: OrthancClient,
    database: Database,
    options: Settings,
    folder: Path,
    name: str,
    classes: list[str],
    as_text: int,
) -> None:
    documents = published(database, options)
    assert deliver(client, database, options, name) == 2
    assert received(folder, name) == sorted(classes)
    with database.reading() as session:
        counts = standing.deliveries(session, (name,))[name]
        (view,) = standing.receivers(session, (name,))
    assert (counts["delivered"] + as_text, counts["delivered_as_text"]) == (len(classes), as_text)
    assert sum(view.not_taken.values()) == 2 - len(classes)
    for document in documents:  # nothing of it is stored here
        assert client.instances_of(document.sop_instance_uid) == ()
    text = uid_of(plain_text.write(documents[0].content))
    assert client.instances_of(text) == ()


def test_six_patients_at_once_arrive_once_each(
    client: OrthancClient, database: Database, options: Settings, folder: Path
) -> None:
    published(database, options, patients=6)
    log = folder / "ALL.log"
    before = log.read_text().count("storing DICOM file")
    assert deliver(client, database, options, "ALL") == 12
    assert deliver(client, database, options, "ALL") == 0
    assert len(received(folder, "ALL")) == 12
    assert log.read_text().count("storing DICOM file") - before == 12


def test_one_that_is_down_and_one_that_is_unknown_are_told_apart(
    client: OrthancClient, database: Database, options: Settings, folder: Path
) -> None:
    published(database, options)
    assert deliver(client, database, options, "DEAD", "NOBODY", "ALL") == 4  # one look at each, two arrive
    with database.reading() as session:
        dead, nobody, well = standing.receivers(session, ("DEAD", "NOBODY", "ALL"))
    assert (dead.answers, nobody.answers, well.answers) == (False, False, True)
    assert (dead.waiting, nobody.waiting, well.waiting) == (2, 2, 0)
    received(folder, "ALL")


def test_an_orthanc_that_says_no_details_is_asked_whether_the_receiver_answers(
    client: OrthancClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``HttpDescribeErrors`` is off."""
    (report, _) = written(0)
    monkeypatch.setattr("orthanc_plugin.worker.orthanc_client._TELLING", ())
    assert client.deliver("IMAGES", report.content) is DeliveryTrouble.NOT_TAKEN
    assert client.deliver("DEAD", report.content) is DeliveryTrouble.SILENT


def test_what_orthanc_itself_cannot_send_has_an_end_too(client: OrthancClient) -> None:
    assert client.deliver("ALL", b"this is no DICOM file") is DeliveryTrouble.REFUSED


def test_an_orthanc_that_is_away_counts_against_nobody(database: Database, options: Settings) -> None:
    published(database, options)
    (port,) = free_ports(1)
    with OrthancClient(f"http://127.0.0.1:{port}", "token") as nobody, pytest.raises(OrthancError):
        deliver(nobody, database, options, "ALL")
    with database.reading() as session:
        (view,) = standing.receivers(session, ("ALL",))
    assert (view.waiting, view.failing, view.answers) == (2, 0, True)


def test_a_document_that_cannot_be_made_plainer_is_not_taken(
    client: OrthancClient, database: Database, options: Settings
) -> None:
    assert Deliverer(client, database, options)._attempt(
        Due("1.2", DocumentKind.STRUCTURED_REPORT, "IMAGES"), written(0)[1].content
    ) == (DeliveryTrouble.NOT_TAKEN, False)


def test_nothing_is_done_where_nothing_is_sent_on(
    client: OrthancClient, database: Database, options: Settings
) -> None:
    published(database, options)
    assert deliver(client, database, options) == 0
    with database.writing() as session:
        assert deliveries.claim(session, (), queue.utcnow()) is None
