"""A small synthetic head and its DICOM files, in any orientation, order, spacing and transfer syntax."""

from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

Volume = NDArray[np.int16]

CODECS: dict[str, Callable[[NDArray[Any]], bytes]] = {
    JPEGLossless: lambda a: imagecodecs.jpeg8_encode(a, lossless=True, predictor=4),
    JPEGLosslessSV1: lambda a: imagecodecs.jpeg8_encode(a, lossless=True, predictor=1),
    JPEGLSLossless: lambda a: imagecodecs.jpegls_encode(a),
    JPEGLSNearLossless: lambda a: imagecodecs.jpegls_encode(a, level=2),
    JPEG2000Lossless: lambda a: imagecodecs.jpeg2k_encode(a, level=0, reversible=True, codecformat="j2k"),
    JPEG2000: lambda a: imagecodecs.jpeg2k_encode(a, level=85, reversible=False, codecformat="j2k"),
}
NATIVE = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
)
LOSSY = (JPEG2000, JPEGLSNearLossless)


def head(slabs: int = 28, size: int = 64, seed: int = 0) -> Volume:
    """Hounsfield units, feet first, row 0 anterior: neck and skull base below, brain, vertex above.

    Nothing in it is symmetric, so that every flip shows.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] * (2.0 / (size - 1)) - 1.0
    volume = np.full((slabs, size, size), -1000.0)
    for k in range(slabs):
        height = (k + 0.5) / slabs
        scale = 0.85 if height < 0.6 else 0.85 * np.sqrt(max(1.0 - ((height - 0.6) / 0.42) ** 2, 0.01))
        radius = np.hypot(x / 0.8, y) / scale
        slab = volume[k]
        slab[radius < 1.0] = 30.0
        slab[(radius < 0.94) & (radius > 0.85)] = 900.0
        brain = radius <= 0.85
        slab[brain] = 34.0 + 6.0 * np.sign(np.sin(9 * x + 1.0) * np.cos(7 * y))[brain]
        slab[brain & (np.hypot(x - 0.1, y + 0.15) < 0.12)] = 5.0
        if height < 0.35:
            slab[brain & (np.sin(12 * x + k) + np.cos(11 * y) > 0.3)] = 700.0
            slab[brain & (np.hypot(x + 0.1, y + 0.35) < 0.2)] = -950.0
        slab[brain & (np.hypot(x + 0.35, y - 0.1) < 0.08)] = 62.0
    volume += rng.normal(0, 2, volume.shape)
    return np.rint(volume).astype(np.int16)


def write(
    hu: Volume,
    *,
    gaps_mm: float | Sequence[float] = 5.0,
    pixel_mm: tuple[float, float] = (3.0, 3.1),
    tilt_deg: float = 0.0,
    mirror_columns: bool = False,
    mirror_rows: bool = False,
    transpose: bool = False,
    syntax: str = ExplicitVRLittleEndian,
    signed: bool = False,
    series: str = "2.25.77",
) -> list[Dataset]:
    """Datasets feet first; the same volume however it is stored. :func:`file_bytes` makes files of them."""
    gaps = [gaps_mm] * (len(hu) - 1) if isinstance(gaps_mm, int | float) else list(gaps_mm)
    positions = np.concatenate([[0.0], np.cumsum(gaps)])
    tilt = np.radians(tilt_deg)
    right, back = np.array([1.0, 0.0, 0.0]), np.array([0.0, np.cos(tilt), -np.sin(tilt)])
    up = np.cross(right, back)
    rows, columns = hu.shape[1:]
    found = []
    for k, position in enumerate(positions):
        picture = hu[k]
        corner = up * position - right * columns * pixel_mm[1] / 2 - back * rows * pixel_mm[0] / 2
        along_row, along_column = right, back
        if mirror_columns:
            picture, corner = picture[:, ::-1], corner + right * (columns - 1) * pixel_mm[1]
            along_row = -right
        if mirror_rows:
            picture, corner = picture[::-1], corner + back * (rows - 1) * pixel_mm[0]
            along_column = -back
        spacing = list(pixel_mm)
        if transpose:
            picture, along_row, along_column = picture.T, along_column, along_row
            spacing.reverse()
        ds = header(k, series, syntax)
        ds.SliceThickness = f"{gaps[min(k, len(gaps) - 1)] if gaps else 5.0:g}"
        ds.ImagePositionPatient = [f"{v:.6f}" for v in corner]
        ds.ImageOrientationPatient = [f"{v:.6f}" for v in (*along_row, *along_column)]
        ds.PixelSpacing = [f"{v:.4f}" for v in spacing]
        _pixels(ds, picture, syntax, signed)
        found.append(ds)
    return found


def header(number: int, series: str, syntax: str) -> Dataset:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CTImageStorage
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{series}.{number + 1}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "2.25.7", series
    ds.Modality, ds.PatientID, ds.PatientName, ds.PatientAge = "CT", "TEST", "Test^Head", "050Y"
    ds.StudyDate, ds.PatientBirthDate = "20240101", "19740101"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.InstanceNumber, ds.SliceThickness = number + 1, "5"
    return ds


def file_bytes(ds: Dataset) -> bytes:
    buffer = BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def files(hu: Volume, **how: Any) -> list[bytes]:
    return [file_bytes(ds) for ds in write(hu, **how)]


def _pixels(ds: Dataset, picture: Volume, syntax: str, signed: bool) -> None:
    ds.Rows, ds.Columns = picture.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.PixelRepresentation = 16, int(signed)
    ds.BitsStored = 16 if signed else 12
    ds.HighBit = ds.BitsStored - 1
    ds.RescaleSlope, ds.RescaleIntercept = 1, 0 if signed else -1024
    stored = picture.astype(np.int16) if signed else (picture + 1024).astype(np.uint16)
    stored = np.ascontiguousarray(stored)
    if syntax in CODECS:
        ds.PixelData = encapsulate([CODECS[syntax](stored.view(np.uint16))])
        ds["PixelData"].is_undefined_length = True
    elif syntax == RLELossless:
        ds.PixelData = encapsulate([run_length(stored.view(np.uint16))])
        ds["PixelData"].is_undefined_length = True
    else:
        ds.PixelData = stored.astype(">i2" if syntax == ExplicitVRBigEndian else "<i2").tobytes()
    ds["PixelData"].VR = "OW"


def run_length(stored: NDArray[np.uint16]) -> bytes:
    planes = [imagecodecs.packbits_encode((stored >> 8).astype(np.uint8).tobytes())]
    planes.append(imagecodecs.packbits_encode((stored & 255).astype(np.uint8).tobytes()))
    planes = [p + b"\0" * (len(p) % 2) for p in planes]
    table = np.zeros(16, "<u4")
    table[:3] = 2, 64, 64 + len(planes[0])
    return table.tobytes() + b"".join(planes)
