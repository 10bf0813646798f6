"""How good is the recipe beside its peers? `make bench-accuracy IMAGES=folder`, a folder a class.

Repeated stratified 5-fold cross-validation over whole groups, the same folds for all:

- our head with retrain.py's recipe, with the pipeline's and with the one that it had before; the
  pipeline's also with distorted copies, and followed by a little fine-tuning (first repeat only: it
  takes minutes);
- the Keras transfer-learning guide's recipe on the same network (keras.io/guides/transfer_learning:
  frozen base, random flips and rotations, dropout 0.2, a dense layer, Adam, 20 epochs of batches of
  64). Since the base is frozen, the bottlenecks of each epoch's augmented photos are computed once
  and used in every fold: the same computation, shared;
- scikit-learn's logistic regression on the same bottlenecks;
- a baseline that sees only file size and dimensions, which must be near chance or the photos leak.

Photos are read as `clean` takes them. Intervals are 95 % of 2,000 bootstrap samples of groups. The
calibration error (ECE) of so few photos is above 0 also where the probabilities are right: its
difference says more than itself. Exit status 1 where retrain.py's recipe has a surely better macro
recall or log loss than the pipeline's: a difference whose interval leaves out 0.
"""

import argparse
import dataclasses
import functools
import hashlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.accuracy_figures import (
    LOG_LOSS,
    RECALL,
    Measured,
    Photos,
    Result,
    heading,
    show,
)
from components.common.base.errors import InputError
from components.common.base.files import default_cache_dir
from components.common.base.step import run_command
from components.common.dataset.class_folders import class_files, list_classes
from components.common.dataset.copies import near_copies
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.groups import group_photos
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import TRAINING
from components.common.model.model import softmax
from components.common.network import backbone, bottlenecks, weights_sources
from components.common.network.architecture import DEFAULT_ARCHITECTURE
from components.common.network.backbone import Backbone
from components.common.network.convert import quiet_tensorflow
from components.common.network.views import network_name
from components.common.photos import images
from components.common.photos.images import BadPhoto
from components.retrain import export
from components.retrain.distort import distorted_bottlenecks
from components.retrain.finetune import fine_tune, predict
from components.retrain.head import Examples, Head, train
from components.retrain.options import PIPELINE, Distortions, FineTuning, Recipe

FOLDS = 5
REPEATS = 5
ROWS = ("former", "retrain", "copies", "keras", "scikit-learn", "sizes", "tuned")
FORMER = dataclasses.replace(PIPELINE, l2=0.03, scale_bottlenecks=False)
DISTORTIONS = Distortions(
    flip_left_right=True, random_crop=10, random_scale=10, random_brightness=10
)
FINE_TUNING = FineTuning(fine_tune_steps=30)
KERAS_EPOCHS, KERAS_BATCH, KERAS_DROPOUT, KERAS_ROTATION = 20, 64, 0.2, 0.1

Rows = NDArray[np.intp]
Fit = Callable[[Rows, Rows, int], NDArray[np.float32]]


@dataclass(frozen=True)
class Material:
    """N photos, their vectors, classes, groups and versions.

    Attributes:
        vectors: float32 (N, D).
        labels: int64 (N,).
        groups: int64 (N,).
        sizes: float32 (N, 3), bytes, width and height of each file as it came.
        dataset: the photos.
        photos: its rows, in order.
        copies: vectors of distorted copies.
        augmented: vectors of Keras's augmented copies, one for each epoch.
    """

    vectors: NDArray[np.float32]
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    sizes: NDArray[np.float32]
    dataset: Dataset
    photos: list[Photo]
    copies: Sequence[NDArray[np.float32]]
    augmented: Sequence[NDArray[np.float32]]

    @property
    def classes(self) -> int:
        """How many there are."""
        return int(self.labels.max()) + 1


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
                )
            )
            contents.append(clean.data)
    return photos, contents


def gather(folder: Path, network: Backbone, scratch: Path, methods: Sequence[str]) -> Material:
    """Everything that the methods need, computed once."""
    kept_in = default_cache_dir() / bottlenecks.CACHE_FOLDER
    read_photos, contents = read(folder)
    with DatasetWriter(scratch / "dataset") as writer:
        photos = [
            writer.add(photo, data) for photo, data in zip(read_photos, contents, strict=True)
        ]
    dataset = Dataset(scratch / "dataset")
    found = bottlenecks.compute(network, zip(photos, contents, strict=True), kept_in)
    places = found.rows(photos)
    vectors = found.vectors[places]
    near = near_copies(found.fingerprints_of(places), vectors, found.family, found.key.views)
    groups = np.empty(len(photos), np.int64)
    for number, rows in enumerate(group_photos(photos, near)):
        groups[rows] = number
    return Material(
        vectors,
        np.array([dataset.labels.index(photo.label) for photo in photos]),
        groups,
        np.array([(one.size, one.width, one.height) for one in read_photos], np.float32),
        dataset,
        photos,
        distorted_bottlenecks(network, dataset, photos, DISTORTIONS, kept_in, seed=0)
        if "copies" in methods
        else [],
        keras_copies(network, contents) if "keras" in methods else [],
    )


def keras_copies(network: Backbone, contents: Sequence[bytes]) -> list[NDArray[np.float32]]:
    """Bottlenecks of the photos as the guide's augmentation shows them in each epoch."""
    import keras

    keras.utils.set_random_seed(0)
    layers = [
        keras.layers.RandomFlip("horizontal"),
        keras.layers.RandomRotation(KERAS_ROTATION),
    ]
    inputs = [images.model_input(data, network.key.input_size) for data in contents]
    epochs = []
    for _ in range(KERAS_EPOCHS):
        rows = []
        for start in range(0, len(inputs), 16):
            batch = np.stack(inputs[start : start + 16])
            for layer in layers:
                batch = np.asarray(layer(batch, training=True))
            rows.append(network(batch)[0])
        epochs.append(np.concatenate(rows))
    return epochs


def ours(
    material: Material, recipe: Recipe, rest: Rows, held_out: Rows, seed: int, *, copies: bool
) -> NDArray[np.float32]:
    """A head of ours, on all photos that are not held out."""
    return softmax(
        our_head(material, recipe, rest, seed, copies=copies).logits(material.vectors[held_out])
    )


def our_head(material: Material, recipe: Recipe, rest: Rows, seed: int, *, copies: bool) -> Head:
    """A head of ours."""
    versions = [material.vectors, *(material.copies if copies else [])]
    training = Examples(
        np.concatenate([version[rest] for version in versions]),
        np.tile(material.labels[rest], len(versions)),
    )
    nothing = Examples(material.vectors[:0], material.labels[:0])
    seeded = dataclasses.replace(recipe, seed=seed, eval_step_interval=10**9)
    return train(training, nothing, material.classes, seeded, lambda _: None)


def tuned(
    material: Material, network: Backbone, rest: Rows, held_out: Rows, seed: int
) -> NDArray[np.float32]:
    """The pipeline's recipe, then the top of the backbone for a few steps."""
    quiet_tensorflow()
    architecture = network.architecture
    pretrained = weights_sources.obtain(architecture, default_cache_dir())
    parts = ["held out"] * len(material.photos)
    for row in rest.tolist():
        parts[row] = TRAINING
    dataset = Dataset(material.dataset.path)
    dataset.photos = [
        dataclasses.replace(photo, split=part)
        for photo, part in zip(material.photos, parts, strict=True)
    ]
    with tempfile.TemporaryDirectory() as place:
        models = fine_tune(
            lambda head: export.build(architecture, pretrained, head, network.key.views),
            our_head(material, PIPELINE, rest, seed, copies=False),
            dataset,
            FINE_TUNING,
            checkpoint_path=place,
            origin="",
            seed=seed,
            distortions=DISTORTIONS,
            report=lambda _: None,
        )
    features, head = predict(models, dataset, [material.photos[row] for row in held_out.tolist()])
    return softmax(head.logits(features))


def keras_guide(material: Material, rest: Rows, held_out: Rows, seed: int) -> NDArray[np.float32]:
    """The guide's head on a frozen base."""
    import keras

    keras.utils.set_random_seed(seed)
    inputs = keras.Input((material.vectors.shape[1],))
    outputs = keras.layers.Dense(material.classes)(keras.layers.Dropout(KERAS_DROPOUT)(inputs))
    model = keras.Model(inputs, outputs)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(), loss=loss)
    for epoch in material.augmented:
        model.fit(epoch[rest], material.labels[rest], batch_size=KERAS_BATCH, verbose=0)
    return softmax(model.predict(material.vectors[held_out], verbose=0))


def logistic_regression(
    inputs: NDArray[np.float32], rest: Rows, held_out: Rows, seed: int, *, labels: NDArray[np.int64]
) -> NDArray[np.float32]:
    """scikit-learn's, as its documentation starts it."""
    peer = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, random_state=seed))
    peer.fit(inputs[rest], labels[rest])
    found: NDArray[np.float32] = peer.predict_proba(inputs[held_out])
    return found


def cross_validate(name: str, fit: Fit, material: Material, repeats: int = REPEATS) -> Result:
    """Predict every photo by what was fitted to the other folds."""
    shape = (repeats, len(material.labels), material.classes)
    found = np.zeros(shape)
    for repeat in range(repeats):
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=repeat)
        for rest, held_out in folds.split(material.vectors, material.labels, material.groups):
            found[repeat, held_out] = fit(rest, held_out, repeat)
    return Result(name, found)


def methods(material: Material, network: Backbone) -> dict[str, tuple[str, Fit, int]]:
    """What is measured beside the pipeline's recipe: by a word, its name, itself and repeats."""
    head = functools.partial(ours, material)
    steps = FINE_TUNING.fine_tune_steps
    regression = functools.partial(logistic_regression, labels=material.labels)
    return {
        "former": (
            "former recipe: l2 0.03, not scaled",
            functools.partial(head, FORMER, copies=False),
            REPEATS,
        ),
        "retrain": (
            "retrain.py's recipe",
            functools.partial(head, Recipe(), copies=False),
            REPEATS,
        ),
        "copies": (
            "pipeline's recipe, distorted copies",
            functools.partial(head, PIPELINE, copies=True),
            REPEATS,
        ),
        "keras": (
            "Keras transfer-learning guide",
            functools.partial(keras_guide, material),
            REPEATS,
        ),
        "scikit-learn": (
            "scikit-learn LogisticRegression",
            functools.partial(regression, material.vectors),
            REPEATS,
        ),
        "sizes": (
            "file size and dimensions alone",
            functools.partial(regression, material.sizes),
            REPEATS,
        ),
        "tuned": (
            f"pipeline's recipe, {steps} steps of fine-tuning*",
            functools.partial(tuned, material, network),
            1,
        ),
    }


def measure(options: argparse.Namespace) -> int:
    """Print the table of one folder; 1 where retrain.py's recipe is surely better than ours."""
    rows = [row for row in options.only.split(",") if row]
    if strange := set(rows) - set(ROWS):
        raise InputError(f"--only names {', '.join(strange)}: expected some of {', '.join(ROWS)}")
    quiet_tensorflow()
    network = backbone.load_backbone(options.architecture, default_cache_dir(), views=options.views)
    with tempfile.TemporaryDirectory() as scratch:
        material = gather(options.folder, network, Path(scratch), rows)
        photos = Photos.of(material.labels, material.groups)
        print(
            f"{len(material.photos)} photos, {material.classes} classes, "
            f"{network_name(options.architecture, options.views)}: "
            f"{REPEATS} x {FOLDS}-fold cross-validation over groups (chance "
            f"{1 / material.classes:.3f}), 95 % intervals; below each the paired difference from "
            f"the pipeline's recipe\n{heading()}"
        )
        pipeline = functools.partial(ours, material, PIPELINE, copies=False)
        reference = cross_validate("pipeline's recipe", pipeline, material)
        show(reference, photos)
        missed = 0
        for word, (name, fit, repeats) in methods(material, network).items():
            if word in rows:
                result = cross_validate(name, fit, material, repeats)
                difference = show(result, photos, reference)
                if word == "retrain" and difference is not None:
                    missed = surely_better(difference)
        print("  * first repeat only, and compared with that")
    return missed


def surely_better(difference: Measured) -> int:
    """Say whether retrain.py's recipe beats ours by more than its interval; how many figures."""
    better = {
        "macro recall": difference.low[RECALL] > 0,
        "log loss": difference.high[LOG_LOSS] < 0,
    }
    for name, surely in better.items():
        if surely:
            print(f"MISSED: retrain.py's recipe has a surely better {name} than the pipeline's")
    return int(any(better.values()))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder with one subfolder of photos per class")
    parser.add_argument("--architecture", default=DEFAULT_ARCHITECTURE)
    parser.add_argument("--views", type=int, default=1, help="of a photo (default: %(default)s)")
    parser.add_argument(
        "--only",
        default=",".join(ROWS),
        help=f"methods beside the pipeline's recipe, with commas (default: all, {','.join(ROWS)})",
    )
    run_command("benchmarks.accuracy", parser, measure)


if __name__ == "__main__":
    main()
