"""The step `summarize` as a command."""

import argparse
from pathlib import Path

from components.common.base.command_line import CommandParser
from components.common.base.step import run_command
from components.summarize.summarize import End, summarize


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m components.summarize",
        description="Write the summary that ends a run on a cluster.",
        examples=("--state SUCCEEDED --run my-run --output summary.md",),
    )
    parser.add_argument(
        "--state", required=True, help="what KFP says: SUCCEEDED, FAILED, CANCELED or another word"
    )
    parser.add_argument("--error", default="", help="the cluster's error message")
    parser.add_argument("--run", default="", help="the run's name")
    parser.add_argument("--name", default="mushrooms", help="what the model is published as")
    parser.add_argument(
        "--place",
        default="",
        help="where the summary is in the run's folder of artifacts (<run>/summarize/summary), to "
        "find the figures beside it; default: none are shown",
    )
    parser.add_argument("--output", type=Path, required=True, help="Markdown file to write")
    run_command("summarize", parser, _command)


def _command(options: argparse.Namespace) -> None:
    end = End(options.state, options.error, options.run)
    summarize(end, options.output, name=options.name, place=options.place)


if __name__ == "__main__":
    main()
