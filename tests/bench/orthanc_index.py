"""Orthanc's own index with the images of a house in it, written past Orthanc: storing them would take a day.

Of each image only what Orthanc lists is there, not its file: enough for all that asks what there is.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from old_house import Drawn, House, orthanc_id

PATIENT, STUDY, SERIES, INSTANCE = 1, 2, 3, 4
"""Kinds of resources, as Orthanc numbers them."""
_STUDY_UID, _SERIES_UID, _SOP_UID, _MODALITY, _PATIENT_ID = (
    (0x0020, 0x000D),
    (0x0020, 0x000E),
    (0x0008, 0x0018),
    (0x0008, 0x0060),
    (0x0010, 0x0020),
)
_SOP_CLASS, _LAST_UPDATE = 10, 7
"""Kinds of metadata."""

Tags = dict[tuple[int, int], str]


def fill(index: Path, house: House) -> None:
    """Into the index of an Orthanc that was started once and is stopped."""
    connection = sqlite3.connect(index)
    with connection:
        for number in range(house.studies):
            _add(connection, house, number)
    connection.close()


def _add(connection: sqlite3.Connection, house: House, number: int) -> None:
    series = house.series(number)
    patient = _resource(
        connection, PATIENT, orthanc_id(series[0].patient), None, {_PATIENT_ID: series[0].patient}
    )
    study = _resource(connection, STUDY, series[0].study_id, patient, {_STUDY_UID: series[0].study_uid})
    for one in series:
        tags = {_SERIES_UID: one.uid, _MODALITY: "CT"}
        parent = _resource(connection, SERIES, one.id, study, tags)
        arrived = f"{house.arrived(number):%Y%m%dT%H%M%S}"
        connection.execute("INSERT INTO Metadata VALUES (?, ?, ?)", (parent, _LAST_UPDATE, arrived))
        for uid in _images(one, house.images):
            child = _resource(connection, INSTANCE, _instance_id(one, uid), parent, {_SOP_UID: uid})
            connection.execute(
                "INSERT INTO Metadata VALUES (?, ?, ?)", (child, _SOP_CLASS, "1.2.840.10008.5.1.4.1.1.2")
            )


def _resource(
    connection: sqlite3.Connection, kind: int, identifier: str, parent: int | None, tags: Tags
) -> int:
    cursor = connection.execute("INSERT INTO Resources VALUES (NULL, ?, ?, ?)", (kind, identifier, parent))
    key = cursor.lastrowid
    assert key is not None
    rows = [(key, *tag, value) for tag, value in tags.items()]
    connection.executemany("INSERT INTO MainDicomTags VALUES (?, ?, ?, ?)", rows)
    named = [row for row in rows if (row[1], row[2]) != _MODALITY]
    connection.executemany("INSERT INTO DicomIdentifiers VALUES (?, ?, ?, ?)", named)
    return key


def _images(series: Drawn, count: int) -> Iterator[str]:
    return (f"{series.uid}.1.{n}" for n in range(1, count + 1))


def _instance_id(series: Drawn, uid: str) -> str:
    return orthanc_id(series.patient, series.study_uid, series.uid, uid)
