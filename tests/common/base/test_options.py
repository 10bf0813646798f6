"""Options are declared once, and everything else is made of the declaration."""

import argparse
from dataclasses import dataclass, replace

import pytest

from components.common.base import options
from components.common.base.errors import InputError
from components.common.base.options import Options, described, option


@dataclass(frozen=True)
class Walk(Options):
    """Options of every kind."""

    steps: int = option(20, "steps of the walk", minimum=1, maximum=100)
    rate: float = option(0.5, "share of 100 % that is left", above=0)
    share: float = option(0.0, "share of each label", minimum=0, below=1)
    pace: str = option("slow", "slow takes longer", choices=("slow", "fast"))
    name: str = option("", "name of the walk", pattern="[a-z]*", form="small letters")
    stops: tuple[str, ...] = option((), "where it stops", pattern="[a-z]+", form="small letters")
    shoes: bool = option(True, "wear shoes", on_cluster="wear boots")
    hidden: str = option("", "no command takes it", in_commands=False)


def parser_of(*kinds: options.Kind, cluster: bool = False) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser()
    options.add_to(parser, *kinds, cluster=cluster)
    return parser


def test_command_line_has_types_defaults_and_meanings() -> None:
    parser = parser_of(Walk)
    assert Walk.of(parser.parse_args([])) == Walk()
    words = ["--steps", "7", "--rate", "0.25", "--pace", "fast", "--stops", "a, b", "--no-shoes"]
    expected = Walk(steps=7, rate=0.25, pace="fast", stops=("a", "b"), shoes=False)
    assert Walk.of(parser.parse_args(words)) == expected
    text = " ".join(parser.format_help().split())
    assert "steps of the walk (default: 20)" in text
    assert "one of slow, fast; slow takes longer (default: 'slow')" in text
    assert "share of 100 % that is left" in text
    assert "--hidden" not in text


def test_defaults_are_those_of_an_instance_and_the_first_declaration_counts() -> None:
    @dataclass(frozen=True)
    class Other(Options):
        steps: int = option(3, "something else")
        more: int = option(4, "more")

    own = replace(Walk(), steps=9)
    arguments = parser_of(own, Other).parse_args([])
    assert (arguments.steps, arguments.more) == (9, 4)
    assert options.defaults(own, Other)["steps"] == 9
    names = [field.name for field, _ in options.declarations(Walk, Other)]
    assert names.count("steps") == 1


def test_meaning_on_a_cluster_is_its_own() -> None:
    assert "wear boots" in parser_of(Walk, cluster=True).format_help()
    assert "wear shoes" in parser_of(Walk).format_help()


@pytest.mark.parametrize(
    ("walk", "message"),
    [
        (Walk(steps=0), "--steps is 0: expected 1 to 100"),
        (Walk(steps=101), "--steps is 101: expected 1 to 100"),
        (Walk(rate=0.0), "--rate is 0.0: expected more than 0"),
        (Walk(rate=float("inf")), "--rate is inf: expected more than 0"),
        (Walk(rate=float("nan")), "--rate is nan: expected more than 0"),
        (Walk(share=1.0), "--share is 1.0: expected 0 to below 1"),
        (Walk(pace="idle"), "--pace is 'idle': expected one of slow, fast"),
        (Walk(name="A"), "--name is 'A': expected small letters"),
        (Walk(stops=("a", "B")), r"--stops is \('a', 'B'\): expected small letters"),
    ],
)
def test_value_out_of_bounds_is_named_with_what_was_expected(walk: Walk, message: str) -> None:
    with pytest.raises(InputError, match=message):
        walk.check()


@pytest.mark.parametrize("walk", [Walk(), Walk(steps=1), Walk(steps=100), Walk(name="a")])
def test_value_within_the_bounds_is_taken(walk: Walk) -> None:
    walk.check()


def test_docstring_describes_the_options_that_a_function_takes() -> None:
    @described(Walk)
    def walk(place: str, steps: int) -> None:
        """Walk.

        Args:
            place: Where.
        """

    assert walk.__doc__ == "Walk.\n\nArgs:\n    place: Where.\n    steps: Steps of the walk."
