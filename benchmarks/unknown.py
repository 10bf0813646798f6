"""Is a photo of something else told from the classes? `make bench-unknown IMAGES=… REPORTED=…`.

For each kind of a set in turn: the kind is left out, heads are trained on the others (5 folds over
whole groups), and each score is asked of photos that its head has not seen: of the known kinds, of
the kind that was left out, and of the other set. AUROC 1 tells all apart, 0.5 none. The first
folder is the one to choose a score on, the second the one to report.
"""

import argparse
import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.accuracy import read
from components.common import backbone, bottlenecks, splits
from components.common.architecture import DEFAULT_ARCHITECTURE
from components.common.files import default_cache_dir
from components.common.model import similarity, unit_length
from components.common.step import run_command
from components.retrain.calibrate import NEIGHBOURS
from components.retrain.head import PIPELINE, Examples, Head, softmax, train

FOLDS = 5
SHRINKAGE = 0.5  # of the within-class covariance, in units of its mean variance
LOGIT_SHARES = (0.3, 0.5, 0.7, 1.0)

Scores = dict[str, NDArray[np.float64]]


def gather(folder: Path) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Bottlenecks, classes and groups of a folder's photos."""
    photos, contents = read(folder)
    network = backbone.load_backbone(DEFAULT_ARCHITECTURE, default_cache_dir())
    kept_in = default_cache_dir() / bottlenecks.CACHE_FOLDER
    found = bottlenecks.compute(network, zip(photos, contents, strict=True), kept_in)
    vectors = found.vectors[found.rows(photos)]
    names = sorted({photo.label for photo in photos})
    groups = np.empty(len(photos), np.int64)
    near = splits.near_copies([photo.phash for photo in photos], vectors)
    for number, rows in enumerate(splits.group_photos(photos, near)):
        groups[rows] = number
    return vectors, np.array([names.index(photo.label) for photo in photos]), groups


def scorer(training: Examples, head: Head) -> Callable[[NDArray[np.float32]], Scores]:
    """Scores of photos: high for what looks like one of the classes."""
    unit = unit_length(training.vectors)
    classes = np.unique(training.labels)
    means = np.stack([unit[training.labels == label].mean(axis=0) for label in classes])
    within = unit - means[np.searchsorted(classes, training.labels)]
    covariance = (within.T @ within / len(within)).astype(np.float64)
    ridge = SHRINKAGE * np.trace(covariance) / len(covariance)
    precision = np.linalg.inv(covariance + ridge * np.eye(len(covariance)))

    def score(vectors: NDArray[np.float32]) -> Scores:
        directions = unit_length(vectors)
        logits = head.logits(vectors).astype(np.float64)
        distances = [
            np.einsum("nd,de,ne->n", directions - mean, precision, directions - mean)
            for mean in means
        ]
        return {
            "largest probability": softmax(head.logits(vectors)).max(axis=1).astype(np.float64),
            "largest logit": logits.max(axis=1),
            "similarity (today's rule)": similarity(directions, unit, NEIGHBOURS).astype(
                np.float64
            ),
            "Mahalanobis distance": -np.min(distances, axis=0),
        }

    return score


def with_sums(scores: Scores, known: Scores) -> Scores:
    """Also sums of distance and logit, each in units of its deviation over the known photos."""
    distance, logit = "Mahalanobis distance", "largest logit"
    sums = {
        f"distance + {share} logit": scores[distance] / known[distance].std()
        + share * scores[logit] / known[logit].std()
        for share in LOGIT_SHARES
    }
    return {**scores, **sums}


def leave_out(
    kind: int,
    vectors: NDArray[np.float32],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    others: NDArray[np.float32],
) -> dict[str, tuple[float, float]]:
    """AUROC of each score against the kind that is left out, and against the other set."""
    rest = labels != kind
    inputs, kept_groups = vectors[rest], groups[rest]
    classes = np.unique(labels[rest])
    kept = np.searchsorted(classes, labels[rest])
    parts: dict[str, list[Scores]] = {"known": [], "left out": [], "others": []}
    recipe = dataclasses.replace(PIPELINE, eval_step_interval=10**9)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for seen, unseen in folds.split(inputs, kept, kept_groups):
        training = Examples(inputs[seen], kept[seen])
        nothing = Examples(inputs[:0], kept[:0])
        score = scorer(training, train(training, nothing, len(classes), recipe, lambda _: None))
        asked = (("known", inputs[unseen]), ("left out", vectors[~rest]), ("others", others))
        for part, photos in asked:
            parts[part].append(score(photos))
    whole = {
        part: {name: np.concatenate([one[name] for one in found]) for name in found[0]}
        for part, found in parts.items()
    }
    known, left_out, other = (
        with_sums(whole[part], whole["known"]) for part in ("known", "left out", "others")
    )
    return {
        name: (_auroc(known[name], left_out[name]), _auroc(known[name], other[name]))
        for name in known
    }


def _auroc(known: NDArray[np.float64], unknown: NDArray[np.float64]) -> float:
    truth = np.concatenate([np.ones(len(known)), np.zeros(len(unknown))])
    return float(roc_auc_score(truth, np.concatenate([known, unknown])))


def measure(options: argparse.Namespace) -> None:
    """Print a table for each folder."""
    sets = {folder: gather(folder) for folder in (options.chosen_on, options.reported)}
    for folder, (vectors, labels, groups) in sets.items():
        others = next(found[0] for place, found in sets.items() if place != folder)
        ask = functools.partial(
            leave_out, vectors=vectors, labels=labels, groups=groups, others=others
        )
        results = [ask(kind) for kind in np.unique(labels).tolist()]
        print(
            f"{folder.name}: {len(labels)} photos, one of {len(results)} kinds left out at a time"
        )
        print(f"  AUROC{'':<24} left-out kind, mean (least to most)   the other set")
        for name in results[0]:
            near, far = np.array([result[name] for result in results]).T
            spread = f"{near.mean():.3f} ({near.min():.3f} to {near.max():.3f})"
            print(f"  {name:<28} {spread:<38} {far.mean():.3f}", flush=True)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unknown", description=__doc__)
    parser.add_argument("chosen_on", type=Path, help="folder of class folders of photos")
    parser.add_argument("reported", type=Path, help="another one, of other things")
    run_command("benchmarks.unknown", parser, measure)


if __name__ == "__main__":
    main()
