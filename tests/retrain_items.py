"""Made-up bottlenecks for the tests of the head."""

import numpy as np

from components.retrain.head import Examples


def clusters(per_class: int, *, seed: int, spread: float = 1.0) -> Examples:
    """Three clouds of points in eight dimensions."""
    centres = np.random.default_rng(0).normal(0, 2, (3, 8))
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), per_class)
    vectors = centres[labels] + generator.normal(0, spread, (len(labels), 8))
    return Examples(vectors.astype(np.float32), labels)
