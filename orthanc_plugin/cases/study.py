"""A study and its series as the store has them: what worklist and labelling queue are made of."""

from dataclasses import dataclass
from datetime import datetime

from headct.reasons import Reason
from headct.terms.assessment import Assessment
from headct.terms.demographics import UNKNOWN, Demographics
from headct.terms.review import UNREVIEWED, Said, Verdict
from headct.terms.urgency import Urgency
from orthanc_plugin.cases.review_views import ReviewView
from orthanc_plugin.cases.views import ReasonView, SeriesSummary
from orthanc_plugin.states import SeriesState
from orthanc_plugin.store.standing.progress import SeriesFacts
from orthanc_plugin.store.tables import FoundReport


@dataclass(frozen=True, slots=True)
class SeriesRecord:
    """A series as the store has it."""

    id: str
    series_instance_uid: str
    state: SeriesState
    number: str = ""
    description: str = ""
    modality: str = ""
    images: int = 0
    reason: Reason | None = None
    assessment: Assessment | None = None
    """The current one."""
    preliminary: bool = False
    judged_at: datetime | None = None
    preview_slices: int = 0
    verdict: Verdict = UNREVIEWED
    reviewed_at: datetime | None = None
    """When a person first spoke of it."""
    reviews: tuple[ReviewView, ...] = ()
    """Each reader's last word."""
    unseen: bool = False
    """There is more than readers had before them, :meth:`orthanc_plugin.store.tables.Series.unseen`."""

    @property
    def urgency(self) -> Urgency | None:
        """What the machine says of it now."""
        return self.assessment.urgency if self.assessment else None

    @property
    def unsure(self) -> bool:
        """Whether the machine is not sure of that."""
        return self.assessment is not None and self.assessment.unsure

    @property
    def facts(self) -> SeriesFacts:
        """All that the standing of its study depends on."""
        return SeriesFacts(
            state=self.state,
            said=Said(self.urgency, self.preliminary, self.verdict, self.unseen, self.unsure),
            first_word=self.reviewed_at,
            last_word=max((review.at for review in self.reviews), default=self.reviewed_at),
        )

    def summary(self) -> SeriesSummary:
        """As shown."""
        return SeriesSummary(
            id=self.id,
            series_instance_uid=self.series_instance_uid,
            number=self.number,
            description=self.description,
            modality=self.modality,
            images=self.images,
            state=self.state,
            reason=ReasonView.of(self.reason) if self.reason else None,
            urgency=self.urgency,
            unsure=self.unsure,
            preliminary=self.preliminary,
        )


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """A study as the store has it."""

    id: str
    study_instance_uid: str
    first_arrival: datetime
    series: tuple[SeriesRecord, ...]
    earlier: bool = False
    aside: bool = False
    """It has nothing but copies of images that stand in the queue; it is earlier for as long."""
    demographics: Demographics = UNKNOWN
    unverified: tuple[FoundReport, ...] = ()
    """Reports of reviews that nobody vouches for, since which nobody has read it again."""

    @property
    def shown(self) -> tuple[SeriesRecord, ...]:
        """Its series but those that Orthanc no longer has."""
        return tuple(s for s in self.series if s.state is not SeriesState.WITHDRAWN)
