"""The run's REASONS.csv: those of its datasets of rejects as one, where a person looks for it."""

import csv
import heapq
from collections.abc import Iterator, Sequence
from pathlib import Path

from components.common import reasons

REJECTS = ("*/*/clean/rejects", "*/curate/rejects")  # in the folder of a run's artifacts


def join(artifacts: Path, target: Path) -> None:
    """Write every row of the REASONS.csv below `artifacts` into one file, by class and name.

    Each of them is read and written row by row, two at a time: that of `curate`, and one after
    another those of `clean`, of which each is of one class.

    Args:
        artifacts: folder of what the steps of one run made.
        target: the file to write.
    """
    cleaned, curated = (sorted(artifacts.glob(f"{one}/{reasons.FILE_NAME}")) for one in REJECTS)
    in_order = sorted(cleaned, key=lambda path: (_first_class(path), path))
    left_out = 0  # rows that the files themselves left out

    def rows(paths: Sequence[Path]) -> Iterator[list[str]]:
        nonlocal left_out
        for path in paths:
            for row in _rows(path):
                if len(row) == len(reasons.COLUMNS):
                    yield row
                else:
                    left_out += int(row[0].split()[0])

    # With the mark by which spreadsheets know UTF-8.
    with open(target, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(reasons.COLUMNS)
        merged = heapq.merge(rows(in_order), rows(curated), key=lambda row: _class_and_name(row))
        writer.writerows(merged)
        if left_out:
            writer.writerow([reasons.more(left_out)])


def _rows(path: Path) -> Iterator[list[str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        next(rows, None)
        yield from rows


def _first_class(path: Path) -> str:
    """The class of the file's first row; empty where it has none."""
    return next((_class_and_name(row)[0] for row in _rows(path) if len(row) > 1), "")


def _class_and_name(row: Sequence[str]) -> tuple[str, str]:
    file, label, *_ = row
    return reasons.plain(label), reasons.plain(file)
