"""Every step as a command on a handful of real photos: what the tests of faults start and stop."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import ROOT, SMALL_ARCHITECTURE, MadeOnce
from photo_server import Answer, serve

from components.common.base.step import EVENTS_VARIABLE
from components.common.model.description import read_description
from components.common.model.layout import DESCRIPTION

CLASSES = ("fly_agaric", "penny_bun")
PHOTOS = 20  # of each class
TIMEOUT_S = 600
EVENTS = "events.jsonl"
# TensorFlow and Keras write dates and random names into these, so only their presence is compared.
DATED = re.compile(
    r"model/(model\.keras|saved_model/.*)|serving/\d+/assets\.extra/wild-mushrooms\.json"
)
# Written while training goes on: there is no moment at which they are whole.
LIVE = re.compile(r"retrain_logs/.*")
# Another one where a try before had published the model: it was compared with itself then.
REPEATED = re.compile(r"decision\.json")
TEMPORARY = re.compile(r"(.*/)?\..*\.?(partial|old)-[0-9a-f-]+(/.*)?")


@dataclass(frozen=True)
class Workshop:
    """What steps are run on.

    Attributes:
        made: a folder for each step with what it writes when nothing disturbs it.
        urls: a list of addresses of photos, of a server that runs.
        cache: weights and networks, and nothing else.
        seconds: how long each took, by its folder in `made`: with its start, and its work alone.
    """

    made: Path
    urls: Path
    cache: Path
    seconds: Mapping[str, tuple[float, float]]

    def new_cache(self, place: Path) -> Path:
        """A cache at `place` with the converted networks."""
        place.mkdir()
        for name in ("weights", "backbones"):
            (place / name).symlink_to(self.cache / name)
        return place


def _download(shop: Workshop, label: str = CLASSES[0]) -> list[str]:
    return [
        *("--label", label, "--source", "urls", "--url_list", str(shop.urls)),
        *("--output", "images", "--allow_private_hosts", "localhost", "--min_per_class", "1"),
        *("--cache_dir", "CACHE"),
    ]


def _clean(shop: Workshop, label: str = CLASSES[0]) -> list[str]:
    images = shop.made / f"download-{label}" / "images"
    return ["--images", str(images), "--output", "images", "--rejects", "rejects"]


def _of_each(shop: Workshop, step: str, artifact: str) -> list[str]:
    return [str(shop.made / f"{step}-{label}" / artifact) for label in CLASSES]


def _bottleneck(shop: Workshop) -> list[str]:
    options = ["--architecture", SMALL_ARCHITECTURE, "--cache_dir", "CACHE"]
    return ["--images", *_of_each(shop, "clean", "images"), "--output", "bottlenecks", *options]


def _curate(shop: Workshop) -> list[str]:
    names = ("training", "demo", "rejects", "ledger", "facts")
    return [
        *("--images", *_of_each(shop, "clean", "images")),
        *("--clean_rejects", *_of_each(shop, "clean", "rejects")),
        *("--bottlenecks", str(shop.made / "bottleneck" / "bottlenecks")),
        *(word for name in names for word in (f"--{name}", name)),
        *("--page", "curation.html"),
    ]


def _retrain(shop: Workshop) -> list[str]:
    return [
        *("--image_dir", str(shop.made / "curate" / "training")),
        *("--bottleneck_dir", str(shop.made / "bottleneck" / "bottlenecks")),
        *("--output_dir", ".", "--model_dir", "CACHE", "--architecture", SMALL_ARCHITECTURE),
        *("--how_many_training_steps", "100", "--no-int8"),
    ]


def _evaluate(shop: Workshop) -> list[str]:
    return [
        *("--model_dir", str(shop.made / "retrain" / "model")),
        *("--training", str(shop.made / "curate" / "training")),
        *("--demo", str(shop.made / "curate" / "demo")),
        *("--metrics", "metrics.json", "--report", "report.html"),
    ]


def _label_image(shop: Workshop) -> list[str]:
    return [
        *("--model_dir", str(shop.made / "retrain" / "model")),
        *("--demo", str(shop.made / "curate" / "demo")),
        *("--predictions", "predictions.parquet", "--gallery", "gallery.html"),
    ]


def _publish(shop: Workshop) -> list[str]:
    return [
        *("--model_dir", str(shop.made / "retrain" / "model")),
        *("--demo", str(shop.made / "curate" / "demo")),
        *("--metrics", str(shop.made / "evaluate" / "metrics.json")),
        *("--publish_dir", "published", "--decision", "decision.json", "--min_accuracy", "0"),
    ]


def _summarize(shop: Workshop) -> list[str]:
    return ["--state", "SUCCEEDED", "--output", "summary.md"]


def _tensorboard(shop: Workshop) -> list[str]:
    found = (shop.made / "retrain").rglob("curves.json")
    (curves,) = (path for path in found if path.parent.name != "model")
    outputs = ("--output", "link.json", "--page", "curves.html")
    return ["--logs", str(curves.parent), "--image", "example/image:1", *outputs]


# In the order of the pipeline: each finds what it needs in what those before it made.
OPTIONS: Mapping[str, Callable[[Workshop], list[str]]] = {
    "download": _download,
    "clean": _clean,
    "bottleneck": _bottleneck,
    "curate": _curate,
    "retrain": _retrain,
    "evaluate": _evaluate,
    "label_image": _label_image,
    "publish": _publish,
    "summarize": _summarize,
    "tensorboard": _tensorboard,
}
STEPS = tuple(OPTIONS)


def command(shop: Workshop, step: str, cache: Path, *, label: str = CLASSES[0]) -> list[str]:
    """The command of a step; what it writes goes into the working directory."""
    labelled = {"download": _download, "clean": _clean}
    options = labelled[step](shop, label) if step in labelled else OPTIONS[step](shop)
    words = [str(cache) if word == "CACHE" else word for word in options]
    return [sys.executable, "-m", f"components.{step}", *words]


def environment(temporary: Path, **more: str) -> dict[str, str]:
    """What a step's process sees; its own temporary files go to `temporary`, with its events."""
    temporary.mkdir(exist_ok=True)
    told = {EVENTS_VARIABLE: str(temporary / EVENTS)}
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary), **told, **more}


def events(temporary: Path) -> list[dict[str, Any]]:
    """What steps have told so far."""
    path = temporary / EVENTS
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(
    words: list[str], folder: Path, temporary: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    """Run a command in a folder; without one for temporary files, in the tests' surroundings."""
    return subprocess.run(
        words,
        cwd=folder,
        env=environment(temporary) if temporary else None,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def finish(words: list[str], folder: Path, temporary: Path) -> None:
    """Run a command in a folder; it must succeed."""
    folder.mkdir(parents=True, exist_ok=True)
    done = run(words, folder, temporary)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"


def contents(folder: Path) -> dict[str, str]:
    """SHA-256 of every finished file, by its path; empty for files that say when they were made.

    model.json, which names the hashes of those, counts by what the model is.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(kind.fullmatch(name) for kind in (LIVE, REPEATED, TEMPORARY)):
            if path.name == DESCRIPTION:
                found[name] = read_description(path.parent).identity
            elif DATED.search(name):
                found[name] = ""
            else:
                found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def rests(folder: Path) -> list[str]:
    """Temporary siblings below a folder."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return [name for name in names if TEMPORARY.fullmatch(name)]


@contextmanager
def workshop(photos: Path, cache: Path, made_once: MadeOnce) -> Iterator[Workshop]:
    """What every step makes, undisturbed, while a server offers the photos.

    Args:
        photos: folder of class folders of real photos.
        cache: with converted networks.
        made_once: makes a folder once for all workers.
    """
    files = {label: sorted((photos / label).glob("*.jpg"))[:PHOTOS] for label in CLASSES}
    bodies = {f"/{label}/{file.name}": file for label in CLASSES for file in files[label]}

    def behave(path: str, _: int) -> Answer:
        return Answer(bodies[path].read_bytes())

    with ExitStack() as stack:
        served = False

        def fill(place: Path) -> None:
            nonlocal served
            server = stack.enter_context(serve(behave))
            served = True
            rows = [f"{server.address}{path},{path.split('/')[1]}" for path in bodies]
            (place / "urls.csv").write_text("\n".join(["url,label", *rows]) + "\n")
            seconds = _run_all(place, cache)
            port = int(server.address.rpartition(":")[2])
            (place / "told.json").write_text(json.dumps({"port": port, "seconds": seconds}))

        place = made_once("workshop", fill)
        told = json.loads((place / "told.json").read_text())
        if not served:
            stack.enter_context(serve(behave, port=told["port"]))
        yield Workshop(place / "made", place / "urls.csv", cache, told["seconds"])


def _run_all(place: Path, cache: Path) -> dict[str, tuple[float, float]]:
    """Run every step once, and measure it: `Workshop.seconds`."""
    seconds: dict[str, tuple[float, float]] = {}
    shop = Workshop(place / "made", place / "urls.csv", cache, seconds)
    temporary, own = place / "temporary", shop.new_cache(place / "cache")
    for step in STEPS:
        several = step in ("download", "clean")
        for label in CLASSES if several else CLASSES[:1]:
            name = f"{step}-{label}" if several else step
            words = command(shop, step, own, label=label)
            started = time.monotonic()
            finish(words, shop.made / name, temporary)
            took = time.monotonic() - started
            work = sum(event.get("seconds", 0.0) for event in events(temporary))
            seconds[name] = took, work
            (temporary / EVENTS).unlink()
    return seconds


def made_by(shop: Workshop, step: str) -> Path:
    """Where the undisturbed output of a step is."""
    several = step in ("download", "clean")
    return shop.made / (f"{step}-{CLASSES[0]}" if several else step)
