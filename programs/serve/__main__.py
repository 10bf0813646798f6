"""The web page and service as a command: make serve."""

import argparse
from pathlib import Path

from components.common.base import options
from components.common.base.command_line import CommandParser
from components.common.base.step import run_command
from programs.serve.options import ServeOptions

ASKING = """\
and in another terminal:
  curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8080/v1/predict
"""


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m programs.serve",
        description="A web page and service that classify a photo. Never eat "
        "anything because of the answer.",
        examples=("--model_dir runs/latest/model",),
        notes=ASKING,
    )
    parser.add_argument(
        "--model_dir",
        required=True,
        help="the model: a folder, gs:// or s3://, or where publish puts its versions",
    )
    parser.add_argument(
        "--metrics",
        type=Path,
        help="metrics.json of evaluate, to say how good the model is (default: beside the model)",
    )
    options.add_to(parser, ServeOptions)
    run_command("serve", parser, _command)


def _command(arguments: argparse.Namespace) -> None:
    from programs.serve.serve import serve  # FastAPI: not needed for --help

    chosen = ServeOptions.of(arguments)
    chosen.check()
    serve(arguments.model_dir, chosen, metrics=arguments.metrics)


if __name__ == "__main__":
    main()
