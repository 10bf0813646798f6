"""How good is the recipe beside a peer? `make bench IMAGES=folder` (a folder per class).

Repeated stratified 5-fold cross-validation over whole groups, the same folds for all: our head with
retrain.py's recipe, scikit-learn's logistic regression on the same bottlenecks, and a baseline that
sees only file size and dimensions, which must be near chance or the photos leak.
"""

import argparse
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import recall_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from components.common import backbone, bottlenecks, images, splits
from components.common.class_folders import class_files, list_classes
from components.common.files import default_cache_dir
from components.common.images import BadPhoto
from components.common.photo import Photo
from components.common.step import run_command
from components.retrain.head import Examples, Recipe, train

FOLDS = 5
REPEATS = 5

Fit = Callable[[NDArray, NDArray, NDArray, int], NDArray]


def read(folder: Path) -> tuple[list[Photo], list[bytes]]:
    """Every usable photo of a folder of classes."""
    photos, contents = [], []
    for label in list_classes(folder):
        for path in class_files(folder, label):
            source = path.read_bytes()
            try:
                clean = images.to_clean_jpeg(source)
            except BadPhoto:
                continue
            photos.append(
                Photo(
                    label=label,
                    source_sha256=hashlib.sha256(source).hexdigest(),
                    sha256=hashlib.sha256(clean.data).hexdigest(),
                    size=len(source),
                    width=clean.width,
                    height=clean.height,
                    phash=images.phash(clean.data),
                )
            )
            contents.append(clean.data)
    return photos, contents


def ours(vectors: NDArray, labels: NDArray, test: NDArray, seed: int) -> NDArray:
    """The head as the pipeline trains it, on all photos that are not held out."""
    training = Examples(vectors, labels)
    nothing = Examples(vectors[:0], labels[:0])
    head = train(training, nothing, int(labels.max()) + 1, Recipe(seed=seed), lambda _: None)
    return head.logits(test).argmax(axis=1)


def logistic_regression(vectors: NDArray, labels: NDArray, test: NDArray, seed: int) -> NDArray:
    """scikit-learn's, as its documentation starts it."""
    peer = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, random_state=seed))
    return peer.fit(vectors, labels).predict(test)


def cross_validate(
    name: str, fit: Fit, vectors: NDArray, labels: NDArray, groups: Sequence[int]
) -> list[float]:
    """Macro recall of each repeat, over the predictions of all folds together."""
    recalls = []
    for repeat in range(REPEATS):
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=repeat)
        predicted = np.empty_like(labels)
        for rest, held_out in folds.split(vectors, labels, groups):
            predicted[held_out] = fit(vectors[rest], labels[rest], vectors[held_out], repeat)
        recalls.append(float(recall_score(labels, predicted, average="macro")))
    print(
        f"  {name:<34} {np.mean(recalls):.3f}   {min(recalls):.3f} to {max(recalls):.3f}",
        flush=True,
    )
    return recalls


def measure(options: argparse.Namespace) -> None:
    """Print the table of one folder."""
    photos, contents = read(options.folder)
    network = backbone.load_backbone(options.architecture, default_cache_dir())
    pairs = zip(photos, contents, strict=True)
    found = bottlenecks.compute(network, pairs, default_cache_dir() / bottlenecks.CACHE_FOLDER)
    vectors = found.vectors[found.rows(photos)]
    near = splits.near_copies([photo.phash for photo in photos], vectors)
    groups = np.empty(len(photos), np.int64)
    for number, rows in enumerate(splits.group_photos(photos, near)):
        groups[rows] = number
    names = sorted({photo.label for photo in photos})
    labels = np.array([names.index(photo.label) for photo in photos])
    sizes = np.array([(photo.size, photo.width, photo.height) for photo in photos], np.float32)
    print(
        f"{len(photos)} photos, {len(names)} classes, {options.architecture}: macro recall, mean "
        f"and range of {REPEATS} x {FOLDS}-fold cross-validation (chance {1 / len(names):.3f})"
    )
    cross_validate("our head, retrain.py's recipe", ours, vectors, labels, groups)
    cross_validate("scikit-learn LogisticRegression", logistic_regression, vectors, labels, groups)
    cross_validate("file size and dimensions alone", logistic_regression, sizes, labels, groups)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with one subfolder of photos per class")
    parser.add_argument("--architecture", default=backbone.DEFAULT_ARCHITECTURE)
    run_command("benchmarks.accuracy", parser, measure)


if __name__ == "__main__":
    main()
