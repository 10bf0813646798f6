"""The page of a training's curves, for whoever has no TensorBoard at hand."""

from pathlib import Path

from components.common.base.errors import InputError
from components.common.dataset.class_facts import ClassFacts
from components.common.pages import page, training_curves
from components.common.untrusted import sealed


def render(logs: Path, *, shown_by: str = "") -> str:
    """The page, from the file that retrain leaves beside TensorBoard's logs.

    Args:
        logs: their folder.
        shown_by: the command that opens the live view; empty: that of a run on this machine.

    Raises:
        InputError: the file is missing, damaged, or holds what no training writes.
    """
    path = logs / sealed.CURVES_FILE
    content = sealed.read(path, sealed.CURVES)
    try:
        phases = training_curves.phases(content)
        facts = ClassFacts.parse(content.get("facts"))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} was not written by a training: {error}") from error
    return page.render(__file__, phases=phases, facts=facts, shown_by=shown_by)
