"""The store's wishes carried out on a real Orthanc without the plugin."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from io import BytesIO

import pytest
from orthanc_process import ORTHANC, OrthancProcess
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import BasicTextSRStorage, ExplicitVRLittleEndian, generate_uid
from store_samples import judgement, seen

from headct.terms.urgency import Urgency
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import DocumentKind
from orthanc_plugin.store import queue, results, withdrawal
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.results import NewDocument
from orthanc_plugin.worker.orthanc_client import OrthancClient
from orthanc_plugin.worker.publishing import Publisher

pytestmark = pytest.mark.skipif(not ORTHANC.exists(), reason="Orthanc is not installed")
PAUSE = timedelta(seconds=2)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancClient]:
    one = OrthancProcess(tmp_path_factory.mktemp("orthanc"), {})
    one.configuration["Plugins"] = []
    one.start()
    login = base64.b64encode(b"tester:not-a-secret").decode()
    with OrthancClient(str(one.http.base_url), f"Basic {login}") as made:
        yield made
    one.stop()
    one.http.close()


def report() -> NewDocument:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.Modality, dataset.PatientID = BasicTextSRStorage, "SR", "X"
    for name in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(dataset, name, generate_uid())
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return NewDocument(dataset.SOPInstanceUID, DocumentKind.STRUCTURED_REPORT, buffer.getvalue())


def assessed(database: Database, options: Settings, document: NewDocument) -> None:
    now = queue.utcnow()
    with database.writing() as session:
        queue.arrive(session, seen(), now - 2 * PAUSE, options)
        claim = queue.claim(session, "w", now, options)
        assert claim is not None
        said = replace(judgement(Urgency.RED), documents=(document,))
        assert results.record_assessed(session, claim, said, now, options)


def publish(client: OrthancClient, database: Database, options: Settings) -> None:
    assert Publisher(client, database, options).publish_next()


def test_a_document_whose_sending_nobody_lived_to_note_is_removed(
    client: OrthancClient, database: Database, options: Settings
) -> None:
    document = report()
    assessed(database, options, document)
    client.store(document.content)  # and killed
    with database.writing() as session:
        withdrawal.withdraw(session, "s1", queue.utcnow())
    publish(client, database, options)
    assert client.instances_of(document.sop_instance_uid) == ()
    assert not Publisher(client, database, options).publish_next()


def test_a_document_never_sent_needs_no_removing(
    client: OrthancClient, database: Database, options: Settings
) -> None:
    assessed(database, options, report())
    with database.writing() as session:
        withdrawal.withdraw(session, "s1", queue.utcnow())
    publish(client, database, options)
    assert not Publisher(client, database, options).publish_next()
