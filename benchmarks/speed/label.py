"""Row `label`: labelling one photo and 1,000, beside TensorFlow and Keras.

Whole processes, from the command to the answer. One photo: our command beside a process that loads
the SavedModel, and beside one that loads the .keras file. 1,000 photos (those of the folder under
several names): our command beside one that runs Keras's `image_dataset_from_directory` and
`predict`; the target counts for the better of our forms. Answers are compared.
"""

import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.speed.frame import OURS, PEER, Row, Way, last_json, run
from benchmarks.speed.materials import SCRIPTS, Bench
from benchmarks.speed.pipeline import cache_without_results
from benchmarks.speed.pipeline import ours as run_pipeline
from components.common.model.layout import INT8
from components.common.model.model import Model

PHOTOS = 1000
TARGET_ONE, TARGET_FOLDER = 15.0, 2.5
JPEG = (".jpg", ".jpeg")
KERAS = "Keras predict"


def ours(model_dir: Path, *arguments: str | Path) -> tuple[float, dict[str, str]]:
    """Our command; its seconds, and the likeliest class of each photo by its name."""
    command = ("-m", "components.label_image", "--format", "json", "--model_dir", model_dir)
    ran = run(sys.executable, *command, *arguments)
    rows = [json.loads(line) for line in ran.output.splitlines() if line.startswith("{")]
    return ran.seconds, {Path(row["file"]).name: next(iter(row["probabilities"])) for row in rows}


def peer(
    way: str, model_dir: Path, photos: Path, classes: Sequence[str]
) -> tuple[float, float, dict[str, str]]:
    """A peer; its seconds, those without its imports, and its answers."""
    ran = run(sys.executable, SCRIPTS / "label.py", way, model_dir, photos)
    said = last_json(ran.output)
    return ran.seconds, said["seconds"], {name: classes[at] for name, at in said["found"].items()}


def model_of(bench: Bench) -> Path:
    """The model given, or one that the pipeline trains on the folder's photos."""
    if bench.model:
        return bench.model
    place = bench.place("model")
    cache = cache_without_results(bench, place / "cache")
    run_pipeline(bench.folder, cache, place / "runs", bench.architecture)
    return place / "runs" / "latest" / "model"


def one_photo(bench: Bench, model_dir: Path, photo: Path) -> Row:
    """One photo, cold."""
    turns, classes = bench.turns(), Model(model_dir).classes
    answers: dict[str, dict[str, str]] = {}

    def mine() -> float:
        took, answers["ours"] = ours(model_dir, photo)
        return took

    def theirs(way: str) -> float:
        took, _, answers[way] = peer(way, model_dir, photo, classes)
        return took

    ways = [
        Way("ours", mine, OURS),
        Way("SavedModel", lambda: theirs("saved_model"), least=TARGET_ONE),
        Way(".keras", lambda: theirs("keras"), least=TARGET_ONE),
    ]
    mine()
    series = turns.measure(ways)
    same = all(given == answers["ours"] for given in answers.values())
    notes = ("all say the same" if same else "ANSWERS DIFFER: " + str(answers),)
    return Row("label · one photo, cold process", series=series, notes=notes, load=turns.load())


def folder(bench: Bench, model_dir: Path, photos: Sequence[Path]) -> Row:
    """Many photos."""
    turns, classes, place = bench.turns(), Model(model_dir).classes, bench.place("label")
    count = bench.count(PHOTOS, 32)
    for number, photo in enumerate(itertools.islice(itertools.cycle(photos), count)):
        (place / f"{number:04d}.jpg").symlink_to(photo.resolve())
    said: dict[str, dict[str, str]] = {}
    without_imports: list[float] = []

    def mine(form: str, *options: str) -> float:
        took, said[form] = ours(model_dir, *options, place)
        return took

    def theirs() -> float:
        took, working, said[KERAS] = peer("keras_folder", model_dir, place, classes)
        without_imports.append(count / working)
        return took

    fast = (model_dir / INT8).is_file()
    ways = [Way("ours, float32", lambda: mine("float32"), PEER if fast else OURS)]
    if fast:
        ways.insert(0, Way("ours, --int8", lambda: mine("int8", "--int8"), OURS))
    ways.append(Way(KERAS, theirs, least=TARGET_FOLDER))
    series = turns.measure(ways)
    middle = sorted(without_imports)[len(without_imports) // 2]
    notes = [f"Keras without its imports: {middle:.0f} photos/s"]
    for form in set(said) - {KERAS}:
        same = sum(said[form][name] == label for name, label in said[KERAS].items()) / count
        notes.append(f"ours, {form}: the same likeliest class as Keras in {100 * same:.1f} %")
    name = f"label · {count} photos, whole processes"
    return Row(name, count, "photos/s", series, notes=tuple(notes), load=turns.load())


def measure(bench: Bench) -> Iterator[Row]:
    """Both rows."""
    model_dir = model_of(bench)
    photos = [file for _, file in bench.files if file.suffix.lower() in JPEG]
    yield one_photo(bench, model_dir, photos[0])
    yield folder(bench, model_dir, photos)
