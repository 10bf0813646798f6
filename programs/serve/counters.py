"""What Prometheus is told: requests, answers and the model, as counts; nothing of a visitor.

Labels are few whatever strangers send: paths and outcomes of the lists below, and the classes of
the model that answers.
"""

from datetime import datetime
from http import HTTPStatus
from typing import Any, Final, Literal

from components.common.model.description import ModelDescription

PREFIX = "mushrooms"
SWAPPED: Final = "swapped"
DAMAGED: Final = "damaged"
UNREACHABLE: Final = "unreachable"
Reload = Literal["swapped", "damaged", "unreachable"]
PREDICT = "/v1/predict"
PATHS = ("/", PREDICT, "/v1/model", "/v1/corrections", "/healthz", "/readyz", "/openapi.json")
OTHER = "other"
OUTCOMES = {
    200: "answered",
    400: "damaged",
    408: "too_slow",
    413: "too_large",
    415: "no_photo",
    421: "unknown_host",
    422: "bad_parameter",
    499: "client_gone",
    503: "busy",
    504: "timeout",
}
SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 40, 60)
MOST_CLASSES = 1000  # of which each is counted by itself; those of a larger model are one


class Counters:
    """The counts of one service, whichever model answers."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        more: dict[str, Any] = {"namespace": PREFIX, "registry": self.registry}
        self._requests = Counter("requests", "requests, by outcome", ("path", "outcome"), **more)
        self._seconds = Histogram(
            "predict_seconds", "from a photo's request to its answer", buckets=SECONDS, **more
        )
        self._answers = Counter("answers", "answers that name a class", ("label",), **more)
        self._none = Counter("none_of_these", "answers that name none of the classes", **more)
        self._reloads = Counter("reloads", "versions taken or refused", ("outcome",), **more)
        self._refused = Gauge("newer_refused", "1: a newer version cannot be served", **more)
        self._model = Gauge("model_info", "the model that answers", ("version", "head"), **more)
        self._since = Gauge("model_since_seconds", "Unix time since which it answers", **more)
        self._classes: frozenset[str] = frozenset()
        for outcome in (SWAPPED, DAMAGED, UNREACHABLE):
            self._reloads.labels(outcome)

    def set_model(self, description: ModelDescription, version: str, since: datetime) -> None:
        """Name the model that answers; counts of classes that it has not are dropped."""
        few = len(description.classes) <= MOST_CLASSES
        classes = frozenset(description.classes if few else (OTHER,))
        before, self._classes = self._classes, classes
        for gone in before - classes:
            self._answers.remove(gone)
        for label in classes:
            self._answers.labels(label)  # a class that nobody has asked about is 0, not missing
        self._model.clear()
        self._model.labels(version, description.head_sha256[:12]).set(1)
        self._since.set(since.timestamp())
        self._refused.set(0)

    def count_request(self, path: str, status: int, seconds: float) -> None:
        """Count a request that was answered with an HTTP status."""
        known = path if path in PATHS else OTHER
        self._requests.labels(known, OUTCOMES.get(status, OTHER)).inc()
        if path == PREDICT and status == HTTPStatus.OK:
            self._seconds.observe(seconds)

    def count_answer(self, predicted: str | None) -> None:
        """Count what a photo was taken for; None is none of the classes."""
        label = predicted if predicted in self._classes else OTHER
        if predicted is None:
            self._none.inc()
        elif label in self._classes:  # if not, the model was replaced by one without this class
            self._answers.labels(label).inc()

    def count_reload(self, outcome: Reload) -> None:
        """Count a version that was taken or refused."""
        self._reloads.labels(outcome).inc()

    def set_newer_refused(self, refused: bool) -> None:
        """Say whether a newer version cannot be served."""
        self._refused.set(1 if refused else 0)
