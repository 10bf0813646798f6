"""Tries damaged LiteRT files, each in a process of its own: a crash would end the process.

python -m faults.damaged_networks NETWORK SCRATCH COUNT: prints how many had which outcome, as JSON.
"""

import collections
import json
import random
import sys
from pathlib import Path

from faults.apart import mutant, outcome

from components.label_image.graph import Graph
from components.label_image.preprocessing import Preprocessing


def graph_of(path: Path) -> Graph:
    path.with_name("retrained_labels.txt").write_text("dark\nbright\n")
    sides = Preprocessing(8, 8)
    return Graph(path, None, sides, input_layer="input", output_layer="final_result", threads=1)


def main(network: Path, scratch: Path, count: int) -> None:
    import ai_edge_litert.interpreter  # noqa: F401 - once, and not in each process

    draw, found = random.Random(5), collections.Counter[str]()
    for _ in range(count):
        scratch.write_bytes(mutant(network.read_bytes(), draw))
        found[outcome(lambda: graph_of(scratch))] += 1
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
