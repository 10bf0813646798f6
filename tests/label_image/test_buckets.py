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

import pytest
from conftest import ROOT
from gate import Gate, open_gate
from label_job_items import COMMAND, PER_PART, PHOTOS, options, part_files, rows, run
from object_stores import Store, google_emulator, seaweedfs_bucket

from components.common.base.errors import InputError, WorkError
from components.common.store import storage
from components.label_image import parts
from components.label_image.job import Answers
from components.label_image.whole import Asked, label_place, label_share, list_photos, sum_answers

pytestmark = pytest.mark.long

GOOD = 41  # of them
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


@pytest.fixture(scope="module", params=["gs", "s3"])
def _gated(
    request: pytest.FixtureRequest,
    contents: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Gated]:
    with open_gate() as gate:
        if request.param == "gs":
            run = google_emulator(tmp_path_factory.mktemp("gs"), gate)
        else:
            run = seaweedfs_bucket(request.getfixturevalue("s3_port"), gate)
        with run as store:
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


def command(model: str, photos: str, output: str, *more: str) -> list[str]:
    named = ("--model_dir", model, photos, "--output", output)
    size = ("--photos_per_part", str(PER_PART))
    return [*COMMAND, *named, *size, *more]


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


@on_one_store
def test_interrupted_run_says_what_is_kept_and_how_to_go_on(gated: Gated, model: str) -> None:
    output = f"{gated.store.prefix}/interrupted"
    said = kill_when(gated, command(model, gated.photos, output), output, 1, signal.SIGINT)
    assert f"of 12 parts at {output}" in said
    assert "The same command goes on from there" in said
    assert "Traceback" not in said


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
