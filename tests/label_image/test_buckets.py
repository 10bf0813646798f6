"""All photos of a bucket into parts of answers: kills, resumption, changes, shares, refusals."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import preloaded
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, Run
from gate import Gate, open_gate
from object_stores import S3_VARIABLES, Store, google_emulator, seaweedfs

from components.common.base.errors import InputError, WorkError
from components.common.dataset.dataset import Dataset
from components.common.photos import images
from components.common.store import storage
from components.label_image import job as jobs
from components.label_image import parts
from components.label_image.answers import NONE_OF_THESE
from components.label_image.job import Answers
from components.label_image.options import AnswerOptions
from components.label_image.whole import Asked, label_place, label_share, list_photos, sum_answers

pytestmark = pytest.mark.long

PHOTOS, PER_PART = 45, 4
GOOD = 41  # of them
COMMAND = (sys.executable, "-m", "components.label_image.__main__")
PAUSE_S = 0.05  # of the gate: a whole run takes many seconds then


# What does not depend on the kind of store.
on_one_store = pytest.mark.parametrize("_gated", ["s3"], indirect=True)


@dataclass(frozen=True)
class Gated:
    """A store with photos, and the gate that leads to it."""

    store: Store
    gate: Gate

    @property
    def photos(self) -> str:
        return f"{self.store.prefix}/photos"


@pytest.fixture(scope="module")
def contents(sample_run: Run) -> dict[str, bytes]:
    """Photos by name below the prefix, four of them of no use, and what is none."""
    dataset = Dataset(sample_run.directory / "demo")
    pictures = [dataset.read(photo) for photo in dataset.photos]
    found = {}
    for number in range(PHOTOS):
        data = pictures[number % len(pictures)]
        found[f"{number % 3}/photo é #{number:02}.jpg"] = data + bytes([number])
    names = sorted(found)
    found[names[5]] = b""
    found[names[11]] = b"<html>not found</html>"
    found[names[20]] = found[names[20]][:2000]
    found[names[30]] = b"\xff\xd8\xff\xe0" + bytes(3000)
    return found


@pytest.fixture(scope="module")
def model(sample_run: Run) -> str:
    return str(sample_run.directory / "model")


@pytest.fixture(scope="module")
def folder(contents: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same photos in a folder."""
    root = tmp_path_factory.mktemp("folder")
    for name, data in contents.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(data)
    return root


@pytest.fixture(scope="module", params=["gs", "s3"])
def _gated(
    request: pytest.FixtureRequest,
    contents: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gated]:
    run = google_emulator if request.param == "gs" else seaweedfs
    with open_gate() as gate, run(tmp_path_factory.mktemp(request.param), gate) as store:
        for name, data in contents.items():
            store.put(f"photos/{name}", data)
        store.put("photos/notes.txt", b"no photo")
        store.put("photos/.hidden/a.jpg", b"no photo")
        store.put("photos2/a.jpg", b"beside the prefix")
        yield Gated(store, gate)


@pytest.fixture
def gated(_gated: Gated) -> Gated:
    _gated.gate.reset()
    return _gated


def options(**chosen: object) -> AnswerOptions:
    return AnswerOptions.of({"photos_per_part": PER_PART, **chosen})


def command(model: str, photos: str, output: str, *more: str) -> list[str]:
    named = ("--model_dir", model, photos, "--output", output)
    size = ("--photos_per_part", str(PER_PART))
    return [*COMMAND, *named, *size, *more]


def run(words: list[str], store: Store | None = None) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **(store.environment if store else {})}
    done = preloaded.run(words, environment=environment, timeout_s=120)
    assert "Traceback" not in done.stderr
    assert not [value for value in secrets() if value in done.stdout + done.stderr]
    return done


def secrets() -> list[str]:
    return [S3_VARIABLES["AWS_ACCESS_KEY_ID"], S3_VARIABLES["AWS_SECRET_ACCESS_KEY"]]


def part_files(output: str) -> dict[str, bytes]:
    """The answers that are there, by the file's name."""
    answers = Answers(output)
    names = sorted(name for name in answers.names() if name.startswith("part-"))
    return {name: answers.read(name) for name in names}


def rows(output: str) -> list[dict[str, str]]:
    return [
        row
        for data in part_files(output).values()
        for row in csv.DictReader(io.StringIO(data.decode()))
    ]


def versions_of(output: str) -> dict[str, str]:
    listed = storage.list_objects(output)
    return {one.uri: one.version for one in listed if "/part-" in one.uri}


def part_names(output: str) -> set[str]:
    return {name for name in Answers(output).names() if name.startswith("part-")}


def kill_when(
    gated: Gated, words: list[str], output: str, count: int, number: int = signal.SIGKILL
) -> str:
    """Start it behind a slow gate, and end it when so many parts are there; what it wrote."""
    gated.gate.pause_s = PAUSE_S
    with subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while len(part_names(output)) < count and time.monotonic() < deadline:
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            time.sleep(0.02)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == (-number if number == signal.SIGKILL else 130), said
    gated.gate.reset()
    seen: set[str] = set()
    while seen != (seen := part_names(output)):  # what it had sent may still be on its way
        time.sleep(10 * PAUSE_S)
    return said


def test_two_kills_and_a_run_label_each_photo_once(
    gated: Gated, model: str, folder: Path, tmp_path: Path
) -> None:
    output = f"{gated.store.prefix}/killed"
    words = command(model, gated.photos, output)
    kill_when(gated, words, output, 1)
    first = part_files(output)
    kill_when(gated, words, output, len(first) + 2)
    kept = part_files(output)
    versions = versions_of(output)
    assert 0 < len(first) < len(kept) < -(-PHOTOS // PER_PART)
    assert first.items() <= kept.items()
    done = run(words, gated.store)
    assert done.returncode == 1, done.stderr  # four photos are of no use
    assert f"goes on: {len(kept)} of 12 parts at {output}" in done.stderr
    assert f"{GOOD} labelled, 4 failed" in done.stderr
    # What was there is not written again: Google's store counts every writing.
    assert versions.items() <= versions_of(output).items()
    # The same as of one run, of a folder with the same photos.
    label_place(Asked(str(folder), model, str(tmp_path / "whole"), options()), tmp_path)
    found, expected = rows(output), rows(str(tmp_path / "whole"))
    assert len(found) == PHOTOS
    for mine, other in zip(found, expected, strict=True):
        assert mine.pop("file").removeprefix(gated.photos) == other.pop("file").removeprefix(
            str(folder)
        )
        assert mine == other
    summary = json.loads(Answers(output).read("summary.json"))
    assert (summary["photos"], summary["labelled"], summary["failed"]) == (PHOTOS, GOOD, 4)
    assert sum(summary["classes"].values()) == GOOD


@on_one_store
def test_same_command_once_more_does_nothing_and_says_so(
    gated: Gated, model: str, tmp_path: Path
) -> None:
    asked = Asked(gated.photos, model, f"{gated.store.prefix}/again", options())
    first = label_place(asked, tmp_path)
    gated.gate.reset()
    assert label_place(asked, tmp_path) == first
    photos = sum(one.size for one in storage.list_objects(gated.photos))
    assert gated.gate.passed < photos / 2  # none was read


def test_stream_of_a_bucket_answers_as_the_folder(gated: Gated, model: str, folder: Path) -> None:
    words = [
        sys.executable,
        "-m",
        "components.label_image",
        "--model_dir",
        model,
        "--format",
        "csv",
    ]
    of_bucket, of_folder = run([*words, gated.photos], gated.store), run([*words, str(folder)])
    assert (of_bucket.returncode, of_folder.returncode) == (1, 1), of_bucket.stderr
    assert of_bucket.stdout.replace(gated.photos, str(folder)) == of_folder.stdout
    assert len(of_bucket.stdout.splitlines()) == 1 + PHOTOS
    assert "1 object is not a photo by the name, such as" in of_bucket.stderr
    one = next(iter(csv.DictReader(io.StringIO(of_bucket.stdout))))
    alone = run([*words[:-2], one["file"]], gated.store)
    assert f"{one['label_1']} (score=" in alone.stdout


def test_what_changed_since_the_listing_is_told_and_what_came_is_left(
    gated: Gated, contents: dict[str, bytes], model: str, tmp_path: Path
) -> None:
    names = sorted(contents)
    for name in names[:8]:
        gated.store.put(f"changing/{name}", contents[name])
    asked = Asked(
        f"{gated.store.prefix}/changing", model, f"{gated.store.prefix}/changed", options()
    )
    list_photos(asked, 1)
    gated.store.put(f"changing/{names[1]}", contents[names[0]] + b"other")
    gated.store.delete(f"changing/{names[2]}")
    gated.store.put("changing/0/new.jpg", contents[names[0]])
    counts = label_place(asked, tmp_path)
    errors = {row["file"].rpartition("/")[2]: row["error"] for row in rows(asked.output)}
    assert len(errors) == counts.photos == 8
    assert errors[names[1].rpartition("/")[2]] == "it was replaced since it was listed"
    assert errors[names[2].rpartition("/")[2]] == "there is no such object"
    assert errors[names[0].rpartition("/")[2]] == ""


def test_shares_label_all_and_the_last_sums_up(gated: Gated, model: str, tmp_path: Path) -> None:
    output = f"{gated.store.prefix}/shared"
    asked = Asked(gated.photos, model, output, options())
    shares = list_photos(asked, 3)
    assert shares == ["1/3", "2/3", "3/3"]
    with pytest.raises(InputError, match="parts are missing: 0 of 12 parts"):
        sum_answers(output, tmp_path / "page.md")
    counts = [label_share(output, share) for share in shares]
    assert sum(one.photos for one in counts) == PHOTOS
    assert sum_answers(output, tmp_path / "page.md").photos == PHOTOS
    assert len({row["file"] for row in rows(output)}) == len(rows(output)) == PHOTOS
    page = (tmp_path / "page.md").read_text()
    assert page.startswith(f"# {GOOD} of {PHOTOS} photos labelled")
    assert "Never eat anything" in page
    # More shares than parts would be pods with nothing to do.
    assert len(list_photos(asked, 100)) == 12


@on_one_store
def test_store_that_goes_away_ends_the_run_and_spoils_no_row(
    gated: Gated, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "answers"
    asked = Asked(gated.photos, model, str(output), options())
    find = storage.find
    left = iter(range(20))

    def going(uri: str, *, max_bytes: int) -> tuple[bytes, str] | None:
        if next(left, None) is None:
            raise WorkError(f"{uri} cannot be reached: no connection")
        return find(uri, max_bytes=max_bytes)

    monkeypatch.setattr(storage, "find", going)
    with pytest.raises(WorkError, match="cannot be reached"):
        label_place(asked, tmp_path)
    monkeypatch.undo()
    before = part_files(str(output))
    assert len(before) < 12
    assert label_place(asked, tmp_path).failed == 4
    assert before.items() <= part_files(str(output)).items()


@on_one_store
def test_nobody_who_may_only_list_gets_a_job_of_errors(
    gated: Gated, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(uri: str, *, max_bytes: int) -> None:
        raise InputError(f"{uri} cannot be read: 403 Forbidden")

    monkeypatch.setattr(storage, "find", refused)
    with pytest.raises(InputError, match="403 Forbidden"):
        label_place(Asked(gated.photos, model, str(tmp_path / "a"), options()), tmp_path)
    assert part_files(str(tmp_path / "a")) == {}


@on_one_store
def test_object_that_is_too_large_is_not_even_read(
    gated: Gated, model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = [one.size for one in storage.list_objects(gated.photos)]
    limit = sorted(set(sizes))[-2]
    monkeypatch.setattr(parts, "MAX_FILE_BYTES", limit)
    gated.gate.reset()
    asked = Asked(gated.photos, model, str(tmp_path / "a"), options())
    label_place(asked, tmp_path)
    large = [row for row in rows(asked.output) if row["error"].startswith("it is larger than")]
    assert len(large) == sum(size > limit for size in sizes) > 0


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


@on_one_store
def test_interrupted_run_says_what_is_kept_and_how_to_go_on(gated: Gated, model: str) -> None:
    output = f"{gated.store.prefix}/interrupted"
    said = kill_when(gated, command(model, gated.photos, output), output, 1, signal.SIGINT)
    assert f"of 12 parts at {output}" in said
    assert "The same command goes on from there" in said
    assert "Traceback" not in said


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


@on_one_store
def test_no_photo_is_written_to_the_disk(gated: Gated, model: str, tmp_path: Path) -> None:
    for name in ("cache", "tmp", "home"):
        (tmp_path / name).mkdir()
    words = command(model, gated.photos, str(tmp_path / "answers"))
    before = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path / "home")}
    place = Store(
        gated.store.prefix,
        gated.store.put,
        gated.store.delete,
        {**before, **gated.store.environment, "XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    assert run(words, place).returncode == 1
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if b"\xff\xd8\xff" in path.read_bytes()]


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
