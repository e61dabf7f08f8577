"""Heads drawn from ellipses, exact to the voxel, for tests of what is measured in them."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from headct.network.preprocessing import CROP_COLUMNS, CROP_ROWS, HeadVolume

AIR, BONE, BRAIN, FLUID, BLOOD = -1000, 900, 35, 6, 65


def grid(slabs: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Slab number, row and column, measured from the middle."""
    shape = (slabs, CROP_ROWS, CROP_COLUMNS)
    middle = [(n - 1) / 2 for n in shape]
    z, y, x = (axis - m for axis, m in zip(np.indices(shape, dtype=float), middle, strict=True))
    return z, y, x


def volume(
    hu: NDArray[np.generic], pixel_mm: float = 1.0, height_mm: float = 5.0, thin: int = 1
) -> HeadVolume:
    """Wrap drawn Hounsfield units; ``thin`` source slices a slab."""
    slabs = len(hu)
    return HeadVolume(
        hu=hu.astype(np.int16),
        pixel_mm=(pixel_mm, pixel_mm),
        slab_heights_mm=np.full(slabs, height_mm),
        slabs=tuple(tuple(range(k * thin, (k + 1) * thin)) for k in range(slabs)),
        to_source=np.array([[1.0, 0, 0], [0, 1, 0]]),
    )


def head(
    slabs: int = 24, ventricle_shift: float = 0.0, lean: float = 0.0, fluid: bool = True
) -> NDArray[np.float64]:
    """A head of 150 x 180 mm with a 6 mm skull on a 1 mm grid, shape (slabs, rows, columns), in HU.

    ``ventricle_shift`` moves the ventricles towards the patient's left, in mm; ``lean`` moves each slab
    against the one below, in mm.
    """
    z, y, x = grid(slabs)
    x = x - lean * z
    part = np.sqrt(np.clip(1 - (z / (slabs / 2 + 1)) ** 2, 0.05, 1))
    hu = np.full(x.shape, float(AIR))
    outside = (x / 75) ** 2 + (y / 90) ** 2 <= part**2
    inside = (x / 69) ** 2 + (y / 84) ** 2 <= (part - 0.06) ** 2
    hu[outside] = BONE
    hu[inside] = BRAIN
    if fluid:
        horns = np.minimum(np.abs(x - ventricle_shift - 9), np.abs(x - ventricle_shift + 9)) <= 4
        hu[inside & horns & (np.abs(y) <= 25) & (np.abs(z) <= 3)] = FLUID
    return hu


def ball(
    slabs: int, radius_mm: float, row: float = 0.0, column: float = 0.0, height_mm: float = 5.0
) -> NDArray[np.bool_]:
    """A ball around the middle slab, 1 mm pixels."""
    z, y, x = grid(slabs)
    inside: NDArray[np.bool_] = (z * height_mm) ** 2 + (y - row) ** 2 + (x - column) ** 2 <= radius_mm**2
    return inside


def whole_head(slabs: int = 28, ventricle_shift: float = 0.0) -> NDArray[np.float64]:
    """A head that may be judged: as :func:`head`, with a skull base below and a scanner's noise."""
    hu = head(slabs, ventricle_shift)
    _, y, x = grid(slabs)
    base = (hu == BRAIN) & (np.indices(hu.shape)[0] < 4)
    hu[base & (np.abs(x) > 15)] = BONE
    hu[base & (np.abs(x) <= 15) & (y < -40)] = AIR
    return hu + np.random.default_rng(0).normal(0, 4, hu.shape)


def write_series(folder: Path, hu: NDArray[np.generic], height_mm: float = 5.0, **header: Any) -> str:
    """Write a drawn stack as a CT series, 1 mm pixels; ``header`` sets attributes. Returns the series UID."""
    folder.mkdir(parents=True, exist_ok=True)
    series_uid, study_uid = generate_uid(), generate_uid()
    for number, picture in enumerate(hu):
        ds = Dataset()
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, generate_uid()
        ds.StudyInstanceUID, ds.SeriesInstanceUID = study_uid, series_uid
        ds.Modality, ds.PatientID, ds.PatientName = "CT", "D1", "Drawn^Head"
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.Rows, ds.Columns = picture.shape
        ds.PixelSpacing, ds.SliceThickness = [1, 1], height_mm
        ds.ImagePositionPatient = [-80, -96, number * height_mm]
        ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        ds.InstanceNumber = number + 1
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.RescaleSlope, ds.RescaleIntercept = 1, 0
        for keyword, value in header.items():
            setattr(ds, keyword, value)
        ds.PixelData = picture.astype("<i2").tobytes()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.save_as(folder / f"{number + 1:03}.dcm", enforce_file_format=True)
    return series_uid
