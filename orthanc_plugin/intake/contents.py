"""What Orthanc has in a series: is there an image, and is one of them of CT?

Orthanc calls a series by what was stored first in it, which may be a report or a presentation state beside
the images. Runs inside Orthanc: a report alone costs no call, other series two small ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from headct.images.sop_classes import CT_IMAGE, WITHOUT_IMAGES, shows_nothing

Get = Callable[[str], Any]
"""GET of a path of Orthanc's REST interface, parsed; ``None`` when there is no such resource."""

REMEMBERED = 20_000
"""Objects of which it is remembered that they are no images."""
UPLOADED = "RestApi"
"""Orthanc's metadata ``Origin`` of what came by ``POST /instances``; a scanner's is ``DicomProtocol``."""


@dataclass(frozen=True, slots=True)
class Images:
    """The images of a series."""

    modality: str
    """CT where one of those looked at is, whatever the series is called; empty where it is not known."""
    uploaded: bool
    """Whether the first and the last object came through the REST interface."""


class Contents:
    """Looks into series, and asks of no object twice that is no image."""

    def __init__(self, get: Get) -> None:
        self._get = get
        self._no_images: set[str] = set()

    def images(self, series: dict[str, Any]) -> Images | None:
        """The images of a series as Orthanc lists it, ``None`` where it has none."""
        called = modality(series)
        instances: list[str] = series["Instances"]
        if called in WITHOUT_IMAGES and len(instances) == 1:
            return None  # it is what the series is called by
        if self._no_images.issuperset(instances):
            return None
        ends = {i: self._metadata(i) for i in (instances[0], instances[-1])}
        found = {c for i, m in ends.items() if (c := self._image_class(i, m, called)) is not None}
        if not found:
            between = (i for i in instances[1:-1] if i not in self._no_images)
            found = set(self._first_image(between, called))
        if not found:
            return None
        if any(map(CT_IMAGE.fullmatch, found)):
            called = "CT"
        return Images(
            modality="" if called in WITHOUT_IMAGES else called,
            uploaded=all(m.get("Origin") == UPLOADED for m in ends.values()),
        )

    def _first_image(self, instances: Iterator[str], called: str) -> Iterator[str]:
        """The SOP class of the first image."""
        for instance in instances:
            sop_class = self._image_class(instance, self._metadata(instance), called)
            if sop_class is not None:
                yield sop_class
                return

    def _metadata(self, instance: str) -> dict[str, str]:
        return self._get(f"/instances/{instance}/metadata?expand") or {}

    def _image_class(self, instance: str, metadata: dict[str, str], called: str) -> str | None:
        """The SOP class of an image, ``None`` of what is none."""
        sop_class = metadata.get("SopClassUid", "")
        if not shows_nothing(sop_class, called):
            return sop_class
        if sop_class:  # of one that is being replaced Orthanc says nothing
            if len(self._no_images) >= REMEMBERED:
                self._no_images.clear()
            self._no_images.add(instance)
        return None


def modality(series: dict[str, Any]) -> str:
    """What Orthanc calls a series."""
    return str(series["MainDicomTags"].get("Modality", "")).strip().upper()
