"""The run's REASONS.csv: those of its datasets of rejects as one, where a person looks for it."""

import csv
from collections.abc import Iterator
from pathlib import Path

from components.common.dataset import reasons

REJECTS = ("*/clean/rejects", "*/curate/rejects")  # in the folder of a run's artifacts


def join(artifacts: Path, target: Path) -> None:
    """Write every row of the REASONS.csv below `artifacts` into one file, by class and name.

    Args:
        artifacts: folder of what the steps of one run made.
        target: the file to write.
    """
    paths = (
        path
        for pattern in REJECTS
        for path in sorted(artifacts.glob(f"{pattern}/{reasons.FILE_NAME}"))
    )
    rows = [row for path in paths for row in _rows(path)]
    whole = [row for row in rows if len(row) == len(reasons.COLUMNS)]
    whole.sort(key=_class_and_name)
    # The other rows say how many the files themselves left out.
    left_out = sum(int(row[0].split()[0]) for row in rows if len(row) != len(reasons.COLUMNS))
    # With the mark by which spreadsheets know UTF-8.
    with open(target, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(reasons.COLUMNS)
        writer.writerows(whole)
        if left_out:
            writer.writerow([reasons.more(left_out)])


def _rows(path: Path) -> Iterator[list[str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        next(rows, None)
        yield from rows


def _class_and_name(row: list[str]) -> tuple[str, str]:
    file, label, *_ = row
    return reasons.plain(label), reasons.plain(file)
