"""Slices as small grey PNG files in four windows, for the worklist page."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headct.images.series import CTSeries
from orthanc_plugin.states import Window
from orthanc_plugin.store.preview_files import Folder

SIZE = 320
"""Longest side in pixels."""
LEVELS: dict[Window, tuple[int, int]] = {
    Window.BRAIN: (40, 80),
    Window.SUBDURAL: (75, 215),
    Window.STROKE: (40, 40),
    Window.BONE: (600, 2800),
}
"""Centre and width in HU, in common use for viewing; nothing is judged by them."""


def render(series: CTSeries, folder: Folder, first: Sequence[int] = ()) -> None:
    """Render all slabs in all windows, those of the slices ``first`` before the others."""
    slab_of = [0] * len(series.sop_instance_uids)
    for slab, slices in enumerate(series.slabs):
        for number in slices:
            slab_of[number] = slab
    folder.create(slab_of)
    urgent = [slab_of[number] for number in first]
    order = list(dict.fromkeys([*urgent, *range(len(series.slabs))]))
    for slab in order:
        for window in Window:
            folder.write(slab, window, png(series.hu[slab], series.spacing_mm, window))


def png(hu: NDArray[np.int16], spacing_mm: tuple[float, float], window: Window) -> bytes:
    """One image in Hounsfield units, shape (rows, columns), as PNG with square pixels."""
    centre, width = LEVELS[window]
    grey = np.clip((hu.astype(np.float32) - (centre - width / 2)) * (255 / width), 0, 255).astype(np.uint8)
    rows, columns = hu.shape[0] * spacing_mm[0], hu.shape[1] * spacing_mm[1]
    scale = min(SIZE / max(rows, columns), max(hu.shape) / max(rows, columns))
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    image = Image.fromarray(grey)
    if image.size != size:
        image = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    file = BytesIO()
    image.save(file, "PNG", compress_level=3)
    return file.getvalue()
