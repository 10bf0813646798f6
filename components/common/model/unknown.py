"""Does a photo show none of the classes? How familiar it looks, and the rule made of it.

A photo of something else lies far from all classes, or the head gives none of them a large score;
which of the two tells more depends on how strange the thing is, so both are asked and added.
`benchmarks/unknown.py` measures the sum beside its parts and beside the largest probability.
"""

import dataclasses
import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common.base.errors import InputError
from components.common.untrusted.arrays import read_npz

# Of the within-class covariance, in units of its mean variance: with fewer photos than dimensions
# it has no inverse without. 0.5 was the best of 0.05 to 2 on photos of flowers.
SHRINKAGE = 0.5
# Weight of the largest score beside the distance, both in units of their deviation over photos of
# the classes. Best on the flowers, kinds left out and mushrooms together, among 0.3 to 1.
SCORE_WEIGHT = 0.7
FALSE_REJECTION_RATE = 0.05
FILE_MAX_BYTES = 256 * 1024**2
BLOCK_ROWS = 4096  # in float64 at once: 34 MB of 1,024 dimensions


@dataclass(frozen=True)
class ClassDistances:
    """Squared Mahalanobis distance to the nearest class (Lee et al. 2018, arXiv:1807.03888).

    All classes share one covariance, that of the directions of the bottlenecks around their class's
    mean, shrunk towards a multiple of the unit matrix (Ledoit and Wolf 2004).

    Attributes:
        means: float32, shape (C, D), of the directions of each class.
        axes: float32, shape (K, D): along these the classes vary, and distance counts less, by the
            square of what lies along each.
        ridge: the variance that is assumed in every direction.
    """

    means: NDArray[np.float32]
    axes: NDArray[np.float32]
    ridge: float

    @classmethod
    def fit(cls, bottlenecks: NDArray[np.float32], labels: NDArray[np.int64]) -> "ClassDistances":
        """From bottlenecks, float32 (N, D), and their classes, int64 (N,), from 0 on."""
        directions = unit_length(bottlenecks)
        means = np.stack(
            [directions[labels == label].mean(axis=0) for label in range(int(labels.max()) + 1)]
        )
        within = directions - means[labels]
        # With one photo a class nothing varies, and the distance is Euclid's.
        total = float(np.einsum("nd,nd->", within, within, dtype=np.float64))
        ridge = SHRINKAGE * total / within.size or 1.0
        axes = _axes(within, ridge * len(within))
        return cls(means.astype(np.float32), axes.astype(np.float32), ridge)

    def __call__(self, bottlenecks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Distance of each photo to its nearest class, float32 (N,), from bottlenecks (N, D)."""
        directions = unit_length(bottlenecks)
        along, means_along = directions @ self.axes.T, self.means @ self.axes.T
        nearest = np.full(len(directions), np.inf, np.float32)
        for mean, mean_along in zip(self.means, means_along, strict=True):
            around = ((directions - mean) ** 2).sum(axis=1)
            explained = ((along - mean_along) ** 2).sum(axis=1)
            np.minimum(nearest, around - explained, out=nearest)
        return (np.maximum(nearest, 0) / self.ridge).astype(np.float32)

    def to_bytes(self) -> bytes:
        """As a file, .npz."""
        buffer = io.BytesIO()
        np.savez(buffer, means=self.means, axes=self.axes, ridge=np.float64(self.ridge))
        return buffer.getvalue()

    @classmethod
    def load(cls, data: bytes, name: str) -> "ClassDistances":
        """Read what `to_bytes` made.

        Args:
            data: the file.
            name: of the file, for messages.

        Raises:
            InputError: it is damaged.
        """
        arrays = read_arrays(data, name, ("means", "axes", "ridge"))
        means, axes = (arrays[key].astype(np.float32) for key in ("means", "axes"))
        ridge = arrays["ridge"].astype(np.float64)
        if (
            means.ndim != 2
            or axes.ndim != 2
            or means.shape[1] != axes.shape[1]
            or ridge.shape != ()
            or not ridge > 0
        ):
            raise InputError(f"{name} cannot be read: its arrays do not belong together")
        return cls(means, axes, float(ridge))


def _axes(rows: NDArray[np.float32], ridge: float) -> NDArray[np.float64]:
    """Along these the rows vary by more than a ridge.

    With W the rows and r the ridge, (WᵀW + rI)⁻¹ = (I - AᵀA) / r, where A are the axes.

    Args:
        rows: float32 (N, D).
        ridge: above 0; of the rows' second moments, not of their means.

    Returns:
        float64 (K, D), K the lesser of N and D.
    """
    count, size = rows.shape
    if count <= size:
        from scipy.linalg import solve_triangular  # not in all images

        # AᵀA = Wᵀ(WWᵀ + rI)⁻¹W by Woodbury's identity, so A = L⁻¹W where LLᵀ is the middle: a
        # third of the time that eigenvectors take.
        wide = rows.astype(np.float64)
        factor = np.linalg.cholesky(wide @ wide.T + ridge * np.eye(count))
        axes: NDArray[np.float64] = solve_triangular(factor, wide, lower=True, check_finite=False)
        return axes
    moments = np.zeros((size, size))
    for start in range(0, count, BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS].astype(np.float64)
        moments += block.T @ block
    values, vectors = np.linalg.eigh(moments)
    values = values.clip(0)
    return vectors.T * np.sqrt(values / (values + ridge))[:, None]


@dataclass(frozen=True)
class UnknownRule:
    """When to answer "none of these".

    Attributes:
        distance_deviation: standard deviation of the distance over photos of the classes.
        score_deviation: the same of the largest score.
        score_weight: of the largest score beside the distance.
        quantiles: of the familiarity score over photos of the classes, at 0, 1, … 100 %. All these
            were scored by heads and distances fitted without them.
        false_rejection_rate: this share of photos of the classes at most is called unknown.
    """

    distance_deviation: float
    score_deviation: float
    score_weight: float
    quantiles: tuple[float, ...]
    false_rejection_rate: float

    @classmethod
    def fit(
        cls, distances: NDArray[np.float32], largest: NDArray[np.float32]
    ) -> tuple["UnknownRule", float]:
        """The rule, and which share of these photos it rejects.

        Args:
            distances: float32, shape (N,), of photos of the classes.
            largest: float32, shape (N,), their largest logit.
        """
        # Where all photos are alike, any unit will do.
        units = [float(array.std()) or 1.0 for array in (distances, largest)]
        rule = cls(units[0], units[1], SCORE_WEIGHT, (0.0,) * 101, FALSE_REJECTION_RATE)
        scores = rule.score(distances, largest)
        # The lower of two neighbours: never more are rejected than stated.
        quantiles = np.quantile(scores, np.linspace(0, 1, 101), method="lower")
        rule = dataclasses.replace(rule, quantiles=tuple(map(float, quantiles)))
        return rule, float(rule.rejects(rule.familiarity(scores)).mean())

    def score(
        self, distances: NDArray[np.float32], largest: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """High for photos of the classes, float64 (N,), from distances and largest logits (N,)."""
        near = distances.astype(np.float64) / self.distance_deviation
        return self.score_weight * largest.astype(np.float64) / self.score_deviation - near

    def familiarity(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of photos of the classes that look stranger, float64 (N,), in hundredths."""
        places = np.searchsorted(self.quantiles, scores, side="right") - 1
        return np.maximum(places, 0) / 100

    def rejects(self, familiarity: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether each of N photos is none of the classes."""
        return familiarity < self.false_rejection_rate - 1e-9

    @classmethod
    def parse(cls, content: object) -> "UnknownRule":
        """The rule as `model.json` holds it.

        Raises:
            ValueError: it lacks something, or holds what is no number.
        """
        if not isinstance(content, dict):
            raise ValueError("its unknown rule is not an object")
        try:
            rule = cls(**{**content, "quantiles": tuple(content["quantiles"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"its unknown rule: {error}") from error
        numbers = (
            *(rule.distance_deviation, rule.score_deviation, rule.score_weight),
            *(*rule.quantiles, rule.false_rejection_rate),
        )
        if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
            raise ValueError("its unknown rule holds a value that is not a finite number")
        if len(rule.quantiles) != 101 or list(rule.quantiles) != sorted(rule.quantiles):
            raise ValueError("its unknown rule needs 101 quantiles in ascending order")
        if not (rule.distance_deviation > 0 and rule.score_deviation > 0):
            raise ValueError("its unknown rule needs positive deviations")
        return rule


def unit_length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows of float32 (N, D) at length 1; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    rows: NDArray[np.float32] = np.divide(
        vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0
    )
    return rows


def read_arrays(data: bytes, name: str, wanted: tuple[str, ...]) -> dict[str, NDArray[np.generic]]:
    """Arrays of an .npz file, numbers finite, no pickle.

    Raises:
        InputError: the file is damaged, lacks one, or holds texts or numbers that are not finite.
    """
    try:
        arrays = read_npz(io.BytesIO(data), wanted)
    except ValueError as error:
        raise InputError(f"{name} cannot be read: {error}") from error
    for key, array in arrays.items():
        if array.dtype.kind not in "fiu":
            raise InputError(f"{name} cannot be read: {key} holds no numbers")
        if not np.isfinite(array).all():
            raise InputError(f"{name} cannot be read: {key} holds numbers that are not finite")
    return arrays
