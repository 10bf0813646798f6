"""What is said when photos have been labelled: where they are, and what to run with them."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from components.common.base.command_line import started_as
from components.common.base.wording import counted
from programs.select.labelled import Placed

FEWEST_CLASSES = 2  # of a run


def lines(placed: Placed) -> Iterator[str]:
    """The counts, and the command that comes next."""
    total = sum(placed.classes.values())
    if not total:
        yield "No photo has a class yet."
        return
    others = [(placed.none, "left out"), (placed.undecided, "undecided")]
    left = "".join(f", {number} {what}" for number, what in others if number)
    yield f"{counted(total, 'photo')} labelled in {placed.folder}{left}:"
    for label, count in placed.classes.items():
        yield f"  {count:>4}  {label}{' (new class)' if label in placed.new_classes else ''}"
    if _classes_in(placed.folder) < FEWEST_CLASSES:
        yield "A run needs photos of 2 classes or more: copy these to the others (--into)."
        return
    yield "To train with what is in that folder:"
    folder = shlex.quote(str(placed.folder))
    yield (
        f"  mushrooms run --image_dir {folder}" if started_as() else f"  make run IMAGES={folder}"
    )


def _classes_in(folder: Path) -> int:
    return sum(one.is_dir() and not one.name.startswith(".") for one in folder.iterdir())
