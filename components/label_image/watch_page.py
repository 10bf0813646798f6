"""drift.html: a batch of answers beside those of the demo photos, and beside an earlier batch."""

import itertools
from collections.abc import Sequence

from components.common.base.wording import as_text
from components.common.model.model_place import version_of
from components.common.pages import page, plot
from components.common.pages.chart import Chart, Line, share_axis
from components.common.pages.text import between, percent
from components.label_image import drift
from components.label_image.drift import Finding
from components.label_image.watch import Comparison

MOST_CLASSES = 200  # rows of the table; those whose share has changed most
QUESTIONS = {
    drift.FAMILIARITY: "Familiarity",
    drift.NONE: "None of these",
    drift.CLASSES: "Classes",
}


def render(compared: Comparison) -> str:
    """The page as one self-contained HTML file."""
    batch, reference, earlier = compared.batch, compared.reference, compared.earlier
    return page.render(
        __file__,
        compared=compared,
        problem="",
        model=reference.model,
        version=version_of(reference.model),
        photos_at=as_text(batch.photos),
        earlier_at=as_text(earlier.place) if earlier else "",
        rows=[_row(compared, finding) for finding in compared.findings],
        chart=plot.svg(_chart(compared)) if batch.counts.photos else "",
        classes=_classes(compared),
        left_out=max(0, len(_labels(compared)) - MOST_CLASSES),
        changes=[_change(compared, one) for one in compared.findings if one.alarm],
        fewest=drift.FEWEST,
        level=drift.LEVEL,
        shuffles=f"{drift.SHUFFLES:,}",
    )


def render_problem(problem: str) -> str:
    """The page of a batch that could not be compared, and why."""
    return page.render(__file__, compared=None, problem=as_text(problem), model=None)


def p_value(value: float) -> str:
    """A p-value as text."""
    return "under 0.001" if value < 0.001 else f"{value:.3f}"


def _row(compared: Comparison, finding: Finding) -> tuple[str, ...]:
    verdict = "Alarm" if finding.alarm else "no alarm"
    return (
        QUESTIONS[finding.what],
        *_sides(compared, finding.what),
        p_value(finding.adjusted),
        verdict,
    )


def _change(compared: Comparison, finding: Finding) -> str:
    """What is different, in words."""
    batch, demo = compared.batch.counts, compared.reference.counts
    if finding.what == drift.FAMILIARITY:
        middle, of_demo = (drift.mean_step(side.familiarity) for side in (batch, demo))
        how = "less" if middle < of_demo else "more"
        return f"its photos look {how} familiar than the demo photos"
    if finding.what == drift.NONE:
        share, of_demo_share = compared.none
        more = "more" if share.value > of_demo_share.value else "fewer"
        return f"{more} of its photos than of the demo photos are none of the classes"
    return "its classes are shared out otherwise than in the earlier batch"


def _sides(compared: Comparison, what: str) -> tuple[str, str]:
    """The figures of the batch and of what it is compared with, in words."""
    if what == drift.FAMILIARITY:
        batch, demo = compared.medians
        return f"median {percent(batch)}", f"median {percent(demo)}"
    if what == drift.NONE:
        return tuple(  # type: ignore[return-value]
            f"{share.count:.0f} of {share.total:.0f}, {percent(share.value)} ({between(share)})"
            for share in compared.none
        )
    earlier = compared.earlier.counts if compared.earlier else None
    sides = (compared.batch.counts, earlier or compared.batch.counts)
    return tuple(  # type: ignore[return-value]
        f"{side.classes.total()} photos of {len(side.classes)} classes" for side in sides
    )


def _chart(compared: Comparison) -> Chart:
    """How familiar the photos look: the share that is at most so familiar."""
    sides = (
        ("this batch", compared.batch.counts.familiarity),
        ("demo photos", compared.reference.counts.familiarity),
    )
    lines = [Line(_cumulated(counts), name) for name, counts in sides if sum(counts)]
    batch, demo = compared.medians
    return Chart(
        "Share of photos that are at most so familiar. Median: this batch "
        f"{percent(batch)}, demo photos {percent(demo)}.",
        share_axis("familiarity"),
        share_axis("share of photos"),
        lines,
        reference=[(0.0, 0.0), (1.0, 1.0)],
    )


def _cumulated(counts: Sequence[int]) -> list[tuple[float, float]]:
    total = sum(counts)
    return [(step / 100, below / total) for step, below in enumerate(itertools.accumulate(counts))]


def _labels(compared: Comparison) -> list[str]:
    earlier = compared.earlier.counts if compared.earlier else None
    found = set(compared.batch.counts.classes)
    return sorted(found | set(earlier.classes if earlier else ()))


def _classes(compared: Comparison) -> list[tuple[str, ...]]:
    """Rows of the table of classes, those first whose share has changed most."""
    counts = compared.batch.counts.classes
    now, labels = drift.shares(counts), _labels(compared)
    earlier = compared.earlier.counts if compared.earlier else None
    if earlier is None:
        labels.sort(key=lambda label: -counts[label])
        return [
            (label, str(counts[label]), percent(now.get(label, 0)))
            for label in labels[:MOST_CLASSES]
        ]
    before = drift.shares(earlier.classes)

    def change(label: str) -> float:
        return now.get(label, 0) - before.get(label, 0)

    labels.sort(key=lambda label: -abs(change(label)))
    return [
        (
            *(label, str(counts[label]), percent(now.get(label, 0))),
            *(str(earlier.classes[label]), percent(before.get(label, 0))),
            f"{100 * change(label):+.0f} points".replace("-", "−"),
        )
        for label in labels[:MOST_CLASSES]
    ]
