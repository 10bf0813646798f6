"""Accuracy by number of training photos: `make learning-curve IMAGES=folder`.

The bottlenecks are computed once; then the head is trained on a few photos of each class, on more,
and on all, several times each with other photos, and always measured on the same photos, which
none of these heads has seen. It takes seconds and no TensorFlow.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from components.common.base import options
from components.common.base.cache_place import cache_folder
from components.common.base.command_line import CommandParser
from components.common.base.errors import InputError
from components.common.base.files import atomic_directory, new_place
from components.common.base.options import Options, cache_dir_option, option, seed_option
from components.common.base.step import run_command
from components.common.network.architecture import (
    PIPELINE_ARCHITECTURE,
    architecture_option,
    weights_option,
)
from components.common.network.views import network_name, views_option
from components.retrain.options import PIPELINE
from programs.learning_curve.points import (
    DRAWS,
    SIZES,
    TESTING_PERCENTAGE,
    measure,
    parse_sizes,
    read,
)
from programs.learning_curve.report import Curve, files, lasting_name, run_page, text

NAME = "learning-curve"


@dataclass(frozen=True)
class CurveOptions(Options):
    """Which photos are measured on, how often, and where the curve goes."""

    image_dir: str = option(
        "", "folder of class folders, or a dataset with its parts, such as runs/latest/training"
    )
    sizes: str = option(
        SIZES, "numbers of photos per class, separated by commas; all photos come last"
    )
    draws: int = option(DRAWS, "draws of other photos for each number")
    testing_percentage: int = option(
        TESTING_PERCENTAGE, "percentage of a folder's photos held out for testing"
    )
    architecture: str = architecture_option(PIPELINE_ARCHITECTURE)
    views: int = views_option()
    weights: str = weights_option()
    cache_dir: str = cache_dir_option()
    runs_dir: str = option("runs", "folder in which the curve gets a folder of its own")
    output_dir: str = option("", "this folder instead; an earlier curve there is replaced")
    seed: int = seed_option()


def _command(arguments: argparse.Namespace) -> None:
    options = CurveOptions.of(arguments)
    options.check()
    if not options.image_dir:
        raise InputError("--image_dir is missing: expected a folder of class folders of photos")
    cache = cache_folder(options.cache_dir)
    recipe = replace(PIPELINE, seed=options.seed)
    sizes = parse_sizes(options.sizes)
    image_dir = lasting_name(Path(options.image_dir))
    material = read(
        image_dir,
        architecture=options.architecture,
        views=options.views,
        weights=options.weights,
        cache=cache,
        testing_percentage=options.testing_percentage,
    )
    points = measure(material, sizes, options.draws, recipe)
    folder = Path(options.output_dir).expanduser() if options.output_dir else None
    folder = folder or new_place(Path(options.runs_dir).expanduser(), f"-{NAME}")
    curve = Curve(
        str(image_dir),
        network_name(options.architecture, options.views),
        material.classes,
        points,
        material.rendered,
        run_page(image_dir, folder),
        material.facts,
    )
    with atomic_directory(folder, what="the learning curve", marker=f"{NAME}.csv") as place:
        for suffix, content in files(curve).items():
            (place / f"{NAME}.{suffix}").write_text(content, encoding="utf-8")
    print(text(curve))
    for suffix, what in (("html", "page"), ("svg", "picture"), ("csv", "figures")):
        print(f"{what:<10} {folder / f'{NAME}.{suffix}'}")


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m programs.learning_curve",
        description="Measure and draw accuracy by number of training photos.",
        examples=("--image_dir ~/photos --sizes 5,10,20",),
    )
    options.add_to(parser, CurveOptions)
    run_command("learning_curve", parser, _command)


if __name__ == "__main__":
    main()
