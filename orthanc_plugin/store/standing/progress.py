"""How far readers are with a study: read, in dispute, or open again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from headct.terms.review import Said, Standing
from headct.terms.urgency import Urgency
from orthanc_plugin.states import SeriesState


@dataclass(frozen=True, slots=True)
class SeriesFacts:
    """All of a series that the standing of its study depends on."""

    state: SeriesState
    said: Said
    first_word: datetime | None = None
    """When a person first spoke of it."""
    last_word: datetime | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What readers have done of a study."""

    read: bool
    """A colour was given; or all that could show anything was excluded, which gives none."""
    disputed: bool
    """Two readers differ about a series; a third is to settle it."""
    reopened: bool
    """What came after they spoke may be worse than what they said."""
    first_word: datetime | None
    """When somebody first spoke of it."""
    last_word: datetime | None
    """When somebody last did."""
    unverified: bool = False
    """A review was found that nobody vouches for: to be read again."""

    @classmethod
    def of(cls, series: Sequence[SeriesFacts], *, unverified: bool = False) -> Self:
        """Of the series of a study that Orthanc still has."""
        given = max((u for s in series if (u := s.said.verdict.urgency) is not None), default=None)
        spoken = [s for s in series if s.first_word is not None]
        return cls(
            read=given is not None or (bool(spoken) and not any(_is_open(s) for s in series)),
            disputed=any(s.said.verdict.standing is Standing.DISPUTED for s in series),
            reopened=any(s.said.unseen and _may_be_worse(s, given) for s in series),
            first_word=min((s.first_word for s in spoken if s.first_word), default=None),
            last_word=max((s.last_word for s in spoken if s.last_word), default=None),
            unverified=unverified,
        )

    @property
    def reviewed(self) -> bool:
        """Whether it waits for nobody any more."""
        return self.read and not self.disputed and not self._open_again

    @property
    def waited_until(self) -> datetime | None:
        """When its waiting ended; ``None`` while it goes on."""
        return self.first_word if self.read and not self._open_again else None

    @property
    def _open_again(self) -> bool:
        return self.reopened or self.unverified


def _is_open(series: SeriesFacts) -> bool:
    """Whether no reader spoke of it though it may show something."""
    return series.first_word is None and (series.state.unknown or series.said.machine is not None)


def _may_be_worse(series: SeriesFacts, given: Urgency | None) -> bool:
    """Whether a series may show worse than what readers gave."""
    if series.said.machine is None:
        return series.state.unknown
    return given is None or series.said.machine > given
