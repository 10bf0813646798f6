"""Are dangerous confusions named? `make bench-dangers IMAGES=…`, a folder with a species.yaml.

5 × 5-fold cross-validation over whole groups: heads of the pipeline's recipe answer photos that
they had not seen. Counted are the photos of deadly and poisonous classes that are called an edible
class (answers, so each photo counts once a repeat), and for several probabilities from which on a
dangerous class would be named beside the answer: in how many of these confusions the true class
would be, and beside how many answers to other photos that name no dangerous class one would be.
Of the probability that is used, components/common/dataset/dangers.py has the reason.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from benchmarks.unknown import FOLDS, RECIPE, gather
from components.common.base.errors import InputError
from components.common.base.step import run_command
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.class_folders import list_classes, read_species_file
from components.common.dataset.dangers import NAMED_ABOVE, is_confusion
from components.common.dataset.species import as_parameter, facts_of
from components.common.model.model import softmax
from components.retrain.head import Examples, train

REPEATS = 5
LIMITS = (0.001, NAMED_ABOVE, 0.01, 0.02, 0.05, 0.1)


def measure(options: argparse.Namespace) -> None:
    """Print the table."""
    classes = list_classes(options.folder)
    stated = read_species_file(options.folder)
    facts = facts_of(classes, as_parameter(stated.species), stated.subject)
    if not any(map(facts.is_dangerous, classes)):
        raise InputError(
            f"{options.folder / 'species.yaml'} states no class as deadly or poisonous: expected "
            "`edibility:` of the classes (docs/your-own-species.md)"
        )
    vectors, labels, groups = gather(options.folder)
    asked = [_answers(Examples(vectors, labels), groups, len(classes), r) for r in range(REPEATS)]
    _report(np.concatenate(asked), np.tile(labels, REPEATS), classes, facts)


def _answers(
    examples: Examples, groups: NDArray[np.int64], classes: int, seed: int
) -> NDArray[np.float32]:
    """Probabilities of every photo, float32 (N, classes), by a head that had not seen it."""
    found = np.empty((len(examples), classes), np.float32)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for seen, unseen in folds.split(examples.vectors, examples.labels, groups):
        training = Examples(examples.vectors[seen], examples.labels[seen])
        nothing = Examples(training.vectors[:0], training.labels[:0])
        head = train(training, nothing, classes, RECIPE, lambda _: None)
        found[unseen] = softmax(head.logits(examples.vectors[unseen]))
    return found


def _report(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: list[str],
    facts: ClassFacts,
) -> None:
    """Print the figures.

    Args:
        probabilities: shape (answers, classes).
        labels: the true classes, shape (answers,).
        classes: their names.
        facts: what is stated of them.
    """
    dangerous = np.array([facts.is_dangerous(label) for label in classes])
    answered = probabilities.argmax(axis=1)
    confused = np.array(
        [
            is_confusion(classes[true], classes[said], facts)
            for true, said in zip(labels.tolist(), answered.tolist(), strict=True)
        ]
    )
    others = ~dangerous[labels] & ~dangerous[answered]
    of_truth = probabilities[np.arange(len(labels)), labels]
    print(
        f"{len(labels) // REPEATS} photos, {REPEATS} × {FOLDS} folds: {confused.sum()} of "
        f"{dangerous[labels].sum()} answers to dangerous classes name an edible one"
    )
    print("named from | true class named in these | a dangerous class named beside other answers")
    for limit in LIMITS:
        named = ((probabilities > limit) & dangerous).any(axis=1)
        print(
            f"{limit:10.1%} | {(confused & (of_truth > limit)).sum():24} | "
            f"{(others & named).sum()} of {others.sum()}"
        )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dangers", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of class folders with a species.yaml")
    run_command("benchmarks.dangers", parser, measure)


if __name__ == "__main__":
    main()
