"""The store is lost, what persons said is not: the next one says the same, and nobody else's word counts."""

import random
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from lost_stores import Hospital, live
from pydicom import dcmread
from report_cases import header
from sqlalchemy import select

from headct.reports import review_report
from headct.reports.labels import find_reports, rebuild
from headct.reports.review_report import Subject
from headct.reports.seals import KeyRing
from headct.reports.vouching import Vouching
from headct.terms.review import Action, Doubt, Person, Review, Standing
from headct.terms.urgency import Urgency
from orthanc_plugin.cases import records, worklist
from orthanc_plugin.cases.views import WorklistRow
from orthanc_plugin.store import outbox, tables
from orthanc_plugin.store.tables import FoundReport, Series
from orthanc_plugin.worker.verifying import Verifier

STRANGER = KeyRing((b"s" * 32,))
G, Y, R, B = Urgency


@pytest.fixture
def hospital(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hospital:
    return Hospital(tmp_path, monkeypatch)


def row(hospital: Hospital) -> WorklistRow:
    (study,) = [s for s in hospital.reading(records.studies) if s.shown]
    return worklist.row(study, hospital.now)


def labels(hospital: Hospital, series_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    wanted = hospital.reading(lambda session: outbox.publication(session, series_id))
    return wanted.series_labels, wanted.study_labels


def forged(
    hospital: Hospital, series_id: str, urgency: Urgency, *, ring: KeyRing | None = None, by: str = "sato"
) -> bytes:
    """A report that anybody can write who knows the images."""
    seen = hospital.orthanc.series[series_id].seen
    images = [
        header(
            n,
            StudyInstanceUID=seen.study_instance_uid,
            SeriesInstanceUID=seen.series_instance_uid,
            SOPInstanceUID=f"{seen.series_instance_uid}.{n}",
        )
        for n in range(seen.instance_count)
    ]
    said = Review(Person(by, f"{by}^X", "St. Elsewhere"), hospital.now, Action.RELABEL, urgency)
    request = f"forged {hospital.time}"
    return review_report.write(
        said, Subject.of_images(images), request_id=request, sent_at=hospital.now, ring=ring
    )


@pytest.mark.parametrize("list_kept", [True, False])
def test_a_verified_red_stays_red_whatever_the_machine_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, list_kept: bool
) -> None:
    hospital = Hospital(tmp_path, monkeypatch, list_kept=list_kept)
    one = hospital.arrive("a", machine=G)
    hospital.arrive("b", machine=B)  # a false alarm, which the reader has before them too
    assert hospital.review(one, "sato", R)
    before = hospital.shown()
    hospital.lose_store()
    assert hospital.shown() == before
    shown = row(hospital)
    assert (shown.urgency, shown.by_person, shown.reviewed, shown.unverified) == (R, True, True, ())
    # The next reader, the next images and the next loss find all as it was.
    assert hospital.review(one, "ito", G)
    hospital.arrive("c", machine=B)
    before = hospital.shown()
    assert row(hospital).reopened
    hospital.lose_store()
    assert hospital.shown() == before


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
def test_whatever_happened_the_next_store_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    hospital = Hospital(tmp_path, monkeypatch)
    live(hospital, random.Random(seed), 12)
    before = hospital.shown()
    hospital.lose_store()
    assert hospital.shown() == before
    hospital.lose_store()
    assert hospital.shown() == before


@pytest.mark.parametrize("list_kept", [True, False])
@pytest.mark.parametrize("seen", [True, False])
def test_a_readers_later_word_counts_though_the_clock_was_set_back_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, list_kept: bool, seen: bool
) -> None:
    hospital = Hospital(tmp_path, monkeypatch, list_kept=list_kept)
    one = hospital.arrive("a", machine=G)
    hospital.set_clock(timedelta(days=1), seen=seen)
    assert hospital.review(one, "sato", G)
    hospital.set_clock(timedelta(days=-1), seen=seen)
    assert hospital.review(one, "sato", R)
    hospital.arrive("a", patient="P-2", study="1.3.1", machine=G, pixels="a/3")  # a corrected number
    before = hospital.shown()
    assert [said[:2] for name, said in before.items() if "of" not in name] == [(Standing.REVIEWED, R)]
    for _ in range(2):
        hospital.lose_store()
        assert hospital.shown() == before


@pytest.mark.parametrize(("list_kept", "seen"), [(True, False), (False, True)])
def test_the_last_of_three_who_differ_settles_it_though_the_clock_was_set_back_before_they_spoke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, list_kept: bool, seen: bool
) -> None:
    hospital = Hospital(tmp_path, monkeypatch, list_kept=list_kept)
    one = hospital.arrive("a", machine=G)
    hospital.set_clock(timedelta(days=1), seen=seen)
    assert hospital.review(one, "sato", G)
    assert hospital.review(one, "ito", Y)
    hospital.set_clock(timedelta(days=-1), seen=seen)
    assert hospital.review(one, "abe", R)
    before = hospital.shown()
    assert before[one][:2] == (Standing.SETTLED, R)
    for _ in range(2):
        reports = [review_report.read(content) for _study, content in hospital.orthanc.documents.values()]
        assert [label.urgency for label in rebuild(reports)] == [R]
        hospital.lose_store()
        assert hospital.shown() == before
    assert hospital.review(one, "sato", Y)
    before = hospital.shown()
    assert before[one][:2] == (Standing.SETTLED, Y)
    hospital.lose_store()
    assert hospital.shown() == before


def test_reviews_without_a_report_are_in_the_list(hospital: Hospital) -> None:
    one = hospital.arrive("a", machine=G)
    hospital.review(one, "sato", R)
    images = hospital.orthanc.series[one]
    copy = hospital.arrive(
        "n", patient="anonymous", pixels=images.pixels, machine=G, copied_from=one, anonymised=True
    )
    hospital.delete(one)
    assert not hospital.orthanc.documents, "no document of theirs is written for one that names nobody"
    before = hospital.shown()
    assert before[copy][:2] == (Standing.REVIEWED, R)
    hospital.lose_store()
    assert hospital.shown() == before and not hospital.orthanc.documents
    # Deleted, and sent again only after the store was lost.
    again = hospital.arrive("a", machine=G)
    assert hospital.shown()[again][:2] == (Standing.REVIEWED, R)


@pytest.mark.parametrize(
    ("machine", "said", "colour"), [(G, R, "triage-red"), (R, G, "triage-red"), (G, G, "triage-green")]
)
def test_what_nobody_vouches_for_is_to_be_read_again(
    hospital: Hospital, machine: Urgency, said: Urgency, colour: str
) -> None:
    one = hospital.arrive("a", machine=machine)
    seen = hospital.reading(lambda s: tables.Series.verdict.fget(s.get_one(Series, one)))
    hospital.upload("P-1/1.3.1", forged(hospital, one, said))
    assert hospital.reading(lambda s: s.get_one(Series, one).verdict) == seen, "never counted"
    shown = row(hospital)
    assert shown.urgency is max(machine, said) and not shown.by_person and not shown.reviewed
    assert [(u.urgency, u.why) for u in shown.unverified] == [(said, Doubt.NOT_SEALED)]
    for level in labels(hospital, one):
        assert level[0] == colour and level[-1] == outbox.UNVERIFIED_LABEL
    before = hospital.shown()
    hospital.lose_store()
    assert hospital.shown() == before, "nor by the next store"
    # A person reads it again, having seen that there is such a report.
    hospital.review(one, "ito", Y)
    shown = row(hospital)
    assert (shown.urgency, shown.by_person, shown.reviewed, shown.unverified) == (Y, True, True, ())
    hospital.orthanc.received_at = hospital.now - timedelta(days=1)
    hospital.lose_store()
    assert row(hospital).reviewed and labels(hospital, one) == (("triage-yellow",),) * 2


def test_a_persons_word_is_not_overruled_by_a_forged_one(hospital: Hospital) -> None:
    one = hospital.arrive("a", machine=G)
    hospital.review(one, "sato", G)
    hospital.upload("P-1/1.3.1", forged(hospital, one, B, ring=STRANGER))
    shown = row(hospital)
    assert shown.urgency is G and shown.by_person and not shown.reviewed
    assert [u.why for u in shown.unverified] == [Doubt.OTHER_KEY]
    assert labels(hospital, one)[1] == ("triage-green", outbox.UNVERIFIED_LABEL)
    (label,) = hospital.reading(records.labels).labels
    assert label.unverified and label.verdict.urgency is G


def test_an_altered_or_damaged_report_is_told_and_the_list_knows_better(hospital: Hospital) -> None:
    one = hospital.arrive("a", machine=G)
    hospital.review(one, "sato", R)
    (instance,) = hospital.orthanc.documents
    study, content = hospital.orthanc.documents[instance]
    green, red = b"reviewed-GREEN", b"reviewed-RED"
    said = dcmread(BytesIO(content))
    assert red in content
    for item in said.iterall():
        if item.value == red.decode():
            item.value = green.decode()
    buffer = BytesIO()
    said.save_as(buffer)
    hospital.orthanc.documents[instance] = study, buffer.getvalue()
    hospital.lose_store()
    shown = row(hospital)
    assert shown.urgency is R and shown.by_person, "the list has it as it was given"
    assert [u.why for u in shown.unverified] == [Doubt.ALTERED] and not shown.reviewed
    assert review_report.read(hospital.orthanc.documents[instance][1]).review.urgency is R, "and sent again"
    # With the list lost too, and the report damaged, nobody knows: it is not shown as GREEN.
    damaged = content.replace(b"VERIFIED", b"VERYFIED")
    hospital.orthanc.documents[instance] = study, damaged
    hospital.list_kept = False
    hospital.lose_store()
    shown = row(hospital)
    assert [u.why for u in shown.unverified] == [Doubt.DAMAGED]
    assert shown.urgency is R and not shown.by_person and not shown.reviewed
    hospital.orthanc.documents[instance] = study, damaged.replace(red, b"reviewed-???")
    hospital.lose_store()
    assert row(hospital).urgency is None and labels(hospital, one)[1] == (outbox.UNVERIFIED_LABEL,)
    assert hospital.reading(lambda s: s.get(tables.Standing, "P-1/1.3.1")).unread_alert is R


def test_with_the_key_lost_nobody_vouches_and_with_it_back_everybody_does(hospital: Hospital) -> None:
    one = hospital.arrive("a", machine=G)
    hospital.review(one, "sato", R)
    before, key = hospital.shown(), hospital.options.key_file.read_bytes()
    hospital.options.key_file.unlink()
    hospital.lose_store()
    shown = row(hospital)
    assert [u.why for u in shown.unverified] == [Doubt.OTHER_KEY] and not shown.reviewed
    assert shown.urgency is R and not shown.by_person
    hospital.options.key_file.write_bytes(hospital.options.key_file.read_bytes() + key)
    hospital.verifier = Verifier(hospital.verifier._client, hospital.database, hospital.options)
    hospital.work()
    assert hospital.shown() == before


def test_a_new_key_lists_what_the_store_still_vouches_for(hospital: Hospital, tmp_path: Path) -> None:
    one = hospital.arrive("a", machine=G)
    hospital.review(one, "sato", R)
    before = hospital.shown()
    hospital.options.key_file.unlink()
    hospital.verifier = Verifier(hospital.verifier._client, hospital.database, hospital.options)
    hospital.work()  # the store was not lost
    hospital.lose_store()
    assert hospital.shown() == before
    (tmp_path / "export").mkdir()
    for number, (_study, content) in enumerate(hospital.orthanc.documents.values()):
        (tmp_path / "export" / f"{number}.dcm").write_bytes(content)
    found = find_reports(tmp_path / "export", Vouching.of(hospital.options.key_file))
    assert len(found.reports) == 1 and not found.doubtful


def test_what_was_reported_before_there_were_seals_is_listed(hospital: Hospital) -> None:
    hospital.verifier._list = None
    hospital.verifier.keys = replace(hospital.verifier.keys, ring=None)
    one = hospital.arrive("a", machine=G)
    # As an earlier version did it.
    ring = Hospital.ring
    try:
        Hospital.ring = None  # type: ignore[assignment,method-assign]
        hospital.review(one, "sato", R)
    finally:
        Hospital.ring = ring  # type: ignore[method-assign]
    (content,) = (content for _study, content in hospital.orthanc.documents.values())
    assert not review_report.read(content).seal
    before = hospital.shown()
    hospital.verifier = Verifier(hospital.verifier._client, hospital.database, hospital.options)
    hospital.work()
    hospital.lose_store()
    assert hospital.shown() == before
    assert hospital.reading(lambda s: list(s.scalars(select(FoundReport.doubt)))) == [None]


def test_a_report_waits_for_its_images(hospital: Hospital) -> None:
    one = hospital.arrive("a", machine=G)
    hospital.review(one, "sato", R)
    before, images = hospital.shown(), hospital.orthanc.series.pop(one)
    hospital.list_kept = False
    hospital.lose_store()
    hospital.upload(images.seen.study_id, next(iter(hospital.orthanc.documents.values()))[1])
    hospital.orthanc.series[one] = images
    hospital.sweep()
    assert hospital.shown() == before


def test_reports_of_another_installation_count_with_its_key(hospital: Hospital) -> None:
    one = hospital.arrive("a", machine=G)
    with hospital.options.key_file.open("a") as keys:
        keys.write(STRANGER.keys[0].hex() + "\n")
    hospital.verifier = Verifier(hospital.verifier._client, hospital.database, hospital.options)
    hospital.upload("P-1/1.3.1", forged(hospital, one, R, ring=STRANGER, by="abe"))
    assert row(hospital).by_person and row(hospital).urgency is R


def test_a_repeated_request_gets_the_first_answer_from_the_next_store_too(hospital: Hospital) -> None:
    one = hospital.arrive("a", machine=G)
    hospital.review(one, "sato", R)
    hospital.list_kept = False
    hospital.lose_store()
    hospital.requests = 0
    hospital.review(one, "sato", R)
    with hospital.database.reading() as session:
        assert len(session.scalars(select(tables.Review)).all()) == 1
