"""Monitoring figures as Prometheus text."""

from collections.abc import Iterable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily

from orthanc_plugin.drift.views import DriftView
from orthanc_plugin.health.views import MetricsView
from orthanc_plugin.states import SeriesState
from orthanc_plugin.web import drift_metrics

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
        yield GaugeMetricFamily("headct_workers_alive", "Judging processes", value=figures.workers_alive)
        yield CounterMetricFamily(
            "headct_worker_restarts", "Judging processes started again", value=figures.worker_restarts
        )
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
        if figures.free_disk_bytes is not None:
            yield GaugeMetricFamily("headct_free_disk_bytes", "Free disk", value=figures.free_disk_bytes)
        yield from drift_metrics.families(self._drift)


def text(figures: MetricsView, drift: DriftView) -> bytes:
    """Prometheus exposition text, from a registry of its own so that nothing else leaks in."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(figures, drift))
    return generate_latest(registry)
