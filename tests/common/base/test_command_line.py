"""The parser of every command: how options may be written, and what is said of mistakes."""

import argparse
import sys

import pytest

from components.common.base import command_line, options
from components.common.base.command_line import CommandParser
from components.common.base.options import Options, option
from components.common.base.wording import folded


@pytest.fixture
def parser(monkeypatch: pytest.MonkeyPatch) -> CommandParser:
    monkeypatch.setenv("COLUMNS", "60")
    made = CommandParser(
        prog="bake",
        description="Bake bread.",
        examples=("--oven_heat 200 " + "--very_long_option some-value " * 3,),
        first=("oven_heat", "name"),
    )
    made.add_argument("--oven_heat", type=int, default=180, help="degrees")
    made.add_argument("--name", default="", help="of the bread")
    made.add_argument("--min_share", type=float, default=0.5, help="a-long-hyphenated-word " * 6)
    made.add_argument("--crust", action=argparse.BooleanOptionalAction, default=True)
    made.add_argument("--grain", choices=("rye", "wheat"), default="rye")
    made.add_argument("loaves", nargs="*")
    return made


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--oven_heat", "200"], {"oven_heat": 200}),
        (["--oven-heat", "200"], {"oven_heat": 200}),
        (["--oven-heat=200"], {"oven_heat": 200}),
        (["--oven", "200"], {"oven_heat": 200}),
        (["--min-s=0.25"], {"min_share": 0.25}),
        (["--no-crust"], {"crust": False}),
        (["--no_crust"], {"crust": False}),
        (["--name=a-b_c"], {"name": "a-b_c"}),
        (["--name=--oven-heat"], {"name": "--oven-heat"}),
        (["--", "--oven-heat"], {"loaves": ["--oven-heat"]}),
    ],
)
def test_dashes_and_underscores_are_the_same_in_names_and_differ_in_values(
    parser: CommandParser, words: list[str], expected: dict[str, object]
) -> None:
    found = vars(parser.parse_args(words))
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--oven_heta", "1"], "there is no option --oven_heta: did you mean --oven_heat?"),
        (["--oven-heta=1"], "there is no option --oven-heta: did you mean --oven_heat?"),
        (["--zzzz"], "there is no option --zzzz"),
        (["--oven_heat", "hot"], "--oven_heat is 'hot': expected a whole number"),
        (["--oven-heat", "1.5"], "--oven_heat is '1.5': expected a whole number"),
        (["--min_share", "half"], "--min_share is 'half': expected a number"),
        (["--name"], "--name is given without a value"),
        (["--grain", "weat"], "--grain is 'weat': expected one of rye, wheat: did you mean wheat?"),
    ],
)
def test_mistake_is_one_line_that_says_what_was_expected_and_how_to_get_help(
    parser: CommandParser,
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(words)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"bake: error: {message} (bake --help says more)"


def test_what_must_be_given_is_named_in_usage_and_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = CommandParser(prog="mill")
    parser.add_argument("--grain", required=True)
    parser.add_argument("--flour", required=True)
    assert parser.format_usage() == "usage: mill --grain GRAIN --flour FLOUR [options]\n"
    with pytest.raises(SystemExit):
        parser.parse_args(["--grain", "rye"])
    assert "mill: error: --flour must be given" in capsys.readouterr().err


def test_help_shows_what_people_change_first_and_help_all_the_rest(
    parser: CommandParser, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = parser.format_help()
    assert shown.index("--oven_heat") < shown.index("--name")
    assert "--min_share" not in shown
    assert "--help-all" in shown
    for spelling in ("--help-all", "--help_all"):
        with pytest.raises(SystemExit) as ended:
            parser.parse_args([spelling])
        assert not ended.value.code
        assert "--min_share" in capsys.readouterr().out


def test_help_breaks_no_word_and_its_examples_can_be_pasted(parser: CommandParser) -> None:
    text = parser.help_text(everything=True)
    assert all(len(line) <= 60 for line in text.splitlines())
    assert text.count("a-long-hyphenated-word") == 6
    example = text.partition("example:\n")[2]
    assert example.split("\n")[0].endswith(" \\")
    pasted = example.replace("\\\n", " ").split()
    assert pasted == ["bake", "--oven_heat", "200", *["--very_long_option", "some-value"] * 3]
    # An option and its value stay in one line.
    assert all(line.rstrip(" \\").endswith(("200", "some-value")) for line in example.splitlines())


def test_subcommand_refuses_its_own_unknown_options(capsys: pytest.CaptureFixture[str]) -> None:
    parser = CommandParser(prog="kitchen")
    commands = parser.add_subparsers(dest="command", required=True, prog=parser.prog)
    commands.add_parser("bake").add_argument("--oven_heat", type=int)
    commands.add_parser("mill")
    assert parser.parse_args(["bake", "--oven-heat", "7"]).oven_heat == 7
    for words, message in (
        (["bake", "--oven-hat", "7"], "kitchen bake: error: there is no option --oven-hat: did"),
        (["bkae"], "kitchen: error: the command is 'bkae': expected one of bake, mill: did"),
    ):
        with pytest.raises(SystemExit):
            parser.parse_args(words)
        assert message in capsys.readouterr().err


def test_programs_started_by_another_name_say_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_line, "_started_as", [])
    assert CommandParser(prog="python -m components.clean").prog == "python -m components.clean"
    command_line.start_as("mushrooms clean")
    parser = CommandParser(prog="python -m components.clean", examples=("--images a",))
    assert "  mushrooms clean --images a" in parser.format_help()


def test_options_of_a_dataclass_make_a_group_named_by_its_docstring() -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Heat(Options):
        """How hot the oven is."""

        degrees: int = option(180, "degrees of the oven")

    parser = CommandParser(prog="bake")
    options.add_group(parser, Heat)
    assert "how hot the oven is:\n  --degrees" in parser.format_help()


@pytest.mark.parametrize("width", [20, 40, 80])
def test_folded_text_keeps_every_word_and_its_indent(width: int) -> None:
    text = "  one two-three " + "four " * 30 + "\n\nhttps://example.org/" + "a" * 100
    lines = folded(text, width).split("\n")
    assert "".join(text.split()) == "".join("".join(lines).split())
    assert all(len(line) <= max(width, 26) for line in lines[:-1])
    assert lines[0].startswith("  one")
    assert lines[1].startswith("    ")
    assert lines[-1].endswith("a" * 100)
    assert "" in lines


def test_errors_for_a_terminal_alone_are_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    from components.common.base import step

    text = "word " * 40
    assert step.for_terminal(text) == text
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "50")
    assert max(map(len, step.for_terminal(text).split("\n"))) <= 50
