"""The step `bottleneck` as a command."""

import argparse
from pathlib import Path

from components.bottleneck.bottleneck import bottleneck
from components.common.base.step import add_options, run_command
from components.common.network.architecture import DEFAULT_ARCHITECTURE, NAMES


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m components.bottleneck",
        description="Compute one feature vector and the ImageNet scores per photo.",
    )
    parser.add_argument(
        "--images", type=Path, nargs="+", required=True, help="datasets of clean photos"
    )
    parser.add_argument("--output", type=Path, required=True, help="bottlenecks to write")
    add_options(
        parser,
        ("architecture", DEFAULT_ARCHITECTURE, NAMES),
        ("weights", "", "a weights file; found by itself by default"),
        ("weights_sha256", "", "of that file; another one is refused"),
        ("cache_dir", "", "where networks and vectors are kept; the user's cache by default"),
    )
    run_command("bottleneck", parser, _command)


def _command(options: argparse.Namespace) -> None:
    bottleneck(
        options.images,
        options.output,
        architecture=options.architecture,
        weights=options.weights,
        weights_sha256=options.weights_sha256,
        cache_dir=options.cache_dir,
    )


if __name__ == "__main__":
    main()
