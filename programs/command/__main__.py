"""`mushrooms`: every command of the project under one name.

Only the module of the command that is asked for is imported: labelling a photo takes 0.2 s, and
the pipeline's own imports as much as ten times that.
"""

import importlib
import sys

from components import __version__
from components.common.base.command_line import did_you_mean, start_as
from programs.command.table import COMMANDS, GROUPS, Command

NAME = "mushrooms"
EXAMPLES = (
    "run",
    "run --image-dir ~/photos",
    "label --model-dir runs/latest/model photo.jpg",
    "serve --model-dir runs/latest/model",
)


def main() -> None:
    """The command line: `mushrooms COMMAND [options]`."""
    name, *words = sys.argv[1:] or ["--help"]
    if name in ("-h", "--help", "help"):
        print(help_text(), end="")
    elif name == "--version":
        print(f"wild-mushrooms {__version__}")
    elif command := COMMANDS.get(name.replace("_", "-")):
        start(command, words)
    else:
        meant = did_you_mean(name, list(COMMANDS))
        print(
            f"{NAME}: error: there is no command {name!r}{meant} ({NAME} --help lists them)",
            file=sys.stderr,
        )
        raise SystemExit(2)


def help_text() -> str:
    """What `mushrooms --help` shows."""
    lines = [f"usage: {NAME} COMMAND [options]", ""]
    for title, commands in GROUPS.items():
        lines.append(f"{title}:")
        lines += [f"  {command.name:<15} {command.meaning}" for command in commands]
        lines.append("")
    lines.append("examples:")
    lines += [f"  {NAME} {example}" for example in EXAMPLES]
    lines += ["", f"{NAME} COMMAND --help shows a command's options. In their names dashes and"]
    lines += ["underscores are the same. --version shows the version."]
    return "\n".join(lines) + "\n"


def start(command: Command, words: list[str]) -> None:
    """Run a subcommand in this process, as if its module had been started with the words."""
    sys.argv = [NAME, command.name, *words] if command.is_part else [NAME, *words]
    start_as(NAME if command.is_part else f"{NAME} {command.name}")
    importlib.import_module(command.module).main()


if __name__ == "__main__":
    main()
