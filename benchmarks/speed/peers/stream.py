"""Stream a dataset and keep nothing of it: python stream.py DATASET. For memory and time."""

import sys
from pathlib import Path

from components.common.dataset.dataset import Dataset


def main() -> None:
    """Stream it."""
    print(sum(len(data) for _, data in Dataset(Path(sys.argv[1])).stream()))


if __name__ == "__main__":
    main()
