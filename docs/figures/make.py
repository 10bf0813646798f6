"""The pictures of docs/tutorial.md: `make figures IMAGES=folder`, or of a run's pages alone.

The charts are measured on the photos of IMAGES; none of these photos is shown. Without IMAGES they
stay as they are, and only the pictures of pages are made: of a run on the rendered sample, because
real photos may only be shown with their credits. These need chromium, and stay without it.
"""

import components  # noqa: F401, I001  first of all: NumPy's linear algebra then takes one thread

import argparse
import dataclasses
import io
import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from components.common.pages import plot
from components.common.base.errors import InputError, WorkError
from components.common.base.files import default_cache_dir
from components.common.pages.chart import Axis, Chart, Line, share_axis
from components.common.base.step import log, run_command
from components.retrain.options import PIPELINE
from components.retrain.options import Recipe
from components.retrain.head import Look, score, train
from programs.learning_curve.points import DRAWS, SIZES, Material, measure, parse_sizes, read
from programs.learning_curve.report import Curve, files, text

HERE = Path(__file__).parent
RATES = ((0.0001, "0.0001 too low"), (0.01, "0.01 right"), (0.5, "0.5 too high"))
STEPS = 4000
LOOKS = 9  # steps between two: steps 1, 10, 100 and 1,000 are among them
TOO_FREE = dataclasses.replace(
    PIPELINE,
    l2=0.0,
    how_many_training_steps=STEPS,
    learning_rate=0.01,
    learning_rate_schedule="constant",
)
PAGES = (("gallery", 900, 1330), ("curation", 900, 800), ("report", 900, 830))
MAX_BYTES = 250_000
COLOURS = 256

Points = list[tuple[float, float]]


def learning_rates(material: Material) -> Chart:
    """Cross entropy on photos that are not learned from, by step, for three learning rates."""
    lines = []
    for rate, name in RATES:
        recipe = Recipe(learning_rate=rate, how_many_training_steps=STEPS)
        lines.append(Line(curves(material, recipe)["validation cross entropy"], name))
    ends = ", ".join(f"{line.name}, {line.points[-1][1]:.2f}" for line in lines)
    return Chart(
        f"Validation cross entropy over {STEPS} steps for three learning rates; at the end {ends}.",
        steps_axis(STEPS),
        entropy_axis(0.5, 16),
        lines,
    )


def how_many_steps(material: Material) -> Chart:
    """Accuracy by step, of retrain.py's recipe."""
    seen = curves(material, Recipe(how_many_training_steps=STEPS))
    lines = [
        Line(seen["train accuracy"], "training photos"),
        Line(seen["validation accuracy"], "validation photos"),
    ]
    shown = [(at, dict(lines[1].points)[at]) for at in (10, 100, 1000)]
    return Chart(
        "Validation accuracy "
        + ", ".join(f"{value:.2f} after {at:.0f} steps" for at, value in shown)
        + "; on the training photos it reaches 1.",
        Axis("step", 1, STEPS, [(n, f"{n:,}") for n in (1, 10, 100, 1000, 4000)], logarithmic=True),
        share_axis("accuracy"),
        lines,
    )


def good_and_bad(material: Material) -> Chart:
    """Both cross entropies with the pipeline's recipe, and where training goes on too freely."""
    good = curves(material, dataclasses.replace(PIPELINE, how_many_training_steps=STEPS))
    bad = curves(material, TOO_FREE)
    lines = [
        Line(good["validation cross entropy"], "good"),
        Line(bad["validation cross entropy"], "bad"),
        Line(good["train cross entropy"], "training, good"),
    ]
    low = min(value for _, value in lines[1].points)
    return Chart(
        f"The good run's validation cross entropy falls to {lines[0].points[-1][1]:.2f} and stays; "
        f"the bad run's falls to {low:.2f} and rises to {lines[1].points[-1][1]:.2f}. On the "
        "training photos it is near 0.",
        steps_axis(STEPS),
        Axis("cross entropy", 0, 2.2, [(tick / 2, f"{tick / 2:g}") for tick in range(5)]),
        lines,
    )


def curves(material: Material, recipe: Recipe) -> dict[str, Points]:
    """Accuracy and cross entropy of all photos of both parts, by step (counted from 1)."""
    found: dict[str, Points] = {}

    def look(seen: Look) -> None:
        for part, examples in (("train", material.pool), ("validation", material.held_out)):
            for what, value in zip(
                ("accuracy", "cross entropy"), score(seen.head, examples), strict=True
            ):
                found.setdefault(f"{part} {what}", []).append((seen.step + 1, value))

    shown = dataclasses.replace(recipe, validation_batch_size=1, eval_step_interval=LOOKS)
    with np.errstate(over="ignore", invalid="ignore"):
        train(material.pool, material.held_out, len(material.classes), shown, look)
    return found


def steps_axis(last: int) -> Axis:
    """Steps of training, evenly."""
    return Axis("step", 0, last, [(step, f"{step:,}") for step in range(0, last + 1, last // 4)])


def entropy_axis(low: float, high: float) -> Axis:
    """Cross entropy in nats; equal factors take equal room."""
    ticks = [value for value in (0.5, 1, 2, 4, 8, 16) if low <= value <= high]
    named = [(tick, f"{tick:g}") for tick in ticks]
    return Axis("cross entropy", low, high, named, logarithmic=True)


def pages(run: Path) -> None:
    """Pictures of a run's pages, as they look at the top."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        log.warning("no chromium: the pictures of pages stay as they are")
        return
    if not json.loads((run / "model" / "model.json").read_text()).get("rendered"):
        raise InputError(
            f"{run} is a run on photos, which may be shown with credits only: make run"
        )
    for name, width, height in PAGES:
        with tempfile.TemporaryDirectory() as scratch:
            shot = Path(scratch) / "page.png"
            subprocess.run(
                [
                    browser,
                    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                    *(f"--user-data-dir={scratch}/profile", f"--window-size={width},{height}"),
                    *(f"--screenshot={shot}", (run / f"{name}.html").resolve().as_uri()),
                ],
                check=True,
                capture_output=True,
                timeout=60,
            )
            (HERE / f"{name}.png").write_bytes(small(Image.open(shot)))


def small(picture: Image.Image) -> bytes:
    """A PNG of the colours that are nearest to the picture's, rare ones too, and no dots."""
    written = io.BytesIO()
    reduced = picture.convert("RGB").quantize(COLOURS, kmeans=1, dither=Image.Dither.NONE)
    reduced.save(written, "PNG", optimize=True)
    if written.tell() > MAX_BYTES:
        raise WorkError(f"a picture takes {written.tell()} bytes, more than {MAX_BYTES}")
    return written.getvalue()


def _command(options: argparse.Namespace) -> None:
    if options.images:
        draw(options.images)
    elif not options.run.is_dir():
        raise InputError(f"there is no run at {options.run} whose pages can be shown: make run")
    if options.run.is_dir():
        pages(options.run)


def draw(images: Path) -> None:
    """The charts, measured on a folder of photos."""
    material = read(images, cache=default_cache_dir())
    charts = {
        "learning-rate": learning_rates(material),
        "steps": how_many_steps(material),
        "good-and-bad": good_and_bad(material),
    }
    for name, drawn in charts.items():
        (HERE / f"{name}.svg").write_text(plot.svg_file(drawn))
    points = measure(material, parse_sizes(SIZES), DRAWS)
    curve = Curve(str(images), "mobilenet_1.0_224", material.classes, points, material.rendered)
    (HERE / "learning-curve.svg").write_text(files(curve)["svg"])
    print(text(curve))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the pictures of docs/tutorial.md.")
    parser.add_argument("--images", type=Path, help="a folder of class folders of photos")
    parser.add_argument(
        "--run", type=Path, default=Path("runs/latest"), help="whose pages are shown"
    )
    run_command("figures", parser, _command)
