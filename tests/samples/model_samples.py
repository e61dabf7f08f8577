"""A store in which two models judged and one ran in shadow, for tests of what is shown of models."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bundles import threshold_bundle
from sqlalchemy.orm import Session
from store_samples import after, judgement, seen, settings

from headct.network.bundle import Bundle
from headct.network.contents import Thresholds
from headct.network.promise import Promise, Share
from headct.reasons import Reason, ReasonCode
from headct.terms.assessment import Outcome, State
from headct.terms.review import Action, Person, Review
from headct.terms.urgency import Urgency
from orthanc_plugin.settings import Settings
from orthanc_plugin.store import model_history, outbox, queue, results, reviews, shadow
from orthanc_plugin.store.tables import Series

PEOPLE = {
    login: {"Name": f"{login.title()}^Hanako=佐藤^花子", "Organisation": "St. Elsewhere", "Role": role}
    for login, role in (("sato", "reader"), ("abe", "administrator"), ("mori", "viewer"))
}


PROMISED_UNTIL = datetime(2026, 3, 4, 12, tzinfo=UTC)
"""When the last case came that a promise rests on: a Wednesday."""


def options(folder: Path) -> Settings:
    """With people, and nothing else out of the ordinary."""
    return settings(folder, People=PEOPLE)


def own_model(options: Settings, version: str, cut: float = 0.15, **changes: object) -> Bundle:
    """A model in the hospital's own folder; another version or cut has another device UID."""
    folder = options.models_folder / f"threshold-{version}"
    return threshold_bundle(
        folder, version=version, thresholds=Thresholds(voxel=0.5, haemorrhage=cut), **changes
    )


def identifier(kind: str, number: int) -> str:
    """As Orthanc writes them."""
    return "-".join([f"{kind}{number:07d}"] * 5)


def judge(
    session: Session,
    options: Settings,
    number: int,
    urgency: Urgency,
    bundle: Bundle,
    *,
    study: int | None = None,
    at: float = 100,
) -> str:
    """A series arrives, is judged by a model, and published."""
    series, of_study = identifier("a", number), identifier("b", number if study is None else study)
    queue.arrive(session, seen(series, of_study), after(at), options)
    claim = queue.claim(session, "w", after(at + 3), options)
    assert claim is not None and claim.series_id == series
    said = judgement(urgency, series=series)
    said = replace(said, assessment=replace(said.assessment, bundle=bundle.identity))
    assert results.record_assessed(session, claim, said, after(at + 4), options)
    publish(session, after(at + 5))
    return series


def publish(session: Session, now: datetime) -> None:
    """As if everything had been sent."""
    while (wish := outbox.claim_publication(session, now)) is not None:
        outbox.published(session, *wish, now)


def repeat(
    session: Session, urgency: Urgency | None, bundle: Bundle, *, at: float = 100, owner: str = "w"
) -> shadow.Due:
    """The model in shadow judges what is due; no urgency stands for a failure."""
    due = shadow.claim(session, owner, after(at))
    assert due is not None and due.digest == bundle.digest
    said = replace(judgement(urgency or Urgency.GREEN).assessment, bundle=bundle.identity)
    failed = Outcome("1.2", State.FAILED, None, Reason(ReasonCode.INTERNAL_ERROR, "ValueError"))
    outcome = Outcome("1.2", State.ASSESSED, said, None) if urgency is not None else failed
    shadow.record(session, due, outcome, after(at + 1))
    return due


def review(session: Session, series: str, urgency: Urgency, *, at: float = 500) -> None:
    """A reader relabels a series."""
    said = Review(
        by=Person("sato", "Sato^Hanako", "St. Elsewhere"),
        at=after(at),
        action=Action.RELABEL,
        urgency=urgency,
    )
    based_on = reviews.based_on(session.get_one(Series, series))
    reviews.record(
        session,
        series,
        said,
        seen=based_on,
        request_id=f"{series}-{at}",
        asked=f"{said}{based_on}",
        now=after(at),
    )


def activate(session: Session, bundle: Bundle, *, at: float = 0) -> None:
    """As administrator."""
    model_history.activate(session, bundle.identity, actor="abe", reason="", seen=None, now=after(at))


def begin_shadow(session: Session, bundle: Bundle, *, at: float = 0) -> None:
    """As administrator."""
    model_history.begin_shadow(session, bundle.identity, actor="abe", reason="", seen=None, now=after(at))


def promised(bundle: Bundle, **changes: object) -> Promise:
    """Of a model."""
    made = Promise(
        digest=bundle.digest,
        made=PROMISED_UNTIL + timedelta(days=2),
        since=PROMISED_UNTIL - timedelta(days=40),
        until=PROMISED_UNTIL,
        confidence=0.95,
        cases=71,
        set_aside=3,
        greens=Share(59, 0, 0, 0.0495),
        alerts=Share(9, 3, 1, 0.6551),
    )
    return replace(made, **changes)  # type: ignore[arg-type]
