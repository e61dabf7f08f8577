"""Edits of DICOM files in memory: other places, pictures, numbers and names of the images of a series."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from io import BytesIO
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from scipy import ndimage

from headct.images.decoding import PixelFormat, decode

Files = list[bytes]
Picture = NDArray[Any]

TURN_DEG, MOVE_MM = 12.0, 11.0
"""How the head lies in a second pass."""


def edited(file: bytes, change: Callable[[FileDataset], None]) -> bytes:
    """The file with its dataset changed."""
    ds = pydicom.dcmread(BytesIO(file))
    change(ds)
    written = BytesIO()
    ds.save_as(written)
    return written.getvalue()


def numbered(files: Sequence[bytes]) -> Files:
    """Numbered from 1 without a gap, as some archives and anonymisers do."""
    return [edited(f, lambda ds, n=n: setattr(ds, "InstanceNumber", n)) for n, f in enumerate(files, 1)]


def place(ds: Dataset, offset_mm: float) -> None:
    """Move an image along its normal."""
    directions = [float(v) for v in ds.ImageOrientationPatient]
    normal = np.cross(directions[:3], directions[3:])
    corner = np.array([float(v) for v in ds.ImagePositionPatient]) + offset_mm * normal
    ds.ImagePositionPatient = [f"{v:.4f}" for v in corner]
    if "SliceLocation" in ds:
        ds.SliceLocation = f"{float(ds.SliceLocation) + offset_mm:.4f}"


def redraw(ds: FileDataset, draw: Callable[[Picture, float], Picture]) -> None:
    """Replace the picture, given the stored one and the stored value of air; kept uncompressed."""
    written = BytesIO()
    ds.save_as(written)
    form = PixelFormat.of(ds)
    stored = decode(written.getvalue(), form)
    air = (-1000.0 - form.intercept) / form.slope
    if not form.signed:
        air = max(air, 0.0)
    drawn = draw(stored, air)
    ds.Rows, ds.Columns = drawn.shape
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    kind = np.int16 if form.signed else np.uint16
    ds.PixelData = np.ascontiguousarray(drawn.astype(kind)).astype("<i2" if form.signed else "<u2").tobytes()
    ds.BitsAllocated = 16
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OW", False


def new_uid(ds: FileDataset, what: str) -> None:
    ds.SOPInstanceUID = generate_uid(entropy_srcs=[str(ds.SOPInstanceUID), what])
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID


def renamed(files: Sequence[bytes]) -> Files:
    """The same images as others."""
    return [edited(file, lambda ds: new_uid(ds, "again")) for file in files]


def moved_pass(files: Sequence[bytes], *, offset_mm: float, told: bool) -> Files:
    """The same slices of the head lying otherwise; ``told`` by acquisition number and time."""

    def change(number: int, ds: FileDataset) -> None:
        place(ds, offset_mm)
        ds.InstanceNumber = 500 + number
        if told:
            ds.AcquisitionNumber = int(ds.get("AcquisitionNumber") or 1) + 1
            ds.AcquisitionDate = ds.get("AcquisitionDate") or ds.get("StudyDate", "20260115")
            ds.AcquisitionTime = "235501"

    return [edited(_moved(file), lambda ds, n=n: change(n, ds)) for n, file in enumerate(files)]


@lru_cache(maxsize=400)
def _moved(file: bytes) -> bytes:
    def change(ds: FileDataset) -> None:
        new_uid(ds, "second")
        pixel_mm = float(ds.PixelSpacing[0])
        redraw(ds, lambda picture, air: _turned(picture, pixel_mm, air))

    return edited(file, change)


def _turned(picture: Picture, pixel_mm: float, air: float) -> Picture:
    turned = ndimage.rotate(picture, TURN_DEG, reshape=False, order=1, cval=air)
    return ndimage.shift(turned, (0.0, MOVE_MM / pixel_mm), order=1, cval=air)


def thinned(files: Sequence[bytes], parts: int) -> Files:
    """Slices of a part of the thickness, drawn between those that are there."""
    sets = [pydicom.dcmread(BytesIO(file)) for file in files]
    forms = [PixelFormat.of(ds) for ds in sets]
    stored = [decode(file, form).astype(float) for file, form in zip(files, forms, strict=True)]
    corners = np.array([[float(v) for v in ds.ImagePositionPatient] for ds in sets])
    found: Files = []
    for place_along in np.arange(0.0, len(files) - 1, 1 / parts):
        k = int(place_along)
        share = place_along - k
        picture = (1 - share) * stored[k] + share * stored[k + 1]
        corner = (1 - share) * corners[k] + share * corners[k + 1]

        def change(ds: FileDataset, p: Picture = picture, c: Picture = corner) -> None:
            new_uid(ds, f"thin {len(found)}")
            ds.ImagePositionPatient = [f"{v:.4f}" for v in c]
            ds.SliceThickness = f"{float(ds.get('SliceThickness') or 5.0) / parts:.3f}"
            ds.InstanceNumber = len(found) + 1
            if "SliceLocation" in ds:
                del ds.SliceLocation
            redraw(ds, lambda *_: np.rint(p))

        found.append(edited(files[k], change))
    return found
