"""`GET /metrics`: how much comes in and how things go, in Prometheus' text format. Labels are out of bounded sets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from sentinel.web.ports import Vitals

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_GAUGES: Final = {
    "log_records": "Records in the intake log",
    "log_bytes": "Bytes in the intake log",
    "log_bytes_max": "Bytes at which the intake log refuses more",
    "lag_records": "Records that are durable and not yet processed",
    "dead_letters": "Records that could not be read and wait for somebody",
}
_COUNTERS: Final = {
    "events": "Events processed since the start",
    "duplicates": "Events met again and left out since the start",
    "alerts": "Alerts new or changed since the start",
    "rejected": "Records the worker could not read since the start",
    "worker_restarts": "Times the worker was started again",
}


Received = Mapping[tuple[str, str, str], int]


class Metrics:
    """The numbers of one app; each app has its own."""

    def __init__(self, vitals: Callable[[], Vitals], received: Received) -> None:
        self.registry = CollectorRegistry()
        self.records = Counter(
            "sentinel_intake_records", "Records received, by source and verdict", ["source", "verdict"], registry=self.registry
        )
        self.requests = Counter(
            "sentinel_http_requests", "Requests answered", ["method", "route", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "sentinel_http_request_seconds", "Time to answer", ["route"], registry=self.registry,
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
        )  # fmt: skip
        self.registry.register(_VitalsCollector(vitals))
        self.registry.register(_ReceivedCollector(received))

    def text(self) -> bytes:
        """Return all numbers in Prometheus' text format."""
        return generate_latest(self.registry)


class _VitalsCollector(Collector):
    def __init__(self, vitals: Callable[[], Vitals]) -> None:
        self._vitals = vitals

    def collect(self) -> Iterable[Metric]:
        vitals = self._vitals()
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(f"sentinel_{name}", text, value=getattr(vitals, name))
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"sentinel_{name}", text, value=getattr(vitals, name))
        ready = vitals.worker == "ready"
        yield GaugeMetricFamily("sentinel_worker_ready", "1 while the worker processes and answers", value=ready)


class _ReceivedCollector(Collector):
    def __init__(self, received: Received) -> None:
        self._received = received

    def collect(self) -> Iterable[Metric]:
        labels = ["listener", "source", "verdict"]
        counter = CounterMetricFamily("sentinel_listener_records", "Records received besides HTTP, by verdict", labels=labels)
        for told, records in sorted(self._received.items()):
            counter.add_metric(told, records)
        yield counter
