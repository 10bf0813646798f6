"""The step `download` as a command."""

import argparse
from pathlib import Path

from components.common.base import options
from components.common.base.errors import InputError
from components.common.base.step import run_command
from components.common.dataset.species import as_parameter, read_species
from components.download.download import download
from components.download.options import DownloadOptions


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m components.download",
        description="Gather the photos of classes into a dataset.",
    )
    parser.add_argument(
        "--label",
        action="append",
        help="a class; once for each of several (default: those of --species)",
    )
    parser.add_argument("--output", type=Path, required=True, help="dataset to write")
    parser.add_argument(
        "--species", type=Path, help="species.yaml with the names to search for (default: label)"
    )
    options.add_to(parser, DownloadOptions)
    run_command("download", parser, _command)


def _command(arguments: argparse.Namespace) -> None:
    species = as_parameter(read_species(arguments.species)) if arguments.species else {}
    classes = arguments.label or list(species)
    if not classes:
        raise InputError("no class is named: give --label, or --species with a file of classes")
    download(classes, arguments.output, DownloadOptions.of(arguments), species)


if __name__ == "__main__":
    main()
