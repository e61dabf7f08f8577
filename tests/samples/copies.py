"""Fresh copies of a series under new UIDs and patients, for load that looks like many cases."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.dataset import FileDataset
from pydicom.uid import generate_uid


def renumber(ds: FileDataset, number: int, salt: str = "") -> None:
    """Make a dataset an image of another patient's study; the same number and salt give the same UIDs."""
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        if name in ds:
            setattr(ds, name, generate_uid(entropy_srcs=[str(ds[name].value), str(number), salt]))
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.PatientID = f"COPY{number:04d}{salt}"
    ds.PatientName = f"Copy^{number:04d}"


def copy_series(source: Path, target: Path, number: int, salt: str = "") -> str:
    """Write a copy of a one-series folder as another patient; returns its SeriesInstanceUID."""
    target.mkdir(parents=True, exist_ok=True)
    uid = ""
    for file in sorted(source.iterdir()):
        ds = pydicom.dcmread(file)
        renumber(ds, number, salt)
        ds.save_as(target / file.name)
        uid = str(ds.SeriesInstanceUID)
    return uid


def copy_files(files: Sequence[bytes], number: int, salt: str = "") -> list[bytes]:
    """The same for files in memory."""
    copies = []
    for content in files:
        ds = pydicom.dcmread(BytesIO(content))
        renumber(ds, number, salt)
        written = BytesIO()
        ds.save_as(written)
        copies.append(written.getvalue())
    return copies
