"""Checks a finished run as a command: `python -m programs.verify runs/latest`."""

import argparse

from components.common.base.command_line import CommandParser
from components.common.base.step import run_command
from components.common.base.wording import harmless
from programs.verify.verify import verify

NOTES = (
    "exit status: 0 complete, unmodified and consistent, 1 something is damaged or belongs to "
    "another run, 2 not a finished run"
)


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m programs.verify",
        description="Check that a finished run is complete, unmodified and consistent: its "
        "datasets, ledger, bottlenecks, model, figures, decision and predictions.",
        notes=NOTES,
        examples=("runs/latest",),
    )
    parser.add_run_folder()
    run_command("verify", parser, _command)


def _command(options: argparse.Namespace) -> int:
    damaged = checked = 0
    for finding in verify(options.run):
        checked += 1
        damaged += not finding.fits
        word = "ok" if finding.fits else "DAMAGED"
        print(harmless(f"{word:<8}{finding.artifact}: {finding.said}"))
    print(
        f"{damaged} of {checked} artifacts are damaged or belong to another run"
        if damaged
        else f"all {checked} artifacts are complete, unmodified and consistent"
    )
    return 1 if damaged else 0


if __name__ == "__main__":
    main()
