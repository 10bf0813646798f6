"""Several classes in one step: what one that fails means for the others, and for the next run."""

from pathlib import Path

import pytest
from gate import open_gate
from object_stores import S3_VARIABLES, Store, free_port, using
from photo_server import Answer, PhotoServer, serve
from services import photo

from components.common.base.errors import InputError, WorkError
from components.common.dataset.dataset import Dataset
from components.download.download import download
from components.download.options import DownloadOptions

EACH = 3  # photos of a class


def behave(path: str, _: int) -> Answer:
    """/rose/2.jpg is a photo; those of a class named "lost" are gone."""
    label, name = path[1:].split("/")
    if label == "lost":
        return Answer(status=404)
    return Answer(photo(100 * len(label) + int(name[:-4])))


def listed(tmp_path: Path, server: PhotoServer, *labels: str, **more: object) -> DownloadOptions:
    path = tmp_path / "list.txt"
    lines = [f"{server.address}/{label}/{n}.jpg {label}" for label in labels for n in range(EACH)]
    path.write_text("\n".join(lines))
    given = {"min_per_class": 1, "cache_dir": str(tmp_path / "cache"), **more}
    return DownloadOptions(
        source="urls",
        url_list=str(path),
        allow_private_hosts="localhost",
        **given,  # type: ignore[arg-type]
    )


def asked_for(server: PhotoServer, since: int = 0) -> list[str]:
    return sorted(path for path, _ in server.requests[since:])


def test_classes_come_into_one_dataset_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    with serve(behave) as server:
        options = listed(tmp_path, server, "tulip", "rose")
        download(["tulip", "rose"], tmp_path / "out", options)
    labels = [row.label for row in Dataset(tmp_path / "out").photos]
    assert labels == ["tulip"] * EACH + ["rose"] * EACH
    events = (tmp_path / "events").read_text()
    assert '"event": "part"' in events
    assert '"done": 1, "total": 2' in events


@pytest.mark.parametrize("classes", [[], ["rose", ""], ["rose", "a/b"]])
def test_classes_that_cannot_be_are_refused_before_anything_is_fetched(
    tmp_path: Path, classes: list[str]
) -> None:
    with serve(behave) as server:
        with pytest.raises(InputError):
            download(classes, tmp_path / "out", listed(tmp_path, server, "rose"))
        assert server.requests == []


def test_class_that_fails_ends_the_step_after_the_others_and_loses_none_of_their_photos(
    tmp_path: Path,
) -> None:
    with serve(behave) as server:
        options = listed(tmp_path, server, "lost", "rose")
        with pytest.raises(WorkError, match="only 0 photos of 'lost'"):
            download(["lost", "rose"], tmp_path / "out", options)
        assert not (tmp_path / "out").exists()
        seen = len(server.requests)
        download(["rose"], tmp_path / "out", options)
        assert asked_for(server, seen) == []
    assert len(Dataset(tmp_path / "out").photos) == EACH


def test_every_class_that_fails_is_named(tmp_path: Path) -> None:
    with serve(behave) as server:
        options = listed(tmp_path, server, "lost", "rose")
        with pytest.raises(WorkError) as caught:
            download(["lost", "rose", "gone"], tmp_path / "out", options)
    first, *rest = str(caught.value).splitlines()
    assert first == "2 of 3 classes could not be gathered:"
    assert [name for name in ("lost", "gone") if f"of '{name}'" in "\n".join(rest)] == [
        "lost",
        "gone",
    ]


def test_host_that_is_out_of_reach_is_not_waited_for_once_for_each_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.download.sources.gbif.API", "http://gbif.invalid/v1")
    options = DownloadOptions(source="gbif", cache_dir=str(tmp_path / "cache"))
    with pytest.raises(WorkError) as caught:
        download(["one", "two", "three"], tmp_path / "out", options)
    assert str(caught.value).startswith("the host gbif.invalid cannot be reached")


def test_another_machine_asks_the_hosts_for_new_photos_only(tmp_path: Path, store: Store) -> None:
    place = f"{store.prefix}/fetched"
    with serve(behave) as server:
        for number, labels in enumerate((["tulip"], ["tulip", "rose"])):
            seen = len(server.requests)
            cache = str(tmp_path / f"cache of machine {number}")
            options = listed(tmp_path, server, *labels, cache_dir=cache, shared_cache=place)
            download(labels, tmp_path / f"out {number}", options)
            assert asked_for(server, seen) == [f"/{labels[-1]}/{n}.jpg" for n in range(EACH)]
    assert len(Dataset(tmp_path / "out 1").photos) == 2 * EACH


def test_what_was_damaged_in_the_store_is_fetched_again(tmp_path: Path, store: Store) -> None:
    place = f"{store.prefix}/damaged"
    with serve(behave) as server:
        options = listed(tmp_path, server, "rose", shared_cache=place)
        download(["rose"], tmp_path / "first", options)
        seen = len(server.requests)
        for record in (tmp_path / "cache" / "fetched" / "urls").rglob("*"):
            if record.is_file():
                name = record.relative_to(tmp_path / "cache" / "fetched")
                store.put(f"damaged/{name}", record.read_bytes()[:-1])
        fresh = listed(
            tmp_path, server, "rose", shared_cache=place, cache_dir=str(tmp_path / "fresh")
        )
        download(["rose"], tmp_path / "second", fresh)
        assert len(asked_for(server, seen)) == EACH
    assert len(Dataset(tmp_path / "second").photos) == EACH


def test_store_that_is_away_is_told_once_and_costs_no_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with open_gate() as gate, serve(behave) as server:
        gate.cut_each_at = 0  # whatever it leads to
        away = {**S3_VARIABLES, "AWS_ENDPOINT_URL": gate.lead_to(free_port())}
        options = listed(tmp_path, server, "rose", shared_cache="s3://photos/fetched")
        with using(away):
            download(["rose"], tmp_path / "out", options)
    assert len(Dataset(tmp_path / "out").photos) == EACH
    told = (tmp_path / "events").read_text()
    assert told.count("fetched photos are not kept for other runs") == 1


@pytest.mark.parametrize("place", ["folder", "https://bucket/x", "s3://"])
def test_shared_cache_is_a_place_in_a_store(tmp_path: Path, place: str) -> None:
    with serve(behave) as server, pytest.raises(InputError, match="--shared_cache"):
        download(["rose"], tmp_path / "out", listed(tmp_path, server, "rose", shared_cache=place))
