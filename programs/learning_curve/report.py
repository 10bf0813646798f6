"""A learning curve as lines of text, as a picture, as figures and as a page."""

import csv
import io
import os
import statistics
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dataset import MANIFEST
from components.common.pages import page, plain_text, plot
from components.common.pages.chart import Axis, Chart, Line, share_axis
from components.common.pages.subject import words
from components.common.pages.text import percent
from programs.learning_curve.points import Point

COLUMNS = (
    *("name", "photos_per_class", "photos", "draws", "median", "least", "most"),
    *("interval_low", "interval_high", "test_photos"),
)
# A step of fewer test photos is no finding, even if all of them changed in one direction: the sign
# test's probability of that by chance is 2 × 0.5⁵ = 0.06 for five, 0.03 for six.
FEW = 6
HEADERS = ("photos a class", "photos", "accuracy", "least to most", "95 % interval")


@dataclass(frozen=True)
class Curve:
    """What was measured.

    Attributes:
        photos_from: the folder, by its lasting name.
        architecture: of the backbone, with its views.
        classes: their names.
        points: in order of the number of photos; the last one is all of them.
        rendered: these are drawings.
        run_page: address of the page of the photos' run, from the folder of the curve's page; empty
            where the photos are not of a run.
        facts: what is known of the classes.
    """

    photos_from: str
    architecture: str
    classes: Sequence[str]
    points: Sequence[Point]
    rendered: bool
    run_page: str = ""
    facts: ClassFacts = ClassFacts()


def lasting_name(image_dir: Path) -> Path:
    """The folder by a name that the next run leaves true: that of the run instead of runs/latest.

    It is relative to the working directory where it was given so or lies below it.
    """
    if (image_dir / MANIFEST).is_file():
        place = image_dir.parent.resolve() / image_dir.name
        image_dir = place if image_dir.is_absolute() else Path(os.path.relpath(place))
    here = Path.cwd()
    return image_dir.relative_to(here) if image_dir.is_relative_to(here) else image_dir


def run_page(image_dir: Path, folder: Path) -> str:
    """The address of the run's index.html for a page in `folder`, empty where there is none."""
    index = image_dir.parent / "index.html"
    # Beside a folder of photos, index.html is something else.
    if not ((image_dir / MANIFEST).is_file() and index.is_file()):
        return ""
    return quote(os.path.relpath(index.parent.resolve() / index.name, folder.resolve()))


def files(curve: Curve) -> dict[str, str]:
    """The contents of the files, by their suffix."""
    return {
        "html": page.render(
            __file__,
            curve=curve,
            cautions=_cautions(curve),
            picture=plot.svg(_chart(curve)),
            headers=HEADERS,
            rows=[_cells(point) for point in curve.points],
            remarks=remarks(curve),
        ),
        "svg": plot.svg_file(_chart(curve)),
        "csv": _figures(curve),
    }


def _cautions(curve: Curve) -> list[str]:
    drawn = "These photos are rendered pictures, not photographs: the curve says nothing about "
    return [f"{drawn}{words(curve.facts).real}."] if curve.rendered else []


def text(curve: Curve) -> str:
    """The curve for a terminal."""
    rows = [HEADERS, *(_cells(point) for point in curve.points)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADERS))]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    texts = [*_cautions(curve), *remarks(curve)]
    return "\n".join([*lines, "", *(textwrap.fill(remark, 100) for remark in texts)])


def remarks(curve: Curve) -> list[str]:
    """What the figures say, and how surely; the words are in the template."""
    before, last = curve.points[-2:]
    return plain_text.paragraphs(
        __file__,
        {"percent": percent},
        before=before,
        last=last,
        # Test photos more that were right at the last point than at the one before, by the medians.
        step=statistics.median(last.right) - statistics.median(before.right),
        few=FEW,
    )


def _cells(point: Point) -> tuple[str, ...]:
    number = f"all ({point.per_class:.0f})" if point.name == "all" else point.name
    return (
        number,
        f"{point.photos:.0f}",
        f"{point.median:.3f}",
        f"{min(point.accuracies):.3f} to {max(point.accuracies):.3f}",
        f"{point.low:.3f} to {point.high:.3f}",
    )


def _figures(curve: Curve) -> str:
    """CSV, a row a point; accuracies are shares of 1."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\n")
    rows.writerow(COLUMNS)
    for point in curve.points:
        shares = (point.median, min(point.accuracies), max(point.accuracies), point.low, point.high)
        rows.writerow(
            [
                point.name,
                f"{point.per_class:.2f}",
                f"{point.photos:.2f}",
                len(point.right),
                *(f"{share:.4f}" for share in shares),
                point.measured,
            ]
        )
    return written.getvalue()


def _chart(curve: Curve) -> Chart:
    points = curve.points
    sizes = [point.per_class for point in points]
    across = Axis(
        "photos of each class to learn from",
        min(sizes) / 1.15,
        max(sizes) * 1.15,
        _ticks(sizes),
        logarithmic=True,
    )
    chance = 1 / len(curve.classes)
    ends = [(point.median, f"{point.per_class:.0f}") for point in (points[0], points[-1])]
    described = " and ".join(f"{percent(value)} with {size} photos a class" for value, size in ends)
    medians = [(point.per_class, point.median) for point in points]
    line = Line(
        medians,
        band=[(p.per_class, min(p.accuracies), max(p.accuracies)) for p in points],
        whiskers=[(point.per_class, point.low, point.high) for point in points],
        dots=medians,
    )
    return Chart(
        f"Accuracy by number of photos: {described}.",
        across,
        share_axis("accuracy"),
        [line],
        reference=[(across.low, chance), (across.high, chance)],
        reference_name=f"guessing: {percent(chance)}",
    )


def _ticks(sizes: Sequence[float]) -> list[tuple[float, str]]:
    """Names of the sizes; of two that round to the same number only the larger one."""
    return [(size, name) for name, size in {f"{size:.0f}": size for size in sizes}.items()]
