"""What is promised of the models on this machine, and what takes a promise back.

A promise is of cases as they were then. Where the drift monitoring says that they are no longer so, and
said so first after the promise's last case, it is not shown until the alarm is over or another promise was
made. An alarm that stood then already, as in a hospital unlike those trained on, takes nothing back: the
promise's own cases were such.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, time, timedelta

from headct.language import _, pgettext
from headct.network.promise import Promise, PromiseError, beside, sentences
from orthanc_plugin.answer import Words
from orthanc_plugin.drift.views import AlarmView
from orthanc_plugin.models.folders import Offer
from orthanc_plugin.models.views import PromisedShareView, PromiseView
from orthanc_plugin.settings import Settings


def of_offers(
    offers: Iterable[Offer], settings: Settings, alarms: Callable[[], Sequence[AlarmView]]
) -> dict[str, PromiseView | Words]:
    """What is promised of each model, by digest, or why nothing is any more; no word where nothing ever was.

    Args:
        offers: the models.
        settings: say where the hospital's own models lie, and promises of models that ship.
        alarms: gives those of the drift monitoring; asked where there is a promise alone.
    """
    found: dict[str, PromiseView | Words] = {}
    for offer in offers:
        if offer.bundle is None:
            continue
        digest = offer.bundle.digest
        try:
            promise = _newest(offer, digest, settings)
        except PromiseError as error:
            found[digest] = Words.of(pgettext("why nothing is promised", "{why}.", why=error.sentence))
            continue
        if promise is not None:
            found[digest] = _view(promise, [a for a in alarms() if a.model in (None, offer.name)])
    return found


def _newest(offer: Offer, digest: str, settings: Settings) -> Promise | None:
    places = dict.fromkeys((beside(offer.folder), beside(offer.folder, settings.models_folder)))
    there = (Promise.read(path, digest) for path in places)
    return max((one for one in there if one is not None), key=lambda one: one.made, default=None)


def _view(promise: Promise, alarms: Iterable[AlarmView]) -> PromiseView | Words:
    if later := [alarm for alarm in alarms if _raised(alarm) > promise.until]:
        return Words.of(
            _(
                "Withdrawn: cases changed after those that the promise of {made} rests on. {alarm}",
                made=promise.made.date(),
                alarm=later[0].sentence.in_language,
            )
        )
    return PromiseView(
        made=promise.made,
        since=promise.since,
        until=promise.until,
        confidence=promise.confidence,
        cases=promise.cases,
        set_aside=promise.set_aside,
        greens=PromisedShareView.model_validate(promise.greens, from_attributes=True),
        alerts=PromisedShareView.model_validate(promise.alerts, from_attributes=True),
        sentences=tuple(map(Words.of, sentences(promise))),
    )


def _raised(alarm: AlarmView) -> datetime:
    """The end of the week in which it was first given."""
    return datetime.combine(alarm.began + timedelta(weeks=1), time(), UTC)
