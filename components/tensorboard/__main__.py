"""The step `tensorboard` as a command."""

from pathlib import Path

from components.common.base.command_line import CommandParser
from components.common.base.step import run_command
from components.tensorboard.tensorboard import tensorboard


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m components.tensorboard",
        description="Write the training curves as a page, and the link behind the TensorBoard "
        "button of KFP's run page. To see logs on this machine: make tensorboard",
        examples=(
            "--logs runs/latest/logs --image tensorboard --output viewer.json --page curves.html",
        ),
    )
    parser.add_argument("--logs", required=True, help="gs://, s3:// or local place of the logs")
    parser.add_argument("--image", required=True, help="image that TensorBoard is started from")
    parser.add_argument("--endpoint", default="", help="address of an S3 store other than Amazon's")
    parser.add_argument("--secret", default="", help="Kubernetes secret with the store's keys")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--page", type=Path, help="HTML file to write the curves to")
    run_command(
        "tensorboard",
        parser,
        lambda options: tensorboard(
            options.logs,
            options.output,
            image=options.image,
            endpoint=options.endpoint,
            secret=options.secret,
            logs=Path(options.logs) if options.page else None,
            page=options.page,
        ),
    )


if __name__ == "__main__":
    main()
