"""Slices as images: the right slice in the right window, whole or not at all."""

from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
from PIL import Image

from headct.images.series import CTSeries
from orthanc_plugin.states import Window
from orthanc_plugin.store.preview_files import Folder
from orthanc_plugin.worker.previews import SIZE, png, render


def image(data: bytes | None) -> np.ndarray[Any, Any]:
    assert data is not None
    return np.asarray(Image.open(BytesIO(data)))


def drawn(levels: list[int], slabs: tuple[tuple[int, ...], ...]) -> CTSeries:
    hu = np.stack([np.full((64, 64), level, np.int16) for level in levels])
    uids = [f"1.2.{n}" for slab in slabs for n in slab]
    return cast(CTSeries, SimpleNamespace(hu=hu, slabs=slabs, sop_instance_uids=uids, spacing_mm=(0.5, 0.5)))


def test_every_slice_shows_its_slab(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "series")
    render(drawn([0, 40, 80], ((0, 1), (2,), (3, 4))), folder, first=[3])
    greys = [int(image(folder.read(n, Window.BRAIN))[5, 5]) for n in range(5)]
    assert greys == [0, 0, 127, 255, 255]
    assert folder.read(5, Window.BRAIN) is None
    assert folder.read(-1, Window.BRAIN) is None
    assert not list(folder.path.glob("*.part"))


def test_windows_differ(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "series")
    render(drawn([70], ((0,),)), folder)
    greys = {w: int(image(folder.read(0, w))[0, 0]) for w in Window}
    assert greys == {Window.BRAIN: 223, Window.SUBDURAL: 121, Window.STROKE: 255, Window.BONE: 79}


def test_rendering_again_leaves_nothing_of_before(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "series")
    render(drawn([0, 0], ((0,), (1,))), folder)
    render(drawn([80], ((0,),)), folder)
    assert folder.read(1, Window.BRAIN) is None
    assert len(list(folder.path.glob("*.png"))) == len(Window)
    folder.remove()
    assert folder.read(0, Window.BRAIN) is None


def test_pixels_become_square_and_never_larger_than_scanned() -> None:
    wide = image(png(np.zeros((100, 200), np.int16), (1.0, 1.0), Window.BRAIN))
    assert wide.shape == (100, 200)
    tall_pixels = image(png(np.zeros((100, 100), np.int16), (2.0, 1.0), Window.BRAIN))
    assert tall_pixels.shape[0] == 2 * tall_pixels.shape[1]
    large = image(png(np.zeros((512, 512), np.int16), (0.4, 0.4), Window.BRAIN))
    assert max(large.shape) == SIZE
