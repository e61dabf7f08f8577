"""Small made-up CT series of any geometry, as DICOM datasets with pixels."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from headct.generator.generation import generate

AXIAL = np.array([[1.0, 0, 0], [0, 1, 0]])
CORONAL = np.array([[1.0, 0, 0], [0, 0, -1]])
SAGITTAL = np.array([[0, 1.0, 0], [0, 0, -1]])
PRONE = np.array([[-1.0, 0, 0], [0, -1, 0]])
"""Directions of rows and columns in DICOM's coordinates."""


def scan(
    heights: Sequence[float] = (0.0, 5.0, 10.0, 15.0, 20.0),
    *,
    axes: NDArray[np.float64] = AXIAL,
    lean: Sequence[float] = (0.0, 0.0),
    shape: tuple[int, int] = (10, 12),
    spacing: tuple[float, float] = (0.75, 0.5),
    corner: Sequence[float] = (-110.0, -95.0, 30.0),
    decimals: int | None = None,
    seed: int = 0,
    **attributes: Any,
) -> list[Dataset]:
    """Slices at heights along their normal.

    Args:
        lean: shift along rows and columns for each mm of height, as a tilted gantry makes it.
        decimals: to which positions are rounded.
        attributes: of every image, ``None`` to leave one out.
    """
    rng = np.random.default_rng(seed)
    normal = np.cross(axes[0], axes[1])
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    images = []
    for number, height in enumerate(heights):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = CTImageStorage
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        image.SeriesInstanceUID, image.StudyInstanceUID, image.FrameOfReferenceUID = series, study, frame
        image.Modality, image.InstanceNumber = "CT", number + 1
        image.StudyDate, image.SeriesDescription, image.PatientName = "20260115", "Brain", "Yamada^Hanako"
        image.PatientID, image.StudyID = "P1", "1"
        for keyword in (
            "PatientBirthDate",
            "PatientSex",
            "StudyTime",
            "AccessionNumber",
            "ReferringPhysicianName",
        ):
            setattr(image, keyword, "")
        image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        image.ImageOrientationPatient = [float(v) for v in axes.ravel()]
        place = np.array(corner) + height * (normal + lean[0] * axes[0] + lean[1] * axes[1])
        image.ImagePositionPatient = [
            float(v) for v in (place if decimals is None else place.round(decimals))
        ]
        image.PixelSpacing, image.SliceThickness = list(spacing), 5.0
        image.Rows, image.Columns = shape
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
        image.RescaleSlope, image.RescaleIntercept = 1, -1024
        image.PixelData = rng.integers(0, 4096, shape).astype("<u2").tobytes()
        for keyword, value in attributes.items():
            if value is None:
                image.pop(keyword, None)
            else:
                setattr(image, keyword, value)
        images.append(image)
    return images


def rotation(turn: float, nod: float, roll: float) -> NDArray[np.float64]:
    """A rotation by angles in degrees about z, x and y."""
    a, b, c = np.radians([turn, nod, roll])
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_y = np.array([[np.cos(c), 0, np.sin(c)], [0, 1, 0], [-np.sin(c), 0, np.cos(c)]])
    return about_z @ about_x @ about_y


def hu(image: Dataset) -> NDArray[np.int32]:
    """Hounsfield units of an image of :func:`scan` as it was made."""
    stored = np.frombuffer(image.PixelData, "<u2").reshape(image.Rows, image.Columns)
    return stored.astype(np.int32) + int(image.RescaleIntercept)


def written(images: Sequence[Dataset], folder: Path) -> list[Path]:
    """As files, in the order given."""
    files = [folder / f"{n:04d}.dcm" for n in range(len(images))]
    for image, file in zip(images, files, strict=True):
        dcmwrite(file, image, enforce_file_format=True)
    return files


def plain(file: Path) -> Dataset:
    """An image with uncompressed pixels, as the panel gets it from the server."""
    image = dcmread(file)
    if image.file_meta.TransferSyntaxUID.is_compressed:
        image.decompress(generate_instance_uid=False)
    return image


def generated(kind: str, **options: Any) -> list[Dataset]:
    """A generated head, read back from bytes as a receiver sees it."""
    images = []
    for image in generate(kind, **options).images():
        file = BytesIO()
        dcmwrite(file, image, enforce_file_format=True)
        images.append(dcmread(BytesIO(file.getvalue())))
    return images
