"""Options, each declared once: as a field of a dataclass, with what it means and its bounds.

Command lines, KFP's descriptions of inputs, the pipeline's parameters with their defaults, checks
of bounds and the tables of the docs are made of these declarations. The few options with `in_form`
are written out once more, as parameters of their component: tests/test_options.py compares those.

Example:
    >>> @dataclass(frozen=True)
    ... class Recipe(Options):
    ...     steps: int = option(4000, "steps of training", minimum=1)
    >>> Recipe(steps=0).check()
    InputError: --steps is 0: expected 1 or more
"""

import argparse
import dataclasses
import functools
import inspect
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, TypeVar

from components.common.base.errors import InputError

F = TypeVar("F", bound=Callable[..., Any])
_DECLARED = "declared"

# How the options that are no parameters of their own are handed over (step_options.py).
OPTIONS, DEFAULTS = "options", "defaults"  # inputs of a component
PREFIX = "step_"  # of the pipeline's parameter, before the step's name
_DICTIONARIES = {
    OPTIONS: "Other options of the step, by name; a missing one is as in `defaults`",
    DEFAULTS: "What the pipeline was compiled with for them",
    PREFIX: "Other options of the step {}, by name; a missing one has its default",
}


@dataclass(frozen=True)
class Declared:
    """What is known of an option beside its name, type and default.

    Attributes:
        meaning: a phrase that a stranger can use, without a full stop.
        minimum: the least value that is allowed; None for any.
        above: what the value must exceed.
        maximum: the greatest value that is allowed.
        below: what the value must stay under.
        choices: the values that are allowed; empty for any.
        pattern: regular expression that a text, or each of several, must match as a whole.
        form: what the pattern asks for, in words.
        on_cluster: the meaning for a run on a cluster, where that differs.
        place: for a file or folder, or an address of a store: whether steps read it or write it.
        in_commands: False for a parameter of the pipeline that no command line takes.
        in_pipeline: False for what is no parameter of the pipeline.
        in_form: True for a parameter of its own, which people see in KFP's form; the others are
            entries of their step's dictionary (step_options.py).
    """

    meaning: str
    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    below: float | None = None
    choices: tuple[str, ...] | tuple[int, ...] = ()
    pattern: str = ""
    form: str = ""
    on_cluster: str = ""
    place: Literal["", "read", "written"] = ""
    in_commands: bool = True
    in_pipeline: bool = True
    in_form: bool = False

    def text(self, *, cluster: bool = False) -> str:
        """The meaning as command lines and tables show it."""
        meaning = (cluster and self.on_cluster) or self.meaning
        return f"{self.expected()}; {meaning}" if self.choices else meaning

    def allows(self, value: Any) -> bool:
        """Whether a value is within the bounds."""
        if self.choices:
            return value in self.choices
        if self.pattern:
            texts = value if isinstance(value, tuple) else (value,)
            return all(re.fullmatch(self.pattern, text) for text in texts)
        if isinstance(value, float) and self.expected() and not math.isfinite(value):
            return False
        return not (
            (self.minimum is not None and value < self.minimum)
            or (self.above is not None and value <= self.above)
            or (self.maximum is not None and value > self.maximum)
            or (self.below is not None and value >= self.below)
        )

    def expected(self) -> str:
        """The bounds in words; empty where there are none."""
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        if self.above is not None:
            most = f", at most {self.maximum}" if self.maximum is not None else ""
            return f"more than {self.above}{most}"
        if self.minimum is None:
            return self.form
        if self.maximum is not None:
            return f"{self.minimum} to {self.maximum}"
        return f"{self.minimum} " + ("or more" if self.below is None else f"to below {self.below}")


def option(default: Any, meaning: str, **declared: Any) -> Any:
    """A field of a dataclass of options.

    Args:
        default: of the option; its type is the option's.
        meaning: as of `Declared`.
        declared: its other attributes.
    """
    return dataclasses.field(default=default, metadata={_DECLARED: Declared(meaning, **declared)})


# Options that several steps take.
seed_option = functools.partial(
    option,
    0,
    "seed of all random draws; the same seed and photos give the same model",
    minimum=0,
    in_form=True,
)
continue_option = functools.partial(
    option,
    "",
    "name of a published model to go on with, and to publish as: photos keep the parts that they "
    "had, decisions by hand stay, and the run ends early if neither photos nor options are new",
)
cache_dir_option = functools.partial(
    option,
    "",
    "folder that keeps photos, networks and vectors for later runs; empty: the user's cache folder",
    on_cluster="folder on the volume of --cache_claim (default: there, if there is one)",
    place="written",
)


@dataclass(frozen=True)
class Options:
    """Base of the dataclasses of options."""

    @classmethod
    def of(cls, values: Mapping[str, Any] | argparse.Namespace) -> Self:
        """The options that are among other values, such as those of a whole command line.

        One that is not there keeps its default. Several values with commas, as a command line takes
        them, become a tuple where the option is one.
        """
        content = values if isinstance(values, Mapping) else vars(values)
        chosen = {}
        for field in dataclasses.fields(cls):
            if field.name not in content:
                continue
            value = content[field.name]
            if isinstance(field.default, tuple) and isinstance(value, str):
                value = tuple(part.strip() for part in value.split(",") if part.strip())
            chosen[field.name] = value
        return cls(**chosen)

    def check(self) -> None:
        """Raise `InputError` where an option is out of its bounds."""
        for field, declared in declarations(type(self)):
            value = getattr(self, field.name)
            if not declared.allows(value):
                refuse(field.name, value, declared.expected())


Kind = Options | type[Options]


def refuse(name: str, value: object, expected: str) -> None:
    """Raise the `InputError` of an option that has no sensible value.

    Args:
        name: of the option.
        value: that it has.
        expected: what would be sensible, in words.
    """
    raise InputError(f"--{written(name)} is {value!r}: expected {expected}")


def written(name: str) -> str:
    """An option's name on a command line: a field that is named like a word of Python ends in _."""
    return name.rstrip("_")


def declarations(*kinds: Kind) -> Iterator[tuple[dataclasses.Field[Any], Declared]]:
    """The fields of dataclasses of options with what is declared of each, in order, each name once.

    Args:
        kinds: the dataclasses, or instances of them.
    """
    names = set()
    for kind in kinds:
        for field in dataclasses.fields(kind):
            if field.name not in names:
                names.add(field.name)
                yield field, field.metadata[_DECLARED]


def defaults(*kinds: Kind) -> dict[str, Any]:
    """The default of each option by its name; of an instance, its value."""
    values: dict[str, Any] = {}
    for kind in kinds:
        for field in dataclasses.fields(kind):
            values.setdefault(field.name, getattr(kind, field.name))
    return values


def add_to(
    parser: argparse.ArgumentParser | argparse._ArgumentGroup,
    *kinds: Kind,
    cluster: bool = False,
    without: Collection[str] = (),
) -> None:
    """Add options to a command line.

    Args:
        parser: to add to.
        kinds: dataclasses of options, or instances of them, whose values are the defaults then.
        cluster: describe them as of a run on a cluster.
        without: names that are left out.
    """
    values = defaults(*kinds)
    for field, declared in declarations(*kinds):
        if field.name in without or not declared.in_commands:
            continue
        default, text = values[field.name], declared.text(cluster=cluster)
        text = text.replace("%", "%%")  # argparse fills in what follows a single one
        if isinstance(default, tuple):
            default = ",".join(default)
        if isinstance(default, bool):
            parser.add_argument(
                f"--{field.name}", action=argparse.BooleanOptionalAction, default=default, help=text
            )
            continue
        if default not in ("", None) and "default: " not in text:
            text += f" (default: {default!r})".replace("%", "%%")
        parser.add_argument(
            f"--{written(field.name)}",
            dest=field.name,
            metavar=written(field.name).upper(),
            type=type(default),
            default=default,
            help=text,
        )


def add_group(
    parser: argparse.ArgumentParser,
    kind: Kind,
    *,
    cluster: bool = False,
    without: Collection[str] = (),
) -> None:
    """Add the options of one dataclass as a group, which has the first line of its docstring.

    Args:
        parser: to add to.
        kind: as of `add_to`.
        cluster: as of `add_to`.
        without: as of `add_to`.
    """
    first = (inspect.getdoc(kind) or "").partition("\n")[0].rstrip(".")
    group = parser.add_argument_group(first[:1].lower() + first[1:])
    add_to(group, kind, cluster=cluster, without=without)


def described(*kinds: Kind) -> Callable[[F], F]:
    """Let a docstring describe the options that a component or the pipeline takes, for KFP.

    Args:
        kinds: dataclasses of options; a component may take some of a dataclass only.
    """

    def describe(function: F) -> F:
        inputs = inspect.signature(function).parameters
        lines = [inspect.getdoc(function) or ""]
        meanings = {field.name: declared.text() for field, declared in declarations(*kinds)}
        for name in inputs:
            of_step = PREFIX if name.startswith(PREFIX) else name
            text = meanings.get(name) or _DICTIONARIES.get(of_step, "")
            if text:
                text = text.format(name.removeprefix(PREFIX)) if of_step == PREFIX else text
                lines.append(f"    {name}: {text[0].upper()}{text[1:]}.")
        function.__doc__ = "\n".join(lines)
        return function

    return describe
