"""The step `download` as a command."""

import argparse
from dataclasses import replace
from pathlib import Path

from components.common.base.command_line import CommandParser
from components.common.base.errors import InputError
from components.common.base.options import add_to
from components.common.base.step import run_command
from components.common.dataset.species import as_parameter, read_file
from components.download import stated
from components.download.download import download
from components.download.options import DownloadOptions


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m components.download",
        description="Gather the photos of classes into a dataset.",
        examples=(
            "--source folder --image_dir ~/photos --label daisy --label roses --output images",
            "--source inaturalist --species species.yaml --contact you@example.org --output images",
        ),
    )
    parser.add_argument(
        "--label",
        action="append",
        help="a class; repeat for several (default: those of --species)",
    )
    parser.add_argument("--output", type=Path, required=True, help="dataset to write")
    parser.add_argument(
        "--species", type=Path, help="species.yaml with the names to search for (default: label)"
    )
    add_to(parser, DownloadOptions)
    run_command("download", parser, _command)


def _command(arguments: argparse.Namespace) -> None:
    options = DownloadOptions.of(arguments)
    species = {}
    if arguments.species:
        listed = read_file(arguments.species)
        species = as_parameter(listed.species)
        beside = stated.beside_photos(options).subject
        options = replace(options, subject=options.subject or beside or listed.subject)
    classes = arguments.label or list(species)
    if not classes:
        raise InputError("no class is named: give --label, or --species with a file of classes")
    download(classes, arguments.output, options, species)


if __name__ == "__main__":
    main()
