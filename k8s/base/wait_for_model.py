"""Ends once a model is published; the page's init container runs it: wait_for_model.py PLACE."""

import sys
import time

from components.common.base.errors import InputError, WorkError
from components.common.base.step import configure_logging, log
from components.common.base.termination import end_cleanly_on_signals
from components.common.model.layout import DESCRIPTION
from components.common.model.model_place import LATEST, POINTER_MAX_BYTES
from components.common.store import storage

AGAIN_S = 30.0


def is_published(place: str) -> bool:
    """True if there is a model, or a pointer to the latest version of one.

    Args:
        place: gs://bucket/folder or s3://bucket/folder.

    Raises:
        InputError: no such bucket, or no permission.
        WorkError: the store cannot be reached.
    """
    return any(
        storage.find_place(f"{place.rstrip('/')}/{name}", max_bytes=POINTER_MAX_BYTES) is not None
        for name in (LATEST, DESCRIPTION)
    )


def main() -> None:
    """Look again and again: a run may publish its first model hours from now."""
    configure_logging()
    end_cleanly_on_signals()
    place = sys.argv[1]
    while True:
        try:
            if is_published(place):
                log.info(f"there is a model at {place}")
                return
            log.info(f"no model at {place} yet: looking again in {AGAIN_S:.0f} s")
        except (InputError, WorkError) as error:
            log.info(f"{error}; looking again in {AGAIN_S:.0f} s")
        time.sleep(AGAIN_S)


if __name__ == "__main__":
    main()
