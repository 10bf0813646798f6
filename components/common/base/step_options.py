"""The options of a step as Kubeflow hands them over: a few inputs of their own, the rest in one.

KFP's form to start a run shows every parameter of a pipeline by its name alone, in the order of the
alphabet. So an option that people often set is a parameter of its own (`in_form` of its
declaration), and the others of a step are entries of one dictionary, the parameter `step_<name>`,
which sorts after them.

A component takes this dictionary as its input `options`. Entries may be missing: `defaults` has
what counts then, the defaults of the compiled pipeline, which a GPU and a store change.
"""

from collections.abc import Mapping
from typing import Any

from components.common.base.command_line import did_you_mean
from components.common.base.errors import InputError
from components.common.base.options import DEFAULTS, OPTIONS, PREFIX, Kind, declarations
from components.common.base.step import step
from components.common.base.wording import joined

# It is part of what the classes are, and comes to all steps with the photos.
WITH_CLASSES = "subject"
MAX_MESSAGE = 80  # characters of a value in a message

_EXPECTED = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def given(name: str, kinds: tuple[Kind, ...], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """All inputs of a component by name, with the options in its dictionary among them, checked.

    What is wrong fails as the step itself would: under KFP's executor with one message and the exit
    status 2.

    Args:
        name: of the step.
        kinds: the dataclasses that declare its options.
        inputs: what the component was called with.

    Raises:
        InputError: an option is unknown, of the wrong type or out of its bounds.
    """
    try:
        own = {field.name for field, declared in declarations(*kinds) if declared.in_form}
        known = in_dictionary(*kinds)
        values = dict(inputs)
        for source in (values.pop(DEFAULTS), values.pop(OPTIONS)):
            values |= {key: _checked(key, value, known, own, name) for key, value in source.items()}
        for kind in kinds:
            kind.of(values).check()
    except InputError as error:
        step(name)(_refuse)(error)
    return values


def in_dictionary(*kinds: Kind) -> dict[str, type]:
    """The options that a step takes as entries of its dictionary, with their types."""
    return {
        field.name: type(field.default)
        for field, declared in declarations(*kinds)
        if declared.in_pipeline and not declared.in_form and field.name != WITH_CLASSES
    }


def _refuse(error: InputError) -> None:
    raise error


def _checked(key: str, value: object, known: Mapping[str, type], own: set[str], name: str) -> Any:
    """The value of an option in its type: numbers in JSON have no other than float."""
    if key in own:
        raise InputError(
            f"{PREFIX}{name} has {key!r}, which is a parameter of its own: set it there"
        )
    if key not in known:
        instead = did_you_mean(key, list(known)) or f": it takes {joined(sorted(known))}"
        raise InputError(f"{PREFIX}{name} has no option {key[:MAX_MESSAGE]!r}{instead}")
    expected = known[key]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if expected is float and is_number:
        return float(value)  # type: ignore[arg-type]
    if expected is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if type(value) is not expected:
        shown = f"{value!r:.{MAX_MESSAGE}}"
        raise InputError(f"{PREFIX}{name}: {key} is {shown}: expected {_EXPECTED[expected]}")
    return value
