"""Where slice previews lie. Inside Orthanc only this half is imported: no pixel is touched there."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orthanc_plugin.states import Window

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

    def create(self, slab_of: Sequence[int]) -> None:
        """Make it anew and empty; ``slab_of`` gives the slab of each slice."""
        self.remove()
        self.path.mkdir(parents=True)
        (self.path / INDEX).write_text(json.dumps(slab_of))

    def write(self, slab: int, window: Window, png: bytes) -> None:
        """Add an image; under another name first, for the page may read at any moment."""
        path = self.path / _name(slab, window)
        draft = path.with_suffix(".part")
        draft.write_bytes(png)
        draft.rename(path)

    def remove(self) -> None:
        """Delete all previews of the series."""
        shutil.rmtree(self.path, ignore_errors=True)


def _name(slab: int, window: Window) -> str:
    return f"{slab:04d}-{window.value}.png"
