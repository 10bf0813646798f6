"""Chooses the photos that would teach most if somebody named their classes."""

import argparse
import shlex
from pathlib import Path

from components.common.base import options
from components.common.base.cache_place import cache_folder
from components.common.base.command_line import LAST_RUN, CommandParser, started_as
from components.common.base.errors import InputError
from components.common.base.step import run_command
from components.common.base.wording import harmless
from programs.select.options import SelectOptions

EXAMPLES = (
    "photos/ --count 50 --output to-label",
    "--model_dir runs/latest/model s3://bucket/photos --output to-label",
    "--output to-label --answers ~/Downloads/answers.json --into ~/photos",
)
NOTES = (
    "the photos are read again when they are copied: no addresses, no standard input\n"
    "exit status: 0 done, 1 failed, 2 wrong usage, or no photo to choose"
)


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m programs.select",
        description="Choose the photos that would teach the model most if somebody named their "
        "classes, one of each look, and write a page on which to do it.",
        examples=EXAMPLES,
        notes=NOTES,
    )
    parser.add_argument(
        "photos", nargs="*", help="unlabelled photos: files, folders, patterns, buckets (gs, s3)"
    )
    options.add_to(parser, SelectOptions)
    run_command("select", parser, _command)


def _command(arguments: argparse.Namespace) -> None:
    chosen = SelectOptions.of(arguments)
    chosen.check()
    if not chosen.output:
        raise InputError("--output is missing: expected a new folder for the photos and the page")
    output = Path(chosen.output).expanduser()
    if chosen.answers:
        if arguments.photos:
            raise InputError("--answers is for photos that are chosen: name no others")
        _place(output, chosen)
        return
    if chosen.into:
        raise InputError("--into is for --answers: nothing is labelled yet")
    _choose(arguments.photos, output, chosen)


def _choose(places: list[str], output: Path, chosen: SelectOptions) -> None:
    from components.common.model.description import read_description
    from components.common.model.model_place import local_model
    from components.label_image.photos import STANDARD_INPUT, Reader, find, is_address
    from programs.select import pool, selection

    if once := next((one for one in places if one == STANDARD_INPUT or is_address(one)), ""):
        raise InputError(
            f"{once!r:.120} may be another photo the next time that it is read: expected files, "
            "folders, patterns or buckets"
        )
    selection.check_is_free(output)
    names = find(places)
    cache = cache_folder("")
    model = local_model(chosen.model_dir or _last_model(), cache)
    description = read_description(model)
    with Reader(cache) as reader:
        found = pool.gather(model, names, reader)
        photos = selection.choose(found, chosen.count, chosen.seed)
        classes, facts = tuple(description.classes), description.facts
        made = selection.write(output, found, photos, classes, facts, reader)
    page = output / selection.PAGE
    review = "mushrooms review" if started_as() else "make review RUN="
    space = " " if started_as() else ""
    for line in (
        selection.told(made),
        f"page       {page}",
        f"table      {output / selection.TABLE}",
        "To name their classes, with answers saved as you go:",
        f"  {review}{space}{shlex.quote(str(output))}",
    ):
        print(harmless(line))


def _place(output: Path, chosen: SelectOptions) -> None:
    from components.common.store import storage
    from programs.select import answers, labelled, selection
    from programs.select.ending import lines

    said = answers.parse(
        storage.read_place(chosen.answers, max_bytes=answers.MAX_BYTES), chosen.answers
    )
    into = Path(chosen.into).expanduser() if chosen.into else None
    placed = labelled.place(output, selection.read(output), said, into)
    for line in lines(placed):
        print(harmless(line))


def _last_model() -> str:
    last = LAST_RUN / "model"
    if not last.is_dir():
        raise InputError(f"no model was named, and {last} does not exist: give --model_dir")
    return str(last)


if __name__ == "__main__":
    main()
