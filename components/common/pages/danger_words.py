"""What is said of dangerous classes beside an answer. No words here are leave to eat anything.

Only dangers are named: an edible class is never called so, since the answer may be wrong.
"""

from collections.abc import Sequence

from components.common.dataset.class_facts import UNKNOWN, ClassFacts
from components.common.dataset.dangers import Danger
from components.common.pages.text import percent

NO_LEAVE = "Never eat anything because of an answer."
NOT_STATED = "the edibility of the classes is not stated: see species.yaml"
MAX_NAMED = 5  # classes in one sentence; the deadly come first
MAX_LABEL = 60  # characters of each


def with_danger(label: str, facts: ClassFacts) -> str:
    """A class with its edibility where that is a danger: "fly agaric (poisonous)"."""
    return f"{label} ({facts.edibility_of(label)})" if facts.is_dangerous(label) else label


def unstated(labels: Sequence[str], facts: ClassFacts) -> list[str]:
    """The classes of which no danger is stated, where one is stated of others.

    Beside those they look harmless. Empty where nothing is stated at all: that is said as a whole.
    """
    if not facts.states_edibility:
        return []
    return [label for label in labels if facts.edibility_of(label) == UNKNOWN]


def could_also_be(dangers: Sequence[Danger], answer: str | None) -> str:
    """The dangerous classes beside an answer: "could also be destroying angel (deadly), 4 %".

    Args:
        dangers: of the answer, as `dangers.possible` gives them.
        answer: the class that was answered; None for "none of these".

    Returns:
        A phrase without a full stop; empty where there are no others.
    """
    others = [one for one in dangers if one.label != answer]
    named = [
        f"{_short(one.label)} ({one.edibility}), {percent(one.probability)}"
        for one in others[:MAX_NAMED]
    ]
    if len(others) > MAX_NAMED:
        named.append(f"{len(others) - MAX_NAMED} more")
    return f"could also be {', or '.join(named)}" if named else ""


def caution(dangers: Sequence[Danger], answer: str | None) -> str:
    """All that is to be said of the dangers of an answer, in one phrase; empty where nothing is.

    Args:
        dangers: of the answer, as `dangers.possible` gives them.
        answer: the class that was answered; None for "none of these".
    """
    own = [f"{_short(one.label)} is {one.edibility}" for one in dangers if one.label == answer]
    others = could_also_be(dangers, answer)
    return "; ".join([*own, *([others] if others else [])])


def _short(label: str) -> str:
    """A stranger's class name on one line."""
    text = "".join(letter if letter.isprintable() else "\ufffd" for letter in label)
    return text if len(text) <= MAX_LABEL else f"{text[: MAX_LABEL - 1]}…"
