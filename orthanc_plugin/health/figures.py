"""What the store says of its own work: for the status, and for monitoring."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from headct.reasons import ReasonCode
from headct.terms.review import Doubt
from orthanc_plugin.answer import LicensedBundleView, Words
from orthanc_plugin.forwarding import standing
from orthanc_plugin.forwarding.views import ReceiverView
from orthanc_plugin.health.views import ClockSetView, DurationView, MetricsView
from orthanc_plugin.models import comparison, listing
from orthanc_plugin.recycling import unread
from orthanc_plugin.settings import Settings
from orthanc_plugin.states import PENDING, SeriesState
from orthanc_plugin.store import clock, sent_again, tables, times
from orthanc_plugin.store.standing import tallies
from orthanc_plugin.store.tables import Series
from orthanc_plugin.vouching import found

CLOCK_SET_SHOWN = timedelta(days=1)
"""How long it is told that the clock was set: until everybody on duty has been there once."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the status says from the store; nothing of it while the store cannot be used."""

    series: dict[SeriesState, int] = field(default_factory=dict)
    last_judgement: datetime | None = None
    bundle: LicensedBundleView | None = None
    model_problem: Words | None = None
    receivers: tuple[ReceiverView, ...] = ()
    lost_unread: int = 0
    without_images: int = 0
    unverified: int = 0
    unknown_keys: bool = False
    clock_set: ClockSetView | None = None

    @classmethod
    def of(cls, session: Session, settings: Settings, now: datetime) -> Self:
        """As it is now."""
        jump = clock.last_jump(session)
        told = jump is not None and abs(now - jump.at) < CLOCK_SET_SHOWN
        in_doubt = found.unverified(session)
        return cls(
            series=_series(session),
            last_judgement=session.scalar(select(func.max(tables.Assessment.created_at))),
            bundle=listing.active(session),
            model_problem=listing.problem(session),
            receivers=standing.receivers(session, settings.forward_to),
            lost_unread=unread.count_lost(session),
            without_images=sent_again.count_missing(session),
            unverified=len(in_doubt),
            unknown_keys=any(f.doubt is Doubt.OTHER_KEY for study in in_doubt for f in study.unverified),
            clock_set=ClockSetView(at=jump.at, seconds=jump.seconds) if jump is not None and told else None,
        )


def metrics(session: Session, settings: Settings, now: datetime) -> MetricsView:
    """Figures for monitoring, as far as the store knows them."""
    pending = session.scalars(select(Series.first_arrival).where(Series.state.in_(PENDING))).all()
    jump = clock.last_jump(session)
    (judged, judging), (waited, waiting) = (
        tallies.in_all(session, kind) for kind in (tallies.JUDGED, tallies.WAITED)
    )
    return MetricsView(
        series=_series(session),
        assessments=tallies.counts(session, tallies.CURRENT),
        unsure=tallies.counts(session, tallies.UNSURE),
        reasons={ReasonCode(code): n for code, n in tallies.counts(session, tallies.REASONS).items()},
        oldest_pending_seconds=times.seconds(min(pending, default=now), now),
        from_the_future=sum(times.ahead(at, now) for at in pending),
        clock_jumps=clock.jumps(session),
        last_clock_jump_seconds=jump.seconds if jump is not None else 0.0,
        judgement=DurationView(count=judged, seconds=judging),
        arrival_to_result=DurationView(count=waited, seconds=waiting),
        bundle=listing.active(session),
        shadow_bundle=listing.in_shadow(session),
        shadow_series=comparison.counts(session),
        deliveries=standing.deliveries(session, settings.forward_to),
        lost_unread=unread.count_lost(session),
        unverified=len(found.unverified(session)),
    )


def _series(session: Session) -> dict[SeriesState, int]:
    return {SeriesState(state): count for state, count in tallies.counts(session, tallies.SERIES).items()}
