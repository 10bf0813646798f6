"""The measured sections of a model card: accuracy, probabilities, confusions, the predecessor.

The figures come from the step evaluate. What is missing there is left out here.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from components.common.dataset.attribution import escape
from components.common.model.description import ModelDescription
from components.common.model.model import TOP_K, TOP_K_IN_WORDS
from components.publish.decision import Decision
from components.publish.options import ANY_REGRESSION

MAX_CONFUSIONS = 8
MAX_CODE = 200  # characters
MAX_REASON = 2000  # characters
PARTS = (
    ("test", "test part"),
    ("demo", "demo photos"),
    ("held_out", "both together"),
)
SHARES = (
    (f"top{TOP_K}_accuracy", f"right class among the {TOP_K_IN_WORDS} likeliest"),
    ("macro_recall", "recognised, mean over the classes"),
    ("curated_accuracy", "right, without the photos that look mislabelled"),
    ("unknown_rate", "called none of the classes, though they are of one"),
    ("answered_accuracy", "right, where it names a class"),
)
LOSSES = (
    ("log_loss", "log loss, nats (0 is best)"),
    ("brier", "Brier score (0 is best, 2 worst)"),
    ("ece", "expected calibration error (0 is best)"),
)


def accuracy(description: ModelDescription, figures: Mapping[str, Any]) -> list[str]:
    """How often it is right, by part and by class, with intervals."""
    rows = [
        [name, int(photos), *_with_interval(figures, f"{key}_accuracy")]
        for key, name in PARTS
        if (photos := _number(figures, f"{key}_photos"))
    ]
    lines = ["## How good it is", "", "On photos that it never saw:", ""]
    lines += table(["photos", "how many", "right", "95 % interval"], rows)
    shares = [
        [name, *_with_interval(figures, key)]
        for key, name in SHARES
        if _number(figures, key) is not None
    ]
    if shares:
        lines += ["", "Further, on all of them:", ""]
        lines += table(["photos", "share", "95 % interval"], shares)
    matrix = _confusion(description, figures)
    per_class = [
        [escape(label), sum(row), row[at], sum(line[at] for line in matrix)]
        for at, (label, row) in enumerate(zip(description.classes, matrix, strict=False))
    ]
    if per_class:
        lines += ["", "By class:", ""]
        lines += table(
            ["class", "photos", "of these recognised", "photos given its name"], per_class
        )
    return lines


def calibration(description: ModelDescription, figures: Mapping[str, Any]) -> list[str]:
    """How far the probabilities can be trusted."""
    lines = ["## How far its probabilities can be trusted", ""]
    if description.temperature is None:
        lines.append("There were too few photos to calibrate it: take them as a ranking only.")
    elif description.temperature == 1:
        lines.append("A temperature would not have helped: they are as the network gives them.")
    else:
        lines.append(_temperature(description))
    rows = []
    for key, name in LOSSES:
        value, before = _number(figures, key), _number(figures, f"{key}_uncalibrated")
        if value is not None:
            rows.append([name, f"{value:.3f}", "" if before is None else f"{before:.3f}"])
    if rows:
        header = ["", "as the program gives them", "without the temperature"]
        columns = 2 if description.temperature in (None, 1) else 3
        lines += ["", "On the photos that it never saw:", ""]
        lines += table(header[:columns], [row[:columns] for row in rows])
    return lines


def _temperature(description: ModelDescription) -> str:
    facts = description.calibration or {}
    sentence = f"The program divides the scores by the temperature {description.temperature:.3f}"
    if photos := _number(facts, "photos"):
        sentence += f", fitted on {photos:.0f} photos by heads that had not seen them"
    losses = facts.get("log_loss")
    if isinstance(losses, list) and len(losses) == 2:
        sentence += f"; their log loss is {losses[1]:.3f} nats with it, and {losses[0]:.3f} without"
    return f"{sentence}. The files of the network give probabilities without it."


def confusions(description: ModelDescription, figures: Mapping[str, Any]) -> list[str]:
    """The pairs of classes that are taken for each other most often, as list items."""
    matrix, classes = _confusion(description, figures), description.classes
    pairs = [
        (-count, true, predicted)
        for true, row in enumerate(matrix)
        for predicted, count in enumerate(row)
        if true != predicted and count
    ]
    return [
        f"- {escape(classes[true])} taken for {escape(classes[predicted])}: {-less} of "
        f"{sum(matrix[true])} photos"
        for less, true, predicted in sorted(pairs)[:MAX_CONFUSIONS]
    ]


def predecessor(decision: Decision) -> list[str]:
    """This model and the one that it replaced, on the same photos."""
    lines = ["## Why it was published", "", f"{escape(decision.reason, MAX_REASON)}."]
    if decision.max_regression >= ANY_REGRESSION:
        lines += ["", "**It was published whatever the comparison says (`--max_regression 1`).**"]
    lines += ["", "## Beside the model that it replaced", ""]
    compared = decision.comparison
    if decision.champion_problem:
        return [*lines, "The model published before could not be read, so nothing was compared."]
    if decision.champion in ("", decision.version):
        return [*lines, "None: it is the first that was published under this name."]
    if compared is None or not compared.photos:
        return [*lines, "Not compared: no photo was left that neither of them was made of."]
    low, high = compared.interval
    rows = [
        [name, compared.photos, right, share(right / compared.photos)]
        for name, right in (
            (f"this, {decision.version}", compared.challenger_right),
            (f"the one before, {escape(decision.champion)}", compared.champion_right),
        )
    ]
    lines += table(["version", "demo photos, the same", "right", "share"], rows)
    lines += [
        "",
        f"Difference {100 * compared.difference:+.1f} points, 95 % interval {100 * low:+.1f} to "
        f"{100 * high:+.1f}; exact McNemar p = {compared.p_value:.2g}.",
    ]
    if compared.left_out:
        lines += ["", f"Left out: {compared.left_out} photos that one of them was made of."]
    return lines


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """A Markdown table; columns of counts are aligned to the right."""
    right = [bool(rows) and isinstance(cell, int) for cell in (rows[0] if rows else header)]
    lines = [header, ["---:" if column else "---" for column in right], *rows]
    return ["| " + " | ".join(map(str, line)) + " |" for line in lines]


def share(value: float) -> str:
    """A share as people read it."""
    return f"{100 * value:.1f} %"


def code(text: str) -> str:
    """Text in the type of code: one line, and nothing in it can end the code or a table's cell."""
    return "`" + "".join(c for c in text[:MAX_CODE] if c.isprintable() and c not in "`|") + "`"


def _with_interval(figures: Mapping[str, Any], key: str) -> list[str]:
    value, low, high = (_number(figures, f"{key}{end}") for end in ("", "_low", "_high"))
    interval = "" if low is None or high is None else f"{share(low)} to {share(high)}"
    return ["not measured" if value is None else share(value), interval]


def _confusion(description: ModelDescription, figures: Mapping[str, Any]) -> list[list[int]]:
    """Rows of true classes, columns of given ones; empty where the figures hold no such matrix."""
    matrix, size = figures.get("confusion"), len(description.classes)
    if not isinstance(matrix, list) or len(matrix) != size:
        return []
    for row in matrix:
        if not isinstance(row, list) or len(row) != size:
            return []
        if not all(isinstance(count, int) and count >= 0 for count in row):
            return []
    return matrix


def _number(facts: Mapping[str, Any], key: str) -> float | None:
    value = facts.get(key)
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
