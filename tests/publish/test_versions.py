"""Listing published versions, going back to one, and removing old ones."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Run
from object_stores import Store
from publish_items import decided, publish_as
from sealing import reseal

from components.common.base.errors import InputError, WorkError
from components.common.model.model import Model
from components.common.model.model_place import local_model
from components.common.store import storage
from components.publish import in_bucket, serving, versions
from components.publish.serving import RECORD
from components.publish.versions import prune, roll_back, root_at

COUNT = 3


@pytest.fixture(scope="module")
def models(light_run: Run, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Models of other versions each, with the same networks."""
    folder = tmp_path_factory.mktemp("models")
    made = []
    for number in range(COUNT):
        made.append(folder / str(number))
        shutil.copytree(light_run.directory / "model", made[-1])
        reseal(made[-1] / "model.json", manifest_sha256=f"{number}" * 64)
    return made


@pytest.fixture(scope="module")
def _published(
    light_run: Run, models: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("published")
    for day, model in enumerate(models, 1):
        published = publish_as(light_run, model, folder)
        record = published.parent / "serving" / str(day) / RECORD
        first = f"2026-01-0{day}T12:00:00+00:00"
        content = {**json.loads(record.read_text()), "first_published": first}
        record.write_text(json.dumps(content))
    return published.parent


@pytest.fixture
def root(_published: Path, tmp_path: Path) -> Path:
    """Three versions in a folder, published on the first days of 2026, the last of them served."""
    shutil.copytree(_published, tmp_path / "m")
    return tmp_path / "m"


def two_in_a_bucket(run: Run, models: list[Path], place: str, scratch: Path) -> str:
    """The root of two versions, the second of them served."""
    for model in models[:2]:
        publish_as(run, model, scratch, place=place)
    return f"{place}/m"


def names(root: Path | str) -> list[str]:
    return [one.name for one in versions.versions(str(root))]


def pointer(root: Path | str) -> dict[str, object]:
    data = storage.read_place(f"{root}/latest.json", max_bytes=10_000)
    content: dict[str, object] = json.loads(data)
    return content


def newest(root: Path | str) -> tuple[int, str]:
    found = serving.newest(serving.numbered(str(root)))
    assert found
    return found.number, found.version


def test_versions_are_listed_oldest_first(root: Path) -> None:
    found = versions.versions(str(root))
    assert [one.numbers for one in found] == [(1,), (2,), (3,)]
    assert [one.served for one in found] == [False, False, True]
    assert [one.accuracy for one in found] == [0.9] * COUNT
    assert [one.published and one.published.day for one in found] == [1, 2, 3]


def test_version_without_a_number_has_the_date_of_its_decision(root: Path) -> None:
    shutil.rmtree(root / "serving")
    found = versions.versions(str(root))
    for one in found:
        assert one.published
        assert datetime.now(UTC) - one.published < timedelta(days=1)
        assert one.numbers == ()
    # It keeps that date, and its place in the order, under the number of a rollback.
    chosen, number = roll_back(str(root))
    assert number == 1
    (again,) = (one for one in versions.versions(str(root)) if one.name == chosen)
    assert again.published == next(one.published for one in found if one.name == chosen)


def test_rollback_serves_the_one_before_under_a_new_number(root: Path) -> None:
    first, second, third = names(root)
    assert roll_back(str(root)) == (second, 4)
    assert pointer(root)["version"] == second
    assert pointer(root)["serving"] == 4
    assert newest(root) == (4, second)
    assert Model(local_model(str(root), root / "no cache")).classes
    # Once more: not forth again.
    assert roll_back(str(root)) == (first, 5)
    assert names(root) == [first, second, third]
    with pytest.raises(InputError, match="no version that was published before"):
        roll_back(str(root))
    assert roll_back(str(root), third[:6]) == (third, 6)


def test_next_model_is_compared_with_the_one_that_was_rolled_back_to(
    light_run: Run, models: list[Path], root: Path, tmp_path: Path
) -> None:
    chosen, _ = roll_back(str(root))
    decision = decided(light_run, models[2], tmp_path, place=str(tmp_path), max_regression=1.0)
    assert decision.champion == chosen


def test_dry_rollback_changes_nothing(root: Path) -> None:
    before = pointer(root)
    assert roll_back(str(root), dry_run=True) == (names(root)[1], None)
    assert pointer(root) == before
    assert newest(root)[0] == COUNT


@pytest.mark.parametrize("to", ["xyz", ""])
def test_version_that_is_not_there_is_not_gone_back_to(root: Path, to: str) -> None:
    if not to:  # more than one is meant: each begins with the empty text, and one is damaged
        shutil.rmtree(root / names(root)[0])
        shutil.rmtree(root / names(root)[0])
    with pytest.raises(InputError, match="--to"):
        roll_back(str(root), to)


def test_damaged_version_is_not_gone_back_to(root: Path) -> None:
    before = pointer(root)
    (root / names(root)[1] / "model.keras").write_bytes(b"damaged")
    with pytest.raises(InputError, match=r"model\.keras is damaged"):
        roll_back(str(root))
    assert pointer(root) == before
    assert newest(root)[0] == COUNT


def test_prune_keeps_the_newest_and_never_the_served_one_goes(root: Path) -> None:
    first, second, third = names(root)
    roll_back(str(root), first)
    planned = prune(str(root), keep=1, dry_run=True)
    assert planned.versions == (second,)
    assert planned.numbers == (1,)  # the first version has the number 4
    assert names(root) == [first, second, third]
    assert prune(str(root), keep=1) == planned
    assert names(root) == [first, third]
    assert {path.name for path in (root / "serving").iterdir()} == {"3", "4"}
    assert {path.name for path in root.iterdir()} == {first, third, "serving", "latest.json"}
    Model(root / first)


def test_folders_that_are_no_versions_stay_and_stop_nothing(root: Path) -> None:
    shutil.copytree(root / names(root)[0], root / "backup")
    (root / "serving" / "001").mkdir()
    (root / "serving" / "0").mkdir()
    assert len(names(root)) == COUNT
    prune(str(root), keep=1)
    assert len(names(root)) == 1
    assert (root / "backup" / "model.json").is_file()
    assert {"0", "001"} <= {path.name for path in (root / "serving").iterdir()}


def test_prune_that_is_overtaken_removes_nothing(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = names(root)
    found = versions._listed

    def overtaken(place: str, numbers: list[serving.Numbered]) -> list[versions.Version]:
        listed = found(place, numbers)
        text = json.dumps({**pointer(root), "version": there[0]})
        (root / "latest.json").write_text(text)
        return listed

    monkeypatch.setattr(versions, "_listed", overtaken)
    with pytest.raises(WorkError, match="changed meanwhile"):
        prune(str(root), keep=1)
    monkeypatch.undo()
    assert names(root) == there
    assert [one.number for one in serving.numbered(str(root))] == [1, 2, 3]


def test_prune_by_age_and_number_removes_what_both_let_go(root: Path) -> None:
    first, second, third = names(root)
    now = datetime(2026, 1, 4, 12, tzinfo=UTC)
    for keep, days, gone in (
        (0, 10, ()),
        (2, 1, (first,)),
        (1, 2.5, (first,)),
        (0, 1, (first, second)),
    ):
        age = timedelta(days=days)
        planned = prune(str(root), keep=keep, older_than=age, now=now, dry_run=True)
        assert planned.versions == gone, (keep, days)
    with pytest.raises(InputError, match="--keep"):
        prune(str(root))
    assert names(root) == [first, second, third]


def test_what_servers_serve_is_not_removed_even_if_the_pointer_names_another(root: Path) -> None:
    # A publisher was killed between the number and the pointer.
    served, _, third = names(root)
    content = {**pointer(root), "version": served}
    (root / "latest.json").write_text(json.dumps(content))
    prune(str(root), keep=1)
    assert names(root) == [served, third]
    assert newest(root) == (3, third)


def test_place_without_a_pointer_is_refused(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(InputError, match=r"no latest\.json"):
            root_at(str(place))


def test_versions_live_in_a_bucket_as_in_a_folder(
    light_run: Run, models: list[Path], store: Store, tmp_path: Path
) -> None:
    place = f"{store.prefix}/versions"
    for model in models:
        publish_as(light_run, model, tmp_path, place=place)
    root = root_at(f"{place}/m/")
    first, second, third = names(root)
    assert pointer(root)["serving"] == COUNT
    assert newest(root) == (3, third)
    saved = f"{root}/{third}/saved_model"
    for stored in storage.list_objects(saved):
        copied = stored.uri.replace(saved, f"{root}/serving/3")
        expected = storage.read_place(stored.uri, max_bytes=10**8)
        assert storage.read_place(copied, max_bytes=10**8) == expected
        assert storage.stored_sha256(copied) == storage.stored_sha256(stored.uri) != ""

    assert roll_back(root) == (second, 4)
    assert pointer(root)["version"] == second
    assert newest(root) == (4, second)
    Model(local_model(root, tmp_path / "cache"))

    planned = prune(root, keep=2, dry_run=True)
    assert planned.versions == (first,)
    assert names(root) == [first, second, third]
    assert prune(root, keep=2) == planned
    assert names(root) == [second, third]
    assert not list(storage.list_objects(f"{root}/{first}"))
    assert [one.number for one in serving.numbered(root)] == [3, 4]

    storage.delete(f"{root}/{third}/model.keras")
    with pytest.raises(InputError, match=r"model\.keras is missing"):
        roll_back(root, third)
    assert pointer(root)["version"] == second


def test_rollback_while_somebody_publishes_is_refused_and_leaves_no_number(
    light_run: Run,
    models: list[Path],
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = two_in_a_bucket(light_run, models, f"{store.prefix}/overtaken", tmp_path)
    give = serving.give_number

    def overtaken(*arguments: Any) -> int | None:
        number = give(*arguments)
        storage.write_place(f"{root}/latest.json", b'{"version": "another"}', what="a pointer")
        return number

    monkeypatch.setattr(in_bucket.serving, "give_number", overtaken)
    with pytest.raises(WorkError, match="meanwhile"):
        roll_back(root)
    assert pointer(root) == {"version": "another"}
    assert [one.number for one in serving.numbered(root)] == [1, 2]


def test_version_that_is_removed_while_it_is_published_is_told(
    light_run: Run,
    models: list[Path],
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = two_in_a_bucket(light_run, models, f"{store.prefix}/removed", tmp_path)
    write = storage.write_if

    def removed(uri: str, data: bytes, version: str | None) -> bool:
        written = write(uri, data, version)
        if uri.endswith("/latest.json"):
            storage.delete(f"{root}/{json.loads(data)['version']}/model.json")
        return written

    monkeypatch.setattr(storage, "write_if", removed)
    with pytest.raises(WorkError, match="was removed while it was published"):
        roll_back(root)


def test_saved_model_is_the_last_that_comes_into_a_bucket(
    light_run: Run, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"{store.prefix}/last"
    order: list[str] = []
    copy = storage.copy

    def noting(uri: str, target: str) -> None:
        order.append(target.partition("/serving/1/")[2])
        copy(uri, target)

    monkeypatch.setattr(storage, "copy", noting)
    publish_as(light_run, light_run.directory / "model", tmp_path, place=place)
    assert len(order) > 2
    assert order[-1] == "saved_model.pb"


def test_unfinished_number_of_the_same_version_is_finished_and_another_is_passed_over(
    light_run: Run, models: list[Path], store: Store, tmp_path: Path
) -> None:
    place = f"{store.prefix}/unfinished"
    publish_as(light_run, models[0], tmp_path, place=place)
    root = f"{place}/m"
    (first,) = names(root)
    storage.delete(f"{root}/serving/1/saved_model.pb")
    publish_as(light_run, models[0], tmp_path, place=place)
    assert newest(root) == (1, first)
    storage.delete(f"{root}/serving/1/saved_model.pb")
    publish_as(light_run, models[1], tmp_path, place=place)
    assert newest(root)[0] == 2
    assert prune(root, keep=5).numbers == (1,)
