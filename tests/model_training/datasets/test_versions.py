"""What becomes of reviews in the table of labels; what is refused before anything is pulled."""

import fcntl
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from layouts import copy, uid, write, write_labels

from headct.errors import DeidentificationError, SettingsError, UnusableInputError
from headct.terms.review import BLEED_TYPES, Exclusion, ReviewFinding, Standing
from headct.terms.urgency import Urgency
from model_training.cli import main
from model_training.datasets import versions
from model_training.datasets.manifest import TEST, TRAIN, Manifest, Patient
from model_training.datasets.orthanc import Login, Pacs, PacsError, ReviewedSeries, StoredImage
from model_training.datasets.preparation import prepare
from model_training.datasets.pulling import Pulled, Puller
from model_training.datasets.review_labels import DISPUTED, DOUBTFUL, NO_WORD_ON_BLOOD, row_of
from model_training.datasets.selection import POSTOPERATIVE, Selection
from model_training.datasets.sources.labelled import COLUMNS, VERSION, Labelled
from model_training.datasets.split import split
from model_training.datasets.versions import latest, next_version
from model_training.deidentification.pseudonyms import KEY_BYTES, Key
from tests.model_training.planted import as_file

KEY = Key(bytes(range(KEY_BYTES)))
LOGIN = Login("sato", "not-a-secret")
F = ReviewFinding


def said(
    label: Urgency | None = Urgency.RED,
    findings: Mapping[ReviewFinding, bool] | None = None,
    standing: Standing = Standing.REVIEWED,
    reason: Exclusion | None = None,
) -> ReviewedSeries:
    return ReviewedSeries(
        series_id="0",
        series="1.2.3",
        study="1.2",
        standing=standing,
        label=label,
        excluded=reason is not None,
        findings=findings or {},
        reason=reason,
    )


# From reviews to rows


@pytest.mark.parametrize(
    ("series", "row"),
    [
        (said(findings={F.HAEMORRHAGE: True}), {"urgency": "RED", "bleeding": "1"}),
        (said(findings={F.SUBDURAL: True}), {"urgency": "RED", "bleeding": "1", "sdh": "1"}),
        (
            said(Urgency.YELLOW, {F.HAEMORRHAGE: False, F.FRACTURE: True}),
            {"urgency": "YELLOW", "bleeding": "0", "fracture": "1"},
        ),
        (said(Urgency.YELLOW, {F.MIDLINE_SHIFT: False, F.EPIDURAL: False}), {"excluded": NO_WORD_ON_BLOOD}),
        (said(Urgency.GREEN), {"urgency": "GREEN", "bleeding": "0", "doubtful": DOUBTFUL}),
        (said(Urgency.GREEN, {F.HAEMORRHAGE: True}), {"urgency": "GREEN", "bleeding": "1"}),
        (said(Urgency.BLACK, standing=Standing.SETTLED), {"excluded": NO_WORD_ON_BLOOD}),
        (said(None, standing=Standing.DISPUTED), {"excluded": DISPUTED}),
        (said(None, standing=Standing.DISPUTED, reason=Exclusion.OTHER), {"excluded": DISPUTED}),
        (said(None, reason=Exclusion.OTHER), {"excluded": "excluded by a reader: other"}),
    ],
)
def test_rows(series: ReviewedSeries, row: dict[str, str]) -> None:
    assert row_of(series) == row


def test_a_study_that_a_reader_called_post_operative_is_left_out_with_all_its_series() -> None:
    assert row_of(said(), frozenset({"1.2"})) == {"excluded": POSTOPERATIVE}
    assert row_of(said(findings={F.SUBDURAL: True}), frozenset({"1.20"}))["urgency"] == "RED"


@given(
    st.sampled_from(Urgency),
    st.dictionaries(st.sampled_from(ReviewFinding), st.booleans()).filter(
        lambda f: f.get(F.HAEMORRHAGE) is not False or not any(f.get(t) for t in BLEED_TYPES)
    ),
)
def test_every_row_is_read_by_the_adapter_as_it_was_meant(
    tmp_path_factory: pytest.TempPathFactory, label: Urgency, findings: dict[ReviewFinding, bool]
) -> None:
    row = row_of(said(label, findings))
    assert set(row) <= set(COLUMNS)
    root = tmp_path_factory.mktemp("table")
    (root / VERSION).touch()
    write_labels(root, [{"series": "1", "study": "2", "patient": "P", **row}])
    source = Labelled(root, root)
    truth = source._rows["series", "1"]
    if "excluded" in row:
        assert truth == row["excluded"]
        assert [(one.person, one.series, one.reason) for one in source.left_out] == [("P", "1", truth)]
        return
    assert not isinstance(truth, str) and source.left_out == ()
    assert truth.urgency == label.name
    if F.HAEMORRHAGE in findings:
        assert truth.bleeding is findings[F.HAEMORRHAGE]
    assert truth.bleeding or not any(findings.get(kind) for kind in BLEED_TYPES)
    assert truth.labels.get("ivh") is findings.get(F.INTRAVENTRICULAR)


def test_what_readers_left_out_is_in_the_manifest_without_its_images(tmp_path: Path) -> None:
    root = tmp_path / "in"
    write(copy("P-1"), root / "1")
    rows = [
        {"series": uid("P-1", "1", "1"), "study": uid("P-1", "1"), "patient": "P-1", "bleeding": "0"},
        {"series": "2.25.7", "study": "2.25.8", "patient": "P-1", "excluded": DISPUTED},
        {"series": "2.25.9", "study": "2.25.8", "patient": "P-2", "excluded": "poor quality"},
    ]
    write_labels(root, rows)
    (root / VERSION).touch()
    manifest = prepare({"labelled": root}, tmp_path / "out")
    assert [(p.patient, p.who, p.exclusion) for p in manifest.patients] == [
        ("P-1", "P-1", ""),
        ("P-1.2", "P-1", DISPUTED),
        ("P-2", "P-2", "poor quality"),
    ]
    assert not (root / "pseudonyms.key").exists(), "names are pseudonyms already"
    write_labels(root, rows[1:])
    assert prepare({"labelled": root}, tmp_path / "out").patients[0].exclusion == "no label"


# Content


def test_a_record_is_read_back(tmp_path: Path) -> None:
    record = Pulled("P-1", "2.25.1", "2.25.2", 30)
    record.write(tmp_path)
    assert Pulled.read(tmp_path) == record
    assert Pulled.read(tmp_path / "nowhere") is None


def test_content_has_another_name_when_anything_changes() -> None:
    with Pacs("http://127.0.0.1:1", LOGIN) as pacs:
        puller = Puller(pacs, KEY, Selection(postoperative=("a", "b")))
        images = (StoredImage("1", "a"), StoredImage("2", "b"))
        names = [
            puller.content_name(images, wanted=True),
            puller.content_name(images, wanted=False),
            puller.content_name(images[:1], wanted=True),
            puller.content_name((images[0], StoredImage("2", "c")), wanted=True),
            replace(puller, selection=Selection(postoperative=("a",))).content_name(images, wanted=True),
            replace(puller, key=Key(os.urandom(KEY_BYTES))).content_name(images, wanted=True),
        ]
        assert len(set(names)) == len(names)
        assert puller.content_name(images, wanted=True) == names[0]


# What is refused


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ftp://127.0.0.1", "address"),
        ("127.0.0.1:8042", "address"),
        ("http://", "address"),
        ("http://192.0.2.1:dicom", "address"),
        ("http://sato:not-a-secret@127.0.0.1", "do not belong"),
    ],
)
def test_addresses_that_are_refused(url: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as told:
        Pacs(url, LOGIN)
    assert LOGIN.password not in str(told.value)


def test_certificates_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SettingsError, match="no certificates"):
        Pacs("https://127.0.0.1", LOGIN, ca=tmp_path / "ca.pem")


def test_a_certificate_is_trusted_when_it_is_named(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "ca.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    about = ["-subj", "/CN=pacs", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make, *about, *files], check=True, capture_output=True)
    secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    secure.load_cert_chain(certificate, key)
    server.socket = secure.wrap_socket(server.socket, server_side=True)
    server.answers = [(200, b'{"labels": []}')]  # type: ignore[attr-defined]
    url = f"https://127.0.0.1:{server.server_port}"
    with Pacs(url, LOGIN, pauses=()) as pacs, pytest.raises(PacsError, match="is not trusted; see --ca"):
        pacs.reviewed()
    with Pacs(url, LOGIN, ca=certificate, pauses=()) as pacs:
        assert pacs.reviewed() == ()


def test_who_could_read_along() -> None:
    for url, in_clear in {
        "http://127.0.0.1:8042": False,
        "http://[::1]:8042": False,
        "http://localhost": False,
        "https://192.0.2.1": False,
        "http://192.0.2.1": True,
        "http://pacs.example": True,
    }.items():
        with Pacs(url, LOGIN) as pacs:
            assert pacs.in_clear is in_clear, url


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    """A web server that is no Orthanc.

    ``answers`` has what it says, the last again and again; ``images`` has what it says to requests of images.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers: list[tuple[int, bytes]] = running.answers  # type: ignore[attr-defined]
            images: dict[str, bytes] = running.images  # type: ignore[attr-defined]
            if self.path.startswith("/instances/"):
                image = images.get(self.path.split("/")[2])
                status, body = (404, b"") if image is None else (200, image)
            else:
                status, body = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        running.answers, running.images = [], {}  # type: ignore[attr-defined]
        yield running
        running.shutdown()


def asked(server: ThreadingHTTPServer, *answers: tuple[int, bytes]) -> tuple[ReviewedSeries, ...]:
    server.answers = list(answers)  # type: ignore[attr-defined]
    with Pacs(f"http://127.0.0.1:{server.server_port}/", LOGIN, pauses=(0.0,)) as pacs:
        return pacs.reviewed()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((200, b"<html>"), "no triage of this version"),
        ((200, b"[]"), "no triage of this version"),
        ((200, b'{"labels": [{"series_id": "Kurosawa"}]}'), "no triage of this version"),
        ((401, b""), "refuses the user sato"),
        ((404, b""), "triage does not run"),
        ((500, b"Kurosawa"), "status 500"),
        ((302, b""), "status 302"),
        ((503, b""), "does not answer"),
    ],
)
def test_servers_that_are_no_help(server: ThreadingHTTPServer, answer: tuple[int, bytes], words: str) -> None:
    with pytest.raises(PacsError, match=words) as told:
        asked(server, answer)
    assert "Kurosawa" not in str(told.value) and LOGIN.password not in str(told.value)


def test_a_request_is_repeated(server: ThreadingHTTPServer) -> None:
    assert asked(server, (503, b""), (200, b'{"labels": []}')) == ()


def test_nobody_there(tmp_path: Path) -> None:
    with Pacs("http://127.0.0.1:1", LOGIN, pauses=()) as pacs, pytest.raises(PacsError, match="not answer"):
        next_version(pacs, tmp_path / "data", tmp_path / "key")


def test_nothing_reviewed(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    server.answers = [(200, b'{"labels": []}')]  # type: ignore[attr-defined]
    with Pacs(f"http://127.0.0.1:{server.server_port}", LOGIN) as pacs:
        with pytest.raises(UnusableInputError, match="none of 0 reviewed"):
            next_version(pacs, tmp_path / "data", tmp_path / "key")
        with pytest.raises(DeidentificationError, match="lies within the data"):
            next_version(pacs, tmp_path / "data", tmp_path / "data" / "key")
    assert latest(tmp_path / "data") is None


def test_a_second_run_is_kept_out(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / ".lock").open("w") as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        with (
            Pacs("http://127.0.0.1:1", LOGIN) as pacs,
            pytest.raises(UnusableInputError, match="another run"),
        ):
            next_version(pacs, tmp_path / "data", tmp_path / "key")


def test_another_key_than_that_of_the_versions_before(tmp_path: Path) -> None:
    key = tmp_path / "key"
    (tmp_path / "data" / "0009").mkdir(parents=True)
    (tmp_path / "data" / "0010").mkdir()
    (tmp_path / "data" / "0009" / VERSION).write_text("{}")
    (tmp_path / "data" / "0010" / VERSION).write_text(f'{{"key": "{KEY.mark("key")}"}}')
    Manifest(()).write(tmp_path / "data" / "0010")
    assert latest(tmp_path / "data") == tmp_path / "data" / "0010"
    with Pacs("http://127.0.0.1:1", LOGIN) as pacs:
        with pytest.raises(DeidentificationError, match="is not there"):
            next_version(pacs, tmp_path / "data", key)
        assert not key.exists()
        Key.read(key)
        with pytest.raises(DeidentificationError, match="is not the key"):
            next_version(pacs, tmp_path / "data", key)


def version_of(folder: Path, patients: Sequence[Patient], previous: Sequence[Patient] = ()) -> Manifest:
    """As the next version is dealt and written."""
    folder.mkdir()
    manifest = Manifest(split(patients, previous=previous))
    manifest.write(folder)
    versions._write_places(folder, [*previous, *manifest.patients])
    return manifest


def place(manifest: Manifest, name: str) -> tuple[str | None, int | None]:
    return next((p.split, p.fold) for p in manifest.patients if p.patient == name)


def test_who_is_left_out_of_a_version_is_back_in_his_place_in_a_later_one(tmp_path: Path) -> None:
    everybody = [Patient(f"P-{n:02}", "labelled", n % 3 == 0, pixel_digest=f"d{n}") for n in range(40)]
    later = [Patient(f"Q-{n:02}", "labelled", n % 3 == 0, pixel_digest=f"q{n}") for n in range(9)]
    first = version_of(tmp_path / "1", everybody)
    disputed = [replace(p, exclusion=DISPUTED, pixel_digest="") for p in everybody[::2]]
    corrected = [replace(p, patient=f"R-{n:02}") for n, p in enumerate(everybody[1::2])]
    second = version_of(tmp_path / "2", [*disputed, *corrected, *later], versions._places(tmp_path / "1"))
    third = version_of(tmp_path / "3", [*everybody[::2], *corrected], versions._places(tmp_path / "2"))
    for p in everybody[::2]:
        assert place(second, p.patient) == (None, None)
        assert place(third, p.patient) == place(first, p.patient)
    for p, again in zip(everybody[1::2], corrected, strict=True):
        assert place(third, again.patient) == place(second, again.patient) == place(first, p.patient)
    # The first versions are deleted, and somebody comes back who is in none that is left.
    fourth = version_of(tmp_path / "4", [*everybody, *later], versions._places(tmp_path / "3"))
    assert [place(fourth, p.patient) for p in everybody] == [place(first, p.patient) for p in everybody]
    assert [place(fourth, p.patient) for p in later] == [place(second, p.patient) for p in later]


def test_a_version_without_places_has_those_of_its_manifest(tmp_path: Path) -> None:
    manifest = version_of(tmp_path / "1", [Patient("P-1", "labelled", True, pixel_digest="d")])
    (tmp_path / "1" / versions.PLACES).unlink()
    assert versions._places(tmp_path / "1") == manifest.patients


def test_patients_keep_their_part_by_the_manifest_that_is_named_and_by_the_version_before(
    tmp_path: Path,
) -> None:
    one, two = (Patient(name, "labelled", False, split=TEST, fold=4) for name in ("P-1", "P-2"))
    Manifest((one, two)).write(tmp_path)
    previous = [*versions._places(tmp_path), replace(one, split=TRAIN, fold=0)]
    now = split([replace(p, split=None, fold=None) for p in (one, two)], previous=previous)
    assert [(p.split, p.fold) for p in now] == [(TRAIN, 0), (TEST, 4)]


# One series

HEAD = said(findings={F.HAEMORRHAGE: True})


def pulled(
    server: ThreadingHTTPServer, folder: Path, *, lost: int = 0, wanted: bool = True, **header: Any
) -> Pulled:
    """What becomes of a head with such headers, of whose images some are no longer there."""
    files = [as_file(ds) for ds in copy("Kurosawa-4711", **header)]
    server.images = {str(k): data for k, data in enumerate(files)}  # type: ignore[attr-defined]
    images = tuple(StoredImage(str(k), "") for k in range(len(files) + lost))
    with Pacs(f"http://127.0.0.1:{server.server_port}", LOGIN, pauses=()) as pacs:
        return Puller(pacs, KEY, Selection.read()).pull(HEAD, images, folder / "it", wanted=wanted)


def names(folder: Path) -> list[str]:
    return sorted({path.suffix or path.name for path in folder.rglob("*") if path.is_file()})


def test_a_series_is_whole(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    (tmp_path / ".unfinished-it").mkdir()
    (tmp_path / ".unfinished-it" / "of a killed run.dcm").touch()
    about = pulled(server, tmp_path)
    assert about == Pulled.read(tmp_path / "it")
    assert about.images == len(list((tmp_path / "it").glob("*.dcm"))) > 8
    assert [path.name for path in tmp_path.iterdir()] == ["it"]
    assert (about.patient, about.series) == (KEY.pseudonym("Kurosawa-4711"), KEY.uid(HEAD.series))


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ({"BurnedInAnnotation": "YES"}, "cannot be de-identified: image 1 of 23: text is burnt"),
        (
            {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"},
            "cannot be de-identified: image 1 of 23: not a CT image",
        ),
        ({"PatientID": ""}, "cannot be de-identified: no patient ID"),
        ({"PixelData": bytes(64)}, "cannot be de-identified: image 1 of 23: image data cannot be read"),
        ({"ConvolutionKernel": "BONE"}, "bone kernel (too sharp to judge blood)"),
        ({"ContrastBolusAgent": "Kurosawa"}, "contrast medium given"),
        ({"StudyDescription": "Kurosawa 開頭術後"}, POSTOPERATIVE),
    ],
)
def test_a_series_without_images_says_why(
    server: ThreadingHTTPServer, tmp_path: Path, header: dict[str, Any], why: str
) -> None:
    about = pulled(server, tmp_path, **header)
    assert about.left_out.startswith(why) and about.images == 0
    assert "Kurosawa" not in about.left_out
    assert names(tmp_path) == [".json"]


def test_of_what_is_not_wanted_one_image_is_looked_at_and_none_kept(
    server: ThreadingHTTPServer, tmp_path: Path
) -> None:
    about = pulled(server, tmp_path, wanted=False, lost=3, BurnedInAnnotation="YES")
    assert about == Pulled(KEY.pseudonym("Kurosawa-4711"), KEY.uid(HEAD.study), KEY.uid(HEAD.series))
    assert names(tmp_path) == [".json"]


def test_an_image_that_is_gone_leaves_nothing(server: ThreadingHTTPServer, tmp_path: Path) -> None:
    with pytest.raises(UnusableInputError, match="no longer in Orthanc"):
        pulled(server, tmp_path, lost=1)
    assert list(tmp_path.iterdir()) == []


def test_what_the_audit_refuses_leaves_nothing(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Key, "pseudonym", lambda key, patient_id: patient_id)
    with pytest.raises(DeidentificationError):
        pulled(server, tmp_path)
    assert list(tmp_path.iterdir()) == []


# The command


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["dataset"], "Missing option --out"),
        (["dataset", "--out", "x"], "name at least one source"),
        (["dataset", "--workers", "2", "orthanc", "http://127.0.0.1", "--out", "x"], "--workers goes behind"),
        (["dataset", "orthanc", "http://127.0.0.1"], "Missing option '--out'"),
        (["dataset", "orthanc", "nonsense", "--out", "x"], "the address must be one"),
    ],
)
def test_commands_that_are_refused(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    login = {"HEADCT_USER": "sato", "HEADCT_PASSWORD": "not-a-secret"}
    done = CliRunner().invoke(main, arguments, env=login)
    assert done.exit_code == 2 and words in done.output
    assert "not-a-secret" not in done.output
    assert not list(tmp_path.iterdir())
