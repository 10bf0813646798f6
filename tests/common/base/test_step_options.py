"""The options that KFP hands over in one dictionary: merged with defaults, typed and checked."""

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest
from conftest import ROOT

from components.common.base.errors import InputError
from components.common.base.options import Options, option
from components.common.base.step_options import given, in_dictionary


@dataclass(frozen=True)
class Walk(Options):
    """Options of every type."""

    seed: int = option(0, "seed of the walk", in_form=True)
    steps: int = option(20, "steps of the walk", minimum=1)
    rate: float = option(0.5, "share that is left", above=0)
    pace: str = option("slow", "how fast it is", choices=("slow", "fast"))
    shoes: bool = option(True, "wear shoes")
    part: str = option("", "part of the walk", in_pipeline=False)


DEFAULTS = {"steps": 30.0, "rate": 0.25, "pace": "fast", "shoes": False}  # of a pipeline


def walk(**options: Any) -> Walk:
    inputs = {"seed": 3, "options": options, "defaults": DEFAULTS, "other": "as it is"}
    told = given("walk", (Walk,), inputs)
    assert told["other"] == "as it is"
    return Walk.of(told)


def test_missing_entries_are_as_in_the_defaults_of_the_pipeline() -> None:
    assert walk() == Walk(seed=3, steps=30, rate=0.25, pace="fast", shoes=False)
    # Numbers of JSON are floats once KFP has handed them on.
    found = walk(steps=7.0, rate=1)
    assert found == Walk(seed=3, steps=7, rate=1.0, pace="fast", shoes=False)
    assert [type(value) for value in (found.steps, found.rate)] == [int, float]


def test_only_what_is_no_parameter_of_its_own_is_an_entry() -> None:
    assert in_dictionary(Walk) == {"steps": int, "rate": float, "pace": str, "shoes": bool}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("step", 3, "step_walk has no option 'step': did you mean steps?"),
        ("nonsense", 3, "step_walk has no option 'nonsense': it takes pace, rate, shoes and steps"),
        ("x" * 10_000, 3, "it takes pace, rate"),
        ("part", "1/2", "step_walk has no option 'part'"),
        ("seed", 3, "step_walk has 'seed', which is a parameter of its own: set it there"),
        ("steps", 2.5, "step_walk: steps is 2.5: expected a whole number"),
        ("steps", True, "step_walk: steps is True: expected a whole number"),
        ("steps", "3", "step_walk: steps is '3': expected a whole number"),
        ("steps", None, "step_walk: steps is None: expected a whole number"),
        ("steps", 0, "--steps is 0: expected 1 or more"),
        ("rate", "much", "step_walk: rate is 'much': expected a number"),
        ("rate", False, "step_walk: rate is False: expected a number"),
        ("rate", -1, "--rate is -1.0: expected more than 0"),
        ("pace", 3, "step_walk: pace is 3: expected a text"),
        ("pace", "idle", "--pace is 'idle': expected one of slow, fast"),
        ("shoes", 1, "step_walk: shoes is 1: expected true or false"),
        ("shoes", "true", "step_walk: shoes is 'true': expected true or false"),
        ("shoes", {"left": True}, "expected true or false"),
    ],
)
def test_wrong_entry_is_named_with_what_was_expected(key: str, value: Any, said: str) -> None:
    with pytest.raises(InputError) as refused:
        walk(**{key: value})
    assert said in str(refused.value)
    assert len(str(refused.value)) < 300


def test_wrong_entry_ends_a_component_with_2_and_one_message() -> None:
    code = (
        "from components.clean.options import CleanOptions\n"
        "from components.common.base.step_options import given\n"
        "given('clean', (CleanOptions,), {'options': {'strikt': True}, 'defaults': {}})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "_KFP_RUNTIME": "true"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    expected = "clean: error: step_clean has no option 'strikt': did you mean strict?"
    assert done.stderr.splitlines() == [expected]
