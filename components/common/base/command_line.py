"""The parser of every command: dashes or underscores, errors of one line, help with examples.

An option is declared with underscores; `--min-accuracy` and `--min_accuracy` are the same. What
cannot be understood ends with exit status 2 and one line: what was given, what was expected, the
option that was probably meant, and how to get help.
"""

import argparse
import difflib
import re
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from components.common.base.wording import folded

LAST_RUN = Path("runs/latest")
_EXPECTED = {int: "a whole number", float: "a number"}
_NO_VALUE = re.compile(r"^argument (\S+?)(?:/\S+)?: expected (?:one|at least one) argument$")
_MISSING = re.compile(r"^the following arguments are required: (.*)$")
_NEEDLESS_VALUE = re.compile(r"^argument (\S+?)(?:/\S+)?: ignored explicit argument (.*)$")
_AMBIGUOUS = re.compile(r"^ambiguous option: (\S+) could match (.*)$")
_OPTION_AND_VALUE = re.compile(r"(--\w+) (?!-)")
_started_as: list[str] = []


def start_as(name: str) -> None:
    """Let the parsers that follow call the program by this name, such as "mushrooms clean"."""
    _started_as[:] = [name]


def started_as() -> str:
    """The name that `start_as` was told; empty where the program was started otherwise."""
    return _started_as[0] if _started_as else ""


def did_you_mean(given: str, known: Sequence[str]) -> str:
    """A question for the end of a message, such as ": did you mean --seed?"; empty for none."""
    close = difflib.get_close_matches(given, known, 1)
    return f": did you mean {close[0]}?" if close else ""


class CommandParser(argparse.ArgumentParser):
    """A parser of a command line.

    Args:
        prog: how the command is called, unless `start_as` said otherwise.
        examples: command lines for the end of the help, each without the program's name.
        notes: a text that follows them as it is.
        first: names of options. Where there are some, `--help` shows these only, in this order,
            and `--help-all` every option.
        more: as argparse takes it.
    """

    def __init__(
        self,
        *,
        prog: str,
        examples: Sequence[str] = (),
        notes: str = "",
        first: Sequence[str] = (),
        **more: Any,
    ) -> None:
        own = started_as()
        is_part = bool(own) and prog.startswith(f"{own} ")  # a subcommand
        super().__init__(prog=prog if is_part or not own else own, **more)
        self.formatter_class = _Formatter
        self._examples, self._notes, self._first = tuple(examples), notes, tuple(first)
        if first:
            self.add_argument(
                "--help-all", action=_HelpAll, nargs=0, help="show every option and exit"
            )

    def add_run_folder(self) -> None:
        """Take the word `run`: the folder of a finished run, by default that of the last one."""
        self.add_argument(
            "run",
            type=Path,
            nargs="?",
            default=LAST_RUN,
            help=f"the run's folder (default: {LAST_RUN})",
        )

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse does, but that nothing unknown is left: that is an error.

        It is raised here, by the parser of the subcommand, which knows its options.
        """
        words = list(sys.argv[1:] if args is None else args)
        known, unknown = super().parse_known_args(
            words if self._subparsers else self._respelt(words), namespace
        )
        if unknown:
            self._refuse(unknown)
        return known, unknown

    def error(self, message: str) -> NoReturn:
        """Leave with exit status 2 and one line."""
        if found := _NO_VALUE.match(message):
            message = f"{found[1]} is given without a value"
        elif found := _NEEDLESS_VALUE.match(message):
            message = f"{found[1]} takes no value, and was given {found[2]}"
        elif found := _MISSING.match(message):
            message = f"{found[1]} must be given"
        elif found := _AMBIGUOUS.match(message):
            message = f"{found[1]} may be any of {found[2]}: write more of it"
        text = f"{self.prog}: error: {message} ({self.prog} --help says more)"
        self.exit(2, (folded(text, terminal_width()) if sys.stderr.isatty() else text) + "\n")

    def format_usage(self) -> str:
        """One line: what must be given, and that there are options."""
        formatter = self._get_formatter()
        formatter.add_usage(self._usage(), [], [])
        return formatter.format_help()

    def format_help(self) -> str:
        """The options, in groups, and examples."""
        return self.help_text(everything=not self._first)

    def help_text(self, *, everything: bool) -> str:
        """The help: with every option, or with those that people change first."""
        formatter = self._get_formatter()
        formatter.add_usage(self._usage(), [], [])
        formatter.add_text(self.description)
        for title, text, actions in self._sections(everything=everything):
            formatter.start_section(title)
            formatter.add_text(text)
            formatter.add_arguments(actions)
            formatter.end_section()
        if self._examples:
            lines = "\n".join(f"  {self._pasted(example)}" for example in self._examples)
            formatter.add_text(f"example{'s' if len(self._examples) > 1 else ''}:\n{lines}")
        if self._notes:
            formatter.add_text(self._notes)
        return formatter.format_help()

    def _sections(
        self, *, everything: bool
    ) -> list[tuple[str | None, str | None, list[argparse.Action]]]:
        if everything:
            return [
                (group.title, group.description, group._group_actions)
                for group in self._action_groups
                if group._group_actions
            ]
        by_name = {action.dest: action for action in self._actions}
        own: list[argparse.Action] = [a for a in self._actions if isinstance(a, _HELP)]
        return [
            ("what people change first", None, [by_name[name] for name in self._first]),
            ("help", None, own),
        ]

    def _usage(self) -> str:
        words = [self.prog]
        for action in self._actions:
            if action.option_strings and action.required:
                words.append(f"{action.option_strings[0]} {action.metavar or action.dest.upper()}")
        words.append("[options]")
        for action in self._actions:
            if not action.option_strings:
                name = str(action.metavar or action.dest)
                many = {"*": f"[{name} ...]", "?": f"[{name}]"}
                words.append(many.get(str(action.nargs), name))
        text = " ".join(words).replace("%", "%%")
        width = terminal_width() - len("usage: ")
        return folded(text, width, indent="  ")

    def _pasted(self, example: str) -> str:
        """A command line that a shell takes as it is, also where it goes on in the next line."""
        width = terminal_width() - 6  # blanks before, a backslash after, a column that stays free
        whole = _OPTION_AND_VALUE.sub("\\1\0", f"{self.prog} {example}")
        return folded(whole, width, indent="    ").replace("\n", " \\\n").replace("\0", " ")

    def _respelt(self, words: Sequence[str]) -> list[str]:
        """The words with the names of options as they are declared."""
        spellings = {name.replace("-", "_"): name for name in self._option_string_actions}
        respelt: list[str] = []
        for place, word in enumerate(words):
            if word == "--":
                return [*respelt, *words[place:]]
            name, sign, value = word.partition("=")
            if name.startswith("--") and name not in self._option_string_actions:
                plain = name.replace("-", "_")
                begun = {own for known, own in spellings.items() if known.startswith(plain)}
                if plain in spellings:
                    name = spellings[plain]
                elif len(begun) == 1:
                    (name,) = begun
            respelt.append(f"{name}{sign}{value}")
        return respelt

    def _refuse(self, unknown: Sequence[str]) -> NoReturn:
        """Leave because of words that mean nothing here."""
        given = next((word for word in unknown if word.startswith("-")), "")
        if not given:
            self.error(f"{unknown[0]!r} is unexpected: expected options only")
        name = given.partition("=")[0]
        known = [option for option in self._option_string_actions if option.startswith("--")]
        meant = did_you_mean(re.sub(r"(?<=\w)-", "_", name), known)
        self.error(f"there is no option {name}{meant}")

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        try:
            return super()._get_value(action, arg_string)
        except argparse.ArgumentError:
            expected = _EXPECTED.get(action.type) if isinstance(action.type, type) else None
            if expected is None:
                raise
            message = f"{_name(action)} is {arg_string!r}: expected {expected}"
            raise argparse.ArgumentError(None, message) from None

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is None or value in action.choices:
            return
        known = [str(choice) for choice in action.choices if not str(choice).startswith("_")]
        meant = did_you_mean(str(value), known)
        message = f"{_name(action)} is {value!r}: expected one of {', '.join(known)}{meant}"
        raise argparse.ArgumentError(None, message)


class _Formatter(argparse.HelpFormatter):
    """Text of several lines is kept as it is; no word is broken."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "".join(f"{indent}{line}\n" for line in text.splitlines())
        return super()._fill_text(text, width, indent)

    def _split_lines(self, text: str, width: int) -> list[str]:
        plain = " ".join(text.split())
        return textwrap.wrap(plain, width, break_long_words=False, break_on_hyphens=False)


class _HelpAll(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        assert isinstance(parser, CommandParser)
        sys.stdout.write(parser.help_text(everything=True))
        parser.exit()


_HELP = (argparse._HelpAction, _HelpAll)


def terminal_width() -> int:
    """Columns of the terminal; 80 where there is none, unless COLUMNS says otherwise."""
    return shutil.get_terminal_size((80, 24)).columns


def _name(action: argparse.Action) -> str:
    """The option as people write it; of a word without an option, what it stands for."""
    if action.option_strings:
        return action.option_strings[0]
    return "the command" if action.dest == "command" else str(action.metavar or action.dest)
