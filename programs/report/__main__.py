"""The result of a finished run, once more: `mushrooms report`."""

import argparse
import json
from dataclasses import replace

from rich.console import Console

from components.common.base.command_line import CommandParser
from components.common.base.errors import InputError
from components.common.base.step import run_command
from components.common.model.description import read_description
from programs.run import summary
from programs.run.display import EventReader
from programs.run.notices import gathered
from programs.run.options import Request


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m programs.report",
        description="Print the result of a finished run once more: how good the model is, where to "
        "look, what to check and what to try next.",
        examples=("", "runs/20261129-172925"),
    )
    parser.add_run_folder()
    run_command("report", parser, _command)


def _command(options: argparse.Namespace) -> None:
    run = options.run.resolve()
    if not (run / summary.FILE_NAME).is_file():
        raise InputError(
            f"no finished run at {options.run}: expected its folder with {summary.FILE_NAME} "
            "(mushrooms run makes one)"
        )
    try:
        content = json.loads((run / summary.FILE_NAME).read_text(encoding="utf-8"))
        request = replace(Request.read(run / "request.json"), run_dir=run)
        warned = [event for event in EventReader(run / "events.jsonl").read() if _is_warning(event)]
        subject = read_description(run / "model").facts.subject
        summary.tell(request, content, subject, gathered(_once(warned)), Console(highlight=False))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{run} is damaged ({error!r:.200}): expected a finished run") from error


def _is_warning(event: dict[str, object]) -> bool:
    return event["event"] == "warning"


def _once(events: list[dict[str, object]]) -> list[dict[str, object]]:
    """Each message once, as the run's display has them."""
    return list({event["message"]: event for event in events}.values())


if __name__ == "__main__":
    main()
