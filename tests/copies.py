"""Fresh copies of a series under new UIDs and patients, for load that looks like many cases."""

from pathlib import Path

import pydicom
from pydicom.uid import generate_uid


def copy_series(source: Path, target: Path, number: int, salt: str = "") -> str:
    """Write a copy of a one-series folder as another patient; returns its SeriesInstanceUID."""
    target.mkdir(parents=True, exist_ok=True)
    uid = ""
    for file in sorted(source.iterdir()):
        ds = pydicom.dcmread(file)
        for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
            if name in ds:
                setattr(ds, name, generate_uid(entropy_srcs=[str(ds[name].value), str(number), salt]))
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.PatientID = f"COPY{number:04d}{salt}"
        ds.PatientName = f"Copy^{number:04d}"
        ds.save_as(target / file.name)
        uid = str(ds.SeriesInstanceUID)
    return uid
