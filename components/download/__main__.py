"""The step `download` as a command."""

import argparse
from pathlib import Path

from components.common.base import options
from components.common.base.step import run_command
from components.common.dataset.species import as_parameter, read_species
from components.download.download import download
from components.download.options import DownloadOptions


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m components.download",
        description="Gather the photos of one class into a dataset.",
    )
    parser.add_argument("--label", required=True, help="the class")
    parser.add_argument("--output", type=Path, required=True, help="dataset to write")
    parser.add_argument(
        "--species", type=Path, help="species.yaml with the names to search for (default: label)"
    )
    options.add_to(parser, DownloadOptions)
    run_command("download", parser, _command)


def _command(arguments: argparse.Namespace) -> None:
    species = as_parameter(read_species(arguments.species)) if arguments.species else {}
    download(arguments.label, arguments.output, DownloadOptions.of(arguments), species)


if __name__ == "__main__":
    main()
