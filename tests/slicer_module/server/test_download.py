"""Images of a series over good and bad connections: all of them, or a clear word, or cancelled at once."""

import json
import threading
from collections.abc import Callable

import numpy as np
import pytest
from dicom_stack import files, head
from HeadCTTriageLib.errors import (
    CancelledError,
    RefusedError,
    TriageError,
    UnreachableError,
    UnreadableError,
)
from HeadCTTriageLib.server import connection
from HeadCTTriageLib.server import download as module
from HeadCTTriageLib.server.client import Server, TriageClient
from HeadCTTriageLib.server.download import download
from pydicom import Dataset
from pydicom.pixels.decoders import base
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless
from slicer_servers import Asked, Reply, as_json, http_server, of_orthanc
from stack_process import PATIENCE, wait_until

HU = head(6, 32)
PLAIN = files(HU)
COMPRESSED = files(HU, syntax=JPEGLosslessSV1)
NAMES = [f"image{number}" for number in range(len(HU))]
Answer = Callable[[Asked], Reply | None]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.02)


def listing() -> Reply:
    return as_json(200, {"ID": "s", "Instances": NAMES, "MainDicomTags": {}})


def number_of(asked: Asked) -> int:
    return int(asked.path.split("/")[2].removeprefix("image"))


def orthanc(image: Answer | None = None) -> Answer:
    """Gives the list of images, and images unless told otherwise."""

    def answer(asked: Asked) -> Reply | None:
        if asked.path == "/series/s":
            return listing()
        return image(asked) if image else (200, {}, PLAIN[number_of(asked)])

    return answer


def fetch(url: str, cancelled: threading.Event | None = None) -> tuple[list[Dataset], list[tuple[int, int]]]:
    progress: list[tuple[int, int]] = []
    found = download(
        TriageClient(Server(url, "sato", "x")),
        "s",
        on_progress=lambda *so_far: progress.append(so_far),
        cancelled=cancelled or threading.Event(),
    )
    return found, progress


def failed(answer: Answer) -> tuple[TriageError, list[Asked]]:
    with http_server(answer) as (url, asked), pytest.raises(TriageError) as caught:
        fetch(url)
    return caught.value, asked


def pixels(images: list[Dataset]) -> np.ndarray:
    ordered = sorted(images, key=lambda image: int(image.InstanceNumber))
    return np.stack([image.pixel_array.astype(int) + int(image.RescaleIntercept) for image in ordered])


def test_all_images_and_how_far_it_is() -> None:
    with http_server(orthanc()) as (url, asked):
        found, progress = fetch(url)
    assert np.array_equal(pixels(found), HU)
    assert progress == [(done, len(HU)) for done in range(len(HU) + 1)]
    assert len(asked) == len(HU) + 1


def test_several_at_once() -> None:
    together = threading.Barrier(3, timeout=PATIENCE)

    def answer(asked: Asked) -> Reply:
        together.wait()
        return 200, {}, PLAIN[number_of(asked)]

    with http_server(orthanc(answer)) as (url, _):
        assert len(fetch(url)[0]) == len(HU)


@pytest.mark.parametrize("silent_at", ["/series/s", "/instances/"])
@pytest.mark.parametrize("after", [0.0, 0.3])
def test_cancelled_while_the_server_is_silent(
    monkeypatch: pytest.MonkeyPatch, silent_at: str, after: float
) -> None:
    """It ends though the server says nothing; the threads that asked are gone soon, and ask no more."""
    monkeypatch.setattr(connection, "SILENCE_SECONDS", 10_000.0)
    ended = threading.Event()

    def answer(asked: Asked) -> Reply | None:
        if asked.path.startswith(silent_at):
            ended.wait()
            return None
        return listing()

    def asking() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if "(work)" in thread.name}

    cancelled = threading.Event()
    with http_server(answer) as (url, asked):
        threading.Timer(after, cancelled.set).start()
        with pytest.raises(CancelledError):
            fetch(url, cancelled)
        assert not ended.is_set()
        wait_until(lambda: not asking(), PATIENCE, lambda: f"still asking: {asking()}")
        so_far = len(asked)
        ended.set()
    assert len(asked) == so_far


def stumbling(times: int, stumble: Reply | None) -> Answer:
    """One image fails a number of times before it comes."""
    tried: list[int] = []

    def answer(asked: Asked) -> Reply | None:
        number = number_of(asked)
        tried.append(number)
        if number == 3 and tried.count(3) <= times:
            return stumble
        return 200, {}, PLAIN[number]

    return orthanc(answer)


@pytest.mark.parametrize(
    "stumble",
    [
        of_orthanc(503),
        (200, {}, PLAIN[3][:200]),
        (200, {}, b"<h1>Good morning</h1>"),
        (200, {"Content-Length": "100000", "Connection": "close"}, PLAIN[3]),
    ],
    ids=["busy", "cut", "no image", "broken off"],
)
def test_an_image_is_asked_for_three_times(stumble: Reply) -> None:
    # A server that says no to the wish for a transfer syntax is asked without; that is one attempt.
    each = 2 if stumble[0] == 503 else 1
    with http_server(stumbling(2 * each, stumble)) as (url, _):
        assert np.array_equal(pixels(fetch(url)[0]), HU)
    error, asked = failed(stumbling(100, stumble))
    assert isinstance(error, UnreachableError | UnreadableError)
    assert "of 6 images came" in str(error)
    assert sum("image3" in one.path for one in asked) == 3 * each


def test_a_dead_server_is_said_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()

    def silent(asked: Asked) -> None:
        ended.wait()

    def then_dead() -> Reply:
        # Only now: a busy machine may take its time over the listing.
        monkeypatch.setattr(connection, "SILENCE_SECONDS", 0.2)
        return listing()

    def answer(asked: Asked) -> Reply | None:
        return then_dead() if asked.path.startswith("/series/") else silent(asked)

    error, _ = failed(answer)
    ended.set()
    assert isinstance(error, UnreachableError)
    assert error.kind == UnreachableError.SLOW
    assert str(error).startswith("0 of 6 images came.")


def test_a_login_that_ended_is_not_asked_again() -> None:
    error, asked = failed(orthanc(lambda asked: (401, {}, b"")))
    assert isinstance(error, RefusedError) and error.code == RefusedError.LOGIN
    assert len(asked) <= 1 + len(HU)


def test_an_image_deleted_meanwhile() -> None:
    gone = of_orthanc(404)
    error, asked = failed(
        orthanc(lambda asked: gone if number_of(asked) == 2 else (200, {}, PLAIN[number_of(asked)]))
    )
    assert isinstance(error, UnreadableError)
    assert "an image is gone" in str(error)
    assert sum("image2" in one.path for one in asked) == 2


def test_a_series_that_is_gone() -> None:
    error, _ = failed(lambda asked: of_orthanc(404))
    assert isinstance(error, RefusedError) and error.code == RefusedError.GONE


def test_no_series_of_orthanc() -> None:
    for reply in (as_json(200, {"Instances": [3]}), as_json(200, []), (200, {}, b"<h1>Hello</h1>")):
        assert isinstance(failed(lambda asked, reply=reply: reply)[0], UnreadableError)


# Compressed images: what Orthanc does of old, from 1.12.2 on, and when it cannot ---------------------------


@pytest.fixture
def no_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    """pydicom as Slicer has it, without any of its plug-ins."""
    for decoder, _version in base._PIXEL_DATA_DECODERS.values():
        if decoder.UID.is_encapsulated:
            monkeypatch.setattr(decoder, "_available", {})


def old_orthanc(asked: Asked) -> Reply:
    """1.10.1: no transcoding of files, only of copies."""
    if asked.method == "POST":
        assert asked.path.endswith("/modify")
        wish = json.loads(asked.body)
        assert wish["Transcode"] == ExplicitVRLittleEndian
        assert wish["Keep"] == ["SOPInstanceUID"]
        return 200, {}, PLAIN[number_of(asked)]
    return 200, {}, COMPRESSED[number_of(asked)]


def new_orthanc(asked: Asked) -> Reply:
    """1.12.2: files as wished."""
    assert asked.method == "GET"
    wished = asked.path.endswith(f"?transcode={ExplicitVRLittleEndian}")
    return 200, {}, (PLAIN if wished else COMPRESSED)[number_of(asked)]


@pytest.mark.usefixtures("no_decoders")
@pytest.mark.parametrize("server", [old_orthanc, new_orthanc])
def test_orthanc_decompresses(server: Answer) -> None:
    with http_server(orthanc(server)) as (url, asked):
        found, _ = fetch(url)
    assert np.array_equal(pixels(found), HU)
    # Once a copy was needed, the others are not fetched twice.
    assert len(asked) <= 1 + len(HU) + 4


@pytest.mark.usefixtures("no_decoders")
@pytest.mark.parametrize("refusal", [of_orthanc(500), of_orthanc(404), (403, {}, b""), as_json(501, {})])
def test_nobody_can_decompress(refusal: Reply) -> None:
    """Orthanc without the plug-in for it, or a login that may only read."""

    def answer(asked: Asked) -> Reply:
        wished = asked.method == "POST" or "transcode" in asked.path
        return refusal if wished else (200, {}, COMPRESSED[number_of(asked)])

    error, _ = failed(orthanc(answer))
    assert isinstance(error, UnreadableError)
    assert "JPEG Lossless" in str(error)
    assert "GDCM" in str(error)


@pytest.mark.parametrize("syntax", [JPEGLSLossless, JPEG2000Lossless])
def test_what_orthanc_cannot_pydicom_may(syntax: str) -> None:
    """As with Pillow, which Slicer has, for JPEG 2000."""
    compressed = files(HU, syntax=syntax)
    with http_server(
        orthanc(
            lambda asked: (
                of_orthanc(500) if asked.method == "POST" else (200, {}, compressed[number_of(asked)])
            )
        )
    ) as (url, _):
        found, _progress = fetch(url)
    assert np.array_equal(pixels(found), HU)
    assert {image.SOPInstanceUID for image in found} == {f"2.25.77.{n + 1}" for n in range(len(HU))}
    assert all(image.file_meta.MediaStorageSOPInstanceUID == image.SOPInstanceUID for image in found)


def test_a_transfer_syntax_that_nobody_knows() -> None:
    odd = [file.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.113619.5.2\0\0") for file in PLAIN]
    assert odd != PLAIN
    error, _ = failed(orthanc(lambda asked: (200, {}, odd[number_of(asked)])))
    assert isinstance(error, UnreadableError)
    assert "of 6 images came" in str(error)
