"""The panel in a real Qt window, before a real store behind a real port.

What needs Qt is imported by the fixtures that use it: not every test of this folder needs it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydicom import Dataset
from reading_room import ReadingRoom
from ward import STUDIES, Ward, head

if TYPE_CHECKING:
    from qt_host import Host
    from reader import Reader


@pytest.fixture
def room(tmp_path: Path) -> Iterator[ReadingRoom]:
    folder = tmp_path / "room"
    folder.mkdir()
    made = ReadingRoom(folder, STUDIES)
    yield made
    made.close()


@pytest.fixture(scope="session")
def heads() -> dict[str, list[Dataset]]:
    """The images of each study; nobody changes them."""
    return {key: head() for key in STUDIES}


@pytest.fixture
def ward(room: ReadingRoom, heads: dict[str, list[Dataset]]) -> Iterator[Ward]:
    made = Ward(room.app)
    for key, images in heads.items():
        made.images(room.series(key), images)
    yield made
    made.held.set()
    made.awake.set()
    made.away()


@pytest.fixture
def new_host(tmp_path: Path) -> "Iterator[Callable[..., Host]]":
    from qt_host import Host

    open_hosts: list[Host] = []

    def make(language: str = "en", folder: Path = tmp_path) -> Host:
        open_hosts.append(Host(folder, language))
        return open_hosts[-1]

    yield make
    for host in open_hosts:
        host.close()


@pytest.fixture
def reader(new_host: "Callable[..., Host]", room: ReadingRoom, ward: Ward) -> "Reader":
    from reader import Reader

    return Reader(new_host(), room, ward)
