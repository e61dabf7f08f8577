"""What happens to series between scanner and archive: slices lost, passes mixed, foreign objects among them.

All work on files in memory, feet first, and the same seed damages alike. :func:`damages` lists every kind.
For damage within the files see :mod:`mutation`.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pydicom
from edits import Files, Picture, edited, moved_pass, new_uid, numbered, redraw, renamed
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import (
    BasicTextSRStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    RTStructureSetStorage,
    SecondaryCaptureImageStorage,
    generate_uid,
)

OFFSETS_MM = (0.0, 1.0, 2.0, 2.5, 3.0)
"""How far a second pass lies beside the first."""


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that happens to a series."""

    group: str
    name: str
    files: Callable[[Files], Files]


def damages(seed: int = 0, count: int = 30) -> list[Damage]:
    """Every kind of damage but :func:`cuts`, for a series of ``count`` slices."""
    return [*losses(seed), *doubled(count), *foreign(count)]


# --- slices lost ---


def cuts(count: int) -> Iterator[Damage]:
    """Cut off at every height, from below and from above."""
    for lost in range(1, count):
        yield Damage("cut off below", f"{lost} slices", lambda files, n=lost: files[n:])
        yield Damage("cut off above", f"{lost} slices", lambda files, n=lost: files[: len(files) - n])


def losses(seed: int = 0) -> list[Damage]:
    """Slices lost regularly, at random, and one alone."""

    def every(step: int, phase: int) -> Callable[[Files], Files]:
        return lambda files: files[phase::step]

    def third_lost(files: Files) -> Files:
        return [file for k, file in enumerate(files) if k % 3 != 1]

    def random_third(files: Files) -> Files:
        rng = random.Random(seed)
        kept = rng.sample(range(len(files)), len(files) - len(files) // 3)
        return [files[k] for k in sorted(kept)]

    def one(files: Files) -> Files:
        lost = len(files) // 2
        return files[:lost] + files[lost + 1 :]

    def block(files: Files) -> Files:
        first = len(files) // 2
        return files[:first] + files[first + max(2, len(files) // 10) :]

    def upper_half(files: Files) -> Files:
        middle = len(files) // 2
        return files[:middle] + files[middle::2]

    found = [
        Damage("every second lost", "even", every(2, 0)),
        Damage("every second lost", "odd", every(2, 1)),
        Damage("two of three lost", "third", every(3, 0)),
        Damage("every third lost", "", third_lost),
        Damage("a random third lost", "", random_third),
        Damage("one lost", "", one),
        Damage("a tenth lost at one place", "", block),
        Damage("every second lost in the upper half", "", upper_half),
    ]
    renumbered = Damage("every second lost, renumbered", "even", lambda files: numbered(every(2, 0)(files)))
    return [*found, renumbered]


# --- passes mixed ---


def doubled(count: int) -> list[Damage]:
    """A second pass of the moved head in the same series, whole or broken, with and without its numbers."""

    def second(part: slice, offset_mm: float, told: bool) -> Callable[[Files], Files]:
        return lambda files: files + moved_pass(files[part], offset_mm=offset_mm, told=told)

    def parts(files: Files) -> Files:
        share = round(0.6 * len(files))
        return files[:share] + moved_pass(files[-share:], offset_mm=1.5, told=True)

    found = [
        Damage(f"two passes, {'told' if told else 'untold'}", f"{mm:g} mm", second(slice(None), mm, told))
        for told in (True, False)
        for mm in OFFSETS_MM
    ]
    for told in (True, False):
        group = f"a pass and a broken one, {'told' if told else 'untold'}"
        lower, upper = slice(0, count * 2 // 5), slice(count // 2, None)
        found += [Damage(group, "lower part", second(lower, 2.0, told))]
        found += [Damage(group, "upper part", second(upper, 2.0, told))]
    again = Damage("the same images under other UIDs", "", lambda files: files + renamed(files))
    return [*found, Damage("two broken passes", "", parts), again]


# --- foreign objects ---


def foreign(count: int) -> list[Damage]:
    """One object more under the series' UID that is none of its slices."""
    changes: dict[str, Callable[[FileDataset], None]] = {
        "scout": _scout,
        "scout that does not say so": lambda ds: _scout(ds, named=False),
        "dose page": _dose_page,
        "reformat": _reformat,
        "annotated copy": _annotated,
        "screen capture": _capture,
    }
    found = [
        Damage(
            f"with a {name}",
            "",
            lambda files, c=change: [*files, edited(files[count // 2], lambda ds: _other(ds, c))],
        )
        for name, change in changes.items()
    ]
    return found + [
        Damage(f"with a {name}", "", lambda files, k=kind: [*files, object_of(files[0], *k)])
        for name, kind in {
            "structured report": (BasicTextSRStorage, "SR"),
            "presentation state": (GrayscaleSoftcopyPresentationStateStorage, "PR"),
            "structure set": (RTStructureSetStorage, "RTSTRUCT"),
        }.items()
    ]


def object_of(file: bytes, sop_class: str, modality: str) -> bytes:
    """An object without pixels of the same patient, study and series."""
    image = pydicom.dcmread(BytesIO(file), stop_before_pixels=True)
    ds = Dataset()
    for keyword in ("SpecificCharacterSet", "PatientID", "PatientName", "StudyInstanceUID", "StudyDate"):
        if keyword in image:
            ds[keyword] = image[keyword]
    ds.SeriesInstanceUID, ds.Modality, ds.InstanceNumber = image.SeriesInstanceUID, modality, 1
    ds.SOPClassUID = sop_class
    ds.SOPInstanceUID = generate_uid(entropy_srcs=[str(image.SOPInstanceUID), modality])
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    written = BytesIO()
    ds.save_as(written, enforce_file_format=True)
    return written.getvalue()


def _other(ds: FileDataset, change: Callable[[FileDataset], None]) -> None:
    new_uid(ds, change.__name__)
    ds.InstanceNumber = 999
    change(ds)


def _scout(ds: FileDataset, *, named: bool = True) -> None:
    ds.ImageType = ["ORIGINAL", "PRIMARY", *(["LOCALIZER"] if named else [])]
    ds.ImageOrientationPatient = [1, 0, 0, 0, 0, -1]
    redraw(ds, lambda picture, _: np.vstack([picture, picture[: len(picture) // 2]]))


def _dose_page(ds: FileDataset) -> None:
    ds.ImageType = ["DERIVED", "SECONDARY", "DOSE"]
    for keyword in ("ImageOrientationPatient", "ImagePositionPatient", "SliceLocation", "PixelSpacing"):
        if keyword in ds:
            delattr(ds, keyword)
    redraw(ds, lambda picture, air: np.where(np.indices(picture.shape)[0] % 20 < 10, air, picture.max()))


def _reformat(ds: FileDataset) -> None:
    ds.ImageType, ds.ImageOrientationPatient = ["DERIVED", "SECONDARY", "MPR"], [1, 0, 0, 0, 0, -1]


def _annotated(ds: FileDataset) -> None:
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    ds.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]

    def written_on(picture: Picture, air: float) -> Picture:
        drawn = picture.copy()
        drawn[5:25, 5:100] = picture.max()
        return drawn

    redraw(ds, written_on)


def _capture(ds: FileDataset) -> None:
    """A screen in colour, without any place."""
    _dose_page(ds)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    ds.ImageType, ds.Modality, ds.ConversionType = ["DERIVED", "SECONDARY"], "OT", "WSD"
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = np.zeros((ds.Rows, ds.Columns, 3), np.uint8).tobytes()
    ds["PixelData"].VR = "OB"
