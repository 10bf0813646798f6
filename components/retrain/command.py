"""The command line of retrain.py, with its names, types and defaults, and what came since."""

import argparse
import dataclasses
import logging
import shutil
import time
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError
from components.common.base.files import atomic_directory, atomic_file, default_cache_dir
from components.common.base.step import add_options, log
from components.common.dataset.dataset import MANIFEST, Dataset
from components.common.model import layout
from components.common.network import backbone, bottlenecks
from components.common.network.architecture import DEFAULT_ARCHITECTURE, NAMES
from components.common.network.convert import quiet_tensorflow
from components.retrain import from_folder
from components.retrain.distort import Distortions
from components.retrain.finetune import FineTuning, check_gpu
from components.retrain.head import CLASS_WEIGHTS, OPTIMIZERS, SCHEDULES, Recipe
from components.retrain.retrain import Extras, retrain

# Where outputs go that are given no place: the folder of the original's tutorial.
OUTPUT_DIR = "tf_files"
SAVED_MODEL_MARKER = "saved_model.pb"
VERBOSITIES = ("DEBUG", "INFO", "WARN", "ERROR", "FATAL")

TRAINING_HELP = {
    "how_many_training_steps": "steps of training",
    "learning_rate": "of the first step",
    "train_batch_size": "photos of a step",
    "validation_batch_size": "photos of a look at the validation part; -1 for all",
    "test_batch_size": "photos tested at the end of training; -1 for all",
    "eval_step_interval": "steps between two looks; the last step is always looked at",
    "seed": "same seed and data, same weights to the last bit",
    "optimizer": f"one of {', '.join(OPTIMIZERS)}; sgd is plain gradient descent",
    "learning_rate_schedule": f"one of {', '.join(SCHEDULES)}; cosine falls to 0 at the last step",
    "l2": "penalty: l2 / 2 times the sum of squared weights",
    "label_smoothing": "share of each label that is spread over all classes",
    "class_weights": f"one of {', '.join(CLASS_WEIGHTS)}; balanced draws every class equally often",
    "early_stopping_patience": "looks without a better validation cross entropy before training "
    "ends with the best weights; 0 for never",
    "flip_left_right": "also learn from mirrored photos",
    "random_crop": "also learn from photos cut by this margin, in percent",
    "random_scale": "also learn from photos up to this much larger, in percent",
    "random_brightness": "also learn from photos up to this much brighter or darker, in percent",
    "distorted_copies": "how many distorted copies of each photo are made",
    "fine_tune_steps": "steps in which the top of the backbone learns too, after the head; 0: none",
    "fine_tune_layers": "layers of the backbone that learn then; BatchNorm stays frozen",
    "fine_tune_learning_rate": "of Adam, in fine-tuning",
    "fine_tune_batch_size": "photos of a fine-tuning step",
    "checkpoint_interval": "fine-tuning steps between two checkpoints",
    "require_gpu": "fail at once where TensorFlow sees no GPU",
}

SWEEP_HELP = "train with the best of a handful of learning rates and penalties, by cross-validation"

_PATHS = (
    ("image_dir", "folder of class folders of photos, or a dataset with its parts from curate"),
    ("output_dir", "where everything goes that is given no place of its own"),
    ("output", "model directory (default: OUTPUT_DIR/model)"),
    ("output_graph", "frozen graph (default: OUTPUT_DIR/retrained_graph.pb)"),
    ("output_labels", "class names, one a line (default: OUTPUT_DIR/retrained_labels.txt)"),
    ("saved_model_dir", "SavedModel; the model directory holds one in any case"),
    (
        "summaries_dir",
        "TensorBoard logs; each run makes its own folder there (default: OUTPUT_DIR/retrain_logs)",
    ),
    (
        "bottleneck_dir",
        "where bottlenecks are kept between runs, or bottlenecks from the step bottleneck "
        "(default: OUTPUT_DIR/bottlenecks)",
    ),
    ("model_dir", "where pretrained weights are looked for and kept (default: the user's cache)"),
    (
        "intermediate_output_graphs_dir",
        "frozen graphs while training goes on (default: OUTPUT_DIR/intermediate_graph)",
    ),
    (
        "checkpoint_path",
        "folder, gs://… or s3://… for checkpoints of fine-tuning; the same command goes on from "
        "there (default: OUTPUT_DIR/retrain_checkpoint)",
    ),
    ("weights", "a pretrained weights file; found by itself by default"),
)
_HELP = {
    **TRAINING_HELP,
    "intermediate_store_frequency": "steps between two intermediate graphs; 0 for none",
    "testing_percentage": "of a folder's photos that are tested on",
    "validation_percentage": "of a folder's photos that validate",
    "print_misclassified_test_images": "list the test photos that the model gets wrong",
    "final_tensor_name": "name of the frozen graph's output",
    "sweep": SWEEP_HELP,
    "int8": "also make and measure an int8 model",
}
_DEFAULTS: dict[str, Any] = {
    **dataclasses.asdict(Recipe()),
    **dataclasses.asdict(Distortions()),
    **dataclasses.asdict(FineTuning()),
    **dataclasses.asdict(Extras()),
    "sweep": False,
    "testing_percentage": 10,
    "validation_percentage": 10,
}


def make_parser() -> argparse.ArgumentParser:
    """The parser of `python -m components.retrain`."""
    parser = argparse.ArgumentParser(
        prog="python -m components.retrain",
        description="Train a new last layer for a network pretrained on ImageNet, and write the "
        "model in all its forms. Options named as in retrain.py mean and default to what they did.",
    )
    for name, text in _PATHS:
        default = OUTPUT_DIR if name == "output_dir" else ""
        shown = f"{text} (default: {default})" if default else text
        parser.add_argument(f"--{name}", default=default, help=shown, required=name == "image_dir")
    parser.add_argument(
        "--architecture",
        default=DEFAULT_ARCHITECTURE,
        help=f"{NAMES} (default: {DEFAULT_ARCHITECTURE})",
    )
    names = [name for name in _DEFAULTS if name in _HELP]
    add_options(parser, *((name, _DEFAULTS[name], _HELP[name]) for name in names))
    parser.add_argument(
        "--logging_verbosity",
        choices=VERBOSITIES,
        default="INFO",
        help="least level of the messages that are shown (default: INFO)",
    )
    return parser


def run(options: argparse.Namespace) -> None:
    """Do what was asked for.

    Raises:
        InputError: an option that makes no sense, or no photos.
        WorkError: the pretrained weights are not to be had.
    """
    log.setLevel(getattr(logging, options.logging_verbosity))
    recipe = Recipe(**_fields(Recipe, options))
    distortions = Distortions(**_fields(Distortions, options))
    fine_tuning = FineTuning(**_fields(FineTuning, options))
    extras = Extras(**_fields(Extras, options))
    base = Path(options.output_dir).expanduser()
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
        if given := getattr(options, name):
            places[name] = Path(given).expanduser()
    recipe.check()
    distortions.check()
    fine_tuning.check(options.checkpoint_path)
    extras.check()
    from_folder.check_percentages(options.validation_percentage, options.testing_percentage)
    saved_model = Path(options.saved_model_dir).expanduser() if options.saved_model_dir else None
    if saved_model and saved_model.exists() and any(saved_model.iterdir()):
        raise InputError(
            f"{saved_model} is not empty: choose another --saved_model_dir (the model directory "
            "holds the same SavedModel)"
        )
    if fine_tuning.require_gpu:
        quiet_tensorflow()
        check_gpu(required=True)
    dataset, vectors = _photos(options, base, places)
    logs = _new_folder(places["summaries_dir"])
    retrain(
        dataset,
        vectors,
        places["output"],
        logs,
        recipe=recipe,
        distortions=distortions,
        fine_tuning=fine_tuning,
        checkpoint_path=options.checkpoint_path or str(base / "retrain_checkpoint"),
        sweep=options.sweep,
        extras=dataclasses.replace(
            extras,
            intermediate_output_graphs_dir=str(places["intermediate_output_graphs_dir"]),
        ),
        weights=options.weights,
        cache_dir=str(places["model_dir"]),
    )
    _copy(places["output"] / layout.FROZEN, places["output_graph"])
    _copy(places["output"] / layout.LABELS, places["output_labels"])
    if saved_model:
        with atomic_directory(saved_model, what="the SavedModel", marker=SAVED_MODEL_MARKER) as new:
            shutil.copytree(places["output"] / layout.SAVED_MODEL, new, dirs_exist_ok=True)
    log.info("Model: %s, frozen graph: %s", places["output"], places["output_graph"])
    log.info("TensorBoard: tensorboard --logdir %s", places["summaries_dir"])


def _photos(options: argparse.Namespace, base: Path, places: dict[str, Path]) -> tuple[Path, Path]:
    """The dataset and the bottlenecks to train on, made first where a folder is given."""
    image_dir = Path(options.image_dir).expanduser()
    kept_in = places["bottleneck_dir"]
    if (kept_in / backbone.DESCRIPTION_FILE).is_file():
        if not (image_dir / MANIFEST).is_file():
            raise InputError(
                f"{kept_in} holds the bottlenecks of a dataset, and {image_dir} is none: pass the "
                "dataset they were made of, or another --bottleneck_dir"
            )
        return image_dir, kept_in
    network = backbone.load_backbone(options.architecture, places["model_dir"], options.weights)
    dataset = image_dir
    if not (image_dir / MANIFEST).is_file():
        dataset = base / "dataset"
        from_folder.write_dataset(
            image_dir,
            dataset,
            network,
            kept_in,
            validation_percentage=options.validation_percentage,
            testing_percentage=options.testing_percentage,
        )
    read = Dataset(dataset)
    found = bottlenecks.compute(network, read.stream(), kept_in)
    labels = {photo.sha256: photo.label for photo in read.photos}
    vectors = base / "dataset_bottlenecks"
    bottlenecks.save(found, vectors, [labels[sha256] for sha256 in found.sha256])
    return dataset, vectors


def _fields(kind: type[Any], options: argparse.Namespace) -> dict[str, Any]:
    return {field.name: getattr(options, field.name) for field in dataclasses.fields(kind)}


def _new_folder(directory: Path) -> Path:
    """A folder for the logs of this run: an earlier run's curves stay."""
    stem = time.strftime("%Y%m%d-%H%M%S")
    for number in range(1, 100):
        folder = directory / (stem if number == 1 else f"{stem}-{number}")
        if not folder.exists():
            return folder
    raise InputError(f"{directory} has a hundred runs of this second already")


def _copy(source: Path, target: Path) -> None:
    with atomic_file(target, what="a copy of the model's file") as new:
        shutil.copyfile(source, new)
