"""What a run can be asked for: options, their defaults, and the checks before anything starts."""

import argparse
import dataclasses
import json
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from components.clean.clean import MIN_BYTES
from components.common.base.errors import InputError
from components.common.base.step import add_options
from components.common.dataset import decisions, ledger
from components.common.dataset.species import as_parameter, read_species
from components.common.network import architecture
from components.common.network.architecture import DEFAULT_ARCHITECTURE, parse_architecture
from components.common.store import storage
from components.common.untrusted.redact import check_no_secret
from components.curate.selection import Division
from components.download.candidate import HELP, Options
from components.download.download import WHOLE, check_options, class_names
from components.download.sources import sample
from components.publish import places
from components.publish.decision import MAX_REGRESSION, MIN_ACCURACY, check_share
from components.retrain.command import SWEEP_HELP, TRAINING_HELP
from components.retrain.distort import Distortions
from components.retrain.finetune import FineTuning
from components.retrain.head import PIPELINE, Recipe

SPECIES_FILE = Path(__file__).parents[2] / "species.yaml"
RUNNERS = ("subprocess", "docker")
LOCAL_PARALLELISM = 2  # kfp.local runs at most two tasks of a loop at once
# What models are published as: one of drawings must never replace one of photos.
NAME, SAMPLE_NAME = "mushrooms", "sample"

# The pipeline's parameters with their defaults.
DEFAULTS: dict[str, Any] = {
    **dataclasses.asdict(Options()),
    "min_bytes": MIN_BYTES,
    "strict": False,
    **dataclasses.asdict(Division()),
    "earlier_ledger": "",
    "decisions": "",
    "architecture": DEFAULT_ARCHITECTURE,
    "weights": "",
    **dataclasses.asdict(PIPELINE),
    **dataclasses.asdict(Distortions()),
    **dataclasses.asdict(FineTuning()),
    "checkpoint_path": "",
    "sweep": False,
    "min_accuracy": MIN_ACCURACY,
    "max_regression": MAX_REGRESSION,
    "publish_dir": "",
    "name": SAMPLE_NAME,  # as the source
}

_HELP = {
    **HELP,
    "min_bytes": "smallest file that is taken",
    "strict": "reject photos that are dark, bright, blank, blurred, grey, small or oddly shaped",
    "train_per_class": "photos per class for retraining",
    "demo_per_class": "photos per class set aside for the demo",
    "validation_percentage": "of the photos for retraining",
    "testing_percentage": "of the photos for retraining",
    "earlier_ledger": "ledger of an earlier run (its folder ledger/): what it placed stays placed",
    "decisions": "file of decisions by hand, as curation.html exports it",
    "architecture": architecture.NAMES,
    "weights": "a pretrained weights file; found by itself by default",
    **TRAINING_HELP,
    "sweep": SWEEP_HELP,
    "checkpoint_path": "folder, gs://… or s3://… for checkpoints of fine-tuning (default: in the "
    "cache folder)",
    "min_accuracy": "what the accuracy's lower bound must reach for publishing",
    "max_regression": "how much accuracy on the demo photos may be lost against the published "
    "model; 1 to ask nothing of the comparison",
    "publish_dir": "folder of published models, gs://… or s3://… (default: published/ beside the "
    "runs)",
    "name": f"what the model is published as (default: {NAME}; of the sample, {SAMPLE_NAME})",
}


@dataclass(frozen=True)
class Request:
    """One run: where it goes, the pipeline's arguments, and what its steps run in."""

    run_dir: Path
    arguments: dict[str, Any]
    parallelism: int = LOCAL_PARALLELISM
    runner: str = RUNNERS[0]

    def write(self, path: Path) -> None:
        """Store as JSON, for the process that runs the pipeline."""
        content = {**dataclasses.asdict(self), "run_dir": str(self.run_dir)}
        path.write_text(json.dumps(content, indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Request":
        """Read what `write` stored."""
        content = json.loads(path.read_text())
        return cls(**{**content, "run_dir": Path(content["run_dir"])})


def add_parameters(
    parser: argparse.ArgumentParser, own_help: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Add the pipeline's parameters to a parser, for `run` and `submit` alike.

    Args:
        parser: to add to.
        own_help: texts that differ from those of a run on this machine.
    """
    texts = {**_HELP, **own_help}
    left_open = {**DEFAULTS, "name": ""}
    add_options(parser, *((name, default, texts[name]) for name, default in left_open.items()))
    # Empty: what else is handed over says what is meant, else the sample.
    parser.set_defaults(source="")
    parser.add_argument(
        "--species", type=Path, default=SPECIES_FILE, help="the classes (default: species.yaml)"
    )


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options of a run on this machine to a parser."""
    add_parameters(parser)
    parser.add_argument(
        "--runs_dir", type=Path, default=Path("runs"), help="where runs go (default: runs)"
    )
    parser.add_argument(
        "--runner",
        choices=RUNNERS,
        default=RUNNERS[0],
        help="run the steps as processes of this environment, or in their images (make images)",
    )


def checked(options: argparse.Namespace) -> dict[str, Any]:
    """The pipeline's arguments, checked as far as can be without starting it.

    Raises:
        InputError: an option makes no sense, or the photos are not there.
    """
    arguments = {name: getattr(options, name) for name in DEFAULTS}
    if not arguments["source"]:
        if arguments["image_dir"]:
            arguments["source"] = "storage" if storage.is_uri(arguments["image_dir"]) else "folder"
        else:
            arguments["source"] = "urls" if arguments["url_list"] else Options.source
    for name, value in arguments.items():
        if isinstance(value, str):
            check_no_secret(name, value)
    if not arguments["name"]:
        sources = check_options(_fields(Options, arguments))
        arguments["name"] = SAMPLE_NAME if sources == ["sample"] else NAME
    paths = ("image_dir", "url_list", "imagenet", "weights", "cache_dir")
    for name in (*paths, "earlier_ledger", "decisions"):
        if arguments[name] and "://" not in arguments[name]:
            arguments[name] = os.path.abspath(os.path.expanduser(arguments[name]))
    if arguments["weights"] and not Path(arguments["weights"]).is_file():
        raise InputError(f"no weights file at {arguments['weights']}")
    # Read now, so that a wrong file ends the run before the photos are fetched.
    decisions.read(arguments["decisions"])
    if arguments["earlier_ledger"]:
        ledger.read(arguments["earlier_ledger"])
    parse_architecture(arguments["architecture"])
    _fields(Division, arguments).check()
    _fields(Recipe, arguments).check()
    _fields(Distortions, arguments).check()
    _fields(FineTuning, arguments).check(arguments["checkpoint_path"])
    if not arguments["demo_per_class"] and not arguments["testing_percentage"]:
        raise InputError(
            "--demo_per_class and --testing_percentage are both 0: no photo would be left to "
            "measure the model on"
        )
    places.check_name(arguments["name"])
    places.check_place(arguments["publish_dir"])
    check_share("min_accuracy", arguments["min_accuracy"])
    check_share("max_regression", arguments["max_regression"])
    return arguments | _classes(_fields(Options, arguments), options.species)


def request(options: argparse.Namespace) -> Request:
    """The run on this machine that was asked for, checked as `checked` does.

    Raises:
        InputError: an option makes no sense, or the photos are not there.
    """
    _check_runs_dir(str(options.runs_dir))
    arguments = checked(options)
    runs = options.runs_dir.resolve()
    if not storage.is_uri(arguments["publish_dir"]):
        arguments["publish_dir"] = str(
            Path(arguments["publish_dir"] or runs / "published").expanduser().resolve()
        )
    # Now, and not when everything else is done.
    places.check_reachable(arguments["publish_dir"], arguments["name"])
    # The limits of the sources count for each client: one class after another there.
    own = set(check_options(_fields(Options, arguments))) <= {*WHOLE, "storage"}
    parallelism = LOCAL_PARALLELISM if own else 1
    return Request(_new_run_dir(runs), arguments, parallelism, options.runner)


def _check_runs_dir(runs_dir: str) -> None:
    """Raise `InputError` for object storage: kfp.local would make a folder named "gs:" of it."""
    if re.match(r"[a-z0-9]+:/", runs_dir):  # as a Path the address has lost one of its slashes
        raise InputError(
            f"--runs_dir is {runs_dir}: expected a folder, since a run on this machine hands its "
            "artifacts over as files; to publish into a bucket, set --publish_dir"
        )


def _classes(options: Options, species_file: Path) -> dict[str, Any]:
    """The parameters `classes` and `species`: from the photos' own labels, or a species file.

    Raises:
        InputError: a senseless option, or the source has not these classes.
    """
    species = as_parameter(read_species(species_file))
    classes = class_names(options)
    if classes is None:
        classes = list(species)
        unknown = sorted(set(classes) - set(sample.LABELS))
        if unknown and check_options(options) == ["sample"]:
            raise InputError(
                f"the sample renders {', '.join(sample.LABELS)} only, and {species_file.name} asks "
                f"for {', '.join(unknown)} too: use your own photos (make run IMAGES=folder), or "
                "look for the species (make run SOURCE=inaturalist)"
            )
    return {"classes": classes, "species": species}


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
