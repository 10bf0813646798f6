"""Damaged files, and trying each in a process of its own: a crash would end the process."""

import os
import random
import resource
from collections.abc import Callable

from components.common.base.errors import InputError

MEMORY_BYTES = 3 * 1024**3


def mutant(data: bytes, draw: random.Random) -> bytes:
    """The file with some of its bytes or words changed, or cut."""
    body = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4))):
        place, kind = draw.randrange(len(body)), draw.randrange(8)
        if kind < 3:
            body[place] ^= 1 << draw.randrange(8)
        elif kind < 7:
            word = draw.choice((2**32 - 1, 0, 2**31 - 1, 2**31, draw.randrange(2**32)))
            body[place & ~3 : (place & ~3) + 4] = word.to_bytes(4, "little")
        else:
            del body[max(8, place) :]
    return bytes(body)


def outcome(work: Callable[[], object]) -> str:
    """What becomes of the work in a process of its own: "done", "refused", an error or a signal."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            work()
            said = "done"
        except InputError:
            said = "refused"
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        os.write(write, said.encode(errors="replace")[:500])
        os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    return said or f"ended by signal {os.waitstatus_to_exitcode(status)}"
