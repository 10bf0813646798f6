"""Does `select` choose better than chance? `make bench-label-next IMAGES=… REPORTED=…`.

Of each folder, ten times: two fifths of the photos of each class are held out, three of each are
labelled, and the others are the unlabelled pool. A head is trained on the labelled ones and
calibrated as `retrain` does it; with its answers 10, 20, 30 and 50 photos of the pool are chosen by
`programs/select/choice.py`, in one go each. A new head learns from the labelled photos and the
chosen ones with their true classes, and is measured on those held out. The same with photos chosen
at random (the mean of three draws), and with those of the smallest margin, which is uncertainty
alone. Of copies one photo is used. Differences are paired: the same labelled photos, pool and
held-out photos. Their intervals are of Student's t over the ten divisions. These share their
photos, so the intervals say how sure the result is for these photos rather than for others.

Then, of 20 chosen photos: how many show a class that has no labelled photo, each class in turn; and
how many show something else, where a third of the pool is of the other folder.

Nothing is judged: there is no target, and the exit status is 0 whatever comes out.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.unknown import RECIPE, Vectors, gather
from components.common.base.step import run_command
from components.common.model.model import softmax
from components.common.network.architecture import PIPELINE_ARCHITECTURE
from components.common.pages import plot
from components.common.pages.chart import Axis, Chart, Line
from components.retrain import calibrate
from components.retrain.head import Examples, score, train
from programs.select import choice

SIZES, SEEDS, RANDOM_DRAWS = (10, 20, 30, 50), 10, 3
STUDENT = 2.262  # 97.5 % point of Student's t with SEEDS - 1 degrees of freedom
HELD_OUT, LABELLED = 0.4, 3  # share of each class's photos, and photos of each class
ASKED = 20  # chosen photos of the two other questions
OURS, MARGIN, RANDOM = "select", "smallest margin", "random"

Labels = NDArray[np.int64]
Rows = NDArray[np.intp]
Choose = Callable[[int], Rows]


@dataclass(frozen=True)
class Photos:
    """Different photos.

    Attributes:
        vectors: float32, shape (N, D).
        labels: int64, shape (N,), from 0.
    """

    vectors: Vectors
    labels: Labels

    @classmethod
    def of(cls, folder: Path, architecture: str) -> "Photos":
        """The photos of a folder, one of each group of copies."""
        vectors, labels, groups = gather(folder, architecture)
        _, first = np.unique(groups, return_index=True)
        first.sort()
        return cls(vectors[first], labels[first])

    def examples(self, rows: Rows) -> Examples:
        """Some of them, to learn from or to measure on."""
        return Examples(self.vectors[rows], self.labels[rows])


@dataclass(frozen=True)
class Division:
    """Rows of the photos that are labelled, that are unlabelled, and that are held out."""

    labelled: Rows
    pool: Rows
    held_out: Rows


def divide(labels: Labels, seed: int) -> Division:
    """Divide the photos of each class at random."""
    random = np.random.default_rng(seed)
    parts: tuple[list[Rows], ...] = ([], [], [])
    for label in np.unique(labels).tolist():
        rows = random.permutation(np.flatnonzero(labels == label))
        held_out = round(HELD_OUT * len(rows))
        for part, some in zip(parts, np.split(rows, [LABELLED, len(rows) - held_out]), strict=True):
            part.append(some)
    return Division(*(np.sort(np.concatenate(part)) for part in parts))


def answers(
    labelled: Examples, classes: int, asked: Vectors
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Probabilities and familiarity of photos, by a head of the labelled ones, calibrated."""
    groups = [str(row) for row in range(len(labelled))]
    fold = calibrate.folds(labelled.labels, groups)
    fitted = calibrate.calibrate(calibrate.out_of_fold(labelled, fold, classes, RECIPE))
    head = train(labelled, _nothing(labelled), classes, RECIPE, lambda _: None)
    logits = head.logits(asked)
    scores = fitted.unknown.score(fitted.distances(asked), logits.max(axis=1))
    probabilities = softmax(logits / np.float32(fitted.temperature))
    return probabilities, fitted.unknown.familiarity(scores)


def _nothing(examples: Examples) -> Examples:
    return Examples(examples.vectors[:0], examples.labels[:0])


def chosen(
    vectors: Vectors, probabilities: NDArray[np.float32], familiarity: NDArray[np.float64]
) -> dict[str, Choose]:
    """Ways to choose so many photos of a pool: functions that give its rows."""
    weight = choice.weights(probabilities, familiarity)
    unsure = np.argsort(-choice.uncertainty(probabilities), kind="stable")

    def ours(size: int) -> Rows:
        return np.array([one.row for one in choice.choose(vectors, weight, size)], np.intp)

    return {OURS: ours, MARGIN: lambda size: unsure[:size]}


def curves(photos: Photos, seed: int) -> dict[str, list[float]]:
    """Accuracy on the held-out photos, by how they were chosen, with 0 and each of SIZES more."""
    part, classes = divide(photos.labels, seed), int(photos.labels.max()) + 1
    held_out = photos.examples(part.held_out)

    def accuracy(more: Rows) -> float:
        learned = photos.examples(np.concatenate([part.labelled, more]))
        head = train(learned, _nothing(learned), classes, RECIPE, lambda _: None)
        return score(head, held_out)[0]

    pool = photos.vectors[part.pool]
    ways = chosen(pool, *answers(photos.examples(part.labelled), classes, pool))
    start = accuracy(part.pool[:0])
    found = {
        name: [start, *(accuracy(part.pool[way(size)]) for size in SIZES)]
        for name, way in ways.items()
    }
    random = np.random.default_rng([seed, 1])
    draws = [part.pool[random.permutation(len(pool))] for _ in range(RANDOM_DRAWS)]
    means = [float(np.mean([accuracy(draw[:size]) for draw in draws])) for size in SIZES]
    return {**found, RANDOM: [start, *means]}


def of_new_class(photos: Photos, seed: int) -> tuple[int, float]:
    """Of the chosen photos those of a class without labelled photos; and as many by chance."""
    part, classes = divide(photos.labels, seed), int(photos.labels.max()) + 1
    new = seed % classes
    labelled = part.labelled[photos.labels[part.labelled] != new]
    known = Examples(photos.vectors[labelled], np.unique(photos.labels[labelled], True, True)[-1])
    pool = photos.vectors[part.pool]
    rows = chosen(pool, *answers(known, classes - 1, pool))[OURS](ASKED)
    is_new = photos.labels[part.pool] == new
    return int(is_new[rows].sum()), ASKED * float(is_new.mean())


def of_other_things(photos: Photos, others: Photos, seed: int) -> tuple[int, float]:
    """Of the chosen photos those of other things, in a pool with a third of them; and by chance."""
    part, classes = divide(photos.labels, seed), int(photos.labels.max()) + 1
    random = np.random.default_rng([seed, 2])
    strange = random.choice(len(others.labels), len(part.pool) // 2, replace=False)
    pool = np.concatenate([photos.vectors[part.pool], others.vectors[strange]])
    found = answers(photos.examples(part.labelled), classes, pool)
    rows = chosen(pool, *found)[OURS](ASKED)
    return int((rows >= len(part.pool)).sum()), ASKED * len(strange) / len(pool)


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean of paired differences, and the ends of its 95 % interval by Student's t."""
    array = np.array(values)
    half = STUDENT * array.std(ddof=1) / np.sqrt(len(array))
    return float(array.mean()), float(array.mean() - half), float(array.mean() + half)


def report(name: str, photos: Photos, others: Photos, figures: Path | None) -> None:
    """Print one folder's tables, and draw its curve."""
    part = divide(photos.labels, 0)
    print(
        f"{name}: {len(photos.labels)} photos, {len(part.labelled)} labelled, {len(part.pool)} in "
        f"the pool, {len(part.held_out)} held out; {SEEDS} divisions"
    )
    found = [curves(photos, seed) for seed in range(SEEDS)]
    means = {way: np.mean([one[way] for one in found], axis=0) for way in found[0]}
    print("  more  " + "".join(f"{way:>17}" for way in means) + "   select - random      wins")
    for place, size in enumerate((0, *SIZES)):
        cells = "".join(f"{values[place]:>17.3f}" for values in means.values())
        gains = [one[OURS][place] - one[RANDOM][place] for one in found]
        mean, low, high = interval(gains)
        paired = f"{100 * mean:+5.1f} ({100 * low:+.1f} to {100 * high:+.1f})" if place else ""
        wins = f"{sum(gain > 0 for gain in gains)} of {SEEDS}" if place else ""
        print(f"  {size:>4}  {cells}   {paired:<20} {wins}", flush=True)
    for rival in (RANDOM, MARGIN):
        whole = [float(np.mean(one[OURS]) - np.mean(one[rival])) * 100 for one in found]
        mean, low, high = interval(whole)
        print(
            f"  mean of the curve, select - {rival}: {mean:+.1f} points ({low:+.1f} to {high:+.1f})"
        )
    for what, pairs in (
        ("a class without labels", [of_new_class(photos, seed) for seed in range(SEEDS)]),
        ("other things", [of_other_things(photos, others, seed) for seed in range(SEEDS)]),
    ):
        ours, chance = np.mean(pairs, axis=0)
        _, low, high = interval([one - expected for one, expected in pairs])
        print(
            f"  of {ASKED} chosen, photos of {what}: {ours:.1f}, by chance {chance:.1f} "
            f"(difference {low:+.1f} to {high:+.1f})"
        )
    if figures:
        chart = _chart(name, means, found)
        (figures / f"label-next-{name}.svg").write_text(plot.svg_file(chart), encoding="utf-8")


def _chart(
    name: str, means: dict[str, NDArray[np.float64]], found: Sequence[dict[str, list[float]]]
) -> Chart:
    at = (0, *SIZES)
    lines = [
        Line([(float(size), float(value)) for size, value in zip(at, values, strict=True)], way)
        for way, values in means.items()
    ]
    every = np.concatenate(list(means.values()))
    low, high = int(np.floor(every.min() * 10)), int(np.ceil(every.max() * 10))
    accuracy = [(tenth / 10, f"{10 * tenth} %") for tenth in range(low, high + 1)]
    ends = ", ".join(f"{way} {values[-1]:.2f}" for way, values in means.items())
    ticks = [(float(size), str(size)) for size in at]
    return Chart(
        f"Accuracy on held-out {name} by photos added to {LABELLED} of each class, mean of "
        f"{len(found)} divisions; with {SIZES[-1]} more: {ends}.",
        Axis("photos added", 0, SIZES[-1], ticks),
        Axis("accuracy", low / 10, high / 10, accuracy),
        lines,
    )


def measure(options: argparse.Namespace) -> None:
    """Print the tables of both folders."""
    folders = (options.folder, options.others)
    photos = [Photos.of(folder, options.architecture) for folder in folders]
    print(options.architecture)
    for place, folder in enumerate(folders):
        report(folder.name, photos[place], photos[1 - place], options.figures)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.label_next", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of class folders of photos")
    parser.add_argument("others", type=Path, help="another one, of other things")
    parser.add_argument("--architecture", default=PIPELINE_ARCHITECTURE)
    parser.add_argument("--figures", type=Path, help="folder to draw the curves into, as SVG")
    run_command("benchmarks.label_next", parser, measure)


if __name__ == "__main__":
    main()
