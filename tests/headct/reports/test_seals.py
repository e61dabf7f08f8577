"""Seals: whose keys they are, who may read them, and what they hold of a report wherever it travels."""

import stat
from dataclasses import replace
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from review_cases import EXCLUDED, RED, UNJUDGED, items, write

from headct.errors import SealError
from headct.images.quiet import quiet
from headct.reports import codes, review_report
from headct.reports.documents import concept
from headct.reports.plain_text import in_default_encoding
from headct.reports.review_meaning import Beside
from headct.reports.seals import KEY_FILE, LIST_FILE, KeyRing
from headct.reports.vouching import Entry, Vouching, add, digest, entries, entry_at
from headct.terms.review import Doubt
from headct.terms.urgency import Urgency

RING = KeyRing((bytes(range(32)),))
OTHER = KeyRing((bytes(reversed(range(32))),))
BESIDE = (Beside("1.2.9", 30, "ab" * 32), Beside("1.2.8", 5))
SEALED = write(ring=RING, beside=BESIDE)


def doubt(document: bytes, ring: KeyRing | None = RING) -> Doubt | None:
    return Vouching(ring).doubt(review_report.read(document))


@quiet()
def rewritten(document: bytes, syntax: str = ExplicitVRLittleEndian, **changes: object) -> bytes:
    """As another program writes what it has read and changed."""
    found = dcmread(BytesIO(document))
    for _item in found.iterall():
        pass  # every value is decoded, and encoded anew
    for keyword, value in changes.items():
        setattr(found, keyword, value)
    found.file_meta.TransferSyntaxUID = syntax
    implicit = syntax == ImplicitVRLittleEndian
    buffer = BytesIO()
    found.save_as(buffer, little_endian=True, implicit_vr=implicit)
    return buffer.getvalue()


@quiet()
def altered(document: bytes, change) -> bytes:
    found = dcmread(BytesIO(document))
    change(found)
    buffer = BytesIO()
    found.save_as(buffer)
    return buffer.getvalue()


def test_keys_are_made_once_and_are_the_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / KEY_FILE
    made = KeyRing.read_or_make(file)
    assert KeyRing.read_or_make(file) == made and "keys" not in repr(made)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [f.name for f in file.parent.iterdir()] == [KEY_FILE]
    for mode in (0o640, 0o604, 0o620, 0o602):
        file.chmod(mode)
        with pytest.raises(SealError, match="others"):
            KeyRing.read(file)


@pytest.mark.parametrize(
    "content", ["", "# nothing\n", "abc\n", "g" * 64, "a" * 63, f"{'a' * 64}\n{'b' * 62}\n"]
)
def test_a_damaged_file_of_keys_is_refused_and_stays(tmp_path: Path, content: str) -> None:
    file = tmp_path / KEY_FILE
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(SealError, match="damaged"):
        KeyRing.read_or_make(file)
    assert file.read_text() == content


def test_a_new_key_is_put_above_the_old_one_whose_seals_still_count(tmp_path: Path) -> None:
    file = tmp_path / KEY_FILE
    old = KeyRing.read_or_make(file)
    file.write_text(f"# new\n{'ab' * 32}\n\n{old.keys[0].hex().upper()}  # of last year\n")
    both = KeyRing.read(file)
    assert both.vouches(old.seal("text"), "text") and both.vouches(both.seal("text"), "text")
    assert not old.vouches(both.seal("text"), "text") and both.name != old.name
    assert not both.vouches(old.seal("text"), "texts")
    assert not both.vouches("", "text") and not both.vouches(f"{old.name}-", "text")
    assert not both.vouches("Ä-ß", "text")


@pytest.mark.parametrize(
    "syntax",
    [ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian],
)
def test_a_seal_holds_however_the_report_is_stored(syntax: str) -> None:
    stored = rewritten(SEALED, syntax)
    assert (stored != SEALED or syntax == ExplicitVRLittleEndian) and doubt(stored) is None
    assert doubt(in_default_encoding(SEALED)) is None
    # What archives add or spell anew says nothing else.
    assert doubt(rewritten(stored, PatientName="Doe^Jane^^Dr.", InstitutionName="Archive")) is None


def test_every_kind_of_review_is_vouched_for() -> None:
    for document in (
        write(EXCLUDED, ring=RING),
        write(subject=UNJUDGED, ring=RING),
        write(language="ja", ring=RING),
        write(replace(RED, comment="a\r\n\tb \\ ", blind=True), ring=RING, earlier=SEALED, request_id="2"),
    ):
        assert doubt(document) is None
    assert review_report.read(SEALED).beside == BESIDE
    assert doubt(write()) is Doubt.NOT_SEALED
    assert doubt(SEALED, OTHER) is doubt(SEALED, None) is Doubt.OTHER_KEY


def _code(name, value):
    def change(found: Dataset) -> None:
        for item in items(found):
            if concept(item) == name and "ConceptCodeSequence" in item:
                item.ConceptCodeSequence[0].CodeValue = value.value
                item.ConceptCodeSequence[0].CodingSchemeDesignator = value.scheme_designator
                item.ConceptCodeSequence[0].CodeMeaning = value.meaning

    return change


def _text(name, value):
    def change(found: Dataset) -> None:
        for item in items(found):
            if concept(item) == name and "TextValue" in item:
                item.TextValue = value

    return change


def _in_evidence(keyword, value):
    def change(found: Dataset) -> None:
        study = found.CurrentRequestedProcedureEvidenceSequence[0]
        for place in (study, study.ReferencedSeriesSequence[0]):
            if keyword in place:
                setattr(place, keyword, value)

    return change


def _later(found: Dataset) -> None:
    found.VerifyingObserverSequence[0].VerificationDateTime = "20300101000000.000000+0000"


@pytest.mark.parametrize(
    "change",
    [
        _code(codes.URGENCY, codes.REVIEWED_URGENCIES[Urgency.GREEN]),
        _code(codes.REVIEW_FINDINGS[next(iter(RED.findings))], codes.PRESENCE[False]),
        _code(codes.ACTION, codes.ACTIONS[next(a for a in codes.ACTIONS if a.value == "confirm")]),
        _code(codes.BLIND, codes.YES_NO[True]),
        _text(codes.CONCLUSION, "Green: nothing"),
        _text(codes.COMMENT, "another"),
        _text(codes.PERSON_OBSERVER_LOGIN, "ito"),
        _text(codes.REQUEST, "request-9"),
        _text(codes.CASE_IDENTITY, "0" * 64),
        _text(codes.BESIDE, "1.2.9 31"),
        _in_evidence("StudyInstanceUID", "1.2.3.5"),
        _in_evidence("SeriesInstanceUID", "1.2.3.5"),
        lambda found: setattr(found, "PatientID", "P-2"),
        lambda found: setattr(found, "StudyInstanceUID", "1.2.3.5"),
        lambda found: setattr(found, "SOPInstanceUID", "1.2.3.5"),
        _later,
    ],
)
def test_whatever_matters_cannot_be_changed(change) -> None:
    assert doubt(altered(SEALED, change)) is Doubt.ALTERED


def test_a_seal_is_of_one_report_alone() -> None:
    other = review_report.read(write(replace(RED, urgency=Urgency.GREEN), ring=RING, request_id="request-2"))
    stolen = altered(SEALED, _text(codes.SEAL, other.seal))
    assert doubt(stolen) is Doubt.ALTERED


def entry(**changes: object) -> Entry:
    values: dict[str, object] = {
        "series_id": "s",
        "series_instance_uid": "1.2",
        "study_instance_uid": "1.3",
        "review": RED,
        "at": RED.at + timedelta(seconds=1),
        "request_id": "r",
        "request_digest": "d",
        "images": 3,
        "beside": BESIDE,
    }
    return Entry(**{**values, **changes})  # type: ignore[arg-type]


def test_the_list_vouches_for_reports_without_a_seal(tmp_path: Path) -> None:
    key = tmp_path / KEY_FILE
    ring = KeyRing.read_or_make(key)
    plain = review_report.read(write())
    line = entry(report=plain.sop_instance_uid, report_digest=digest(plain)).line(ring)
    add(tmp_path / LIST_FILE, line)
    vouching = Vouching.of(key)
    assert vouching.doubt(plain) is None
    assert vouching.doubt(replace(plain, patient_id="P-2")) is Doubt.ALTERED
    assert vouching.doubt(replace(plain, sop_instance_uid="1.9")) is Doubt.NOT_SEALED
    # Without the key that sealed it a list says nothing.
    (tmp_path / KEY_FILE).write_text("ab" * 32)
    assert Vouching.of(key).doubt(plain) is Doubt.NOT_SEALED


def test_lines_are_added_and_damaged_ones_harm_no_other(tmp_path: Path) -> None:
    file = tmp_path / LIST_FILE
    first, second, third = (entry(request_id=f"r{n}", case_identity="c" * n) for n in range(3))
    assert list(entries(file, RING)) == []
    add(file, first.line(RING))
    with file.open("a") as opened:
        opened.write(second.line(RING)[:-20])  # the power failed
    add(file, third.line(RING))
    found = list(entries(file, RING))
    assert [one for _begin, _end, one in found] == [first, None, third]
    assert [entry_at(file, begin, RING) for begin, _end, _one in found] == [first, None, third]
    assert [one for _b, _e, one in entries(file, RING, found[1][1])] == [third]
    assert [one for _b, _e, one in entries(file, OTHER)] == [None] * 3
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    forged = first.line(RING).replace("RED", "GREEN")
    add(file, forged)
    assert list(entries(file, RING))[-1][2] is None
    assert file.stat().st_size == list(entries(file, RING))[-1][1]
