"""Small series and assessments made by hand, for the tests of the DICOM results."""

import random
from datetime import datetime
from io import BytesIO

import numpy as np
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from headct.images.series import CTSeries
from headct.terms.assessment import (
    Assessment,
    BundleIdentity,
    Finding,
    FindingKind,
    KeySlice,
    Location,
)
from headct.terms.urgency import Urgency

MADE_AT = datetime(2026, 4, 5, 6, 7, 8)
Slabs = tuple[tuple[int, ...], ...]
BUNDLE = BundleIdentity("headct-bleed", "1.2.0", "2.25.1234567890", "0123456789abcdef" * 4)


def header(number: int, **attributes: object) -> Dataset:
    """A CT header as an ordinary scanner writes it; ``None`` leaves an attribute out."""
    found = Dataset()
    values = {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": f"1.2.3.4.{number + 1}",
        "StudyDate": "20260405",
        "StudyTime": "055500.123",
        "AccessionNumber": "A123",
        "Modality": "CT",
        "Manufacturer": "ACME",
        "ManufacturerModelName": "Scanner 64",
        "ReferringPhysicianName": "Referrer^Rita",
        "StudyDescription": "Head CT",
        "PatientName": "Doe^Jane",
        "PatientID": "P-1",
        "PatientBirthDate": "19500102",
        "PatientSex": "F",
        "PatientAge": "076Y",
        "StudyInstanceUID": "1.2.3.4",
        "SeriesInstanceUID": "1.2.3.4.0",
        "StudyID": "S1",
        "SeriesNumber": 3,
        "FrameOfReferenceUID": "1.2.3.4.0.1",
    }
    for keyword, value in {**values, **attributes}.items():
        if value is not None:
            setattr(found, keyword, value)
    return found


def as_read(dataset: Dataset) -> Dataset:
    """The dataset after a trip through its encoded bytes, as a header comes out of a file."""
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    buffer.seek(0)
    return dcmread(buffer)


def series(slices: int = 6, slabs: Slabs | None = None, **attributes: object) -> CTSeries:
    """A series of that many slices, by default each a slab; attributes go into every header."""
    headers = tuple(header(i, **attributes) for i in range(slices))
    slabs = slabs or tuple((i,) for i in range(slices))
    return CTSeries(
        hu=np.zeros((len(slabs), 4, 4), np.int16),
        slabs=slabs,
        slab_positions_mm=np.array([5.0 * np.mean(slab) for slab in slabs]),
        slice_positions_mm=np.arange(slices) * 5.0,
        spacing_mm=(0.5, 0.5),
        gantry_tilt_deg=0.0,
        sop_instance_uids=tuple(str(h.SOPInstanceUID) for h in headers),
        headers=headers,
        pixel_digest="0" * 64,
    )


def key_slices(of: CTSeries, *numbers: int) -> tuple[KeySlice, ...]:
    """Key slices by their numbers."""
    return tuple(KeySlice(n, of.sop_instance_uids[n]) for n in numbers)


def green(of: CTSeries) -> Assessment:
    """Nothing flagged."""
    return Assessment(Urgency.GREEN, 0.0312, 0.0421, (), key_slices(of, 2), BUNDLE, "1")


def bleeding(of: CTSeries, urgency: Urgency = Urgency.RED) -> Assessment:
    """Every kind of finding, every figure, rules and cautions."""
    return Assessment(
        urgency=urgency,
        alert_probability=0.9731,
        haemorrhage_probability=0.9917,
        findings=(
            Finding(FindingKind.HAEMORRHAGE, (1, 2, 3), 33.4, 12.2, Location.DEEP, 62.1),
            Finding(FindingKind.HAEMORRHAGE, (4,), 0.3, None, Location.PERIPHERAL, 58.0),
            Finding(FindingKind.OLD_COLLECTION, (2, 3), 11.0, 9.0, Location.PERIPHERAL, 18.5),
            Finding(FindingKind.INTRAVENTRICULAR_BLOOD, (3,)),
            Finding(FindingKind.MIDLINE_OFFSET, (), offset_mm=-7.3),
        ),
        key_slices=key_slices(of, 3, 1),
        bundle=BUNDLE,
        rubric_version="1",
        rules=("ventricular_black", "midline", "any_bleed"),
        cautions=("child", "assumed_pixel_spacing"),
    )


def damaged(document: bytes, count: int) -> list[bytes]:
    """The document with bytes changed, some cut short; the same ones each time."""
    chance = random.Random(1)
    results = []
    for _ in range(count):
        data = bytearray(document)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(132, len(data))] = chance.randrange(256)
        results.append(bytes(data[: chance.randrange(len(data))] if chance.random() < 0.3 else data))
    return results
