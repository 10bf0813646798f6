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
from components.common.dataset import decisions, memory
from components.common.dataset.decisions import DROP, KEEP, Decisions
from components.common.dataset.memory import Memory
from components.common.web.fetch import Fetcher
from components.download.news import Continued, News, compare_photos, download_if_new
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
    memory.write(root, replace(memory.read(root), seen=news.seen, **more))


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
    first = compare_photos(tmp_path / "images", Continued.of(told))
    assert first.is_new
    end_well(tmp_path, first)
    assert not compare_photos(tmp_path / "images", Continued.of(told)).is_new


@pytest.mark.parametrize("name", ["", "../other", ".hidden"])
def test_name_that_leads_elsewhere_is_refused(look: Look, name: str) -> None:
    with pytest.raises(InputError, match="needs the name of a model"):
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
