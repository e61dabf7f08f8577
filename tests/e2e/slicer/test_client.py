"""The module for Slicer against a real Orthanc with triage: reading, reviewing, images of every coding."""

import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import dicom_stack
import numpy as np
import pydicom
import pytest
from HeadCTTriageLib.errors import RefusedError, UnreachableError, UnreadableError
from HeadCTTriageLib.server.cases import PreviousSeries, Review, Urgency
from HeadCTTriageLib.server.client import ConflictError, Server, TriageClient
from HeadCTTriageLib.server.download import download
from HeadCTTriageLib.server.outbox import Outbox, State
from HeadCTTriageLib.server.previous import previous_series
from orthanc_process import ORTHANC, PLUGIN, OrthancProcess
from pydicom import Dataset
from pydicom.pixels.decoders import base
from pydicom.uid import JPEG2000, JPEG2000Lossless, RLELossless, generate_uid

from headct.generator.generation import GeneratedSeries, generate, write
from headct.images.decoding import PixelFormat, decode

pytestmark = pytest.mark.skipif(not (ORTHANC.exists() and PLUGIN.exists()), reason="Orthanc is not installed")

PASSWORD = "not-a-secret"
PEOPLE = {"sato": "reader", "ito": "reader", "mori": "viewer"}
HU = dicom_stack.head(3, 64)


@cache
def bleed() -> GeneratedSeries:
    """A series that is judged."""
    return generate("epidural", 7, salt="slicer client", matrix=256, thickness_mm=7.0)


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OrthancProcess]:
    """With one bleed judged, and triage that renders nothing."""
    folder = tmp_path_factory.mktemp("slicer")
    people = {
        login: {"Name": f"{login.title()}^Hanako", "Organisation": "St. Elsewhere", "Role": role}
        for login, role in PEOPLE.items()
    }
    options = {"QuietSeconds": 1, "WorkerNiceness": 0, "Previews": False, "People": people}
    one = OrthancProcess(folder / "orthanc", options)
    one.configuration["RegisteredUsers"] |= dict.fromkeys(PEOPLE, PASSWORD)
    try:
        one.start_triage()
        one.send(file.read_bytes() for file in write(bleed(), folder / "bleed"))
        one.wait(one.settled)
        yield one
    finally:
        one.stop()
        one.http.close()


def as_login(orthanc: OrthancProcess, login: str, password: str = PASSWORD) -> TriageClient:
    return TriageClient(Server(f"127.0.0.1:{orthanc.http_port}/triage/", login, password))


def images(client: TriageClient, series_id: str) -> list[Dataset]:
    found = download(client, series_id, on_progress=lambda *_: None, cancelled=threading.Event())
    return sorted(found, key=lambda image: int(image.InstanceNumber))


# Images ---------------------------------------------------------------------------------------------------


@pytest.fixture
def no_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """pydicom as Slicer has it, without any of its plug-ins."""
    for decoder, _version in base._PIXEL_DATA_DECODERS.values():
        if decoder.UID.is_encapsulated:
            monkeypatch.setattr(decoder, "_available", {})


SYNTAXES = [*dicom_stack.NATIVE, *dicom_stack.CODECS, RLELossless]
BY_GDCM = (JPEG2000, JPEG2000Lossless)
"""Orthanc decompresses these only with a plug-in that does not come with it."""


def sent(orthanc: OrthancProcess, syntax: str, signed: bool) -> tuple[list[bytes], str]:
    """A series in some transfer syntax, with a name that only its character set makes readable."""
    made = dicom_stack.write(
        HU, syntax=syntax, signed=signed, series=f"2.25.{SYNTAXES.index(syntax)}{int(signed)}"
    )
    for one in made:
        one.SpecificCharacterSet = ["", "ISO 2022 IR 87"]
        one.PatientName = "Yamada^Tarou=山田^太郎=やまだ^たろう"
        one.PatientID = "SLICER-CODINGS"
    files = [dicom_stack.file_bytes(one) for one in made]
    (series_id,) = orthanc.send(files)
    return files, series_id


@pytest.mark.usefixtures("no_decoders")
@pytest.mark.parametrize("signed", [False, True], ids=["unsigned", "signed"])
@pytest.mark.parametrize("syntax", [one for one in SYNTAXES if one not in BY_GDCM])
def test_every_coding_comes_uncompressed_and_otherwise_as_it_was(
    orthanc: OrthancProcess, syntax: str, signed: bool
) -> None:
    files, series_id = sent(orthanc, syntax, signed)
    for file, image in zip(files, images(as_login(orthanc, "mori"), series_id), strict=True):
        stored = decode(file, PixelFormat.of(pydicom.dcmread(dicom_stack.BytesIO(file))))
        np.testing.assert_array_equal(image.pixel_array, stored)
        original = pydicom.dcmread(dicom_stack.BytesIO(file))
        changed = {one.keyword for one in original if image.get(one.tag) != one} - {"PixelData"}
        # How many of the 16 bits count: DCMTK says so of a signed JPEG, and the values are the same.
        assert changed <= {"BitsStored", "HighBit", "LossyImageCompression"}, changed


@pytest.mark.parametrize("syntax", BY_GDCM)
def test_what_orthanc_cannot_decompress_is_left_to_pydicom_or_said(
    orthanc: OrthancProcess, syntax: str, request: pytest.FixtureRequest
) -> None:
    if "gdcm" in orthanc.http.get("/plugins").json():
        pytest.skip("this Orthanc has the plug-in")
    files, series_id = sent(orthanc, syntax, signed=True)
    client = as_login(orthanc, "mori")
    for file, image in zip(files, images(client, series_id), strict=True):
        stored = decode(file, PixelFormat.of(pydicom.dcmread(dicom_stack.BytesIO(file))))
        # Decoders with loss may differ by the last digit.
        assert np.abs(image.pixel_array.astype(int) - stored).max() <= (syntax == JPEG2000)
    request.getfixturevalue("no_decoders")
    with pytest.raises(UnreadableError, match=r"0 of 3 images came.*JPEG 2000.*GDCM"):
        images(client, series_id)


# The same patient -----------------------------------------------------------------------------------------


def other_study(orthanc: OrthancProcess, name: str, **changes: Any) -> str:
    """A study of the bleed's patient, unless something is changed; Orthanc's identifier of its series."""
    made = dicom_stack.write(HU[:2], series=generate_uid(entropy_srcs=["series", name]))
    for one in made:
        for shared in ("PatientID", "PatientName", "PatientBirthDate", "SpecificCharacterSet"):
            setattr(one, shared, bleed().datasets[0].get(shared, ""))
        one.StudyInstanceUID = generate_uid(entropy_srcs=["study", name])
        one.SeriesDescription, one.SeriesNumber = name, 1
        for keyword, value in changes.items():
            setattr(one, keyword, value)
    (series_id,) = orthanc.send(dicom_stack.file_bytes(one) for one in made)
    return series_id


def test_previous_series_are_of_the_same_person(orthanc: OrthancProcess) -> None:
    assert bleed().datasets[0].PatientBirthDate
    now = other_study(orthanc, "now", StudyDate="20270110")
    other_study(orthanc, "last year", StudyDate="20250110", StudyTime="0900")
    other_study(orthanc, "later that day", StudyDate="20250110", StudyTime="1700")
    other_study(orthanc, "other name", PatientName="Tanaka^Jirou=田中^次郎")
    other_study(orthanc, "other birth date", PatientBirthDate="19000101")
    other_study(orthanc, "no birth date", PatientBirthDate="")
    other_study(orthanc, "a report", Modality="SR")
    other_study(orthanc, "another method", Modality="MR")
    other_study(orthanc, "another patient", PatientID="SOMEBODY-ELSE")
    nobody = other_study(orthanc, "no number", PatientID="")
    other_study(orthanc, "no number either", PatientID="")
    client = as_login(orthanc, "mori")

    def before(series_id: str) -> list[PreviousSeries]:
        return previous_series(client, client.orthanc(f"/series/{series_id}")["ParentStudy"])

    found = before(now)
    judged, *others = found
    assert (judged.images, judged.study_date) == (len(bleed().datasets), bleed().datasets[0].StudyDate)
    assert judged.urgency is not None
    assert [(one.description, one.study_date, one.urgency) for one in others] == [
        ("later that day", "20250110", None),
        ("last year", "20250110", None),
    ]
    assert before(nobody) == []


# Reviews --------------------------------------------------------------------------------------------------


def test_from_the_test_button_to_reviews_of_a_bad_day(orthanc: OrthancProcess, tmp_path: Path) -> None:
    sato, ito = as_login(orthanc, "sato"), as_login(orthanc, "ito")
    check = sato.check()
    assert check.warnings == ()
    assert check.status.bundle is not None
    with pytest.raises(RefusedError) as wrong:
        as_login(orthanc, "sato", "guessed").check()
    assert wrong.value.code == RefusedError.LOGIN

    uid = str(bleed().header.series_uid)
    (row,) = [row for row in sato.worklist().rows if any(s.series_instance_uid == uid for s in row.series)]
    assert row.findings and not row.reviewed
    study = sato.study(row.id)
    (series,) = study.series
    assert series.assessment is not None
    shown = sato.series(series.id)
    assert shown.based_on == series.based_on
    by_uid = {str(one.SOPInstanceUID) for one in images(sato, series.id)}
    assert {key.sop_instance_uid for key in series.assessment.key_slices} <= by_uid

    # Sent twice it is recorded once; another reader of the same state is told; a viewer is refused.
    machines = series.assessment.urgency
    review = Review("confirm", series.based_on, machines, {"haemorrhage": True}, comment="硬膜外")
    first = sato.review(series.id, review)
    assert sato.review(series.id, review) == first
    assert first.review.reader == "Sato^Hanako"
    with pytest.raises(ConflictError) as conflict:
        ito.review(series.id, Review("relabel", series.based_on, Urgency.GREEN))
    assert [said.comment for said in conflict.value.current.reviews] == ["硬膜外"]
    with pytest.raises(RefusedError, match="viewer"):
        as_login(orthanc, "mori").review(
            series.id, Review("relabel", conflict.value.current.based_on, Urgency.GREEN)
        )

    # The server is away as the other reader speaks, twice; they are heard when it is back, once each.
    study = ito.study(row.id)
    outbox = Outbox(tmp_path, ito.server.url, "ito")
    orthanc.stop()
    with pytest.raises(UnreachableError) as away:
        ito.worklist()
    assert away.value.kind == UnreachableError.NO_ANSWER
    for urgency in (Urgency.YELLOW, Urgency.BLACK):
        outbox.keep(study, series.id, Review("relabel", study.series[0].based_on, urgency), "epidural")
    (outcome,) = outbox.send_all(ito)
    assert (outcome.kept.state, outcome.why) == (State.UNSENT, str(away.value))
    assert len(outbox.pending()) == 2
    orthanc.configuration["HeadCTTriage"]["Workers"] = 0  # what is judged is judged
    orthanc.start().wait(orthanc.triage_answers)
    again = Outbox(tmp_path, ito.server.url, "ito")
    assert [outcome.kept.state for outcome in again.send_all(ito)] == [State.SENT, State.SENT]
    assert again.pending() == [] == again.send_all(ito)
    said = [(review.login, review.urgency) for review in ito.series(series.id).reviews]
    assert said == [
        ("sato", machines),
        ("ito", Urgency.YELLOW),
        ("ito", Urgency.BLACK),
    ]
    (label,) = orthanc.get("labels")["labels"]
    assert label["readers"] == 2
    assert ito.study(row.id).case.disputed == (machines is not Urgency.BLACK)
