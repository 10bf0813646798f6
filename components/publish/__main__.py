"""The step `publish` as a command."""

import argparse
from pathlib import Path

from components.common.base import options
from components.common.base.command_line import CommandParser
from components.common.base.step import run_command
from components.publish.options import PublishOptions
from components.publish.publish import publish_if_good


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m components.publish",
        description="Publish a model if it is good enough and no worse than the published one. "
        "Exit status: 0 published, 1 held back, 2 wrong usage.",
        examples=(
            "--model_dir runs/latest/model --demo runs/latest/demo "
            "--metrics runs/latest/metrics.json "
            "--publish_dir published --name flowers",
        ),
    )
    parser.add_argument("--model_dir", type=Path, required=True, help="the model")
    parser.add_argument(
        "--demo", type=Path, required=True, help="photos to compare on, such as runs/latest/demo"
    )
    parser.add_argument(
        "--metrics",
        type=Path,
        required=True,
        help="figures of evaluate, such as runs/latest/metrics.json",
    )
    parser.add_argument("--decision", type=Path, help="JSON file to write the decision to")
    options.add_to(parser, PublishOptions)
    run_command("publish", parser, _command)


def _command(arguments: argparse.Namespace) -> int:
    asked = PublishOptions.of(arguments)
    decided, place = publish_if_good(
        arguments.model_dir, arguments.demo, arguments.metrics, asked, arguments.decision
    )
    print(f"published: {place} ({decided.reason})" if place else f"held back: {decided.reason}")
    return 0 if place else 1


if __name__ == "__main__":
    main()
