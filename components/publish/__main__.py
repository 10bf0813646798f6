"""The step `publish` as a command."""

import argparse
import shlex
from pathlib import Path
from typing import Any

from components.common.base import options
from components.common.base.command_line import LAST_RUN, CommandParser
from components.common.base.errors import InputError
from components.common.base.step import run_command
from components.publish import hub_folder
from components.publish.options import PublishOptions
from components.publish.publish import publish_if_good


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m components.publish",
        description="Publish a model if it is good enough and no worse than the published one. "
        f"With --to {hub_folder.FORM}, write a published model as a folder for the Hugging Face "
        "Hub. Exit status: 0 published or written, 1 held back, 2 wrong usage.",
        examples=(
            "--model_dir runs/latest/model --demo runs/latest/demo "
            "--metrics runs/latest/metrics.json "
            "--publish_dir published --name flowers",
            f"--to {hub_folder.FORM} --model_dir runs/published/flowers --output flowers-for-hub",
        ),
    )
    model = parser.add_argument(
        "--model_dir",
        required=True,
        help=f"the model; with --to a finished run (default: {LAST_RUN}), published versions or "
        "one of them, also gs:// or s3://",
    )
    demo = parser.add_argument(
        "--demo", type=Path, required=True, help="photos to compare on, such as runs/latest/demo"
    )
    metrics = parser.add_argument(
        "--metrics",
        type=Path,
        required=True,
        help="figures of evaluate, such as runs/latest/metrics.json",
    )
    parser.add_argument(
        "--to",
        action=_To,
        choices=(hub_folder.FORM,),
        needless=(model, demo, metrics),
        help=f"{hub_folder.FORM}: write the published model as a folder for the Hugging Face Hub; "
        "nothing is sent. Without --demo and --metrics nothing else is done",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(hub_folder.FORM),
        help=f"with --to: the folder to write (default: {hub_folder.FORM})",
    )
    parser.add_argument("--decision", type=Path, help="JSON file to write the decision to")
    parser.add_argument(
        "--changes",
        type=Path,
        help="HTML file to write, of what has changed since the published model; without a "
        "published model there is none, and an earlier file is removed",
    )
    options.add_to(parser, PublishOptions)
    run_command("publish", parser, _command)


class _To(argparse.Action):
    """Takes the form, and lets options be left out that publishing needs."""

    def __init__(self, *arguments: Any, needless: tuple[argparse.Action, ...], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._needless = needless

    def __call__(
        self, _: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *__: Any
    ) -> None:
        setattr(namespace, self.dest, values)
        for action in self._needless:
            action.required = False


def _command(arguments: argparse.Namespace) -> int:
    asked = PublishOptions.of(arguments)
    place = arguments.model_dir or str(LAST_RUN)
    if not arguments.to or arguments.demo or arguments.metrics:
        if not (arguments.model_dir and arguments.demo and arguments.metrics):
            raise InputError("to publish, --model_dir, --demo and --metrics must be given")
        decided, place = publish_if_good(
            *(Path(arguments.model_dir), arguments.demo, arguments.metrics),
            *(asked, arguments.decision, arguments.changes),
        )
        print(f"published: {place} ({decided.reason})" if place else f"held back: {decided.reason}")
        if not place:
            return 1
    elif arguments.decision or arguments.changes or asked != PublishOptions():
        raise InputError(
            f"--to {arguments.to} without --demo and --metrics decides nothing: it takes "
            "--model_dir and --output only"
        )
    if arguments.to:
        name = hub_folder.write(place, arguments.output)
        folder = shlex.quote(str(arguments.output))
        print(f"written: {arguments.output}; to upload it: hf upload YOU/{name} {folder}")
    return 0


if __name__ == "__main__":
    main()
