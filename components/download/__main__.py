"""The step `download` as a command."""

import argparse
import dataclasses
from pathlib import Path

from components.common.base.step import add_options, run_command
from components.common.dataset.species import as_parameter, read_species
from components.download.candidate import HELP, Options
from components.download.download import download


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
    defaults = dataclasses.asdict(Options())
    add_options(parser, *((name, default, HELP[name]) for name, default in defaults.items()))
    run_command("download", parser, _command)


def _command(arguments: argparse.Namespace) -> None:
    options = Options(**{name: getattr(arguments, name) for name in HELP})
    species = as_parameter(read_species(arguments.species)) if arguments.species else {}
    download(arguments.label, arguments.output, options, species)


if __name__ == "__main__":
    main()
