"""Is a photo of something else told from the classes? `make bench-unknown IMAGES=… REPORTED=…`.

For each kind of a set in turn: the kind is left out, heads are trained on the others (5 folds over
whole groups), and each score is asked of photos that its head has not seen: of the known kinds, of
the kind that was left out, and of the other set. AUROC 1 tells all apart, 0.5 none. Distances and
rule are fitted as `retrain` fits them, on the training folds alone. The rule's constants were
chosen on the first folder, the second is reported; exit status 1 where ours misses a target there,
or does not beat the largest probability (Hendrycks & Gimpel 2017, arXiv:1610.02136).
"""

import argparse
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.accuracy import read
from components.common.base.files import default_cache_dir
from components.common.base.step import run_command
from components.common.dataset.copies import near_copies
from components.common.dataset.groups import group_photos
from components.common.model.model import softmax
from components.common.network import backbone, bottlenecks
from components.common.network.architecture import DEFAULT_ARCHITECTURE
from components.retrain import calibrate
from components.retrain.head import Examples, train
from components.retrain.options import PIPELINE

FOLDS = 5
RECIPE = dataclasses.replace(PIPELINE, eval_step_interval=10**9)
BASELINE = "largest probability"
OURS = "ours: distance and logit"
ANSWERED = "answered"
TARGETS = (0.75, 0.97)  # AUROC for the kind left out, and for the other set

Vectors = NDArray[np.float32]
Scores = dict[str, NDArray[np.float64]]
Areas = tuple[float, float]
Ask = Callable[[int], tuple[dict[str, Areas], tuple[float, float, float]]]


def gather(
    folder: Path, architecture: str = DEFAULT_ARCHITECTURE
) -> tuple[Vectors, NDArray[np.int64], NDArray[np.int64]]:
    """Bottlenecks, classes and groups of a folder's photos."""
    photos, contents = read(folder)
    network = backbone.load_backbone(architecture, default_cache_dir())
    kept_in = default_cache_dir() / bottlenecks.CACHE_FOLDER
    found = bottlenecks.compute(network, zip(photos, contents, strict=True), kept_in)
    rows = found.rows(photos)
    vectors = found.vectors[rows]
    names = sorted({photo.label for photo in photos})
    groups = np.empty(len(photos), np.int64)
    near = near_copies(found.fingerprints_of(rows), vectors, found.family, found.key.views)
    for number, members in enumerate(group_photos(photos, near)):
        groups[members] = number
    return vectors, np.array([names.index(photo.label) for photo in photos]), groups


def score(
    training: Examples, groups: Sequence[str], classes: int, asked: Mapping[str, Vectors]
) -> dict[str, Scores]:
    """Scores of photos, high for what looks like one of the classes, as `retrain` would fit them.

    Args:
        training: photos of the known kinds.
        groups: the group of each.
        classes: number of known kinds.
        asked: bottlenecks of photos to score, by the name of their part.
    """
    fold = calibrate.folds(training.labels, groups)
    found = calibrate.out_of_fold(training, fold, classes, RECIPE)
    fitted = calibrate.calibrate(found)
    rule, nothing = fitted.unknown, Examples(training.vectors[:0], training.labels[:0])
    head = train(training, nothing, classes, RECIPE, lambda _: None)
    scores = {}
    for part, vectors in asked.items():
        logits, distances = head.logits(vectors), fitted.distances(vectors)
        together = rule.score(distances, logits.max(axis=1))
        scores[part] = {
            BASELINE: softmax(logits).max(axis=1).astype(np.float64),
            "largest logit": logits.max(axis=1).astype(np.float64),
            "Mahalanobis distance": -distances.astype(np.float64),
            OURS: together,
            ANSWERED: (~rule.rejects(rule.familiarity(together))).astype(np.float64),
        }
    return scores


def leave_out(
    kind: int,
    vectors: Vectors,
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    others: Vectors,
) -> tuple[dict[str, tuple[float, float]], tuple[float, float, float]]:
    """What each score tells of the kind that is left out, and of the other set.

    Returns:
        AUROC of each score for the two, and the shares of photos that the rule calls unknown: of
        the known kinds, of the kind left out and of the other set.
    """
    rest = labels != kind
    inputs, kept_groups = vectors[rest], groups[rest]
    classes = np.unique(labels[rest])
    kept = np.searchsorted(classes, labels[rest])
    parts: dict[str, list[Scores]] = {"known": [], "left out": [], "others": []}
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for seen, unseen in folds.split(inputs, kept, kept_groups):
        asked = {"known": inputs[unseen], "left out": vectors[~rest], "others": others}
        names = [str(group) for group in kept_groups[seen]]
        found = score(Examples(inputs[seen], kept[seen]), names, len(classes), asked)
        for part, scores in found.items():
            parts[part].append(scores)
    whole = {
        part: {name: np.concatenate([one[name] for one in found]) for name in found[0]}
        for part, found in parts.items()
    }
    known, left_out, other = (whole[part] for part in ("known", "left out", "others"))
    areas = {
        name: (_auroc(known[name], left_out[name]), _auroc(known[name], other[name]))
        for name in known
        if name != ANSWERED
    }
    rejected = [1 - float(part[ANSWERED].mean()) for part in (known, left_out, other)]
    return areas, (rejected[0], rejected[1], rejected[2])


def _auroc(known: NDArray[np.float64], unknown: NDArray[np.float64]) -> float:
    truth = np.concatenate([np.ones(len(known)), np.zeros(len(unknown))])
    return float(roc_auc_score(truth, np.concatenate([known, unknown])))


def report(name: str, vectors: Vectors, labels: NDArray[np.int64], ask: Ask) -> dict[str, Areas]:
    """Print one set's table; returns the mean areas of each score."""
    results = [ask(kind) for kind in np.unique(labels).tolist()]
    print(f"{name}: {len(vectors)} photos, one of {len(results)} kinds left out at a time")
    print(f"  AUROC{'':<24} left-out kind, mean (least to most)   the other set")
    means = {}
    for score_name in results[0][0]:
        near, far = np.array([areas[score_name] for areas, _ in results]).T
        spread = f"{near.mean():.3f} ({near.min():.3f} to {near.max():.3f})"
        far_spread = f"{far.mean():.3f} ({far.min():.3f} to {far.max():.3f})"
        print(f"  {score_name:<28} {spread:<38} {far_spread}", flush=True)
        means[score_name] = (float(near.mean()), float(far.mean()))
    known, left_out, others = np.array([rejected for _, rejected in results]).mean(axis=0)
    print(
        f'  called "none of these": {known:.3f} of the known kinds, {left_out:.3f} of the kind '
        f"left out, {others:.3f} of the other set"
    )
    return means


def measure(options: argparse.Namespace) -> int:
    """Print a table for each folder; 1 where a target is missed on the reported one."""
    folders = (options.chosen_on, options.reported)
    sets = {folder: gather(folder, options.architecture) for folder in folders}
    print(options.architecture)
    means: dict[str, Areas] = {}
    for folder, (vectors, labels, groups) in sets.items():
        others = next(found[0] for place, found in sets.items() if place != folder)
        ask = functools.partial(
            leave_out, vectors=vectors, labels=labels, groups=groups, others=others
        )
        means = report(folder.name, vectors, labels, ask)
    missed = 0
    for what, area, target, baseline in zip(
        ("left-out kind", "the other set"), means[OURS], TARGETS, means[BASELINE], strict=True
    ):
        met = area >= target and area > baseline
        missed += not met
        print(
            f"{options.reported.name}, {what}: {area:.3f}, target {target} and more than "
            f"{BASELINE} ({baseline:.3f}): {'met' if met else 'MISSED'}"
        )
    return 1 if missed else 0


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.unknown", description=__doc__)
    parser.add_argument("chosen_on", type=Path, help="folder of class folders of photos")
    parser.add_argument("reported", type=Path, help="another one, of other things")
    parser.add_argument("--architecture", default=DEFAULT_ARCHITECTURE)
    run_command("benchmarks.unknown", parser, measure)


if __name__ == "__main__":
    main()
