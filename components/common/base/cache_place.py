"""Where the cache lies, and what takes its place where it cannot be written."""

import functools
import os
import tempfile
from pathlib import Path

from components.common.base import temporary
from components.common.base.files import SECOND_CACHE_VARIABLE, default_cache_dir
from components.common.base.step import warn


def cache_folder(cache_dir: str | Path) -> Path:
    """The folder that what makes a second try cheap is kept in; one that can be written.

    Args:
        cache_dir: the folder that was asked for; empty for the user's own.
    """
    return usable(Path(cache_dir).expanduser() if cache_dir else default_cache_dir())


@functools.cache
def usable(cache: Path) -> Path:
    """The folder of the cache; a temporary one, with a warning, where it cannot be written.

    The networks and weights of a cache that can only be read are used all the same.
    """
    problem = _problem(cache)
    if not problem:
        return cache
    warn(
        f"the cache {cache} cannot be written ({problem}): what is fetched, converted and computed "
        "now is not kept for the next time; --cache_dir names another folder"
    )
    if os.access(cache, os.R_OK | os.X_OK):
        os.environ.setdefault(SECOND_CACHE_VARIABLE, str(cache))
    return temporary.scratch("cache-")


def _problem(cache: Path) -> str:
    """Why nothing can be kept there; empty where it can."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=cache):
            pass
        with os.scandir(cache) as entries:
            folders = [entry.name for entry in entries if entry.is_dir()]
    except OSError as error:
        return error.strerror or str(error)
    # Such as what another user has left there.
    closed = [name for name in folders if not os.access(cache / name, os.W_OK | os.X_OK)]
    return f"its folder {closed[0]} belongs to somebody else" if closed else ""
