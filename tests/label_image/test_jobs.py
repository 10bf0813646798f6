"""All photos of a folder into parts of answers: formats, other jobs, damage, wrong usage."""

import io
import json
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from label_job_items import COMMAND, PER_PART, PHOTOS, options, part_files, rows, run

from components.common.base.errors import InputError, WorkError
from components.common.photos import images
from components.common.store import storage
from components.label_image import job as jobs
from components.label_image.answers import NONE_OF_THESE
from components.label_image.job import Answers
from components.label_image.whole import Asked, label_place, list_photos

pytestmark = pytest.mark.long


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_each_format_says_the_same(model: str, folder: Path, tmp_path: Path, form: str) -> None:
    asked = Asked(str(folder), model, str(tmp_path / form), options(format=form, top_k=100))
    counts = label_place(asked, tmp_path)
    files = part_files(asked.output)
    if form == "csv":
        found = [
            (row["file"], row["predicted"], row["error"], row["label_1"], row["model"])
            for row in rows(asked.output)
        ]
    elif form == "json":
        lines = [json.loads(line) for data in files.values() for line in data.splitlines()]
        found = [
            (
                *(row["file"], row["predicted"] or "", row["error"] or ""),
                *(next(iter(row["probabilities"] or ()), ""), row["model"]),
            )
            for row in lines
        ]
        assert all(len(row["probabilities"]) > 2 for row in lines if not row["error"])
    else:
        lines = [
            row for data in files.values() for row in pq.read_table(io.BytesIO(data)).to_pylist()
        ]
        found = [
            (
                *(row["file"], row["predicted"] or "", row["error"] or ""),
                *(next(iter(row["labels"]), ""), row["model"]),
            )
            for row in lines
        ]
    assert len(found) == counts.photos == PHOTOS
    assert sum(bool(error) for _, _, error, _, _ in found) == counts.failed == 4
    assert {version for *_, version in found} == {
        jobs.open_job(Answers(asked.output)).model.version
    }
    by_answer = [predicted or NONE_OF_THESE for _, predicted, error, _, _ in found if not error]
    assert {name: by_answer.count(name) for name in by_answer} == dict(counts.classes)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"format": "json"}, "--format was 'csv' and is 'json' now"),
        ({"photos_per_part": 5}, "--photos_per_part was 4 and is 5 now"),
        ({"top_k": 1}, "--top_k was 5 and is 1 now"),
    ],
)
def test_answers_of_another_job_are_not_mixed(
    model: str, folder: Path, tmp_path: Path, change: dict[str, object], expected: str
) -> None:
    output = str(tmp_path / "answers")
    list_photos(Asked(str(folder), model, output, options()), 1)
    with pytest.raises(InputError, match=expected):
        label_place(Asked(str(folder), model, output, options(**change)), tmp_path)
    with pytest.raises(InputError, match="photos was"):
        label_place(Asked(str(folder / "0"), model, output, options()), tmp_path)


def test_model_that_was_published_since_is_refused_and_the_earlier_one_named(
    model: str, folder: Path, tmp_path: Path
) -> None:
    published = tmp_path / "published"
    published.mkdir()
    (published / "aaaa").symlink_to(model)
    (published / "latest.json").write_text('{"version": "aaaa"}')
    output = str(tmp_path / "answers")
    asked = Asked(str(folder), str(published), output, options())
    list_photos(asked, 1)
    found = jobs.open_job(Answers(output))
    assert found
    assert found.model.place == str(published / "aaaa")
    other = jobs.Model(str(published / "bbbb"), "bbbb", "0" * 64)
    with pytest.raises(InputError, match=f"go on with --model_dir {published}/aaaa"):
        jobs.check_same(found, Answers(output), found.photos, other, found.options)


def test_listing_or_job_that_was_damaged_is_told(model: str, folder: Path, tmp_path: Path) -> None:
    asked = Asked(str(folder), model, str(tmp_path / "answers"), options())
    list_photos(asked, 1)
    (listing,) = (tmp_path / "answers" / "listing").iterdir()
    whole = listing.read_text()
    listing.write_text(whole.replace("#01", "#91"))
    with pytest.raises(InputError, match=r"listing/.* is damaged or was edited"):
        label_place(asked, tmp_path)
    listing.write_text(whole)
    job = tmp_path / "answers" / "job.json"
    job.write_text(job.read_text().replace('"count": 45', '"count": 44'))
    with pytest.raises(InputError, match=r"job\.json is damaged or was edited"):
        label_place(asked, tmp_path)


def test_long_listing_is_kept_in_several_files(
    model: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LISTED_TOGETHER", 2 * PER_PART)
    asked = Asked(str(folder), model, str(tmp_path / "answers"), options())
    assert label_place(asked, tmp_path).photos == PHOTOS
    assert len(list((tmp_path / "answers" / "listing").iterdir())) == 6
    assert len({row["file"] for row in rows(asked.output)}) == PHOTOS


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("one.jpg", "two.jpg"), "--output is for one bucket or folder: 2 places are named"),
        (("one.jpg",), "--output is for all photos of one folder or bucket, and one.jpg is none"),
        (("-",), "--output is for all photos of one folder or bucket"),
        (("https://example.org/1.jpg",), "--output is for all photos of one folder or bucket"),
        ((".", "--format", "text"), "--format is 'text': expected one of csv, json, parquet"),
        ((".", "--photos_per_part", "0"), "--photos_per_part is 0: expected 1 to 100000"),
        ((".", "--graph", "graph.pb"), "not with --graph"),
        ((".", "--gallery", "gallery.html"), "not with --gallery"),
        ((".", "--allow_private_hosts", "localhost"), "not with --allow_private_hosts"),
    ],
)
def test_wrong_usage_is_exit_2(
    model: str, tmp_path: Path, words: tuple[str, ...], expected: str
) -> None:
    named = ["--model_dir", model, *words, "--output", str(tmp_path / "answers")]
    done = run([*COMMAND, *named])
    assert done.returncode == 2
    assert expected in done.stderr
    assert not (tmp_path / "answers").exists()


def test_job_that_another_process_began_meanwhile_is_not_replaced(
    model: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = tmp_path / "answers"
    find = storage.find_place

    def begun_meanwhile(place: str, *, max_bytes: int) -> bytes | None:
        found = find(place, max_bytes=max_bytes)
        if place.endswith("/job.json") and found is None:
            answers.mkdir()
            (answers / "job.json").symlink_to("theirs")  # seen by nobody who lists files
        return found

    monkeypatch.setattr(storage, "find_place", begun_meanwhile)
    with pytest.raises(WorkError, match="was begun by somebody else at the same time"):
        label_place(Asked(str(folder), model, str(answers), options()), tmp_path)
    assert (answers / "job.json").is_symlink()


def test_answers_go_into_no_folder_of_something_else(
    model: str, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds other things, such as notes\.txt"):
        label_place(Asked(str(folder), model, str(tmp_path), options()), tmp_path)
    with pytest.raises(InputError, match="where the photos are"):
        label_place(Asked(str(folder), model, str(folder), options()), tmp_path)
    with pytest.raises(InputError, match="where the photos are"):
        label_place(Asked(str(folder), model, os.path.relpath(folder), options()), tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="there are no photos at"):
        label_place(Asked(str(tmp_path / "empty"), model, str(tmp_path / "a"), options()), tmp_path)


def test_photo_of_nothing_is_counted_as_none_of_these(model: str, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    (tmp_path / "photos" / "noise.jpg").write_bytes(images.encode(pixels))
    output = str(tmp_path / "answers")
    counts = label_place(Asked(str(tmp_path / "photos"), model, output, options()), tmp_path)
    assert counts.classes == {NONE_OF_THESE: 1}
    (row,) = rows(output)
    assert (row["predicted"], row["unknown"]) == ("", "true")
    assert row["label_1"]
