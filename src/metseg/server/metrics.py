"""What Prometheus is told: numbers only, by route and status, never by file or patient."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_SLICES = (1, 2, 3, 4, 5, 6, 7, 8, 16)


class Metrics:
    """The numbers of one server.

    Attributes
    ----------
    registry : CollectorRegistry
        What ``/metrics`` shows.
    requests, seconds, in_flight
        By route, method and status; how long; how many now.
    batches, model_seconds
        Slices of each pass through a network, and how long it took.
    decode_seconds
        How long uploads took to decode.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        by_route = ("route", "method", "status")
        self.requests = Counter("metseg_requests", "Requests answered.", by_route, registry=self.registry)
        self.seconds = self._histogram("request_seconds", "Time to answer.", _SECONDS, ("route", "method"))
        self.in_flight = Gauge("metseg_requests_in_flight", "Requests now.", registry=self.registry)
        self.batches = self._histogram("batch_slices", "Slices of a pass through a network.", _SLICES)
        self.model_seconds = self._histogram("batch_seconds", "Time of a pass.", _SECONDS)
        self.decode_seconds = self._histogram("decode_seconds", "Time to decode an upload.", _SECONDS)

    def observe_batch(self, slices: int, seconds: float) -> None:
        """Count one pass through a network."""
        self.batches.observe(slices)
        self.model_seconds.observe(seconds)

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Show ``value()`` as ``metseg_<name>`` whenever the metrics are asked for."""
        Gauge(f"metseg_{name}", text, registry=self.registry).set_function(value)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()) -> Histogram:
        return Histogram(f"metseg_{name}", text, labels, buckets=buckets, registry=self.registry)
