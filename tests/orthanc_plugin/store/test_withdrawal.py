"""What goes when a result or a series no longer counts, and what comes back."""

from sqlalchemy import select
from sqlalchemy.orm import Session
from store_samples import after, arrive_and_judge, claimed, judgement, seen

from orthanc_plugin.settings import Settings
from orthanc_plugin.store import outbox, queue, results, withdrawal
from orthanc_plugin.store.tables import Document, Series

RESULTS = {"structured_report", "key_objects"}
REGION = {"segmentation"}


def drawn(
    session: Session, options: Settings, at: float, images: str = "all", bundle: str = "b", *, on: bool = True
) -> tuple[set[str], set[str]]:
    """Judged in the annotation profile or not, and published: kinds that Orthanc gets, and kinds it loses."""
    if session.get(Series, "s1") is None:
        queue.arrive(session, seen(), after(at), options)
    else:
        queue.rerun(session, "s1", "doctor", after(at))
    said = judgement(images=images, bundle=bundle * 64, drawn=on)
    assert results.record_assessed(session, claimed(session, options, at + 3), said, after(at + 4), options)
    return published(session, at + 5)


def published(session: Session, at: float) -> tuple[set[str], set[str]]:
    wanted = outbox.publication(session, "s1")
    for uid in wanted.send:
        outbox.document_sent(session, uid, f"o-{uid}", after(at))
    for uid, orthanc_id in wanted.remove:
        outbox.document_removed(session, uid, orthanc_id, after(at))
    kinds = {d.sop_instance_uid: d.kind.value for d in session.scalars(select(Document))}
    return {kinds[uid] for uid in wanted.send}, {kinds[uid] for uid, _ in wanted.remove}


def test_a_region_gives_way_to_that_of_a_newer_model_reports_stay(
    session: Session, options: Settings
) -> None:
    assert drawn(session, options, 0) == (RESULTS | REGION, set())
    assert drawn(session, options, 10) == (set(), set())
    assert drawn(session, options, 20, bundle="c") == (RESULTS | REGION, REGION)
    assert drawn(session, options, 30, bundle="d", on=False) == (RESULTS, REGION)
    # Rolled back: what the first one said counts again, and what the others said of it does not.
    assert drawn(session, options, 40) == (REGION, RESULTS)


def test_a_region_is_gone_once_the_result_does_not_count(session: Session, options: Settings) -> None:
    drawn(session, options, 0, images="33")
    queue.arrive(session, seen(count=34), after(10), options)
    assert published(session, 11) == (set(), REGION)


def test_judged_again_with_the_profile_off_the_region_goes_and_comes_back_with_it(
    session: Session, options: Settings
) -> None:
    drawn(session, options, 0)
    assert drawn(session, options, 10, on=False) == (set(), REGION)
    assert drawn(session, options, 20) == (REGION, set())


def test_a_deleted_series_takes_its_documents_along(session: Session, options: Settings) -> None:
    drawn(session, options, 0)
    assert withdrawal.withdraw(session, "s1", after(10))
    assert not withdrawal.withdraw(session, "s1", after(11))
    wanted = outbox.publication(session, "s1")
    assert (len(wanted.remove), wanted.send, wanted.keep) == (3, (), ())
    assert wanted.study_labels == ()


def test_sent_again_after_deletion_it_is_judged_and_published_again(
    session: Session, options: Settings
) -> None:
    arrive_and_judge(session, options)
    for uid in outbox.publication(session, "s1").send:
        outbox.document_sent(session, uid, f"orthanc-{uid}", after(5))
    withdrawal.withdraw(session, "s1", after(10))
    for uid, orthanc_id in outbox.publication(session, "s1").remove:
        outbox.document_removed(session, uid, orthanc_id, after(11))
    arrive_and_judge(session, options, 20)
    wanted = outbox.publication(session, "s1")
    assert (len(wanted.send), wanted.remove, wanted.series_labels) == (2, (), ("triage-red",))
    for uid in wanted.send:
        outbox.document_sent(session, uid, f"orthanc-{uid}", after(25))
    withdrawal.withdraw(session, "s1", after(30))
    assert len(outbox.publication(session, "s1").remove) == 2
