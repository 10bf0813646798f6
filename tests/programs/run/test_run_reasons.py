"""One REASONS.csv of a run has the rows of all of its datasets of rejects, in order."""

import csv
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import Run

from components.common.dataset import reasons
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from programs.run import run_reasons


def rejects(folder: Path, *photos: tuple[str, str, str]) -> None:
    with DatasetWriter(folder, rejects=True) as writer:
        for label, reason, said in photos:
            photo = Photo(label, source_url=f"from {said}", reason=reason)
            writer.add(photo, said.encode(), measured=said)


def rows(path: Path) -> list[list[str]]:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """As kfp.local lays them out: the cleaning, and the curation."""
    root = tmp_path / "artifacts" / "wild-mushrooms-1"
    photos = [("tulip", "damaged", "one"), ("tulip", "html", "two"), ("=daisy", "damaged", "three")]
    rejects(root / "clean" / "rejects", *photos)
    both = [(name, "surplus", f"{name} {n}") for name in ("tulip", "=daisy", "rose") for n in "ab"]
    rejects(root / "curate" / "rejects", *both)
    return tmp_path / "artifacts"


def test_rows_of_all_steps_are_there_once_and_in_order(artifacts: Path, tmp_path: Path) -> None:
    run_reasons.join(artifacts, tmp_path / "REASONS.csv")
    assert (tmp_path / "REASONS.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    head, *found = rows(tmp_path / "REASONS.csv")
    assert tuple(head) == reasons.COLUMNS
    apart = [row for path in artifacts.rglob("REASONS.csv") for row in rows(path)[1:]]
    assert len(found) == len(apart) == 9
    assert sorted(found) == sorted(apart)
    assert [row[1] for row in found] == ["'=daisy"] * 3 + ["rose"] * 2 + ["tulip"] * 4

    def in_order(listed: Sequence[list[str]]) -> list[tuple[str, str]]:
        return [(reasons.plain(row[1]), reasons.plain(row[0])) for row in listed]

    assert in_order(found) == sorted(in_order(found))


def test_rows_that_the_files_left_out_are_counted_together(
    artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reasons, "MAX_ROWS", 1)
    (root,) = artifacts.iterdir()
    rejects(root / "curate" / "rejects", *[("rose", "surplus", str(n)) for n in range(5)])
    rejects(
        root / "clean" / "rejects",
        *[("rose", "damaged", f"r{n}") for n in range(3)],
    )
    run_reasons.join(artifacts, tmp_path / "REASONS.csv")
    *found, last = rows(tmp_path / "REASONS.csv")[1:]
    assert [row[1] for row in found] == ["rose", "rose"]
    assert last == ["6 more: see manifest.parquet"]


def test_run_that_left_nothing_out_says_so_with_the_columns_alone(tmp_path: Path) -> None:
    rejects(tmp_path / "artifacts" / "wild-mushrooms-1" / "curate" / "rejects")
    run_reasons.join(tmp_path / "artifacts", tmp_path / "REASONS.csv")
    assert rows(tmp_path / "REASONS.csv") == [list(reasons.COLUMNS)]


def test_run_has_a_row_for_every_reject_of_its_steps(sample_run: Run) -> None:
    found = rows(sample_run.directory / reasons.FILE_NAME)[1:]
    manifests = (sample_run.directory / "artifacts").rglob("rejects/manifest.parquet")
    expected = [
        (photo.label, photo.path, photo.reason)
        for manifest in manifests
        for photo in Dataset(manifest.parent).photos
    ]
    assert [(row[1], row[0], row[4]) for row in found] == sorted(expected)
    assert {"damaged", "in_two_classes"} <= {row[4] for row in found}
    assert f"{sample_run.directory.name}/{reasons.FILE_NAME}" in sample_run.stdout
    index = (sample_run.directory / "index.html").read_text()
    assert f'<a href="{reasons.FILE_NAME}">' in index
