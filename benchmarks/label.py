"""Labelling photos, beside TensorFlow and Keras: `python -m benchmarks.label MODEL_DIR PHOTOS`.

Whole processes that take turns, from the command to the answer. First one photo: our command beside
a process that loads the SavedModel, and beside one that loads the .keras file. Then 1,000 photos
(those of the folder under several names): our command beside one that runs Keras's
`image_dataset_from_directory` and `predict`; the rates without Keras's imports, and of our int8
form where the model has one, are shown too. Targets count whole processes; exit status 1 where one
is missed by both forms. Answers are compared.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from components.common.errors import InputError
from components.common.model import INT8, Model
from components.common.step import run_command
from components.label_image.photos import find

PEERS = Path(__file__).with_name("label_peers.py")
PHOTOS = 1000
ROUNDS_ONE, ROUNDS_FOLDER = 5, 3
TARGET_ONE, TARGET_FOLDER = 15.0, 2.5
JPEG = (".jpg", ".jpeg")
KERAS = "Keras, whole process"


def run(*command: str | Path) -> tuple[float, str]:
    """Run a command; its wall-clock seconds and its output."""
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    # The installed peers are bytecode already; ours may become it at its first run.
    quiet.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=quiet)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return seconds, done.stdout


def ours(model_dir: Path, *arguments: str | Path) -> tuple[float, dict[str, str]]:
    """Our command; its seconds, and the likeliest class of each photo by its name."""
    command = ("-m", "components.label_image", "--format", "json", "--model_dir", model_dir)
    seconds, output = run(sys.executable, *command, *arguments)
    rows = [json.loads(line) for line in output.splitlines()]
    return seconds, {Path(row["file"]).name: next(iter(row["probabilities"])) for row in rows}


def peer(
    way: str, model_dir: Path, photos: Path, classes: Sequence[str]
) -> tuple[float, float, dict[str, str]]:
    """A peer; its seconds, those without its imports, and its answers."""
    seconds, output = run(sys.executable, PEERS, way, model_dir, photos)
    said = json.loads(output.splitlines()[-1])
    return seconds, said["seconds"], {name: classes[at] for name, at in said["found"].items()}


def one_photo(model_dir: Path, photo: Path, classes: Sequence[str]) -> float:
    """Print the seconds for one photo; returns how many times as fast the nearest peer's are."""
    seconds: dict[str, list[float]] = {}
    answers: dict[str, dict[str, str]] = {}
    ours(model_dir, photo)
    for _ in range(ROUNDS_ONE):
        took, answers["ours"] = ours(model_dir, photo)
        seconds.setdefault("ours", []).append(took)
        for name, way in (("SavedModel", "saved_model"), (".keras", "keras")):
            took, _, answers[name] = peer(way, model_dir, photo, classes)
            seconds.setdefault(name, []).append(took)
    print(f"one photo, whole process, seconds: median of {ROUNDS_ONE} (least to most)")
    middle = {name: statistics.median(took) for name, took in seconds.items()}
    for name, took in seconds.items():
        same = "same answer" if answers[name] == answers["ours"] else "ANOTHER ANSWER"
        ratio = "" if name == "ours" else f"  ours {middle[name] / middle['ours']:.1f} x, {same}"
        print(f"  {name:<34} {middle[name]:7.2f}  ({min(took):.2f} to {max(took):.2f}){ratio}")
    return min(middle[name] for name in seconds if name != "ours") / middle["ours"]


def folder(model_dir: Path, photos: Path, classes: Sequence[str]) -> dict[str, float]:
    """Print photos a second; returns how many times the peer's each form of ours does."""
    forms: dict[str, tuple[str, ...]] = {"float32": ()}
    if (model_dir / INT8).is_file():
        forms["int8"] = ("--int8",)
    rates: dict[str, list[float]] = {}
    mine: dict[str, dict[str, str]] = {}
    for _ in range(ROUNDS_FOLDER):
        for form, options in forms.items():
            took, mine[form] = ours(model_dir, *options, photos)
            rates.setdefault(f"ours, {form}, whole process", []).append(PHOTOS / took)
        took, working, theirs = peer("keras_folder", model_dir, photos, classes)
        rates.setdefault(KERAS, []).append(PHOTOS / took)
        rates.setdefault("Keras, without its imports", []).append(PHOTOS / working)
    print(f"{PHOTOS} photos, photos a second: median of {ROUNDS_FOLDER} (least to most)")
    middle = {name: statistics.median(rate) for name, rate in rates.items()}
    for name, rate in rates.items():
        ratio = f"  {middle[name] / middle[KERAS]:.1f} x"
        print(f"  {name:<34} {middle[name]:7.1f}  ({min(rate):.1f} to {max(rate):.1f}){ratio}")
    for form, answers in mine.items():
        same = sum(answers[name] == label for name, label in theirs.items()) / PHOTOS
        print(f"  ours, {form}: the same likeliest class as Keras in {100 * same:.1f} %")
    return {form: middle[f"ours, {form}, whole process"] / middle[KERAS] for form in forms}


def repeated(photos: Sequence[Path], place: Path) -> None:
    """`PHOTOS` links to photos, under names of their own."""
    for number, photo in enumerate(itertools.islice(itertools.cycle(photos), PHOTOS)):
        (place / f"{number:04d}.jpg").symlink_to(photo.resolve())


def measure(options: argparse.Namespace) -> int:
    """Print both tables; 1 where a target is missed."""
    classes = Model(options.model_dir).classes
    photos = [Path(name) for name in find([str(options.photos)]) if name.lower().endswith(JPEG)]
    if not photos:
        raise InputError(f"there are no JPEG files in {options.photos}")
    once = one_photo(options.model_dir, photos[0], classes)
    print(f"  target: at least {TARGET_ONE:.0f} x either: {_met(once, TARGET_ONE)}\n", flush=True)
    with tempfile.TemporaryDirectory() as place:
        repeated(photos, Path(place))
        many = folder(options.model_dir, Path(place), classes)
    for form, ratio in many.items():
        print(f"  target: at least {TARGET_FOLDER} x, {form}: {_met(ratio, TARGET_FOLDER)}")
    return int(once < TARGET_ONE or max(many.values()) < TARGET_FOLDER)


def _met(ratio: float, target: float) -> str:
    return "met" if ratio >= target else "MISSED"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label", description=__doc__)
    parser.add_argument("model_dir", type=Path, help="a model directory, as retrain makes it")
    parser.add_argument("photos", type=Path, help="folder of real photos")
    run_command("benchmarks.label", parser, measure)


if __name__ == "__main__":
    main()
