"""Steps a second of training the head, beside keras.Model.fit: `make bench-head IMAGES=folder`.

Both train a softmax layer on the same 1,000 bottlenecks of 1,024 numbers (photos and distorted
copies of them; made-up ones without a folder), for 4,000 steps of 100, by plain gradient descent at
rate 0.01. They take turns, each in a process that has done it once before. The log loss over all
1,000 is printed too: a speed counts at equal log loss.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from components.common import backbone
from components.common.architecture import DEFAULT_ARCHITECTURE
from components.common.class_folders import class_files, list_classes
from components.common.convert import quiet_tensorflow
from components.common.files import default_cache_dir
from components.common.images import BadPhoto
from components.common.step import run_command
from components.retrain.distort import Distortions, distorted_input
from components.retrain.head import Examples, Head, Recipe, cross_entropy, train

ROWS, COLUMNS = 1000, 1024
STEPS, BATCH, RATE = 4000, 100, 0.01
ROUNDS = 3
TARGET = 10
DISTORTIONS = Distortions(flip_left_right=True, random_crop=10, random_brightness=10)


def made_up() -> Examples:
    """Clusters of the size and spread that bottlenecks of photos have."""
    generator = np.random.default_rng(0)
    labels = np.arange(ROWS) % 5
    centres = np.maximum(generator.normal(0.4, 0.5, (5, COLUMNS)), 0)
    vectors = np.maximum(centres[labels] + generator.normal(0, 0.8, (ROWS, COLUMNS)), 0)
    return Examples(vectors.astype(np.float32), labels)


def of_photos(folder: Path) -> Examples:
    """Bottlenecks of photos, and of as many distorted copies as make up the number."""
    network = backbone.load_backbone(DEFAULT_ARCHITECTURE, default_cache_dir())
    size = network.architecture.size
    names = list_classes(folder)
    files = [(label, path) for label in names for path in class_files(folder, label)]
    inputs, labels = [], []
    for number in range(ROWS):
        label, path = files[number % len(files)]
        generator = np.random.default_rng(number)
        try:
            inputs.append(distorted_input(path.read_bytes(), size, DISTORTIONS, generator))
        except BadPhoto:
            continue
        labels.append(names.index(label))
    rows = [network(np.stack(inputs[at : at + 16]))[0] for at in range(0, len(inputs), 16)]
    return Examples(np.concatenate(rows), np.array(labels))


def ours(examples: Examples, classes: int) -> float:
    """Train with retrain.py's recipe; returns the log loss."""
    recipe = Recipe(
        how_many_training_steps=STEPS,
        learning_rate=RATE,
        train_batch_size=BATCH,
        eval_step_interval=STEPS,
    )
    nothing = Examples(examples.vectors[:0], examples.labels[:0])
    head = train(examples, nothing, classes, recipe, lambda _: None)
    return cross_entropy(head.logits(examples.vectors), examples.labels)


def keras_fit(examples: Examples, classes: int) -> float:
    """The same by keras.Model.fit; returns the log loss."""
    import keras

    model = keras.Sequential(
        [keras.Input((examples.vectors.shape[1],)), keras.layers.Dense(classes)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.SGD(RATE), loss=loss)
    epochs = STEPS * BATCH // len(examples)
    model.fit(examples.vectors, examples.labels, batch_size=BATCH, epochs=epochs, verbose=0)
    weights, biases = model.layers[-1].get_weights()
    return cross_entropy(Head(weights, biases).logits(examples.vectors), examples.labels)


def measure(options: argparse.Namespace) -> int:
    """Print the table; 1 where the target is missed."""
    quiet_tensorflow()
    examples = of_photos(options.folder) if options.folder else made_up()
    classes = int(examples.labels.max()) + 1
    rivals: dict[str, Callable[[Examples, int], float]] = {
        "ours": ours,
        "keras.Model.fit": keras_fit,
    }
    rates: dict[str, list[float]] = {name: [] for name in rivals}
    losses = {}
    for counted in (False, *[True] * ROUNDS):
        for name, run in rivals.items():
            started = time.perf_counter()
            losses[name] = run(examples, classes)
            if counted:
                rates[name].append(STEPS / (time.perf_counter() - started))
    shape = f"{len(examples)} x {examples.vectors.shape[1]}"
    print(f"{STEPS} steps of {BATCH} on {shape}, {classes} classes")
    for name, found in rates.items():
        print(
            f"  {name:<16} {statistics.median(found):8.0f} steps/s "
            f"({min(found):.0f} to {max(found):.0f})   log loss {losses[name]:.4f}"
        )
    ratio = statistics.median(rates["ours"]) / statistics.median(rates["keras.Model.fit"])
    print(f"  ratio {ratio:.1f}, target {TARGET}")
    return int(ratio < TARGET)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.head_speed", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="folder of class folders of photos")
    run_command("benchmarks.head_speed", parser, measure)


if __name__ == "__main__":
    sys.exit(main())
