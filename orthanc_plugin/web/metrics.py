"""Monitoring figures as Prometheus text."""

from collections.abc import Iterable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily

from headct.terms.urgency import Urgency
from orthanc_plugin.drift.views import DriftView, RateView
from orthanc_plugin.health.views import MetricsView
from orthanc_plugin.states import SeriesState

CONTENT_TYPE = CONTENT_TYPE_LATEST


class _Collector:
    """Hands one set of figures to a registry."""

    def __init__(self, figures: MetricsView, drift: DriftView) -> None:
        self._figures = figures
        self._drift = drift

    def collect(self) -> Iterable[Metric]:
        """The figures as metric families; states without series are reported as 0."""
        figures = self._figures
        series = GaugeMetricFamily("headct_series", "Series in each state", labels=["state"])
        for state in SeriesState:
            series.add_metric([state.value], figures.series.get(state, 0))
        yield series

        assessments = GaugeMetricFamily("headct_assessments", "Current assessments", labels=["urgency"])
        for urgency, count in figures.assessments.items():
            assessments.add_metric([urgency.lower()], count)
        yield assessments
        unsure = GaugeMetricFamily("headct_unsure", "Current assessments that are unsure", labels=["urgency"])
        for urgency in Urgency.__members__:
            unsure.add_metric([urgency.lower()], figures.unsure.get(urgency, 0))
        yield unsure

        reasons = GaugeMetricFamily("headct_without_result", "Series without a result", labels=["reason"])
        for reason, count in figures.reasons.items():
            reasons.add_metric([reason.value], count)
        yield reasons

        for name, words, duration in (
            ("headct_judgement_seconds", "From claim to assessment", figures.judgement),
            ("headct_arrival_to_result_seconds", "From last image to result", figures.arrival_to_result),
        ):
            summary = SummaryMetricFamily(name, words)
            summary.add_metric([], count_value=duration.count, sum_value=duration.seconds)
            yield summary

        yield GaugeMetricFamily(
            "headct_oldest_pending_seconds",
            "Age of the oldest series without a final state",
            value=figures.oldest_pending_seconds,
        )
        yield from _of_clock(figures)
        yield from _of_processes(figures)
        yield GaugeMetricFamily("headct_running", "1 when triage runs", value=float(figures.running))
        models = GaugeMetricFamily(
            "headct_model_info", "Models in service and in shadow", labels=["place", "model", "device_uid"]
        )
        for place, bundle in (("active", figures.bundle), ("shadow", figures.shadow_bundle)):
            if bundle is not None:
                models.add_metric([place, f"{bundle.name}-{bundle.version}", bundle.device_uid], 1)
        yield models
        compared = GaugeMetricFamily(
            "headct_shadow_series",
            "Series that the model in shadow judged, beside the one in service",
            labels=["alert"],
        )
        for outcome, count in figures.shadow_series.items():
            compared.add_metric([outcome], count)
        yield compared
        yield from _of_forwarding(figures)
        yield from _of_recycling(figures)
        if figures.free_disk_bytes is not None:
            yield GaugeMetricFamily("headct_free_disk_bytes", "Free disk", value=figures.free_disk_bytes)
        yield from _of_drift(self._drift)


def _of_processes(figures: MetricsView) -> Iterable[Metric]:
    yield GaugeMetricFamily("headct_workers_alive", "Judging processes", value=figures.workers_alive)
    yield CounterMetricFamily(
        "headct_worker_restarts", "Judging processes started again", value=figures.worker_restarts
    )
    yield CounterMetricFamily(
        "headct_orthanc_unexpected_ends",
        "How often Orthanc, or the machine, ended unasked",
        value=figures.unexpected_ends,
    )


def _of_forwarding(figures: MetricsView) -> Iterable[Metric]:
    sent_on = GaugeMetricFamily(
        "headct_deliveries", "Documents sent on to DICOM modalities", labels=["receiver", "state"]
    )
    for receiver, states in figures.deliveries.items():
        for state_name, count in states.items():
            sent_on.add_metric([receiver, state_name], count)
    yield sent_on


def _of_recycling(figures: MetricsView) -> Iterable[Metric]:
    kept = GaugeMetricFamily(
        "headct_unread_alerts",
        "Where Orthanc has limits: patients with unread alerts, by whether they are kept from its recycling",
        labels=["protected"],
    )
    if figures.recycling is not None:
        kept.add_metric(["yes"], figures.recycling.protected)
        kept.add_metric(["no"], figures.recycling.unprotected_alerts)
    yield kept
    yield GaugeMetricFamily(
        "headct_unverified_reviews",
        "Studies with a review that nobody vouches for, until a person reads them again",
        value=figures.unverified,
    )
    yield GaugeMetricFamily(
        "headct_audit_faults",
        "What was found to be missing or altered in the audit, within a month",
        value=figures.audit_faults,
    )
    yield GaugeMetricFamily(
        "headct_lost_unread",
        "Series deleted from Orthanc unread, alerts or not judged, until a person notes it",
        value=figures.lost_unread,
    )


def _of_clock(figures: MetricsView) -> Iterable[Metric]:
    yield GaugeMetricFamily(
        "headct_from_the_future",
        "Series without a final state that came while the clock ran ahead",
        value=figures.from_the_future,
    )
    yield CounterMetricFamily(
        "headct_clock_jumps", "Times that the server's clock was set", value=figures.clock_jumps
    )
    yield GaugeMetricFamily(
        "headct_last_clock_jump_seconds",
        "How far it was set last; negative: back",
        value=figures.last_clock_jump_seconds,
    )


def _of_drift(drift: DriftView) -> Iterable[Metric]:
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


def text(figures: MetricsView, drift: DriftView) -> bytes:
    """Prometheus exposition text, from a registry of its own so that nothing else leaks in."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(figures, drift))
    return generate_latest(registry)
