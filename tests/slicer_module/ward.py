"""A real store and REST interface of triage, and as much of Orthanc as the panel asks for, on one port."""

import json
import threading
from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import numpy as np
from fake_cases import SLICES, orthanc_id
from pydicom import Dataset, dcmwrite
from scans import scan
from stack_process import free_ports
from werkzeug.serving import make_server

from headct.terms.urgency import Urgency

PASSWORD = "not-a-secret"
STUDIES = {"red": Urgency.RED, "black": Urgency.BLACK, "yellow": Urgency.YELLOW, "green": Urgency.GREEN}
"""Of the room, by the patients' first names, in the order in which they came."""
Application = Callable[[WSGIEnvironment, StartResponse], Iterable[bytes]]


class Ward:
    """Serves one application; can be slow, silent or away."""

    def __init__(self, app: Application) -> None:
        self._app = app
        (self._port,) = free_ports(1)
        self.url = f"http://localhost:{self._port}"
        self.awake = threading.Event()
        """Cleared, nothing is answered."""
        self.awake.set()
        self.asked: list[tuple[str, str]] = []
        """Method and path of every question."""
        self.held = threading.Event()
        """Cleared, images do not come."""
        self.held.set()
        self._images: dict[str, list[Dataset]] = {}
        self._studies: dict[str, tuple[str, str]] = {}
        self._open()

    def images(self, series_id: str, images: Sequence[Dataset]) -> None:
        """What Orthanc has of a series."""
        self._images[series_id] = list(images)

    def of_one_patient(self, studies: dict[str, tuple[str, str]]) -> None:
        """Date and series of each of a patient's studies, by Orthanc's identifiers."""
        self._studies = studies

    def away(self) -> None:
        """Nobody listens at the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def back(self) -> None:
        """Somebody does again."""
        self._open()

    def count(self, method: str, end: str) -> int:
        """How often it was asked for something."""
        return sum(verb == method and path.endswith(end) for verb, path in self.asked)

    def _open(self) -> None:
        self._server = make_server("127.0.0.1", self._port, self._answer, threaded=True)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def _answer(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        self.asked.append((environ["REQUEST_METHOD"], path))
        self.awake.wait()
        kind, _, secret = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        user, _, password = b64decode(secret).decode().partition(":") if kind == "Basic" else ("", "", "")
        if password != PASSWORD:
            start("401 Unauthorized", [("Content-Length", "0")])
            return []
        if path.startswith("/triage"):
            return self._app({**environ, "REMOTE_USER": user}, start)
        status, body = self._orthanc(path)
        start(status, [("Content-Length", str(len(body)))])
        return [body]

    def _orthanc(self, path: str) -> tuple[str, bytes]:
        match path.strip("/").split("/"):
            case ["series", series_id] if series_id in self._images:
                return "200 OK", json.dumps(self._series(series_id)).encode()
            case ["studies", study_id] if study_id in self._studies:
                return "200 OK", json.dumps(self._study(study_id)).encode()
            case ["studies", study_id, "series"] if study_id in self._studies:
                return "200 OK", json.dumps([self._series(self._studies[study_id][1])]).encode()
            case ["patients", "patient", "studies"]:
                return "200 OK", json.dumps([self._study(one) for one in self._studies]).encode()
            case ["instances", _, "simplified-tags"]:
                person = {"PatientID": "P", "PatientName": "A^B", "PatientBirthDate": "19510711"}
                return "200 OK", json.dumps(person).encode()
            case ["instances", name, "file"]:
                self.held.wait()
                for series_id, images in self._images.items():
                    for number, image in enumerate(images):
                        if orthanc_id(f"{series_id} {number}") == name:
                            return "200 OK", as_file(image)
        return "404 Not Found", json.dumps({"HttpStatus": 404, "OrthancStatus": 17}).encode()

    def _series(self, series_id: str) -> dict[str, Any]:
        names = [orthanc_id(f"{series_id} {n}") for n in range(len(self._images[series_id]))]
        return {"ID": series_id, "MainDicomTags": {"Modality": "CT"}, "Instances": names}

    def _study(self, study_id: str) -> dict[str, Any]:
        date = {"StudyDate": self._studies[study_id][0]}
        return {"ID": study_id, "ParentPatient": "patient", "MainDicomTags": date}


def as_file(image: Dataset) -> bytes:
    """An image as DICOM bytes."""
    file = BytesIO()
    dcmwrite(file, image, enforce_file_format=True)
    return file.getvalue()


def head(count: int = SLICES, **attributes: Any) -> list[Dataset]:
    """Images with the names that :mod:`reading_room` gives to key slices, each of one grey of its own."""
    images = scan([5.0 * n for n in range(count)], shape=(64, 64), spacing=(3.5, 3.5), **attributes)
    for number, image in enumerate(images):
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = f"1.2.9.{number}"
        image.PixelData = np.full((64, 64), 1024 + 2 * number, "<u2").tobytes()
    return images
