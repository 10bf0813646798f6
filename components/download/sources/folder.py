"""The source `folder`: a folder with one subfolder per class, as retrain.py read it."""

import functools
from collections.abc import Iterator
from pathlib import Path

from components.common.base.errors import InputError
from components.common.dataset.class_folders import class_files, read_photo, warn_of_files_beside
from components.download.candidate import Candidate, Query


def candidates(query: Query) -> Iterator[Candidate]:
    """The photos of the class folder."""
    if not query.options.image_dir:
        raise InputError("the source folder needs --image_dir (make run IMAGES=folder)")
    image_dir = Path(query.options.image_dir).expanduser()
    files = class_files(image_dir, query.species.label)
    warn_of_files_beside(image_dir)
    for path in files:
        read = functools.partial(read_photo, path)
        yield Candidate(url=f"{query.species.label}/{path.name}", read=read)
