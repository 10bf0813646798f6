"""The command line of retrain.py, with its names, types and defaults, and what came since."""

import argparse
import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from components.common.base import options
from components.common.base.command_line import CommandParser
from components.common.base.errors import InputError
from components.common.base.files import (
    atomic_directory,
    atomic_file,
    default_cache_dir,
    new_place,
)
from components.common.base.options import Options, option
from components.common.base.step import log
from components.common.dataset.dataset import MANIFEST, Dataset
from components.common.model import layout
from components.common.network import backbone, bottlenecks
from components.common.network.architecture import architecture_option
from components.common.network.convert import quiet_tensorflow
from components.common.network.views import views_option
from components.retrain import from_folder, onnx_form
from components.retrain.finetune import check_gpu
from components.retrain.options import (
    Distortions,
    Extras,
    FineTuning,
    Measuring,
    Recipe,
    RetrainOptions,
)
from components.retrain.retrain import retrain

# Where outputs go that are given no place: the folder of the original's tutorial.
OUTPUT_DIR = "tf_files"
SAVED_MODEL_MARKER = "saved_model.pb"
VERBOSITIES = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")


@dataclass(frozen=True)
class CommandOptions(Options):
    """What a training by hand is told beside what the pipeline tells it: places, and the split."""

    image_dir: str = option(
        "", "folder of class folders of photos, or a dataset with its parts from curate"
    )
    output_dir: str = option(OUTPUT_DIR, "folder for every output without an option of its own")
    output: str = option("", "model directory (default: OUTPUT_DIR/model)")
    output_graph: str = option("", "frozen graph (default: OUTPUT_DIR/retrained_graph.pb)")
    output_labels: str = option(
        "", "class names, one a line (default: OUTPUT_DIR/retrained_labels.txt)"
    )
    saved_model_dir: str = option("", "extra SavedModel; the model directory always holds one")
    summaries_dir: str = option(
        "",
        "TensorBoard logs; each run has its own folder there (default: OUTPUT_DIR/retrain_logs)",
    )
    bottleneck_dir: str = option(
        "",
        "where bottlenecks are kept between runs, or bottlenecks from the step bottleneck "
        "(default: OUTPUT_DIR/bottlenecks)",
    )
    model_dir: str = option(
        "", "where pretrained weights are looked for and kept (default: the user's cache folder)"
    )
    architecture: str = architecture_option()
    views: int = views_option()
    testing_percentage: int = option(
        10, "percentage of a folder's photos for the test part", minimum=0, below=100
    )
    validation_percentage: int = option(
        10, "percentage of a folder's photos for the validation part", minimum=0, below=100
    )
    logging_verbosity: str = option("INFO", "lowest level of messages shown", choices=VERBOSITIES)

    def check(self) -> None:
        """Raise `InputError` unless the percentages leave something to train on."""
        super().check()
        if self.validation_percentage + self.testing_percentage >= 100:
            raise InputError(
                f"--validation_percentage {self.validation_percentage} and --testing_percentage "
                f"{self.testing_percentage} leave nothing to train on: expected less than 100 "
                "together"
            )


# All options of the command, in the order in which its help lists them.
KINDS = (CommandOptions, Recipe, Distortions, FineTuning, Extras, RetrainOptions, Measuring)


def make_parser() -> argparse.ArgumentParser:
    """The parser of `python -m components.retrain`."""
    parser = CommandParser(
        prog="python -m components.retrain",
        description="Train a new last layer for a network pretrained on ImageNet, and write the "
        "model in all its forms. Options of retrain.py keep their meaning and default.",
        examples=(
            "--image_dir ~/flower_photos",
            "--image_dir ~/flower_photos --how_many_training_steps 500 --output_dir trained",
        ),
    )
    options.add_to(parser, *KINDS, without=("cache_dir",))
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Do what was asked for.

    Raises:
        InputError: an option that makes no sense, or no photos.
        WorkError: the pretrained weights are not to be had.
    """
    command = CommandOptions.of(arguments)
    for kind in KINDS:
        kind.of(arguments).check()
    if not command.image_dir:
        raise InputError("--image_dir is missing: expected a folder of class folders of photos")
    onnx_form.check_packages(RetrainOptions.of(arguments).export)
    log.setLevel(getattr(logging, command.logging_verbosity))
    base = Path(command.output_dir).expanduser()
    places = {
        "output": base / "model",
        "output_graph": base / layout.FROZEN,
        "output_labels": base / layout.LABELS,
        "summaries_dir": base / "retrain_logs",
        "bottleneck_dir": base / "bottlenecks",
        "intermediate_output_graphs_dir": base / "intermediate_graph",
        "model_dir": default_cache_dir(),
    }
    for name in places:
        if chosen := getattr(arguments, name):
            places[name] = Path(chosen).expanduser()
    saved_model = Path(command.saved_model_dir).expanduser() if command.saved_model_dir else None
    if saved_model and saved_model.exists() and any(saved_model.iterdir()):
        raise InputError(
            f"{saved_model} is not empty: choose another --saved_model_dir (the model directory "
            "holds the same SavedModel)"
        )
    training = RetrainOptions.of(arguments)
    fine_tuning = FineTuning.of(arguments)
    if fine_tuning.require_gpu:
        quiet_tensorflow()
        check_gpu(required=True)
    dataset, vectors = _photos(command, training.weights, base, places)
    logs = new_place(places["summaries_dir"])
    retrain(
        dataset,
        vectors,
        places["output"],
        logs,
        recipe=Recipe.of(arguments),
        distortions=Distortions.of(arguments),
        fine_tuning=fine_tuning,
        measuring=Measuring.of(arguments),
        options=replace(
            training,
            checkpoint_path=training.checkpoint_path or str(base / "retrain_checkpoint"),
            cache_dir=str(places["model_dir"]),
        ),
        extras=replace(
            Extras.of(arguments),
            intermediate_output_graphs_dir=str(places["intermediate_output_graphs_dir"]),
        ),
    )
    _copy(places["output"] / layout.FROZEN, places["output_graph"])
    _copy(places["output"] / layout.LABELS, places["output_labels"])
    if saved_model:
        with atomic_directory(saved_model, what="the SavedModel", marker=SAVED_MODEL_MARKER) as new:
            shutil.copytree(places["output"] / layout.SAVED_MODEL, new, dirs_exist_ok=True)
    log.info("Model: %s, frozen graph: %s", places["output"], places["output_graph"])
    log.info("TensorBoard: tensorboard --logdir %s", places["summaries_dir"])


def _photos(
    command: CommandOptions, weights: str, base: Path, places: dict[str, Path]
) -> tuple[Path, Path]:
    """The dataset and the bottlenecks to train on, made first where a folder is given."""
    image_dir = Path(command.image_dir).expanduser()
    kept_in = places["bottleneck_dir"]
    if (kept_in / backbone.DESCRIPTION_FILE).is_file():
        if not (image_dir / MANIFEST).is_file():
            raise InputError(
                f"{kept_in} holds the bottlenecks of a dataset, but {image_dir} is none: pass the "
                "dataset they were computed from, or another --bottleneck_dir"
            )
        return image_dir, kept_in
    network = backbone.load_backbone(
        command.architecture, places["model_dir"], weights, command.views
    )
    dataset = image_dir
    if not (image_dir / MANIFEST).is_file():
        dataset = base / "dataset"
        from_folder.write_dataset(
            image_dir,
            dataset,
            network,
            kept_in,
            validation_percentage=command.validation_percentage,
            testing_percentage=command.testing_percentage,
        )
    read = Dataset(dataset)
    computed = bottlenecks.compute(network, read.stream(), kept_in)
    labels = {photo.sha256: photo.label for photo in read.photos}
    vectors = base / "dataset_bottlenecks"
    bottlenecks.save(computed, vectors, [labels[sha256] for sha256 in computed.sha256])
    return dataset, vectors


def _copy(source: Path, target: Path) -> None:
    with atomic_file(target, what="a copy of the model's file") as new:
        shutil.copyfile(source, new)
