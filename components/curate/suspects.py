"""Photos that do not belong: no mushroom at all, or a mushroom of another of the classes.

Two questions, kept apart because they may use different things. Whether there is a mushroom is
asked of the pretrained network alone, so the answer may count in every part. Which class a photo
looks like is asked of the photos for training, so it may take photos from the training part only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common.network.architecture import parse_architecture
from components.common.network.bottlenecks import Bottlenecks
from components.curate import ridge

# The classes of ImageNet that are fungi: mushroom, coral fungus, agaric, gyromitra, stinkhorn,
# earthstar, hen-of-the-woods, bolete. All places are those of the network's 1,000 scores.
FUNGI = (947, 991, 992, 993, 994, 995, 996, 997)
# A share of exactly 0 or 1 has no odds; half precision and rounding hold no more than this.
SHARE_FLOOR = 1e-4
# A single photo's scores are noisy: a black trumpet on leaf litter is a bird to the network. Its
# odds are those that its neighbours in feature space predict, and a quarter of its own.
ODDS_STRENGTH, OWN_SHARE = 10.0, 0.25
# Natural log-odds below which a photo is left out, and below which a person should look. Of 140
# photos of mushrooms 0 to 2 % lie below the first and 3 to 8 % below the second; of flowers among
# them about 84 % and 96 % (25 of each 165 photos; benchmarks/cleaning.py prints both).
NO_MUSHROOM_ODDS, DOUBTFUL_ODDS = -2.5, -1.0
# The pretrained weights were trained at 224 pixels. At 128 their scores are too unsure to act on:
# one mushroom in ten would be left out.
JUDGED_FROM_SIDE = 192
JUDGED_FAMILY = "mobilenet"  # the one that the odds were measured with
JUDGED_FROM_PHOTOS = 20  # fewer say too little about each other

LABEL_STRENGTH = 1.0
# Margins below which a photo is left out of the training part, and below which a person should
# look. Chosen on 200 flowers, judged by the 60 % of them that are the training part: with right
# labels 1 % of all photos are left out (1.5 % at most, in 10 splits); with every tenth label wrong,
# 84 % of the wrong ones and 6 % of the right ones are left out or flagged (benchmarks/cleaning.py).
OTHER_CLASS_MARGIN, DOUBTFUL_MARGIN = -0.3, -0.2


@dataclass(frozen=True)
class Labels:
    """What the training photos say of each photo's label.

    Attributes:
        margins: float64 (N,), the score of the photo's own class less that of the best other one,
            -2 to 2 or so; NaN where nothing was said.
        nearest: the best other class of each photo.
    """

    margins: NDArray[np.float64]
    nearest: tuple[str, ...]

    @property
    def suspect(self) -> NDArray[np.bool_]:
        """Photos that a person should look at."""
        doubtful: NDArray[np.bool_] = self.margins < DOUBTFUL_MARGIN
        return doubtful

    @property
    def clear(self) -> NDArray[np.bool_]:
        """Those of them that are not to be learnt from."""
        clear: NDArray[np.bool_] = self.margins < OTHER_CLASS_MARGIN
        return clear


def mushroom_odds(
    features: NDArray[np.float32], scores: NDArray[np.float16], groups: Sequence[str]
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
    odds: NDArray[np.float64] = fitted.left_out[:, 0] + OWN_SHARE * (own - own.mean())
    return odds


def may_leave_out(vectors: Bottlenecks) -> bool:
    """True where the odds are sure enough to leave photos out, not only to flag them."""
    architecture = parse_architecture(vectors.key.architecture)
    return architecture.family.name == JUDGED_FAMILY and architecture.size >= JUDGED_FROM_SIDE


def judge_labels(
    features: NDArray[np.float32],
    labels: Sequence[str],
    groups: Sequence[str],
    training: NDArray[np.bool_],
) -> Labels:
    """Compare each photo with the training photos of all classes.

    Args:
        features: float32 (N, D).
        labels: the class of each photo.
        groups: of each photo; a training photo is judged by the training photos of other groups.
        training: bool (N,), the photos that are learnt from.

    Returns:
        Nothing (NaN margins) where fewer than two classes have training photos.
    """
    names = sorted({label for label, used in zip(labels, training, strict=True) if used})
    classes = np.array([names.index(label) if label in names else -1 for label in labels])
    if len(names) < 2:
        return Labels(np.full(len(labels), np.nan), ("",) * len(labels))
    learnt = np.flatnonzero(training)
    wanted = np.eye(len(names))[classes[learnt]]
    # Each class counts the same, however many photos it has.
    counts = wanted.sum(axis=0)
    fitted = ridge.fit(
        features[learnt],
        wanted,
        [groups[row] for row in learnt.tolist()],
        strength=LABEL_STRENGTH,
        weights=1 / counts[classes[learnt]],
    )
    scores = fitted.predict(features)
    scores[learnt] = fitted.left_out
    own = np.where(classes >= 0, scores[np.arange(len(labels)), classes], np.nan)
    known = np.flatnonzero(classes >= 0)
    scores[known, classes[known]] = -np.inf
    best = scores.argmax(axis=1)
    return Labels(own - scores[np.arange(len(labels)), best], tuple(names[place] for place in best))
