"""Step `download`: the photos of one class, with where each came from, as a dataset."""

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path

from components.common import images
from components.common.dataset import DatasetWriter, Photo, check_label
from components.common.errors import InputError
from components.common.step import Progress, step
from components.download import folder, sample

SOURCES = ("sample", "folder")
DEFAULT_SAMPLES = 60
RENDERED = "rendered"  # the flag of pictures that are drawings, not photographs


@step("download")
def download(
    label: str,
    output: Path,
    *,
    source: str = "sample",
    image_dir: str = "",
    per_class: int = DEFAULT_SAMPLES,
    seed: int = 0,
) -> None:
    """Gather the photos of one class into a dataset, bytes as they were found.

    Args:
        label: the class.
        output: directory of the dataset to write.
        source: "sample" renders pictures of the five species; "folder" reads `image_dir/label/`.
        image_dir: folder of class folders, for "folder".
        per_class: pictures to render, for "sample" (planted faults come on top).
        seed: of the rendering.

    Raises:
        InputError: unknown source or class, or a folder that is missing or empty.
    """
    check_label(label)
    if source == "sample":
        photos = _rendered(label, per_class, seed)
    elif source == "folder":
        if not image_dir:
            raise InputError("the source 'folder' needs --image_dir, a folder of class folders")
        photos = folder.read_class(Path(image_dir).expanduser(), label)
    else:
        raise InputError(f"unknown source {source!r}: expected one of {', '.join(SOURCES)}")
    with DatasetWriter(output) as writer:
        for photo, data in Progress(f"download {label}").over(photos):
            writer.add(photo, data, extension=images.extension(data))


def check_per_class(per_class: int) -> None:
    """Raise `InputError` unless `per_class` is a number of pictures."""
    if per_class < 1:
        raise InputError(f"--per_class is {per_class}: expected 1 or more")


def _rendered(label: str, per_class: int, seed: int) -> Iterator[tuple[Photo, bytes]]:
    if label not in sample.LABELS:
        raise InputError(
            f"the sample has no class {label!r}: it renders {', '.join(sample.LABELS)}; for other "
            "classes use your own photos (IMAGES=folder)"
        )
    check_per_class(per_class)
    blank = Photo(
        label=label,
        source="sample",
        author="rendered by wild-mushrooms",
        licence="CC0-1.0",
        flags=(RENDERED,),
    )
    for picture in sample.render_class(label, per_class, seed=seed):
        sha256 = hashlib.sha256(picture.data).hexdigest()
        url = f"sample:{label}/{picture.name}"
        yield dataclasses.replace(blank, source_url=url, source_sha256=sha256), picture.data
