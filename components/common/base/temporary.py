"""Temporary siblings: where an artifact is written before it takes its name.

Each is locked by the process that writes it, for as long as that lives. So whoever writes the same
artifact next can tell what a killed process left from what another is at work on, also where
containers with process numbers of their own share a disk, and takes the former away.
"""

import atexit
import contextlib
import ctypes
import errno
import fcntl
import hashlib
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PARTIAL, OLD = "partial", "old"
# Where a disk knows no locks (some network disks), what is older than this is nobody's any more.
STALE_S = 86400.0
NAME_MAX_BYTES, SUFFIX_BYTES = 255, 32  # of a name on nearly all disks; of what siblings add to it
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h

_at_work: set[Path] = set()
_owner = os.getpid()  # a forked process knows the same names, and they are not its own


@contextmanager
def sibling(path: Path, *, directory: bool) -> Iterator[Path]:
    """Yield a new, locked file or directory beside `path`; whatever has its name at the end goes.

    Siblings that killed processes left are removed first. Missing parents are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    drop_abandoned(path.parent, _hidden(path))
    made, lock = _make(path, directory=directory)
    try:
        yield made
    finally:
        remove(made)
        _at_work.discard(made)
        os.close(lock)


def _make(path: Path, *, directory: bool) -> tuple[Path, int]:
    """A new sibling and the descriptor that locks it."""
    while True:
        made = path.with_name(f"{_hidden(path)}{PARTIAL}-{secrets.token_hex(4)}")
        # Before it is there: a signal that ends this process may come at any moment.
        _at_work.add(made)
        if directory:
            made.mkdir()
        else:
            made.touch(exist_ok=False)
        lock = os.open(made, os.O_RDONLY)
        # Between the two calls, another process may have taken it for an abandoned one.
        if try_lock(lock) is not False and made.exists():
            return made, lock
        os.close(lock)
        _at_work.discard(made)


def try_lock(descriptor: int) -> bool | None:
    """Lock an open file until it is closed: False where another has it, None without locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a disk that knows no such locks
        return None
    return True


def wait_for_lock(descriptor: int) -> bool:
    """Lock an open file until it is closed, once no other has it; False on a disk without locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:  # ENOLCK, ENOTSUP, EBADF: network disks have several words for it
        return False
    return True


def scratch(prefix: str) -> Path:
    """A new temporary folder, which goes when this process ends."""
    made = Path(tempfile.mkdtemp(prefix=prefix))
    _at_work.add(made)
    return made


def drop_abandoned(folder: Path, prefix: str) -> None:
    """Remove temporary siblings that processes left which are no more.

    Args:
        folder: where they are; a missing one has none.
        prefix: that their names begin with, before "partial-".
    """
    for path in _named(folder, f"{prefix}{PARTIAL}-"):
        if is_abandoned(path):
            remove(path)


def is_abandoned(path: Path) -> bool:
    """True where the process that wrote a temporary file or directory has ended."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:  # its own process was faster
        return False
    try:
        locked = try_lock(descriptor)
        if locked is None:
            return time.time() - os.fstat(descriptor).st_mtime > STALE_S
        return locked
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file or a directory, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


def discard(path: Path) -> None:
    """Remove a directory of which nobody may see a part: it loses its name first.

    What a killed process leaves of it, the next writer of that name takes away.
    """
    doomed = path.with_name(f"{_hidden(path)}{PARTIAL}-{secrets.token_hex(4)}")
    path.rename(doomed)
    remove(doomed)


def remove_own() -> None:
    """Remove what this process is writing: the last thing before it ends."""
    if os.getpid() == _owner:
        for path in list(_at_work):
            remove(path)


atexit.register(remove_own)


def replace_directory(new: Path, path: Path) -> None:
    """Give `new` the name `path`, at once; an earlier directory of that name is under `new` then.

    Where the system cannot exchange names, there is a moment without a directory of that name; a
    process that is killed in it leaves the earlier one to `restore`.
    """
    if not path.exists():
        new.rename(path)
    elif not _exchange(new, path):
        old = path.with_name(f"{_hidden(path)}{OLD}-{secrets.token_hex(4)}")
        path.rename(old)
        try:
            new.rename(path)
        except OSError:
            old.rename(path)
            raise
        remove(old)


def restore(path: Path) -> None:
    """Bring back the directory that a killed process had moved aside, and no new one replaced."""
    for old in _named(path.parent, f"{_hidden(path)}{OLD}-"):
        if path.exists():
            remove(old)
        else:
            old.rename(path)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two names (renameat2); False where the system cannot."""
    if sys.platform != "linux":
        return False
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    names = (_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second))
    if call(*names, _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM):
        return False
    raise OSError(number, os.strerror(number), str(second))


def _hidden(path: Path) -> str:
    """What the names of a path's siblings begin with."""
    name = os.fsencode(path.name)
    short = len(name) <= NAME_MAX_BYTES - SUFFIX_BYTES
    return f".{path.name if short else hashlib.sha256(name).hexdigest()}."


def _named(folder: Path, prefix: str) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [folder / entry.name for entry in entries if entry.name.startswith(prefix)]
    except FileNotFoundError:
        return []
