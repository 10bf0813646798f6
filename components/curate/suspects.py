"""Photos that do not belong because they show no mushroom at all.

That is asked of the pretrained network alone, so the answer may count in every part. Which of the
classes a photo looks like is another question (components/common/dataset/label_check.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common.dataset import ridge
from components.common.dataset.rows import Rows
from components.common.network.architecture import parse_architecture
from components.common.network.bottlenecks import Bottlenecks

# The classes of ImageNet that are fungi: mushroom, coral fungus, agaric, gyromitra, stinkhorn,
# earthstar, hen-of-the-woods, bolete. All places are those of the network's 1,000 scores.
FUNGI = (947, 991, 992, 993, 994, 995, 996, 997)
# A share of exactly 0 or 1 has no odds; half precision and rounding hold no more than this.
SHARE_FLOOR = 1e-4
# A single photo's scores are noisy: a black trumpet on leaf litter is a bird to the network. Its
# odds are those that its neighbours in feature space predict, and a quarter of its own.
ODDS_STRENGTH, OWN_SHARE = 10.0, 0.25


@dataclass(frozen=True)
class Limits:
    """Natural log-odds below which a photo is left out, and below which a person should look."""

    no_mushroom: float
    doubtful: float


# By family, where they were measured: 25 flowers, drawn 20 times, among 140 photos of mushrooms.
# MobileNet v1: 0 to 2 % of the mushrooms lie below the first and 3 to 8 % below the second, of the
# flowers 78 to 85 % and 96 %. EfficientNet-Lite is less sure of anything, since it was trained with
# smoothed labels; its limits are one pair for the three, below which 89 to 94 % and 96 to 99 % of
# the flowers lie, and 0.1 to 1.4 % and 4 to 5 % of the mushrooms. They were chosen on these same
# flowers and mushrooms, for want of others: on photos that had no say they may do worse.
# `python -m benchmarks.cleaning FOLDER FUNGI --architecture …` prints what comes of them.
MOBILENET = Limits(no_mushroom=-2.5, doubtful=-1.0)
EFFICIENTNET_LITE = Limits(no_mushroom=-3.0, doubtful=-2.0)
LIMITS = {
    "mobilenet": MOBILENET,
    "efficientnet_lite0": EFFICIENTNET_LITE,
    "efficientnet_lite1": EFFICIENTNET_LITE,
    "efficientnet_lite2": EFFICIENTNET_LITE,
}
# The pretrained weights were trained at 224 pixels. At 128 their scores are too unsure to act on:
# one mushroom in ten would be left out.
JUDGED_FROM_SIDE = 192
JUDGED_FROM_PHOTOS = 20  # fewer say too little about each other


def mushroom_odds(
    features: Rows[np.float32], scores: NDArray[np.float16], groups: Sequence[str]
) -> NDArray[np.float64] | None:
    """How surely each photo shows a fungus, by the pretrained network; no label takes part.

    Args:
        features: float32 (N, D).
        scores: float16 (N, 8), the probabilities of `FUNGI`.
        groups: of each photo; copies say nothing about one another.

    Returns:
        Natural log-odds, float64 (N,), or None where these are no photos to judge so: most of them
        show no fungus to the network (flowers, drawings), or there are too few.
    """
    share = scores.astype(np.float64).sum(axis=1).clip(0, 1)
    own = np.log((share + SHARE_FLOOR) / (1 - share + SHARE_FLOOR))
    if len(share) < JUDGED_FROM_PHOTOS or np.median(own) <= 0:
        return None
    fitted = ridge.fit(features, own[:, None], groups, strength=ODDS_STRENGTH)
    odds: NDArray[np.float64] = OWN_SHARE * (own - own.mean())
    for rows, predicted in fitted.left_out():
        odds[rows] += predicted[:, 0]
    return odds


def may_leave_out(vectors: Bottlenecks) -> bool:
    """True where the odds are sure enough to leave photos out, not only to flag them."""
    architecture = parse_architecture(vectors.key.architecture)
    return vectors.family in LIMITS and architecture.size >= JUDGED_FROM_SIDE


def limits(vectors: Bottlenecks) -> Limits:
    """Those of the network; MobileNet's, to flag by alone, where none were measured."""
    return LIMITS.get(vectors.family, MOBILENET)
