"""The step `retrain` as a command: retrain.py's command line."""

from components.common.base.step import run_command
from components.retrain import command


def main() -> None:
    """The command line."""
    run_command("retrain", command.make_parser(), command.run)


if __name__ == "__main__":
    main()
