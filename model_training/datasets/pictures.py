"""Single slices that come as 8-bit pictures: from grey to Hounsfield units, and onto the networks' crop.

Each picture was windowed by its own header's window and stretched over 0 to 255. The width is known, the
centre is not: the commonest is taken, and what it is off is put right from the brain's own median where a
network reads the slice (:mod:`headct.network.single_slices`), in which no label has a part. What the window
cut away is filled in: outside the head air, and bone where what is saturated hangs together with the skull.
Saturated specks within the brain may be dense clot as well as calcification: they stay at the top of the
window, as blood-like as they were shown.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from scipy import ndimage

from headct.errors import UnusableInputError
from headct.network.preprocessing import HeadVolume, head_slice, resample

CENTRE_HU = 40.0
"""The commonest centre of a brain window."""
FIELD_MM = 240.0
"""Side of a picture of a head, as scanners are set up; the pixel size was not kept."""
AIR_HU, BONE_HU = -1000, 800
_WHITE, _BLACK = 255, 0
_EIGHT = np.ones((3, 3), bool)
_SKULL = 0.15
"""Depth below the head's outline, as a share of its radius, to which skull reaches."""

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """One slice of a collection, with what its readers said of it; sent to other processes."""

    name: str
    """Fit for files: letters, digits, ``.``, ``_`` and ``-``."""
    person: str
    """The patient, as far as known; the slice's own name where not."""
    file: Path
    labels: Mapping[str, bool]
    """``any`` and kinds of blood, those somebody looked for."""
    window_width: float | None
    """Of the window the picture was made by; ``None`` where grey is Hounsfield units cut to 0 to 255."""
    brain_fraction: float | None = None
    """Share of the picture that is brain, where the source says so."""
    mask: Path | None = None
    """A picture of the same size, black but for blood."""
    upside_down: bool = False
    exclusion: str = ""
    """Why the source leaves it out."""

    def read(self) -> tuple[HeadVolume, str]:
        """The slice on the networks' crop, a stack of one, and the SHA-256 of its pixels.

        Raises:
            UnusableInputError: the file is no picture that can be read.
        """
        grey = _upright(_pixels(self.file, "L"), self.upside_down)
        rows, columns = grey.shape
        pixel = FIELD_MM / max(rows, columns)
        volume = head_slice(hounsfield(grey, self.window_width), (pixel, pixel))
        return volume, hashlib.sha256(repr(grey.shape).encode() + grey.tobytes()).hexdigest()

    def read_mask(self, volume: HeadVolume) -> NDArray[np.bool_]:
        """Where blood is marked, shape of ``volume.hu``.

        Raises:
            UnusableInputError: there is a mask and it cannot be read.
        """
        if self.mask is None:
            return np.zeros(volume.hu.shape, bool)
        marks = _upright(_pixels(self.mask, "RGB").max(axis=2), self.upside_down) > 0
        share = resample(marks[None].astype(np.float32), volume.to_source, volume.hu.shape[1:])
        marked: NDArray[np.bool_] = share >= 0.5
        return marked

    @property
    def files(self) -> tuple[Path, ...]:
        """All it is made from."""
        return (self.file, *((self.mask,) if self.mask else ()))


def hounsfield(grey: Grey, window_width: float | None) -> NDArray[np.int16]:
    """Grey to Hounsfield units, shape (rows, columns), by a window around :data:`CENTRE_HU`."""
    low, step = (
        (CENTRE_HU - window_width / 2, window_width / _WHITE) if window_width is not None else (0.0, 1.0)
    )
    hu = np.round(low + grey * step).astype(np.int16)
    head = _head(grey)
    hu[~head & (grey == _BLACK)] = AIR_HU
    hu[_bone(grey == _WHITE, head)] = BONE_HU
    return hu


def _head(grey: Grey) -> NDArray[np.bool_]:
    """All but the black that reaches the picture's rim."""
    labels, _ = ndimage.label(grey == _BLACK)
    rim = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    return ~np.isin(labels, rim[rim > 0])


def _bone(white: NDArray[np.bool_], head: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Saturated pieces that reach the skull or lie outside it."""
    labels, count = ndimage.label(white, _EIGHT)
    if count == 0:
        return white
    solid = ndimage.binary_opening(head, iterations=3)
    depth = ndimage.distance_transform_edt(solid)
    shallow = depth < _SKULL * np.sqrt(np.count_nonzero(solid) / np.pi)
    reaching = np.unique(labels[white & shallow])
    return np.isin(labels, reaching) & white


def _upright(pixels: Grey, upside_down: bool) -> Grey:
    return np.ascontiguousarray(pixels[::-1] if upside_down else pixels)


def _pixels(path: Path, mode: str) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            return np.array(image.convert(mode))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise UnusableInputError(f"{path.name} cannot be read as a picture") from error
