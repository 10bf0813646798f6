"""Tries damaged parquet files, each in a process of its own.

python -m faults.damaged_tables FOLDER COUNT: a dataset whose manifest is damaged; prints how many
had which outcome, as JSON.
"""

import collections
import json
import random
import sys
from pathlib import Path

from faults.apart import mutant, outcome

from components.common.dataset.dataset import MANIFEST, Dataset


def take(folder: Path) -> None:
    """Read the dataset as a step does."""
    dataset = Dataset(folder)
    for photo, data in dataset.stream():
        assert len(data) == photo.size


def main(folder: Path, count: int) -> None:
    whole = (folder / MANIFEST).read_bytes()
    draw, found = random.Random(7), collections.Counter[str]()
    for _ in range(count):
        (folder / MANIFEST).write_bytes(mutant(whole, draw))
        found[outcome(lambda: take(folder))] += 1
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
