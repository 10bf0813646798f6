"""What may be learned from: all parts but the demo photos, and what curation left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.common.base.step import warn
from components.common.dataset import label_check
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import VOUCHED
from components.retrain.head import Examples, Head, train_for_all_steps
from components.retrain.material import Material, labelled
from components.retrain.options import Recipe

Mask = NDArray[np.bool_]  # shape (N,), which photos


@dataclass(frozen=True)
class Pool:
    """N photos, which the recipe is measured on and the final head may learn from.

    Attributes:
        photos: of the training, validation and test parts in this order, then those that curation
            left out of the training part because they look like another class.
        examples: their bottlenecks and class numbers.
        copies: bottlenecks of distorted copies, float32 (N, D) each.
        classes: number of classes.
        in_dataset: bool (N,); False for those left out, whose pictures are elsewhere.
    """

    photos: list[Photo]
    examples: Examples
    copies: Sequence[NDArray[np.float32]]
    classes: int
    in_dataset: Mask

    @classmethod
    def of(cls, material: Material) -> "Pool":
        """The pool of a dataset.

        Raises:
            InputError: the list of what curation left out is damaged.
        """
        dataset = material.dataset
        inside = [*material.learned, *material.test_photos]
        known, seen = set(dataset.labels), set(material.vectors.sha256)
        left_out = [photo for photo in dataset.left_out() if photo.label in known]
        outside = [photo for photo in left_out if photo.sha256 in seen]
        if len(outside) < len(left_out):
            warn(
                f"{len(left_out) - len(outside)} of the photos that curation left out have no "
                "bottlenecks here and are not scored: the figures are a little too good"
            )
        examples = labelled([*inside, *outside], dataset.labels, material.vectors)
        # What was left out has no picture here, and so no distorted copies: it counts as it is.
        plain = examples.vectors[len(inside) :]
        return cls(
            [*inside, *outside],
            examples,
            [np.concatenate([copy, plain]) for copy in material.copies],
            len(dataset.labels),
            np.arange(len(inside) + len(outside)) < len(inside),
        )

    @property
    def groups(self) -> list[str]:
        """The group of each photo; a photo without one is its own."""
        return [photo.own_group for photo in self.photos]

    def pruned(self, chosen: Mask) -> Mask:
        """The chosen photos but for those that look like another class, as curation prunes.

        Only the chosen photos are asked; what a person kept stays.
        """
        rows = np.flatnonzero(chosen)
        photos = [self.photos[row] for row in rows.tolist()]
        judged = label_check.judge_labels(
            self.examples.vectors[rows],
            [photo.label for photo in photos],
            [photo.own_group for photo in photos],
            np.ones(len(rows), bool),
        )
        stay = chosen.copy()
        for label in {photo.label for photo in photos}:
            members = [place for place, photo in enumerate(photos) if photo.label == label]
            free = [place for place in members if VOUCHED.isdisjoint(photos[place].flags)]
            out, _ = label_check.clearest(judged, free, len(members))
            stay[rows[out]] = False
        return stay

    def train(self, chosen: Mask, recipe: Recipe) -> Head:
        """A head of the chosen photos and their copies, for all steps of the recipe."""
        return train_for_all_steps(self.examples, self.copies, chosen, self.classes, recipe)
