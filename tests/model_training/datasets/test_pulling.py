"""One reviewed series to de-identified images, whole or not at all."""

import os
from dataclasses import replace
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from layouts import copy

from headct.errors import DeidentificationError, UnusableInputError
from headct.terms.review import ReviewFinding
from model_training.datasets.orthanc import Pacs, StoredImage
from model_training.datasets.pulling import Pulled, Puller
from model_training.datasets.selection import POSTOPERATIVE, Selection
from model_training.deidentification.pseudonyms import KEY_BYTES, Key
from tests.model_training.pacs import KEY, LOGIN, said
from tests.model_training.planted import as_file

HEAD = said(findings={ReviewFinding.HAEMORRHAGE: True})
PATIENT, STUDY, SERIES = (
    KEY.pseudonym("Kurosawa-4711"),
    KEY.uid(HEAD.study_instance_uid),
    KEY.uid(HEAD.series_instance_uid),
)


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
    assert (about.patient, about.series) == (
        KEY.pseudonym("Kurosawa-4711"),
        KEY.uid(HEAD.series_instance_uid),
    )


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
    assert about == Pulled(
        KEY.pseudonym("Kurosawa-4711"), KEY.uid(HEAD.study_instance_uid), KEY.uid(HEAD.series_instance_uid)
    )
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
