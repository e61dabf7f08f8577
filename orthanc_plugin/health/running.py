"""Whether triage runs, and if not, why."""

from collections.abc import Sequence
from typing import Protocol

from headct.language import Phrase, _
from orthanc_plugin.audit.checking import Fault
from orthanc_plugin.housekeeping import disk
from orthanc_plugin.recycling.fill import Fill
from orthanc_plugin.settings import Settings
from orthanc_plugin.system_words import words_again, words_of


class Processes(Protocol):
    """The workers, as the supervisor knows them."""

    restarts: int
    problem: str

    @property
    def alive(self) -> int:
        """Running now."""

    @property
    def trouble(self) -> Phrase | None:
        """Why nobody looks after them, while that is so."""


class Follower(Protocol):
    """Whoever follows Orthanc."""

    @property
    def trouble(self) -> Phrase | None:
        """Why they do not, while that is so."""


class Keeper(Protocol):
    """Whoever keeps unread alerts from being recycled."""

    fill: Fill

    @property
    def trouble(self) -> Phrase | None:
        """Why they do not, while that is so."""


class Auditor(Protocol):
    """Whoever keeps the audit."""

    @property
    def trouble(self) -> Phrase | None:
        """Why they do not, while that is so."""

    @property
    def faults(self) -> Sequence[Fault]:
        """What was found to be missing or altered lately."""


def why_stopped(settings: Settings, processes: Processes, follower: Follower) -> Phrase | None:
    """Why nothing is judged; ``None`` while triage runs."""
    try:
        trouble = disk.Disk.of(settings).trouble(settings)
    except OSError as error:  # the folder is gone, or its disk
        trouble = words_of(error)
    if trouble is not None:
        return trouble
    if follower.trouble is not None:
        return _("New images are not noticed ({kind}).", kind=follower.trouble)
    if settings.workers and not processes.alive:
        why = words_again(processes.problem) if processes.problem else processes.trouble
        if why is None:
            return _("No judging process is running.")
        return _("No judging process is running ({why}).", why=why)
    return None


def troubles(
    processes: Processes, keeper: Keeper | None, auditor: Auditor | None = None
) -> tuple[Phrase, ...]:
    """What else does not work at this moment, whether triage runs or not."""
    found = []
    if (why := processes.trouble) is not None:
        found.append(_("Nobody looks after the judging processes ({why}).", why=why))
    if keeper is not None and keeper.fill.limits.recycles and (why := keeper.trouble) is not None:
        found.append(_("Unread alerts are not kept from being recycled ({why}).", why=why))
    if auditor is not None and (why := auditor.trouble) is not None:
        found.append(_("It is not written down who did what ({why}).", why=why))
    return tuple(found)
