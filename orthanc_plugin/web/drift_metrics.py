"""Drift monitoring as metric families: rates of the last week that is over, and the state of every alarm."""

from collections.abc import Iterable

from prometheus_client.core import GaugeMetricFamily, Metric

from orthanc_plugin.drift.views import DriftView, RateView


def families(drift: DriftView) -> Iterable[Metric]:
    """Gauges labelled with rate or quantity and model; the model is empty where a rate is of all."""
    of_rate, of_quantity, of_either = (["rate", "model"], ["quantity", "model"], ["figure", "model"])
    count = GaugeMetricFamily("headct_week_count", "Cases of the last whole week with a rate", labels=of_rate)
    of = GaugeMetricFamily("headct_week_cases", "Cases that such a rate is of", labels=of_rate)
    index = GaugeMetricFamily(
        "headct_shift", "Population stability index against the patients trained on", labels=of_quantity
    )
    limit = GaugeMetricFamily("headct_shift_limit", "Of that index, for an alarm", labels=of_quantity)
    alarm = GaugeMetricFamily(
        "headct_watch_alarm", "1 where drift monitoring gives an alarm", labels=of_either
    )
    for rate, model in _rates(drift):
        week = rate.weeks[-2]
        count.add_metric([rate.rate, model], week.count)
        of.add_metric([rate.rate, model], week.of)
        alarm.add_metric([rate.rate, model], float(week.alarm))
    for served in drift.models:
        model = f"{served.name}-{served.version}"
        for quantity in served.quantities:
            shift = quantity.weeks[-2]
            alarm.add_metric([quantity.quantity, model], float(shift.alarm))
            if shift.index is not None and shift.limit is not None:
                index.add_metric([quantity.quantity, model], shift.index)
                limit.add_metric([quantity.quantity, model], shift.limit)
    return count, of, index, limit, alarm


def _rates(drift: DriftView) -> Iterable[tuple[RateView, str]]:
    yield from ((rate, "") for rate in drift.rates)
    yield from ((served.relabelled, f"{served.name}-{served.version}") for served in drift.models)
