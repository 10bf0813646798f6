"""What a run can be asked for: options, their defaults, and the checks before anything starts."""

import argparse
import contextlib
import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.bottleneck import options as bottleneck_options
from components.clean.options import CleanOptions
from components.common.base import options
from components.common.base.cache_place import cache_folder
from components.common.base.command_line import did_you_mean
from components.common.base.errors import InputError
from components.common.base.files import new_place
from components.common.base.options import Options, option
from components.common.base.step import warn
from components.common.base.wording import as_text
from components.common.dataset import decisions, ledger, memory
from components.common.dataset.class_facts import FUNGI, check_subject
from components.common.dataset.photo import other_spelling
from components.common.dataset.species import as_parameter, read_file
from components.common.model import published
from components.common.model.model_place import find_pointer
from components.common.network.architecture import parse_architecture
from components.common.store import storage
from components.common.untrusted.redact import check_no_secret
from components.curate.options import CurateOptions
from components.download import stated
from components.download.download import check_options, class_names
from components.download.options import DownloadOptions
from components.download.sources import sample
from components.publish.options import PublishOptions, default_name
from components.retrain import onnx_form
from components.retrain.options import (
    PIPELINE,
    PIPELINE_MEASURING,
    Distortions,
    FineTuning,
    RetrainOptions,
)

# A link to the file of that name at the top of the repository; a copy where this is installed.
SPECIES_FILE = Path(__file__).with_name("species.yaml").resolve()
RUNNERS = ("subprocess", "docker")

# The options that the pipeline hands to each step, in the order in which help lists them, with the
# values that it starts from where those are not the steps' own.
STEPS: dict[str, tuple[options.Kind, ...]] = {
    "download": (DownloadOptions,),
    "clean": (CleanOptions,),
    "curate": (CurateOptions,),
    "bottleneck": (bottleneck_options.PIPELINE,),
    "retrain": (PIPELINE, Distortions, FineTuning, RetrainOptions, PIPELINE_MEASURING),
    "publish": (PublishOptions,),
}
KINDS = tuple(kind for kinds in STEPS.values() for kind in kinds)


# The options of a run with their defaults; `parameters` makes the pipeline's parameters of them.
DEFAULTS: dict[str, Any] = {
    field.name: value
    for (field, declared), value in zip(
        options.declarations(*KINDS), options.defaults(*KINDS).values(), strict=True
    )
    if declared.in_pipeline
}
# Those that name a file, a folder or an address of a store: whether steps read it or write it.
PLACES = {
    field.name: declared.place for field, declared in options.declarations(*KINDS) if declared.place
}


# What people change first, in the order of the help.
FIRST = (
    *("image_dir", "source", "url_list", "species", "subject", "name", "architecture"),
    *("min_accuracy", "decisions", "continue_", "runs_dir"),
)
EXAMPLES = (
    "",
    "--image_dir ~/photos",
    "--image_dir ~/flowers --subject flowers --min_accuracy 0.8",
    "--source inaturalist --species species.yaml --contact you@example.org",
)


@dataclass(frozen=True)
class RunOptions(Options):
    """How a run on this machine is started, beside what the pipeline's steps are told."""

    runs_dir: str = option(
        "runs",
        "folder for runs",
        pattern=r"(?s)(?![a-z0-9]+:/).*",  # kfp.local would make a folder named "gs:" of an address
        form="a folder, because a run on this machine passes its artifacts as files; to publish "
        "to a bucket, set --publish_dir",
    )
    runner: str = option(
        RUNNERS[0],
        "how steps run: as processes of this environment, or in their images (make images)",
        choices=RUNNERS,
    )
    continue_: str = options.continue_option()


@dataclass(frozen=True)
class Request:
    """One run: where it goes, the options and classes of it, and what its steps run in."""

    run_dir: Path
    arguments: dict[str, Any]
    runner: str = RUNNERS[0]
    species_file: str = ""  # that the classes came from, unless it is the one beside the program
    continued: bool = False  # it goes on with what is kept under its name

    def write(self, path: Path) -> None:
        """Store as JSON, for the process that runs the pipeline."""
        content = {**dataclasses.asdict(self), "run_dir": str(self.run_dir)}
        path.write_text(json.dumps(content, indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Request":
        """Read what `write` stored."""
        content = json.loads(path.read_text())
        return cls(**{**content, "run_dir": Path(content["run_dir"])})


def add_parameters(parser: argparse.ArgumentParser, *, cluster: bool = False) -> None:
    """Add the options of the pipeline's steps to a parser, for `run` and `submit` alike.

    Args:
        parser: to add to.
        cluster: describe them as of a run on a cluster.
    """
    parser.add_argument_group("the classes").add_argument(
        "--species", type=Path, default=SPECIES_FILE, help="the classes (default: species.yaml)"
    )
    # Each option once: several steps take the same seed. Those of a step alone never.
    left_out = {field.name for field, _ in options.declarations(*KINDS)} - set(DEFAULTS)
    for kind in KINDS:
        options.add_group(parser, kind, cluster=cluster, without=left_out)
        left_out |= {field.name for field, _ in options.declarations(kind)}
    # Empty: what else is handed over says what is meant, else the sample.
    parser.set_defaults(source="", name="")


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options of a run on this machine to a parser."""
    add_parameters(parser)
    options.add_group(parser, RunOptions)


def checked(asked: argparse.Namespace) -> dict[str, Any]:
    """The options of a run with its classes, checked as far as can be without starting it.

    Raises:
        InputError: an option makes no sense, or the photos are not there.
    """
    arguments = DEFAULTS | {name: value for name, value in vars(asked).items() if name in DEFAULTS}
    if not arguments["source"]:
        if arguments["image_dir"]:
            arguments["source"] = "storage" if storage.is_uri(arguments["image_dir"]) else "folder"
        else:
            arguments["source"] = "urls" if arguments["url_list"] else DownloadOptions.source
    for name, value in arguments.items():
        if isinstance(value, str):
            check_no_secret(name, value)
            _check_text(name, value)
    sources = check_options(DownloadOptions.of(arguments))
    for name in PLACES:
        if arguments[name] and "://" not in arguments[name]:
            arguments[name] = os.path.abspath(os.path.expanduser(arguments[name]))
            _check_text(name, arguments[name])
    if arguments["weights"] and not Path(arguments["weights"]).is_file():
        raise InputError(f"no weights file at {arguments['weights']}")
    _check_ledger(asked, arguments["earlier_ledger"])
    # Read now, so that a wrong file ends the run before the photos are fetched.
    by_hand = decisions.read(arguments["decisions"])
    if arguments["earlier_ledger"]:
        ledger.read(arguments["earlier_ledger"])
    parse_architecture(arguments["architecture"])
    for kind in KINDS:
        kind.of(arguments).check()
    if not arguments["demo_per_class"] and not arguments["testing_percentage"]:
        raise InputError(
            "--demo_per_class and --testing_percentage are both 0: no photo would be left to "
            "measure the model"
        )
    arguments["name"] = _name(asked, arguments["name"])
    published.check_place(arguments["publish_dir"])
    arguments |= _classes(DownloadOptions.of(arguments), asked.species)
    by_hand.check_classes(arguments["classes"])
    if not arguments["name"]:
        subject = check_subject(arguments["subject"] or FUNGI)
        arguments["name"] = default_name(subject, rendered=sources == ["sample"])
    return arguments


def request(asked: argparse.Namespace) -> Request:
    """The run on this machine that was asked for, checked as `checked` does.

    Raises:
        InputError: an option makes no sense, or the photos are not there.
    """
    how = RunOptions.of(asked)
    how.check()
    arguments = checked(asked)
    if how.runner == RUNNERS[0]:  # the images have all packages
        onnx_form.check_packages(arguments["export"])
    runs = Path(how.runs_dir).resolve()
    _check_text("runs_dir", str(runs))
    if not storage.is_uri(arguments["publish_dir"]):
        arguments["publish_dir"] = str(
            Path(arguments["publish_dir"] or runs / "published").expanduser().resolve()
        )
    # Now, and not when everything else is done.
    root = published.root_of(arguments["publish_dir"], arguments["name"])
    if how.continue_:
        _tell_of_new_name(root, arguments["publish_dir"], arguments["name"])
    elif storage.is_uri(root):
        find_pointer(root)
    own = asked.species.resolve() == SPECIES_FILE.resolve()
    species_file = "" if own else str(asked.species.resolve())
    return Request(_new_run_dir(runs), arguments, how.runner, species_file, bool(how.continue_))


def _name(asked: argparse.Namespace, name: str) -> str:
    """The name that was asked for, by --name or --continue; empty for none."""
    continued: str = getattr(asked, "continue_", "")
    if continued and name not in ("", continued):
        raise InputError(
            f"--continue is {continued!r} and --name {name!r}: leave --name out, because a "
            "model is published under the name that it goes on with"
        )
    if continued or name:
        published.check_name(continued or name, "--continue" if continued else "--name")
    return continued or name


def _check_ledger(asked: argparse.Namespace, ledger_place: str) -> None:
    """Raise `InputError` where a ledger is named beside the one that a run goes on with."""
    if ledger_place and (getattr(asked, "continue_", "") or getattr(asked, "schedule", "")):
        raise InputError(
            f"--earlier_ledger is {ledger_place!r}: a run that goes on keeps to the ledger that is "
            "kept under its name; leave --earlier_ledger out, or --continue and --schedule"
        )


def _tell_of_new_name(root: str, publish_dir: str, name: str) -> None:
    """Warn where --continue names what is not there: it may be misspelt."""
    if find_pointer(root) is not None or memory.exists(root):
        return
    known = [] if storage.is_uri(root) else [path.name for path in Path(publish_dir).glob("[!.]*")]
    hint = did_you_mean(name, known)
    warn(
        f"--continue is {name!r}, and no run has left anything under this name in {publish_dir}: "
        f"this one begins anew{hint}"
    )


def _check_text(name: str, value: str) -> None:
    """Raise `InputError` for a value that is no text, as names of files can be."""
    if as_text(value) != value:
        raise InputError(
            f"--{name} is {as_text(value)}, which is not UTF-8 text, and Kubeflow takes only "
            "texts: rename that file or folder, or name a link to it (ln -s)"
        )


def with_usable_cache(request: Request) -> Request:
    """The request with a cache that the steps can write, if need be for this run alone."""
    usable = cache_folder(request.arguments["cache_dir"])
    return dataclasses.replace(request, arguments={**request.arguments, "cache_dir": str(usable)})


def _classes(options: DownloadOptions, species_file: Path) -> dict[str, Any]:
    """`classes`, `species` and `subject`: of the photos, or of a species file.

    Raises:
        InputError: a senseless option, or the source has not these classes.
    """
    listed = read_file(species_file)
    species = as_parameter(listed.species)
    classes = class_names(options)
    if classes is not None and species_file.resolve() != SPECIES_FILE.resolve():
        missing = [label for label in species if not other_spelling(label, classes)]
        if missing:
            raise InputError(
                f"{options.image_dir or options.url_list} has no photo of {', '.join(missing)}, "
                f"which {species_file} lists: add some, or remove these classes from the file; "
                f"there are photos of {', '.join(classes)}"
            )
    if classes is None:
        classes = list(species)
        unknown = sorted(set(classes) - set(sample.LABELS))
        if unknown and check_options(options) == ["sample"]:
            raise InputError(
                f"the sample has only {', '.join(sample.LABELS)}, but {species_file.name} asks "
                f"for {', '.join(unknown)} too: use your own photos (make run IMAGES=folder), or "
                "look for the species (make run SOURCE=inaturalist)"
            )
    beside = stated.beside_photos(options)
    return {
        "classes": classes,
        "species": stated.joined_by(classes, species, beside),
        "subject": options.subject or beside.subject or listed.subject,
    }


def _new_run_dir(runs: Path) -> Path:
    """The next run's folder, made."""
    while True:
        directory = new_place(runs)
        # Another run may have made it just now.
        with contextlib.suppress(FileExistsError):
            directory.mkdir(parents=True)
            return directory
