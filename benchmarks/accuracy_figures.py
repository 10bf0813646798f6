"""Figures of cross-validated methods, with paired intervals: what benchmarks/accuracy.py prints."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLES = 2000  # of the bootstrap
BINS = 10  # of the calibration error, equally wide (Guo et al. 2017, arXiv:1706.04599)
LEAST = 1e-12  # probability whose logarithm is taken instead of that of 0
NAMES = ("macro recall", "log loss", "Brier score", "ECE")
RECALL, LOG_LOSS = 0, 1  # places in them

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Photos:
    """The photos that all methods are measured on.

    Attributes:
        labels: int64 (N,).
        drawn: float64 (SAMPLES, N), how often each photo is in each bootstrap sample of groups.
    """

    labels: NDArray[np.int64]
    drawn: Figures

    @classmethod
    def of(cls, labels: NDArray[np.int64], groups: NDArray[np.int64]) -> "Photos":
        """Draw the samples: whole groups, with replacement."""
        _, places = np.unique(groups, return_inverse=True)
        count = int(places.max()) + 1
        generator = np.random.default_rng(0)
        times = generator.multinomial(count, np.full(count, 1 / count), SAMPLES)
        return cls(labels, times[:, places].astype(np.float64))


@dataclass(frozen=True)
class Result:
    """Probabilities of every photo in each repeat, float64 (repeats, N, classes)."""

    name: str
    probabilities: Figures

    def figures(self, photos: Photos, times: Figures, repeats: int | None = None) -> Figures:
        """The figures of `NAMES`, each the mean over repeats; float64 (samples, 4).

        Args:
            photos: that the probabilities are of.
            times: float64 (samples, N), how often each photo counts.
            repeats: the first so many; all by default.
        """
        found, labels = self.probabilities[:repeats], photos.labels
        rows, totals = np.arange(len(labels)), times.sum(axis=1)
        right = found.argmax(axis=2) == labels
        of_class = np.eye(found.shape[2])[labels]
        with np.errstate(invalid="ignore"):  # a sample may have no photo of a class
            recalls = (times @ (of_class * right.mean(axis=0)[:, None])) / (times @ of_class)
        losses = -np.log(np.maximum(found[:, rows, labels], LEAST)).mean(axis=0)
        brier = ((found - of_class) ** 2).sum(axis=2).mean(axis=0)
        means = [times @ values / totals for values in (losses, brier)]
        return np.stack(
            [np.nanmean(recalls, axis=1), *means, _calibration_error(found, right, times)], axis=1
        )


def _calibration_error(found: Figures, right: NDArray[np.bool_], times: Figures) -> Figures:
    """Expected calibration error in each sample, the mean over repeats; float64 (samples,)."""
    errors = np.zeros(len(times))
    for probabilities, hits in zip(found, right, strict=True):
        stated = probabilities.max(axis=1)
        bins = np.minimum((stated * BINS).astype(np.int64), BINS - 1)
        gaps = np.eye(BINS)[bins] * (hits - stated)[:, None]
        errors += np.abs(times @ gaps).sum(axis=1)
    return np.asarray(errors / times.sum(axis=1) / len(found))


@dataclass(frozen=True)
class Measured:
    """Figures with 95 % intervals, float64 (4,) each.

    Attributes:
        value: of all photos.
        low: lower bounds.
        high: upper bounds.
    """

    value: Figures
    low: Figures
    high: Figures

    def text(self, sign: str = "") -> str:
        """All on one line."""
        return "  ".join(
            f"{value:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"
            for value, low, high in zip(self.value, self.low, self.high, strict=True)
        )


def measured(result: Result, photos: Photos, reference: Result | None = None) -> Measured:
    """The figures of a method, or its differences from another one, on the same photos and folds.

    The intervals are those of the bootstrap, less its bias: a sample, in which photos are repeated,
    has a higher calibration error than the photos that it is drawn from.

    Args:
        result: the method.
        photos: that it was measured on.
        reference: what is subtracted, its first repeats where it has more; nothing by default.
    """
    once = np.ones((1, len(photos.labels)))
    value, drawn = (result.figures(photos, times) for times in (once, photos.drawn))
    if reference is not None:
        repeats = len(result.probabilities)
        value = value - reference.figures(photos, once, repeats)
        drawn = drawn - reference.figures(photos, photos.drawn, repeats)
    low, high = np.percentile(drawn - (drawn.mean(axis=0) - value), [2.5, 97.5], axis=0)
    return Measured(value[0], low, high)


def show(result: Result, photos: Photos, reference: Result | None = None) -> Measured | None:
    """Print a method's figures, and below them how they differ from the reference's.

    Returns:
        the differences; None without a reference.
    """
    print(f"  {result.name:<38} {measured(result, photos).text()}", flush=True)
    if reference is None:
        return None
    difference = measured(result, photos, reference)
    shown = difference.text("+").replace(")  ", ") ")
    print(f"  {'   difference':<37} {shown}", flush=True)
    return difference


def heading() -> str:
    """The names of the columns, over what `show` prints."""
    return f"  {'':<38} " + "  ".join(f"{name:<22}" for name in NAMES)
