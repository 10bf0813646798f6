"""Which backbone, and how many views? `make bench-backbones IMAGES=folder`, a folder a class.

The head of the pipeline's recipe and scikit-learn's logistic regression on the features of each
network with each number of views, by repeated cross-validation over whole groups: the same folds
for all, the differences from the first row paired. Then what each takes for a photo, from JPEG to
features on all cores, taking turns: by the clock, and in processor time, which other work on the
machine disturbs less.
"""

import argparse
import collections
import dataclasses
import functools
import statistics
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from benchmarks import accuracy
from benchmarks.accuracy import Fit, Material
from benchmarks.accuracy_figures import Photos, Result, heading, show
from components.common.base.errors import InputError
from components.common.base.files import default_cache_dir
from components.common.base.step import run_command
from components.common.dataset.dataset import Dataset, stream_all
from components.common.network import backbone, bottlenecks
from components.common.network.backbone import Backbone
from components.common.network.convert import quiet_tensorflow
from components.common.network.views import VIEWS, network_name
from components.retrain.options import PIPELINE

ARCHITECTURES = (
    "mobilenet_1.0_224",
    "efficientnet_lite0",
    "efficientnet_lite1",
    "efficientnet_lite2",
)
ROUNDS = 3  # of the measurement of speed
METHODS = ("pipeline", "scikit-learn", "speed")


def parse_views(text: str) -> list[int]:
    """The numbers of views that a text names with commas.

    Raises:
        InputError: it names another number than there is.
    """
    known = {str(number): number for number in VIEWS}
    if strange := set(text.split(",")) - set(known):
        named, expected = ", ".join(map(repr, sorted(strange))), ", ".join(known)
        raise InputError(f"--views names {named}: expected some of {expected}")
    return [known[number] for number in text.split(",")]


def seen_by(material: Material, network: Backbone) -> Material:
    """The same photos and groups with the features of another network."""
    kept_in = default_cache_dir() / bottlenecks.CACHE_FOLDER
    found = bottlenecks.compute(network, stream_all([material.dataset]), kept_in)
    vectors = found.vectors[found.rows(material.photos)]
    return dataclasses.replace(material, vectors=vectors)


def compare(materials: Mapping[str, Material], methods: Collection[str]) -> None:
    """Print a table of each method, the networks below one another."""
    first = next(iter(materials.values()))
    photos = Photos.of(first.labels, first.groups)
    fits: dict[str, tuple[str, Callable[[Material], Fit]]] = {
        "pipeline": (
            "pipeline's recipe",
            lambda material: functools.partial(accuracy.ours, material, PIPELINE, copies=False),
        ),
        "scikit-learn": (
            "scikit-learn LogisticRegression",
            lambda material: functools.partial(
                accuracy.logistic_regression, material.vectors, labels=material.labels
            ),
        ),
    }
    for method, (title, fit) in fits.items():
        if method not in methods:
            continue
        print(f"  {title}\n{heading()}")
        reference: Result | None = None
        for name, material in materials.items():
            result = accuracy.cross_validate(f"  {name}", fit(material), material)
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


def measure(
    folder: Path, architectures: Sequence[str], views: Sequence[int], methods: Collection[str]
) -> None:
    """Print accuracy and speed of each network with each number of views on one folder."""
    if strange := set(methods) - set(METHODS):
        known = ", ".join(METHODS)
        raise InputError(f"--only names {', '.join(strange)}: expected some of {known}")
    quiet_tensorflow()
    networks = {
        network_name(name, number): backbone.load_backbone(name, default_cache_dir(), views=number)
        for name in architectures
        for number in views
    }
    first, *others = networks
    with tempfile.TemporaryDirectory() as scratch:
        material = accuracy.gather(folder, networks[first], Path(scratch), methods=())
        materials = {first: material}
        for name in others:
            materials[name] = seen_by(material, networks[name])
        print(
            f"{len(material.photos)} photos, {material.classes} classes: {accuracy.REPEATS} x "
            f"{accuracy.FOLDS}-fold cross-validation over groups; differences from "
            f"{first} with 95 % intervals; columns as of bench-accuracy"
        )
        compare(materials, methods)
        if "speed" in methods:
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
    parser.add_argument(
        "--views",
        default="1",
        help=f"of a photo, some of {VIEWS} with commas, for each network (default: %(default)s)",
    )
    parser.add_argument(
        "--only",
        default=",".join(METHODS),
        help="what is measured, with commas (default: %(default)s)",
    )
    run_command(
        "backbones",
        parser,
        lambda options: measure(
            options.folder,
            options.architectures.split(","),
            parse_views(options.views),
            options.only.split(","),
        ),
    )


if __name__ == "__main__":
    main()
