"""Whether photos are others than those of the last run, by real folders, buckets and services."""

import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from object_stores import Store
from photo_server import Answer, serve
from services import photo

from components.common.base.errors import InputError
from components.common.base.step import log
from components.common.dataset import decisions, memory
from components.common.dataset.dataset import DatasetWriter
from components.common.dataset.decisions import DROP, KEEP, MOVE, Decisions
from components.common.dataset.memory import Memory
from components.common.dataset.photo import Photo
from components.common.model import published
from components.common.store import storage
from components.common.web.fetch import Fetcher
from components.download.news import (
    EVENT,
    Continued,
    News,
    compare_photos,
    download_if_new,
    listing_hash,
)
from components.download.options import DownloadOptions

CLASSES = {"species": ["daisy", "rose"]}
COMPILED = {
    "images": ["data:1"],
    "step_publish": {"publish_dir": "", "max_regression": 0.0},
    "step_curate": {"train_per_class": 200.0},
    "step_download": {"workers": 8.0},
}
Look = Callable[..., News]


def add(folder: Path, label: str, *numbers: int) -> None:
    (folder / label).mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / label / f"{number}.jpg").write_bytes(photo(number))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    add(tmp_path / "photos", "daisy", 1, 2)
    add(tmp_path / "photos", "rose", 3, 4)
    return tmp_path / "photos"


@pytest.fixture
def look(photos: Path, tmp_path: Path) -> Look:
    """A function that looks for news as the first step of a run does."""

    def do(*, inputs: Mapping[str, Any] | None = None, **options: Any) -> News:
        asked = DownloadOptions(source="folder", image_dir=str(photos), cache_dir=str(tmp_path))
        told: dict[str, Any] = {"name": "m", "decisions": "", "seed": 0, "min_accuracy": 0.6}
        told |= {"step_publish": {"publish_dir": str(tmp_path / "published")}, "step_curate": {}}
        told |= {
            "options": {},
            "defaults": {},
            "compiled": COMPILED,
            "asked_at": "",
            **(inputs or {}),
        }
        shutil.rmtree(tmp_path / "images", ignore_errors=True)
        continued = Continued.of(told)
        return download_if_new(CLASSES, tmp_path / "images", replace(asked, **options), continued)

    return do


def end_well(tmp_path: Path, news: News, **more: str) -> None:
    """What `publish` writes at the end of a run that came so far."""
    root = str(tmp_path / "published" / "m")
    Path(root).mkdir(parents=True, exist_ok=True)
    seen = replace(news.seen, published=published.mark(root))
    memory.write(root, replace(memory.read(root), seen=seen, **more))


def publish(root: str, version: str) -> None:
    """What `publish` leaves of a version, as far as the first step looks at it."""
    storage.write_place(f"{root}/latest.json", json.dumps({"version": version}).encode(), what="it")
    upload_or_copy(f"{root}/{version}/model.json", version)


def upload_or_copy(place: str, text: str) -> None:
    if not storage.is_uri(place):
        Path(place).parent.mkdir(parents=True, exist_ok=True)
    storage.write_place(place, text.encode(), what="it")


def test_photos_are_new_until_a_run_has_come_to_its_end(look: Look, tmp_path: Path) -> None:
    first = look()
    assert first.is_new
    assert "no run under this name" in first.said
    assert (tmp_path / "images" / "manifest.parquet").is_file()
    assert look().is_new  # the run before failed
    end_well(tmp_path, first)
    again = look()
    assert not again.is_new
    assert again.said.startswith("Nothing new: the same 4 photos")
    assert not (tmp_path / "images").exists()  # nobody needs them a second time
    assert again.told() == ("no", "", "", first.seen.to_text())


def test_another_photo_is_new_and_so_is_one_less(look: Look, tmp_path: Path, photos: Path) -> None:
    end_well(tmp_path, look())
    add(photos, "rose", 5)
    more = look()
    assert more.is_new
    assert "5 photos, not the same 4" in more.said
    (photos / "rose" / "5.jpg").unlink()
    assert not look().is_new
    (photos / "rose" / "4.jpg").rename(photos / "daisy" / "4.jpg")  # of another class
    assert look().is_new


@pytest.mark.parametrize(
    ("inputs", "is_new"),
    [
        ({"seed": 1}, True),
        ({"step_curate": {"train_per_class": 100}}, True),
        ({"step_curate": {"train_per_class": 200}}, False),  # as compiled
        ({"compiled": {**COMPILED, "images": ["data:2"]}}, True),  # other code
        ({"asked_at": "2026-11-30T03:00:00Z"}, False),
        ({"options": {"workers": 4}, "defaults": {"workers": 8}}, False),
        ({"options": {"per_observer": 1}}, True),
    ],
)
def test_what_makes_another_model_is_new(
    look: Look, tmp_path: Path, inputs: Mapping[str, Any], is_new: bool
) -> None:
    end_well(tmp_path, look())
    assert look(inputs=inputs).is_new is is_new


def test_decisions_count_by_content_and_are_joined(look: Look, tmp_path: Path) -> None:
    root = str(tmp_path / "published" / "m")
    kept = memory.keep_decisions(root, Decisions({("daisy", "a" * 64): KEEP}))
    end_well(tmp_path, look(), decisions=kept)
    assert look().is_new  # somebody has decided since
    end_well(tmp_path, look())
    assert not look().is_new
    file = tmp_path / "decisions.json"
    file.write_text(json.dumps(Decisions({("rose", "b" * 64): DROP}).to_json()))
    more = look(inputs={"decisions": str(file)})
    assert more.is_new
    joined = decisions.read(more.decisions)
    assert joined.decided == {("daisy", "a" * 64): KEEP, ("rose", "b" * 64): DROP}
    # Once they are remembered it is the same whether they are handed over again.
    end_well(tmp_path, more, decisions=more.decisions)
    assert not look().is_new
    assert not look(inputs={"decisions": str(file)}).is_new


def test_packed_photos_are_compared_too(look: Look, tmp_path: Path) -> None:
    assert look().is_new
    told = {"name": "m", "decisions": "", "compiled": COMPILED, "step_curate": {}}
    told["step_publish"] = {"publish_dir": str(tmp_path / "published")}
    first = compare_photos(str(tmp_path / "images"), Continued.of(told))
    assert first.is_new
    end_well(tmp_path, first)
    assert not compare_photos(str(tmp_path / "images"), Continued.of(told)).is_new


def test_another_published_model_is_new(look: Look, tmp_path: Path) -> None:
    root = str(tmp_path / "published" / "m")
    Path(root).mkdir(parents=True)
    publish(root, "a")
    end_well(tmp_path, look())
    assert not look().is_new
    publish(root, "b")  # by a run of another kind, or a person who rolled back
    more = look()
    assert more.is_new
    assert "what is published is not what the last run left" in more.said
    end_well(tmp_path, more)
    assert not look().is_new
    Path(root, "b", "model.json").write_text("mended")  # held back because it was damaged
    assert look().is_new
    end_well(tmp_path, look())
    Path(root, "latest.json").unlink()
    assert look().is_new


@pytest.mark.parametrize("change", [("author", "B"), ("observation", "2"), ("title", "t")])
def test_papers_and_groups_of_photos_count(
    look: Look, tmp_path: Path, change: tuple[str, str]
) -> None:
    def with_rows(**more: str) -> Path:
        folder = tmp_path / f"photos-{len(more)}"
        with DatasetWriter(folder) as writer:
            for label in ("daisy", "rose"):
                writer.add(Photo(label=label, **more), photo(1), extension="jpg")
        return folder

    told = {"name": "m", "decisions": "", "compiled": COMPILED}
    told["step_publish"] = {"publish_dir": str(tmp_path / "published")}
    end_well(tmp_path, compare_photos(str(with_rows()), Continued.of(told)))
    assert not compare_photos(str(tmp_path / "photos-0"), Continued.of(told)).is_new
    assert compare_photos(str(with_rows(**dict([change]))), Continued.of(told)).is_new


def test_class_folder_that_is_not_learned_is_told(
    look: Look,
    tmp_path: Path,
    photos: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end_well(tmp_path, look())
    add(photos, "tulip [x](y)", 9)
    caplog.set_level("WARNING")
    monkeypatch.setattr(log, "propagate", True)
    again = look()
    assert not again.is_new
    said = "not learned: tulip ?x?(y) is none of the classes of this run"
    assert said in again.said
    assert again.said.startswith("Nothing new")
    assert said in caplog.text


def test_remembered_move_to_a_class_that_is_gone_is_left_out(
    look: Look, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = str(tmp_path / "published" / "m")
    moved, dropped = ("daisy", "a" * 64), ("rose", "b" * 64)
    by_hand = Decisions({moved: MOVE, dropped: DROP}, {moved: "tulip"})
    end_well(tmp_path, look(), decisions=memory.keep_decisions(root, by_hand))
    caplog.set_level("WARNING")
    monkeypatch.setattr(log, "propagate", True)
    news = look()
    heeded = decisions.read(news.decisions)
    assert (heeded.decided, heeded.targets) == ({dropped: DROP}, {})
    assert "1 decision of earlier runs moved photos to tulip" in caplog.text
    assert decisions.read(memory.read(root).decisions).targets == {moved: "tulip"}  # it may return
    # What a person hands over now is judged as ever, by `curate`.
    file = tmp_path / "decisions.json"
    file.write_text(json.dumps(by_hand.to_json()))
    assert decisions.read(look(inputs={"decisions": str(file)}).decisions).targets


def test_photos_are_gone_before_anybody_is_told(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    end_well(tmp_path, look())
    there: dict[str, bool] = {}

    def note(event: str, **_: object) -> None:
        there[event] = (tmp_path / "images").exists()

    monkeypatch.setattr("components.download.news.emit", note)
    look()
    assert there == {EVENT: False}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "needs the name of a model"),
        ("../other", "expected letters, digits"),
        (".hidden", "expected letters, digits"),
        ("my fungi", "expected letters, digits"),
        ("x" * 101, "expected letters, digits"),
    ],
)
def test_name_that_publish_refuses_is_refused_at_once(look: Look, name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        look(inputs={"name": name})


def test_damaged_memory_is_told(look: Look, tmp_path: Path) -> None:
    end_well(tmp_path, look())
    file = tmp_path / "published" / "m" / memory.FILE_NAME
    file.write_text(file.read_text().replace('"count": 4', '"count": 5'))
    with pytest.raises(InputError, match=r"memory\.json"):
        look()


def test_of_a_bucket_the_listing_is_enough(
    store: Store, look: Look, tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in sorted(photos.rglob("*.jpg")):
        store.put(f"news/{path.parent.name}/{path.name}", path.read_bytes())
    root = f"{store.prefix}/published"
    place = f"{store.prefix}/news"
    options = {"source": "storage", "image_dir": place, "min_per_class": 1}
    inputs = {"step_publish": {"publish_dir": root}}
    first = look(inputs=inputs, **options)
    assert first.is_new
    assert first.seen.listing
    assert memory.write(f"{root}/m", Memory(seen=first.seen))
    with monkeypatch.context() as patch:
        # No photo is read, nor is any class listed.
        patch.setattr("components.download.news.gather_document", None)
        assert not look(inputs=inputs, **options).is_new
    # Another version, or other files of it, and the photos are looked at again.
    publish(f"{root}/m", "a")
    assert look(inputs=inputs, **options).is_new
    now = replace(first.seen, published=published.mark(f"{root}/m"))
    assert memory.replace_seen(f"{root}/m", first.seen, now)
    assert not look(inputs=inputs, **options).is_new
    upload_or_copy(f"{root}/m/a/model.json", "mended")
    assert look(inputs=inputs, **options).is_new
    publish(f"{root}/m", "a")
    now = replace(now, published=published.mark(f"{root}/m"))
    assert memory.write(f"{root}/m", replace(memory.read(f"{root}/m"), seen=now))
    # What is no photo changes the listing alone, and the photos are read once for that.
    store.put("news/notes.txt", b"hello")
    assert not look(inputs=inputs, **options).is_new
    seen = memory.read(f"{root}/m").seen
    assert seen == replace(now, listing=listing_hash(place))
    with monkeypatch.context() as patch:
        patch.setattr("components.download.news.gather_document", None)
        assert not look(inputs=inputs, **options).is_new
    store.put("news/rose/9.jpg", photo(9))
    assert look(inputs=inputs, **options).is_new


def test_two_who_write_a_memory_at_once_do_not_overwrite_each_other(store: Store) -> None:
    root = f"{store.prefix}/twice/m"
    first, second = memory.read(root), memory.read(root)
    assert memory.write(root, replace(first, seen=memory.Seen("1", "s", "", 1)))
    assert not memory.write(root, replace(second, seen=memory.Seen("2", "s", "", 2)))
    seen = memory.read(root).seen
    assert seen is not None
    assert seen.photos == "1"


def test_listing_is_not_written_over_what_another_run_has_seen(tmp_path: Path) -> None:
    root = str(tmp_path)
    first, second = memory.Seen("1", "s", "l", 1), memory.Seen("2", "s", "l", 2)
    memory.write(root, Memory(seen=second))
    assert not memory.replace_seen(root, first, replace(first, listing="new"))
    assert memory.read(root).seen == second
    assert memory.replace_seen(root, second, replace(second, listing="new"))
    assert memory.read(root).seen == replace(second, listing="new")


def test_lists_are_fetched_again_that_came_before_the_run_was_due(tmp_path: Path) -> None:
    answers = iter(range(1, 9))

    def behave(_: str, __: int) -> Answer:
        return Answer(json.dumps({"n": next(answers)}).encode())

    with serve(behave) as server:

        def ask(since: float | None) -> tuple[int, int]:
            with Fetcher(tmp_path, allowed_hosts=["localhost"], lists_since=since) as fetcher:
                listed = fetcher.file(f"{server.address}/list.txt", max_bytes=100, is_list=True)
                return fetcher.json(server.address, {})["n"], json.loads(listed.read())["n"]

        assert ask(None) == (2, 1)
        assert ask(None) == (2, 1)  # for a day
        due = time.time()
        assert ask(due) == (4, 3)
        assert ask(due) == (4, 3)  # another try of the same run
