"""Whether triage runs, and if not, why."""

from typing import Protocol

from headct.language import Phrase, _, read_back
from orthanc_plugin.recycling.fill import Fill
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import disk


class Processes(Protocol):
    """The workers, as the supervisor knows them."""

    restarts: int
    problem: str

    @property
    def alive(self) -> int:
        """Running now."""


class Follower(Protocol):
    """Whoever follows Orthanc."""

    error: str | None


class Keeper(Protocol):
    """Whoever keeps unread alerts from being recycled."""

    fill: Fill


def why_stopped(settings: Settings, processes: Processes, follower: Follower) -> Phrase | None:
    """Why nothing is judged; ``None`` while triage runs."""
    if disk.is_low(settings):
        free = disk.free_bytes(settings) / 2**30
        return _("The disk is nearly full ({free:.1f} GB free).", free=free)
    if follower.error is not None:
        return _("New images are not noticed ({kind}).", kind=follower.error)
    if settings.workers and not processes.alive:
        if not processes.problem:
            return _("No judging process is running.")
        return _("No judging process is running ({why}).", why=read_back(processes.problem))
    return None
