"""Slices as small grey PNG files in three windows, for the worklist page."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headct.series import CTSeries
from orthanc_plugin.views import Window

SIZE = 320
"""Longest side in pixels."""
LEVELS: dict[Window, tuple[int, int]] = {
    Window.BRAIN: (40, 80),
    Window.SUBDURAL: (75, 215),
    Window.BONE: (600, 2800),
}
"""Centre and width in HU; values in everyday use in head CT, e.g. Radiopaedia "Windowing (CT)"."""
INDEX = "index.json"


@dataclass(frozen=True, slots=True)
class Folder:
    """Previews of one series: a file for each slab and window, and which slab a slice lies in."""

    path: Path

    @classmethod
    def of(cls, root: Path, series_id: str) -> "Folder":
        """Where the previews of a series lie."""
        return cls(root / series_id)

    def read(self, slice_number: int, window: Window) -> bytes | None:
        """A slice as PNG, ``None`` while it is not rendered."""
        try:
            slab_of = json.loads((self.path / INDEX).read_text())
        except FileNotFoundError:
            return None
        if not 0 <= slice_number < len(slab_of):
            return None
        try:
            return (self.path / _name(slab_of[slice_number], window)).read_bytes()
        except FileNotFoundError:
            return None

    def remove(self) -> None:
        """Delete all previews of the series."""
        shutil.rmtree(self.path, ignore_errors=True)


def render(series: CTSeries, folder: Folder, first: Sequence[int] = ()) -> None:
    """Render all slabs in all windows, those of the slices ``first`` before the others."""
    for _ in render_steps(series, folder, first):
        pass


def render_steps(series: CTSeries, folder: Folder, first: Sequence[int] = ()) -> Iterator[int]:
    """Render slab after slab, so that the caller may stop in between."""
    slab_of = [0] * len(series.sop_instance_uids)
    for slab, slices in enumerate(series.slabs):
        for number in slices:
            slab_of[number] = slab
    folder.remove()
    folder.path.mkdir(parents=True)
    (folder.path / INDEX).write_text(json.dumps(slab_of))
    urgent = [slab_of[number] for number in first]
    order = list(dict.fromkeys([*urgent, *range(len(series.slabs))]))
    for slab in order:
        for window in Window:
            # Written under another name first: the page may read at any moment.
            path = folder.path / _name(slab, window)
            draft = path.with_suffix(".part")
            draft.write_bytes(png(series.hu[slab], series.spacing_mm, window))
            draft.rename(path)
        yield slab


def png(hu: NDArray[np.int16], spacing_mm: tuple[float, float], window: Window) -> bytes:
    """One picture in Hounsfield units, shape (rows, columns), as PNG with square pixels."""
    centre, width = LEVELS[window]
    grey = np.clip((hu.astype(np.float32) - (centre - width / 2)) * (255 / width), 0, 255).astype(np.uint8)
    rows, columns = hu.shape[0] * spacing_mm[0], hu.shape[1] * spacing_mm[1]
    scale = min(SIZE / max(rows, columns), max(hu.shape) / max(rows, columns))
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    picture = Image.fromarray(grey)
    if picture.size != size:
        picture = picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    file = BytesIO()
    picture.save(file, "PNG", compress_level=3)
    return file.getvalue()


def _name(slab: int, window: Window) -> str:
    return f"{slab:04d}-{window.value}.png"
