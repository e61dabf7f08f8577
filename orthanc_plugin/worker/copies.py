"""What Orthanc copied or received again: copies of our documents withdrawn, images compared."""

from headct.errors import ReportError
from headct.reports import documents
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import copies, queue, sent_again
from orthanc_plugin.store.database import Database
from orthanc_plugin.store.tables import CopiedDocument
from orthanc_plugin.vouching import found
from orthanc_plugin.worker.fetching import digest, fetch
from orthanc_plugin.worker.orthanc_client import OrthancClient


def withdraw_next(client: OrthancClient, database: Database) -> bool:
    """Delete the next copy of a document of ours from Orthanc; false when there is none to look at.

    Raises:
        OrthancError, OperationalError: Orthanc or the store is in trouble.
    """
    with database.reading() as session:
        copy = copies.next_document(session)
    if copy is None:
        return False
    ours, now = _is_ours(client, database, copy), queue.utcnow()
    study_id = None if ours else client.study_of(copy.id)
    if ours:
        client.delete_instance(copy.id)
    with database.writing() as session:
        copies.looked_at(session, copy.id, now, ours=ours)
        if ours:
            found.forget(session, copy.id, now)
        elif study_id is not None:
            session.flush()
            found.note(session, study_id, [copy.id], now)
    return True


def _is_ours(client: OrthancClient, database: Database, copy: CopiedDocument) -> bool:
    """By what Orthanc says that it was made of; where it says nothing, by what stands in it."""
    with database.reading() as session:
        if copies.is_ours(session, copy.copied_from):
            return True
    file = client.file(copy.id)
    if file is None:
        return False
    try:
        said, of_series = documents.made_from(file)
        if not said:
            return False
        with database.reading() as session:
            return any(documents.made_from(own)[0] == said for own in copies.of_images(session, of_series))
    except ReportError:
        return False


def compare_next(client: OrthancClient, database: Database, settings: Settings) -> bool:
    """Compare the next series that came again with what was judged; false when there is none.

    Raises:
        OrthancError, OperationalError, OSError: Orthanc, the store or the disk is in trouble.
    """
    with database.writing() as session:
        due = sent_again.claim_comparison(session, queue.utcnow(), settings)
    if due is None:
        return False
    fetched = fetch(client, client.instances(due.series_id) or (), settings)
    try:
        found = digest(fetched.sources) if fetched is not None else None
    finally:
        if fetched is not None:
            fetched.remove()
    with database.writing() as session:
        sent_again.compared(session, due, found, queue.utcnow())
    return True
