"""The step `download` as a command."""

import argparse
from pathlib import Path

from components.common.step import add_options, run_command
from components.download.download import DEFAULT_SAMPLES, SOURCES, download


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m components.download",
        description="Gather the photos of one class into a dataset.",
    )
    parser.add_argument("--label", required=True, help="the class")
    parser.add_argument("--output", type=Path, required=True, help="dataset to write")
    add_options(
        parser,
        ("source", "sample", f"one of {', '.join(SOURCES)}"),
        ("image_dir", "", "folder of class folders, for the source folder"),
        ("per_class", DEFAULT_SAMPLES, "pictures to render, for the source sample"),
        ("seed", 0, "seed of the rendering"),
    )
    run_command("download", parser, _command)


def _command(options: argparse.Namespace) -> None:
    download(
        options.label,
        options.output,
        source=options.source,
        image_dir=options.image_dir,
        per_class=options.per_class,
        seed=options.seed,
    )


if __name__ == "__main__":
    main()
