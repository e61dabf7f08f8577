"""How far readers are with a study: read, in dispute, or open again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from headct.terms.review import Standing
from headct.terms.urgency import Urgency
from orthanc_plugin.cases.study import SeriesRecord


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

    @classmethod
    def of(cls, series: Sequence[SeriesRecord]) -> Self:
        """Of the series of a study that Orthanc still has."""
        given = max((u for s in series if (u := s.verdict.urgency) is not None), default=None)
        spoken = [s.reviewed_at for s in series if s.reviewed_at is not None]
        return cls(
            read=given is not None or (bool(spoken) and not any(_is_open(s) for s in series)),
            disputed=any(s.verdict.standing is Standing.DISPUTED for s in series),
            reopened=any(s.unseen and _may_be_worse(s, given) for s in series),
            first_word=min(spoken, default=None),
        )

    @property
    def reviewed(self) -> bool:
        """Whether it waits for nobody any more."""
        return self.read and not self.disputed and not self.reopened

    @property
    def waited_until(self) -> datetime | None:
        """When its waiting ended; ``None`` while it goes on."""
        return self.first_word if self.read and not self.reopened else None


def _is_open(series: SeriesRecord) -> bool:
    """Whether no reader spoke of it though it may show something."""
    return series.reviewed_at is None and (series.state.unknown or series.assessment is not None)


def _may_be_worse(series: SeriesRecord, given: Urgency | None) -> bool:
    """Whether a series may show worse than what readers gave."""
    if series.urgency is None:
        return series.state.unknown
    return given is None or series.urgency > given
