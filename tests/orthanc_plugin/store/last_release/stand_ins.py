"""For `make.py`: the clock, generated heads, and an Orthanc in memory as workers of that release ask it."""

import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module
from io import BytesIO
from typing import Any

from pydicom import dcmread, dcmwrite

generate: Any = import_module("headct.generator.kinds").generate  # where it lay then
orthanc_client: Any = import_module("orthanc_plugin.orthanc_client")


class Clock:
    """The time everywhere in the program."""

    def __init__(self) -> None:
        self.now = datetime(2026, 2, 4, 12, 0, tzinfo=UTC)

    def pass_by(self, seconds: float) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


CLOCK = Clock()


class Wall(datetime):
    """For those who ask `datetime` itself."""

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return CLOCK.now.astimezone(tz)


@cache
def heads(kind: str, seed: int, *, study: str = "", number: int = 2, patient: str = "") -> tuple[bytes, ...]:
    """The files of a series, few and small."""
    changes = {} if kind in {"localizer", "few_slices", "chest"} else {"thickness_mm": 7.0, "matrix": 256}
    made = generate(kind, seed, study=study, number=number, when=datetime(2026, 2, 2, 3, 10), **changes)
    files = []
    for image in made.images():
        if patient:
            image.PatientID = patient
        buffer = BytesIO()
        dcmwrite(buffer, image, enforce_file_format=True)
        files.append(buffer.getvalue())
    return tuple(files)


def identifier(*uids: str) -> str:
    """As Orthanc makes them."""
    digest = hashlib.sha1("|".join(uids).encode()).hexdigest()
    return "-".join(digest[n : n + 8] for n in range(0, 40, 8))


class Orthanc:
    """What a worker asks of Orthanc, from memory."""

    def __init__(self) -> None:
        self.series: dict[str, dict[str, bytes]] = {}
        self.results: dict[str, str] = {}
        self.shown: dict[tuple[str, str], str] = {}
        self.set: dict[tuple[str, str], set[str]] = {}
        self.damaged: set[str] = set()

    def is_well(self) -> bool:
        return True

    def instances(self, series_id: str) -> tuple[str, ...] | None:
        found = self.series.get(series_id)
        return tuple(found) if found else None

    def file(self, instance_id: str) -> bytes | None:
        if instance_id in self.damaged:
            raise orthanc_client.OrthancError("GET instances: status 500")
        return next(files[instance_id] for files in self.series.values() if instance_id in files)

    def has_instance(self, instance_id: str) -> bool:
        return instance_id in self.results

    def instances_of(self, sop_instance_uid: str) -> tuple[str, ...]:
        return tuple(i for i, uid in self.results.items() if uid == sop_instance_uid)

    def store(self, content: bytes) -> str:
        header = dcmread(BytesIO(content), stop_before_pixels=True)
        found = identifier(
            str(header.PatientID), header.StudyInstanceUID, header.SeriesInstanceUID, header.SOPInstanceUID
        )
        self.results[found] = header.SOPInstanceUID
        return found

    def delete_instance(self, instance_id: str) -> None:
        self.results.pop(instance_id, None)

    def urgency(self, level: str, of: str) -> str | None:
        return self.shown.get((level, of))

    def set_urgency(self, level: str, of: str, value: str | None) -> None:
        self.shown[level, of] = value or ""

    def labels(self, level: str, of: str) -> frozenset[str] | None:
        return frozenset(self.set.get((level, of), set()))

    def set_label(self, level: str, of: str, label: str, *, present: bool) -> None:
        there = self.set.setdefault((level, of), set())
        (there.add if present else there.discard)(label)

    def send_on(self, modality: str, instance_id: str) -> str:
        return f"job-of-{modality}"

    def job_state(self, job: str) -> str | None:
        return "Running"
