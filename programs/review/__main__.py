"""Shows a run's review page and saves what is decided on it: `python -m programs.review RUN`."""

import argparse

from components.common.base import options
from components.common.base.command_line import CommandParser
from components.common.base.step import run_command
from components.common.base.wording import harmless
from programs.review.options import ReviewOptions

NOTES = (
    "exit status: 0 ended by Ctrl-C, 1 the decisions could not be read or written, 2 no run with a "
    "review page of this version, no folder of select, or the port is taken"
)


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m programs.review",
        description="Show the review page of a run in the browser, save the decisions beside the "
        "run as they are made, and say at the end how to run again with them. Or show the page of "
        "photos that select chose, save the answers, and copy the photos into class folders.",
        notes=NOTES,
        examples=("runs/latest", "to-label --into ~/photos"),
    )
    parser.add_run_folder()
    options.add_to(parser, ReviewOptions)
    run_command("review", parser, _command)


def _command(arguments: argparse.Namespace) -> None:
    from programs.review.review import review  # pages and decisions: not needed for --help

    chosen = ReviewOptions.of(arguments)
    chosen.check()
    review(arguments.run, chosen, lambda line: print(harmless(line), flush=True))


if __name__ == "__main__":
    main()
