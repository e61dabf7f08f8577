"""A sheet a class: a few heads without the mimic and, below, with it, for a person to see what was drawn."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from headct.network.preprocessing import HU_RANGE, HeadVolume
from model_training.mimics.classes import Mimic
from model_training.mimics.heads import BenchHead

WINDOW_HU = (-10.0, 90.0)
"""Wide enough for blood, calcium and brain at once."""
HEADS, SLABS = 4, 2
"""Heads of each kind, and slabs of each head, those in which most changes."""

Tile = NDArray[np.uint8]


class Sheets:
    """Collects pictures of what is drawn; told of each head by :func:`model_training.mimics.bench.pairs`."""

    def __init__(self) -> None:
        self._tiles: dict[str, dict[str, list[Tile]]] = {}

    def __call__(self, head: BenchHead, mimic: Mimic, drawn: HeadVolume) -> None:
        """Keep pictures of the first few heads."""
        tiles = self._tiles.setdefault(mimic.name, {}).setdefault(head.kind, [])
        if len(tiles) < HEADS:
            before, after = (np.clip(v.hu, *HU_RANGE).astype(np.float32) for v in (head.volume, drawn))
            change = np.abs(after - before).sum(axis=(1, 2))
            slabs = np.sort(np.argsort(-change, kind="stable")[:SLABS])
            tiles.append(np.concatenate([_columns(before[slabs]), _columns(after[slabs])]))

    def write(self, folder: Path) -> list[Path]:
        """One PNG a class, named after it; the kinds of heads below each other."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for name, kinds in self._tiles.items():
            rows = [np.concatenate(tiles, axis=1) for _, tiles in sorted(kinds.items(), reverse=True)]
            width = max(row.shape[1] for row in rows)
            sheet = np.concatenate([np.pad(row, ((0, 4), (0, width - row.shape[1]))) for row in rows])
            written.append(folder / f"{name}.png")
            Image.fromarray(sheet).save(written[-1])
        return written


def _columns(slabs: NDArray[np.floating[Any]]) -> Tile:
    low, high = WINDOW_HU
    grey = (np.clip((slabs - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    return np.concatenate(list(grey), axis=1)
