"""Photos in class folders, as retrain.py took them: cleaned, grouped and divided into a dataset.

The pipeline has steps of its own for that, which do more (components/clean, components/curate).
This is for the command line alone: no photo is judged by its looks, and none is set aside for a
demo.
"""

import collections
import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError
from components.common.base.step import log, warn
from components.common.base.wording import as_text, counted
from components.common.dataset import class_folders, quotas
from components.common.dataset.copies import near_copies
from components.common.dataset.dataset import DatasetWriter
from components.common.dataset.groups import group_keys, group_photos
from components.common.dataset.photo import Photo
from components.common.dataset.species import as_parameter, facts_of
from components.common.dataset.vocabulary import SURPLUS
from components.common.network import bottlenecks
from components.common.network.backbone import Backbone
from components.common.network.bottlenecks import Bottlenecks
from components.common.photos import images
from components.common.photos.images import BadPhoto

FEW_PHOTOS = 20  # retrain.py warned below this


def write_dataset(
    image_dir: Path,
    output: Path,
    backbone: Backbone,
    bottleneck_dir: Path,
    *,
    validation_percentage: int,
    testing_percentage: int,
) -> None:
    """Make a dataset with training, validation and test parts of a folder of class folders.

    The parts depend on the photos' contents alone, so that a folder can be moved and a file
    renamed; near copies stay together. A photo in two classes is used in neither. A species.yaml
    beside the class folders says what is known of the classes.

    Args:
        image_dir: the folder.
        output: dataset to write.
        backbone: the network that computes the bottlenecks.
        bottleneck_dir: where bottlenecks are kept between runs.
        validation_percentage: of each class.
        testing_percentage: of each class.

    Raises:
        InputError: the folder holds no classes, or a class too few photos for its parts.
    """
    labels = class_folders.list_classes(image_dir)
    beside = class_folders.read_species_file(image_dir)
    known = facts_of(labels, as_parameter(beside.species), beside.subject)
    with DatasetWriter(output, facts=known) as writer:
        photos = _clean(image_dir, labels, writer)
        vectors = bottlenecks.compute(backbone, photos, bottleneck_dir)
        written = writer.revise(lambda photo: photo)
        parts = divide(
            written,
            vectors,
            validation_percentage=validation_percentage,
            testing_percentage=testing_percentage,
        )
        rows = iter(parts)
        writer.revise(lambda photo: dataclasses.replace(photo, **next(rows)))


def divide(
    photos: Sequence[Photo],
    vectors: Bottlenecks,
    *,
    validation_percentage: int,
    testing_percentage: int,
) -> list[dict[str, Any]]:
    """Group and part of each photo, by quota within each class.

    Args:
        photos: of all classes.
        vectors: their bottlenecks.
        validation_percentage: of each class.
        testing_percentage: of each class.

    Returns:
        for each photo the manifest's columns `group` and `split`.

    Raises:
        InputError: a class has too few different photos.
    """
    places = vectors.rows(photos)
    near = near_copies(
        vectors.fingerprints_of(places),
        vectors.vectors[places],
        vectors.family,
        vectors.key.views,
    )
    groups = group_photos(photos, near)
    by_class: dict[str, dict[str, list[int]]] = collections.defaultdict(dict)
    columns: list[dict[str, Any]] = [{"group": "", "split": SURPLUS} for _ in photos]
    twice = []
    for rows in groups:
        label = photos[rows[0]].label
        if any(photos[row].label != label for row in rows):
            twice += rows
            continue
        by_class[label][group_keys([photos[row] for row in rows])[0]] = rows
    if twice:
        warn(
            f"{counted(len(twice), 'photo was', 'photos were')} left out because the same photo is "
            f"in two classes, such as {photos[twice[0]].source_url}"
        )
    for label in sorted({photo.label for photo in photos}):
        members = by_class[label]
        count = sum(len(rows) for rows in members.values())
        quota = quotas.quota_for(
            count,
            train_per_class=max(1, count),
            demo_per_class=0,
            validation_percentage=validation_percentage,
            testing_percentage=testing_percentage,
        )
        sizes = {key: len(rows) for key, rows in members.items()}
        for key, part in quotas.assign(label, sizes, quota).items():
            for row in members[key]:
                columns[row] = {"group": key, "split": part}
    return columns


def _clean(
    image_dir: Path, labels: Sequence[str], writer: DatasetWriter
) -> Iterator[tuple[Photo, bytes]]:
    """The usable photos of the folder, written as they are read."""
    for label in labels:
        bad = []
        count = 0
        for path in class_folders.class_files(image_dir, label):
            try:
                source = class_folders.read_photo(path)
                good = images.to_clean_jpeg(source)
            except (BadPhoto, class_folders.UnreadableFile) as error:
                bad.append(f"{path} ({error.reason if isinstance(error, BadPhoto) else error})")
                continue
            photo = Photo(
                label=label,
                source_sha256=hashlib.sha256(source).hexdigest(),
                width=good.width,
                height=good.height,
                source="folder",
                source_url=f"{label}/{as_text(path.name)}",
            )
            count += 1
            yield writer.add(photo, good.data), good.data
        if bad:
            unusable = counted(
                len(bad), f"unusable file of {label!r}", f"unusable files of {label!r}"
            )
            warn(f"{unusable} left out, such as {bad[0]}")
        if not count:
            raise InputError(f"no file of {image_dir / label} is a usable photo: {bad[0]}")
        log.info("%s: %s", label, counted(count, "photo"))
        if count < FEW_PHOTOS:
            few = counted(count, "photo")
            warn(f"{label!r} has only {few}, which may cause issues: use {FEW_PHOTOS}")
