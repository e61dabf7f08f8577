"""Small data sets of generated heads in the layouts that public data and hospitals use."""

import csv
from collections.abc import Iterable, Mapping
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from headct.generator.generation import GeneratedSeries, generate
from headct.generator.patient import CharacterSet

RSNA_FINDINGS = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")
# What is left of the headers in the published files.
_RSNA_KEPT = (
    "Modality", "ImagePositionPatient", "ImageOrientationPatient", "SamplesPerPixel",
    "PhotometricInterpretation", "Rows", "Columns", "PixelSpacing", "BitsAllocated", "BitsStored",
    "HighBit", "PixelRepresentation",
    "WindowCenter", "WindowWidth", "RescaleIntercept", "RescaleSlope", "PixelData",
)  # fmt: skip
_CQ500_FINDINGS = (
    "ICH", "IPH", "IVH", "SDH", "EDH", "SAH", "BleedLocation-Left", "BleedLocation-Right", "ChronicBleed",
    "Fracture", "CalvarialFracture", "OtherFracture", "MassEffect", "MidlineShift",
)  # fmt: skip


@cache
def generated() -> GeneratedSeries:
    """One head with an epidural bleed, small enough for many copies."""
    return generate("epidural", 1, matrix=128, thickness_mm=7.0, vendor="ge", charset=CharacterSet.UTF8)


@cache
def _images() -> list[Dataset]:
    return generated().datasets


def uid(*parts: object) -> str:
    """The same UID for the same parts."""
    return str(generate_uid(entropy_srcs=[str(part) for part in parts]))


def copy(patient: str, study: str = "1", series: str = "1", **header: Any) -> list[Dataset]:
    """The head as another patient's series: other UIDs and pixels of air; ``header`` sets attributes."""
    made = []
    for number, image in enumerate(_images()):
        ds = deepcopy(image)
        ds.PatientID = patient
        ds.StudyInstanceUID, ds.SeriesInstanceUID = uid(patient, study), uid(patient, study, series)
        ds.SOPInstanceUID = uid(patient, study, series, number)
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        for keyword, value in header.items():
            setattr(ds, keyword, value)
        made.append(ds)
    pixels = np.frombuffer(made[0].PixelData, "<i2").copy()
    pixels[:4] = np.frombuffer(uid(patient, study, series)[-8:].encode(), np.uint16) % 1000
    made[0].PixelData = pixels.tobytes()
    return made


def masks() -> NDArray[np.bool_]:
    """Where the blood of every copy is, shape (slices, rows, columns), in the order of its images."""
    return generated().mask()


def write(images: Iterable[Dataset], folder: Path, pattern: str = "{:03}.dcm") -> list[Path]:
    """Write images into a folder, numbered from 0."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, ds in enumerate(images):
        paths.append(folder / pattern.format(number))
        ds.save_as(paths[-1], enforce_file_format=True)
    return paths


def write_rsna(root: Path, series: Mapping[tuple[str, str], Mapping[int, Iterable[str]]]) -> None:
    """RSNA 2019: a flat folder and the table of six rows an image.

    ``series`` maps patient and study to the findings of single slices, by their number.
    """
    folder = root / "stage_2_train"
    folder.mkdir(parents=True)
    lines = ["ID,Label"]
    for (patient, study), findings in series.items():
        for number, full in enumerate(copy(patient, study)):
            ds = Dataset()
            for keyword in _RSNA_KEPT:
                ds[keyword] = full[keyword]
            name = f"ID_{uid(patient, study, number)[-9:]}"
            ds.SOPInstanceUID, ds.PatientID, ds.StudyID = name, f"ID_{patient}", ""
            ds.StudyInstanceUID, ds.SeriesInstanceUID = f"ID_{patient}{study}", f"ID_{patient}{study}s"
            ds.file_meta = FileMetaDataset()
            ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            ds.save_as(folder / f"{name}.dcm", implicit_vr=False, little_endian=True)
            found = set(findings.get(number, ()))
            lines += [f"{name}_{finding},{int(finding in found)}" for finding in RSNA_FINDINGS]
    lines += lines[1:7]  # as in the published table, where a few images have their rows twice
    (root / "stage_2_train.csv").write_text("\n".join(lines) + "\n")


def write_cq500_reads(root: Path, reads: Mapping[int, Mapping[str, int]]) -> None:
    """CQ500's table; ``reads`` maps a patient's number to how many of the three readers saw each finding."""
    with (root / "reads.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        readers = (1, 2, 3)
        writer.writerow(["name", "Category", *(f"R{r}:{f}" for r in readers for f in _CQ500_FINDINGS)])
        for number, seen in reads.items():
            votes = [int(seen.get(f, 0) >= r) for r in readers for f in _CQ500_FINDINGS]
            writer.writerow([f"CQ500-CT-{number}", "B1", *votes])


def write_labels(root: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """``labels.csv`` of a labelled folder."""
    rows = list(rows)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with (root / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def write_rsna_slices(root: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Single slices as pictures: a slice of the head each, windowed as its row says.

    A row has ``image_id`` and may have findings (1), ``patient_id``, ``window_width``, ``brain_fraction``.
    """
    (root / "images").mkdir(parents=True)
    with (root / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        names = ("patient_id", "window_width", "brain_fraction")
        writer.writerow(["file", "image_id", *RSNA_FINDINGS, *names])
        for number, row in enumerate(rows):
            name = f"images/{row['image_id']}.png"
            width = float(str(row.get("window_width", 80)))
            grey = np.clip((middle_slice() - 40 + width / 2) / width, 0, 1) * 255
            grey[0, number % len(grey)] = 1  # no two pictures are the same
            Image.fromarray(np.round(grey).astype(np.uint8)).save(root / name)
            given = [row.get(one, default) for one, default in zip(names, ("", 80, 0.2), strict=True)]
            writer.writerow([name, row["image_id"], *(row.get(f, 0) for f in RSNA_FINDINGS), *given])


def write_bhsd(root: Path, files: Iterable[str]) -> None:
    """Single slices with masks, ``FOLDER/VOLUMESLICE``: a subdural bleed at the front left of the picture."""
    with _made(root / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        counts = [f"{finding}_px" for finding in RSNA_FINDINGS[:-1]]
        writer.writerow(["file", "mask", "volume", "slice", *counts, "any"])
        for number, one in enumerate(files):
            folder, name = one.split("/")
            grey = np.clip(middle_slice(), 0, 255).astype(np.uint8)
            grey[0, number % len(grey)] = 1
            mask = np.zeros((*grey.shape, 3), np.uint8)
            mask[30:50, 40:60] = (0, 255, 0)
            up = slice(None, None, -1 if folder == "mbh25" else 1)
            image, marked = f"{folder}/images/{name}.png", f"{folder}/masks/{name}.png"
            Image.fromarray(grey[up]).save(_made(root / image))
            Image.fromarray(mask[up]).save(_made(root / marked))
            pixels = [0, 0, 0, 0, 400]
            writer.writerow([image, marked, name[:3], name[3:], *pixels, 1])


def middle_slice() -> NDArray[np.float64]:
    """Hounsfield units of a slice of the head, rows from the front."""
    image = _images()[len(_images()) // 2]
    return np.asarray(image.pixel_array * float(image.RescaleSlope) + float(image.RescaleIntercept))


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
