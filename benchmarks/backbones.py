"""Which backbone? `make bench-backbones IMAGES=folder`, a folder a class.

The head of the pipeline's recipe and scikit-learn's logistic regression on the features of each
network, by repeated cross-validation over whole groups: the same folds for all, the differences
from the first network paired. Then what each network takes for a photo, from JPEG to features on
all cores, taking turns: by the clock, and in processor time, which other work on the machine
disturbs less.
"""

import argparse
import collections
import dataclasses
import functools
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks import accuracy
from benchmarks.accuracy import Material
from benchmarks.accuracy_figures import Photos, Result, heading, show
from components.common.base.files import default_cache_dir
from components.common.base.step import run_command
from components.common.dataset.dataset import Dataset, stream_all
from components.common.network import backbone, bottlenecks
from components.common.network.backbone import Backbone
from components.common.network.convert import quiet_tensorflow
from components.retrain.options import PIPELINE

ARCHITECTURES = (
    "mobilenet_1.0_224",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
)
ROUNDS = 3  # of the measurement of speed


def seen_by(material: Material, network: Backbone) -> Material:
    """The same photos and groups with the features of another network."""
    kept_in = default_cache_dir() / bottlenecks.CACHE_FOLDER
    found = bottlenecks.compute(network, stream_all([material.dataset]), kept_in)
    vectors = found.vectors[found.rows(material.photos)]
    return dataclasses.replace(material, vectors=vectors)


def compare(materials: Mapping[str, Material]) -> None:
    """Print a table of each method, the networks below one another."""
    first = next(iter(materials.values()))
    photos = Photos.of(first.labels, first.groups)
    for method in ("pipeline's recipe", "scikit-learn LogisticRegression"):
        print(f"  {method}\n{heading()}")
        reference: Result | None = None
        for name, material in materials.items():
            if method == "pipeline's recipe":
                fit = functools.partial(accuracy.ours, material, PIPELINE, copies=False)
            else:
                fit = functools.partial(
                    accuracy.logistic_regression, material.vectors, labels=material.labels
                )
            result = accuracy.cross_validate(f"  {name}", fit, material)
            show(result, photos, reference)
            reference = reference or result


def show_speeds(dataset: Dataset, networks: Mapping[str, Backbone]) -> None:
    """Print photos a second and processor time, medians of rounds in which networks take turns."""
    rates, costs = collections.defaultdict(list), collections.defaultdict(list)
    for _ in range(ROUNDS):
        for name, network in networks.items():
            start, used = time.perf_counter(), time.process_time()
            bottlenecks.compute(network, stream_all([dataset]))
            rates[name].append(len(dataset.photos) / (time.perf_counter() - start))
            costs[name].append(1000 * (time.process_time() - used) / len(dataset.photos))
    first = statistics.median(next(iter(costs.values())))
    for name in networks:
        rate, cost = statistics.median(rates[name]), statistics.median(costs[name])
        print(
            f"  {name:<38} {rate:6.1f} photos/s, {cost:5.1f} ms of processor time a photo: "
            f"{first / cost:.2f} x as fast by that"
        )


def measure(folder: Path, architectures: Sequence[str]) -> None:
    """Print accuracy and speed of each network on one folder."""
    quiet_tensorflow()
    networks = {name: backbone.load_backbone(name, default_cache_dir()) for name in architectures}
    first, *others = networks.values()
    with tempfile.TemporaryDirectory() as scratch:
        material = accuracy.gather(folder, first, Path(scratch), methods=())
        materials = {architectures[0]: material}
        for network in others:
            materials[network.architecture.name] = seen_by(material, network)
        print(
            f"{len(material.photos)} photos, {material.classes} classes: {accuracy.REPEATS} x "
            f"{accuracy.FOLDS}-fold cross-validation over groups; differences from "
            f"{architectures[0]} with 95 % intervals; columns as of bench-accuracy"
        )
        compare(materials)
        show_speeds(material.dataset, networks)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backbones", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of class folders")
    parser.add_argument(
        "--architectures",
        default=",".join(ARCHITECTURES),
        help="with commas; the first is what the others are compared with (default: %(default)s)",
    )
    run_command(
        "backbones",
        parser,
        lambda options: measure(options.folder, options.architectures.split(",")),
    )


if __name__ == "__main__":
    main()
