"""Does the temperature help on photos that it was not fitted on? `make bench-temperature IMAGES=…`.

5 × 5-fold cross-validation over whole groups: on four folds a head is trained and the temperature
fitted, as `retrain` does it (on out-of-fold scores of these four); on the fifth, log loss and
expected calibration error are measured with it and without. Both for the pipeline's recipe and for
two others: without penalty, which makes heads too sure of themselves, and with a penalty so large
that they are too modest. Differences are paired by photo, with
95 % intervals of 2,000 bootstrap samples of groups. Exit status 1 where the log loss with the
temperature is higher.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.unknown import FOLDS, RECIPE, gather
from components.common.base.step import run_command
from components.common.model.model import softmax
from components.common.network.architecture import DEFAULT_ARCHITECTURE
from components.retrain import calibrate
from components.retrain.head import Examples, train
from components.retrain.options import Recipe

REPEATS = 5
SAMPLES = 2000
BINS = 10  # of the calibration error, equally wide (Guo et al. 2017, arXiv:1706.04599)

RECIPES = {
    "pipeline's recipe": RECIPE,
    "no penalty, rate 0.01": dataclasses.replace(RECIPE, l2=0.0, learning_rate=0.01),
    "ten times the penalty": dataclasses.replace(RECIPE, l2=10 * RECIPE.l2),
}

Losses = NDArray[np.float64]


def measure(options: argparse.Namespace) -> int:
    """Print the table of each folder."""
    worse = 0
    for folder in options.folders:
        vectors, labels, groups = gather(folder, options.architecture)
        classes = int(labels.max()) + 1
        rows = np.arange(len(labels))
        for name, recipe in RECIPES.items():
            losses, errors, temperatures = [], [], []
            for repeat in range(REPEATS):
                examples = Examples(vectors, labels)
                before, after, fitted = _repeat(examples, groups, classes, recipe, repeat)
                losses.append([-np.log(part[rows, labels]) for part in (before, after)])
                errors.append([_calibration_error(part, labels) for part in (before, after)])
                temperatures += fitted
            title = f"{folder.name}, {options.architecture}, {name}"
            worse += _report(title, np.array(losses), np.array(errors), temperatures, groups)
    return 1 if worse else 0


def _repeat(
    examples: Examples, groups: NDArray[np.int64], classes: int, recipe: Recipe, seed: int
) -> tuple[Losses, Losses, list[float]]:
    """Probabilities of every photo by a head that had not seen it, before and after."""
    before, after = (np.empty((len(examples), classes)) for _ in range(2))
    temperatures = []
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for seen, unseen in folds.split(examples.vectors, examples.labels, groups):
        training = Examples(examples.vectors[seen], examples.labels[seen])
        inner = calibrate.folds(training.labels, [str(group) for group in groups[seen]])
        found = calibrate.out_of_fold(training, inner, classes, recipe)
        temperature = calibrate.careful_temperature(found.logits, training.labels, inner)
        nothing = Examples(training.vectors[:0], training.labels[:0])
        head = train(training, nothing, classes, recipe, lambda _: None)
        logits = head.logits(examples.vectors[unseen])
        before[unseen], after[unseen] = softmax(logits), softmax(logits / np.float32(temperature))
        temperatures.append(temperature)
    return before, after, temperatures


def _calibration_error(probabilities: Losses, labels: NDArray[np.int64]) -> float:
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    gaps = [
        abs(float(right[bins == one].mean() - confidence[bins == one].mean())) * (bins == one).sum()
        for one in np.unique(bins)
    ]
    return float(sum(gaps) / len(labels))


def _report(
    name: str, losses: Losses, errors: Losses, temperatures: list[float], groups: NDArray[np.int64]
) -> bool:
    """Print one folder's figures; True where the temperature makes the log loss worse.

    Args:
        name: of the folder.
        losses: shape (repeats, 2, photos), without and with the temperature.
        errors: shape (repeats, 2), calibration errors.
        temperatures: of each fold.
        groups: of each photo.
    """
    without, with_it = losses.mean(axis=(0, 2))
    differences = (losses[:, 1] - losses[:, 0]).mean(axis=0)
    generator = np.random.default_rng(0)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    means = []
    for _ in range(SAMPLES):
        drawn = generator.integers(0, len(members), len(members))
        means.append(differences[np.concatenate([members[one] for one in drawn])].mean())
    low, high = np.quantile(means, [0.025, 0.975])
    print(
        f"{name}: {len(differences)} photos, {REPEATS} × {FOLDS} folds, temperature "
        f"{np.median(temperatures):.2f} ({min(temperatures):.2f} to {max(temperatures):.2f})\n"
        f"  log loss            {without:.4f} without, {with_it:.4f} with, difference "
        f"{with_it - without:+.4f} ({low:+.4f} to {high:+.4f})\n"
        f"  calibration error   {errors[:, 0].mean():.3f} without, {errors[:, 1].mean():.3f} with",
        flush=True,
    )
    return bool(with_it > without)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.temperature", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="folders of class folders of photos")
    parser.add_argument("--architecture", default=DEFAULT_ARCHITECTURE)
    run_command("benchmarks.temperature", parser, measure)


if __name__ == "__main__":
    main()
