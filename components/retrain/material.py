"""What a head is trained on: photos, their parts, their bottlenecks, and distorted copies."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import TEST, TRAINING, VALIDATION
from components.common.model.model import softmax
from components.common.network import backbone, bottlenecks
from components.common.network.architecture import Architecture, parse_architecture
from components.common.network.bottlenecks import Bottlenecks
from components.retrain.distort import distorted_bottlenecks
from components.retrain.head import Examples, Head
from components.retrain.options import Distortions

MEASURED = (TRAINING, VALIDATION, TEST)


@dataclass(frozen=True)
class Material:
    """What is learned from.

    Attributes:
        dataset: the photos.
        vectors: their bottlenecks.
        learned: photos of the training part, then those of the validation part.
        parts: bottlenecks and classes of the training, validation and test parts.
        distortions: of the photos learned from.
        copies: bottlenecks of distorted copies of `learned`, float32 (N, D) each; where all photos
            are to be measured on, followed by those of the test part.
    """

    dataset: Dataset
    vectors: Bottlenecks
    learned: list[Photo]
    parts: dict[str, Examples]
    distortions: Distortions
    copies: Sequence[NDArray[np.float32]]

    @property
    def architecture(self) -> Architecture:
        """Of the backbone."""
        return parse_architecture(self.vectors.key.architecture)

    @property
    def views(self) -> int:
        """Of a photo."""
        return self.vectors.key.views

    def seen_by(self, vectors: Bottlenecks) -> "Material":
        """The same photos through another network; without distorted copies."""
        parts = examples(self.dataset.photos, self.dataset.labels, vectors)
        return Material(self.dataset, vectors, self.learned, parts, self.distortions, [])

    @property
    def learned_vectors(self) -> NDArray[np.float32]:
        """Bottlenecks of `learned`, float32 (N, D)."""
        return np.concatenate([self.parts[TRAINING].vectors, self.parts[VALIDATION].vectors])

    @property
    def learned_labels(self) -> NDArray[np.int64]:
        """Class numbers of `learned`, int64 (N,)."""
        return np.concatenate([self.parts[TRAINING].labels, self.parts[VALIDATION].labels])

    @property
    def learned_groups(self) -> list[str]:
        """The group of each photo of `learned`; a photo without one is its own."""
        return [photo.own_group for photo in self.learned]

    @property
    def learned_copies(self) -> list[NDArray[np.float32]]:
        """The distorted copies of `learned`."""
        return [copy[: len(self.learned)] for copy in self.copies]

    @property
    def test_photos(self) -> list[Photo]:
        """The photos of the test part."""
        return _of_part(self.dataset.photos, TEST)

    @property
    def to_learn(self) -> Examples:
        """The training part with its distorted copies."""
        part = self.parts[TRAINING]
        versions = [part.vectors, *(copy[: len(part)] for copy in self.copies)]
        return Examples(np.concatenate(versions), np.tile(part.labels, len(versions)))


def gather(
    training: Path,
    bottleneck_dir: Path,
    distortions: Distortions,
    seed: int,
    weights: str,
    cache: Path,
    *,
    copy_test: bool = False,
) -> Material:
    """Read the artifacts, and make the distorted copies where there are to be any.

    Args:
        training: dataset with its parts.
        bottleneck_dir: bottlenecks of its photos.
        distortions: of the copies.
        seed: of the distortions.
        weights: the weights file that the bottlenecks were computed with; found by default.
        cache: the cache folder.
        copy_test: distort the photos of the test part, too.

    Raises:
        InputError: artifacts that do not belong together, or a class without a training photo.
    """
    dataset = Dataset(training)
    vectors = bottlenecks.load(bottleneck_dir)
    learned = learned_photos(dataset.photos)
    parts = examples(dataset.photos, dataset.labels, vectors)
    copies: list[NDArray[np.float32]] = []
    if distortions:
        key = vectors.key
        network = backbone.load_backbone(key.architecture, cache, weights, key.views)
        kept_in = cache / bottlenecks.CACHE_FOLDER
        distorted = [*learned, *(_of_part(dataset.photos, TEST) if copy_test else ())]
        copies = distorted_bottlenecks(network, dataset, distorted, distortions, kept_in, seed)
    return Material(dataset, vectors, learned, parts, distortions, copies)


def learned_photos(photos: Sequence[Photo]) -> list[Photo]:
    """Those of the training part, then those of the validation part."""
    return [*_of_part(photos, TRAINING), *_of_part(photos, VALIDATION)]


def _of_part(photos: Sequence[Photo], part: str) -> list[Photo]:
    return [photo for photo in photos if photo.split == part]


def labelled(photos: Sequence[Photo], classes: Sequence[str], vectors: Bottlenecks) -> Examples:
    """The bottlenecks of photos with their class numbers.

    Raises:
        InputError: a photo has no bottleneck.
    """
    number = {label: index for index, label in enumerate(classes)}
    labels = np.array([number[photo.label] for photo in photos], dtype=np.int64)
    return Examples(vectors.vectors[vectors.rows(photos)], labels)


def examples(photos: list[Photo], classes: list[str], vectors: Bottlenecks) -> dict[str, Examples]:
    """The bottlenecks of the training, validation and test parts.

    Raises:
        InputError: a photo has no bottleneck, or a class has no training photo.
    """
    members = {part: _of_part(photos, part) for part in MEASURED}
    parts = {part: labelled(members[part], classes, vectors) for part in members}
    missing = sorted(set(classes) - {photo.label for photo in members[TRAINING]})
    if missing or len(classes) < 2:
        raise InputError(
            f"no training photos of {missing}" if missing else f"only one class: {classes}"
        )
    return parts


def misclassified(head: Head, material: Material, part: str) -> list[tuple[Photo, str]]:
    """Photos of a part that the head gets wrong, worst first, with the class that it gives."""
    held_out, classes = material.parts[part], material.dataset.labels
    photos = _of_part(material.dataset.photos, part)
    if not photos:
        return []
    probabilities = softmax(head.logits(held_out.vectors))
    predicted = probabilities.argmax(axis=1)
    right = probabilities[np.arange(len(photos)), held_out.labels]
    order = np.argsort(right, kind="stable")
    wrong = order[predicted[order] != held_out.labels[order]]
    return [(photos[row], classes[predicted[row]]) for row in wrong.tolist()]
