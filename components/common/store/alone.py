"""One process at a time in a folder, as stores see to it by themselves for an object."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.common.base.step import warn
from components.common.base.temporary import wait_for_lock


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Wait until no other process of this machine publishes into the folder.

    Where its disk knows no locks it only says so: pointer and versions are whole all the same.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if not wait_for_lock(descriptor):  # it ends with the descriptor, however this ends
            warn(
                f"{folder} is on a disk without file locks: publish {folder.name} from one run at "
                "a time, or the later one may replace a better model"
            )
        yield
    finally:
        os.close(descriptor)
