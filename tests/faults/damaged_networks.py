"""Tries damaged LiteRT files, each in a process of its own: a crash would end the process.

python -m faults.damaged_networks NETWORK SCRATCH COUNT: prints how many had which outcome, as JSON.
"""

import collections
import json
import os
import random
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from components.common.errors import InputError
from components.label_image.graph import Graph, Preprocessing

MEMORY_BYTES = 3 * 1024**3


def graph_of(path: Path) -> Graph:
    path.with_name("retrained_labels.txt").write_text("dark\nbright\n")
    sides = Preprocessing(8, 8)
    return Graph(path, None, sides, input_layer="input", output_layer="final_result", threads=1)


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


def main(network: Path, scratch: Path, count: int) -> None:
    import ai_edge_litert.interpreter  # noqa: F401 - once, and not in each process

    draw, found = random.Random(5), collections.Counter[str]()
    for _ in range(count):
        scratch.write_bytes(mutant(network.read_bytes(), draw))
        found[outcome(lambda: graph_of(scratch))] += 1
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
