"""What a run can be asked for: options, their defaults, and the checks before anything starts."""

import argparse
import dataclasses
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.clean.clean import MIN_BYTES
from components.common.backbone import DEFAULT_ARCHITECTURE, parse_architecture
from components.common.dataset import check_label
from components.common.errors import InputError
from components.common.step import add_options
from components.curate.curate import Division
from components.download import sample
from components.download.download import DEFAULT_SAMPLES, SOURCES, check_per_class
from components.download.folder import list_classes
from components.publish.publish import MIN_ACCURACY, check_min_accuracy, check_name
from components.retrain.head import Recipe
from components.retrain.retrain import check_recipe

SPECIES_FILE = Path(__file__).parents[2] / "species.yaml"
SPECIES_MAX_BYTES = 1024 * 1024
LOCAL_PARALLELISM = 2  # kfp.local runs at most two tasks of a loop at once

# The pipeline's parameters with their defaults; those of `retrain` are retrain.py's.
DEFAULTS: dict[str, Any] = {
    "source": "sample",
    "image_dir": "",
    "per_class": DEFAULT_SAMPLES,
    "min_bytes": MIN_BYTES,
    **dataclasses.asdict(Division()),
    "architecture": DEFAULT_ARCHITECTURE,
    "weights": "",
    "cache_dir": "",
    **dataclasses.asdict(Recipe()),
    "min_accuracy": MIN_ACCURACY,
    "publish_dir": "",
    "name": "mushrooms",
}

_HELP = {
    "source": f"where photos come from: {' or '.join(SOURCES)}",
    "image_dir": "folder with one subfolder of photos per class (makes the source folder)",
    "per_class": "pictures to render per class, for the source sample",
    "min_bytes": "smallest file that is taken",
    "train_per_class": "photos per class for retraining",
    "demo_per_class": "photos per class set aside for the demo",
    "validation_percentage": "of the photos for retraining",
    "testing_percentage": "of the photos for retraining",
    "architecture": "mobilenet_WIDTH_SIZE: 1.0, 0.75, 0.50, 0.25 and 224, 192, 160, 128",
    "weights": "a pretrained weights file; found by itself by default",
    "cache_dir": "where networks and vectors are kept; the user's cache folder by default",
    "how_many_training_steps": "steps of training",
    "learning_rate": "of plain gradient descent",
    "train_batch_size": "photos per step",
    "validation_batch_size": "photos per look at the validation part; -1 for all",
    "test_batch_size": "photos tested at the end of training; -1 for all",
    "eval_step_interval": "steps between two looks",
    "min_accuracy": "what the accuracy's lower bound must reach for publishing",
    "publish_dir": "folder of published models (default: published/ beside the runs)",
    "name": "name of the published model",
    "seed": "same seed and photos, same model",
}


@dataclass(frozen=True)
class Request:
    """One run: where it goes, and the pipeline's arguments."""

    run_dir: Path
    arguments: dict[str, Any]
    parallelism: int = LOCAL_PARALLELISM

    def write(self, path: Path) -> None:
        """Store as JSON, for the process that runs the pipeline."""
        content = {**dataclasses.asdict(self), "run_dir": str(self.run_dir)}
        path.write_text(json.dumps(content, indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Request":
        """Read what `write` stored."""
        content = json.loads(path.read_text())
        return cls(**{**content, "run_dir": Path(content["run_dir"])})


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the run's options to a parser."""
    add_options(parser, *((name, default, _HELP[name]) for name, default in DEFAULTS.items()))
    parser.add_argument(
        "--runs_dir", type=Path, default=Path("runs"), help="where runs go (default: runs)"
    )


def request(options: argparse.Namespace) -> Request:
    """The run that was asked for, checked as far as can be without starting it.

    Raises:
        InputError: an option makes no sense, or the photos are not there.
    """
    arguments = {name: getattr(options, name) for name in DEFAULTS}
    if arguments["image_dir"]:
        arguments["source"] = "folder"
        arguments["image_dir"] = os.path.abspath(os.path.expanduser(arguments["image_dir"]))
    for name in ("weights", "cache_dir"):
        if arguments[name]:
            arguments[name] = os.path.abspath(os.path.expanduser(arguments[name]))
    if arguments["weights"] and not Path(arguments["weights"]).is_file():
        raise InputError(f"no weights file at {arguments['weights']}")
    parse_architecture(arguments["architecture"])
    _fields(Division, arguments).check()
    check_recipe(_fields(Recipe, arguments))
    if not arguments["demo_per_class"] and not arguments["testing_percentage"]:
        raise InputError(
            "--demo_per_class and --testing_percentage are both 0: no photo would be left to "
            "measure the model on"
        )
    check_name(arguments["name"])
    check_per_class(arguments["per_class"])
    check_min_accuracy(arguments["min_accuracy"])
    arguments["classes"] = classes(arguments["source"], arguments["image_dir"])
    runs = options.runs_dir.resolve()
    arguments["publish_dir"] = str(
        Path(arguments["publish_dir"] or runs / "published").expanduser().resolve()
    )
    return Request(_new_run_dir(runs), arguments)


def classes(source: str, image_dir: str) -> list[str]:
    """The classes of a run: folder names, or those of species.yaml.

    Raises:
        InputError: unknown source, or the source has not these classes.
    """
    if source not in SOURCES:
        raise InputError(f"unknown source {source!r}: expected {' or '.join(SOURCES)}")
    if source == "folder":
        if not image_dir:
            raise InputError("the source folder needs --image_dir (make run IMAGES=folder)")
        return list_classes(Path(image_dir))
    labels = read_species(SPECIES_FILE)
    unknown = sorted(set(labels) - set(sample.LABELS))
    if unknown:
        raise InputError(
            f"the sample renders {', '.join(sample.LABELS)} only, and species.yaml asks for "
            f"{', '.join(unknown)} too: use your own photos (make run IMAGES=folder)"
        )
    return labels


def read_species(path: Path) -> list[str]:
    """The labels of a species file, in its order.

    Raises:
        InputError: the file is missing, no YAML, or lists fewer than two different labels.
    """
    try:
        if path.stat().st_size > SPECIES_MAX_BYTES:
            raise InputError(f"{path} is larger than {SPECIES_MAX_BYTES} bytes")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        labels = [check_label(str(entry["label"])) for entry in content["species"]]
    except (OSError, ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise InputError(f"{path} is no species file (species: [{{label: …}}]): {error}") from error
    if len(labels) < 2 or len(set(labels)) < len(labels):
        raise InputError(f"{path} must list at least two species, each once; it lists {labels}")
    return labels


def _fields(kind: type[Any], arguments: dict[str, Any]) -> Any:
    return kind(**{field.name: arguments[field.name] for field in dataclasses.fields(kind)})


def _new_run_dir(runs: Path) -> Path:
    """The next run's folder, made: `runs/20261123-101500`, with a suffix if that one exists."""
    stem = time.strftime("%Y%m%d-%H%M%S")
    runs.mkdir(parents=True, exist_ok=True)
    for suffix in ["", *(f"-{number}" for number in range(2, 100))]:
        directory = runs / f"{stem}{suffix}"
        try:
            directory.mkdir()
        except FileExistsError:
            continue
        return directory
    raise InputError(f"{runs} has a hundred runs of this second already")
