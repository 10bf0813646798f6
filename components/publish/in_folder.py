"""Publishing into a folder: a version appears under its name when it is whole."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.common.base.files import atomic_directory, write_file
from components.common.model import layout
from components.common.model.model_place import LATEST
from components.common.store.alone import alone_in
from components.publish import places, serving


def put(
    root: Path,
    version: str,
    model_dir: Path,
    papers: Mapping[str, str],
    pointer: Mapping[str, Any],
    *,
    champion: str,
) -> bool:
    """Copy the model to `root/version/` unless it is there, number it, and write the pointer.

    Returns:
        False, with nothing written, where neither `champion` nor this version is the one published
        now.

    Raises:
        WorkError: the disk is full.
    """
    root.mkdir(parents=True, exist_ok=True)
    with alone_in(root):
        if places.published_version(str(root)) not in (champion, version):
            return False
        target = root / version
        if not (target / layout.DESCRIPTION).is_file():
            with atomic_directory(
                target, what="the published model", marker=layout.DESCRIPTION
            ) as new:
                shutil.copytree(model_dir, new, dirs_exist_ok=True)
                for name, text in papers.items():
                    (new / name).write_text(text, encoding="utf-8")
        number = serving.give_number(str(root), version)
        write_file(root / LATEST, places.pointer_text(pointer, number), what="the pointer")
    return True
