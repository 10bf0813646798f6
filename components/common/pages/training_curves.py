"""Charts of a training's curves, of the numbers that retrain keeps of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from components.common.pages import plot
from components.common.pages.chart import Axis, Chart, Line, Point, round_ticks, share_axis

PHASES = {"head": "Training the last layer", "fine_tuning": "Fine-tuning"}
COLUMNS = 5  # step; accuracy and cross entropy of the training part, then of the validation part
MOST_ROWS = 10_000
MOST_STEP, MOST_NATS = 1e9, 1e6


@dataclass(frozen=True)
class Phase:
    """One part of a training, with its two charts."""

    title: str
    accuracy: str
    cross_entropy: str


def phases(content: Mapping[str, Any]) -> list[Phase]:
    """The parts of a training, from the content of curves.json.

    Raises:
        ValueError: it holds what no training writes; or KeyError, TypeError.
    """
    return [_phase(title, _rows(content[name])) for name, title in PHASES.items() if content[name]]


def _rows(rows: Any) -> list[list[float | None]]:
    """The rows of a phase, each number of them checked."""
    checked = [list(row) for row in islice(rows, MOST_ROWS)]
    before = -1.0
    for step, *shares in checked:
        if not isinstance(step, int | float) or not before < step <= MOST_STEP:
            raise ValueError(f"step {step!r:.40} after {before:g}")
        accuracies, entropies = shares[::2], shares[1::2]
        within = [(value, 1.0) for value in accuracies] + [
            (value, MOST_NATS) for value in entropies
        ]
        if len(shares) != COLUMNS - 1 or not all(
            value is None or (isinstance(value, int | float) and 0 <= value <= most)
            for value, most in within
        ):
            raise ValueError(f"the row of step {step:g}")
        before = step
    return checked


def _phase(title: str, rows: Sequence[Sequence[Any]]) -> Phase:
    last = max(rows[-1][0], 1)
    steps = round_ticks(last, whole=True)
    across = Axis("step", 0, last, [(step, f"{step:,.0f}") for step in steps])

    def chart(what: str, up: Axis, first: int) -> str:
        lines = [
            Line(_points(rows, column), name)
            for column, name in ((first, "training"), (first + 2, "validation"))
        ]
        lines = [line for line in lines if line.points]
        ends = ", ".join(f"{line.name} {line.points[-1][1]:.3f}" for line in lines)
        return plot.svg(Chart(f"{title}: {what} by step; at the end {ends}.", across, up, lines))

    nats = [row[column] for row in rows for column in (2, 4) if row[column] is not None]
    top = max(*nats, 0.1)
    named = [(tick, f"{tick:g}") for tick in round_ticks(top)]
    return Phase(
        title,
        chart("accuracy", share_axis("accuracy"), 1),
        chart("cross entropy in nats", Axis("cross entropy (nats)", 0, top, named), 2),
    )


def _points(rows: Sequence[Sequence[Any]], column: int) -> list[Point]:
    return [(row[0], row[column]) for row in rows if row[column] is not None]
