"""The pipeline's parameters: a few options by themselves, the others in one dictionary a step.

Command lines take every option by itself. KFP's form to start a run shows parameters by their names
alone, in the order of the alphabet: components/common/base/step_options.py.
"""

from collections.abc import Mapping
from typing import Any

from components.common.base.options import PREFIX, declarations
from components.common.base.step_options import WITH_CLASSES, in_dictionary
from components.common.dataset.species import as_document, find_species
from programs.run.options import KINDS, STEPS

CLASSES = "classes"


def of_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that stand for options: those of their own, and a dictionary for each step.

    Args:
        options: the value of every option by its name, such as the defaults, or those of a run.
    """
    own = {
        field.name: options[field.name]
        for field, declared in declarations(*KINDS)
        if declared.in_form
    }
    dictionaries = {
        f"{PREFIX}{step}": {name: options[name] for name in in_dictionary(*kinds)}
        for step, kinds in STEPS.items()
    }
    return own | dictionaries


def of_run(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a run, as `programs.run.options.checked` has its arguments."""
    species = [find_species(arguments["species"], label) for label in arguments["classes"]]
    return {CLASSES: as_document(species, arguments[WITH_CLASSES]), **of_options(arguments)}
