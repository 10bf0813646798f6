"""Where a model may be: folders, published roots, buckets on real servers."""

import json
from pathlib import Path

import pytest
from conftest import Run
from object_stores import Store

from components.common.base.errors import InputError
from components.common.model.model import Model
from components.common.model.model_place import WANTED, local_model


def upload(store: Store, model: Path, prefix: str) -> None:
    for path in model.iterdir():
        if path.is_file():
            store.put(f"{prefix}/{path.name}", path.read_bytes())


def test_folder_is_taken_as_it_is(light_run: Run, tmp_path: Path) -> None:
    model = light_run.directory / "model"
    assert local_model(str(model), tmp_path) == model


def test_published_root_leads_to_its_latest_version(sample_run: Run, tmp_path: Path) -> None:
    root = Path(sample_run.summary["published"]).parent
    assert local_model(str(root), tmp_path) == Path(sample_run.summary["published"])


@pytest.mark.parametrize(
    "pointer", ["{", "[]", "{}", '{"version": 7}', '{"version": "../other"}', '{"version": ""}']
)
def test_pointer_that_names_no_version_is_refused(tmp_path: Path, pointer: str) -> None:
    (tmp_path / "latest.json").write_text(pointer)
    with pytest.raises(InputError, match=r"latest\.json"):
        local_model(str(tmp_path), tmp_path / "cache")


def test_model_in_a_bucket_is_fetched_once_and_answers(
    light_run: Run, store: Store, tmp_path: Path
) -> None:
    upload(store, light_run.directory / "model", "published/v1")
    store.put("published/latest.json", json.dumps({"version": "v1"}).encode())
    by_pointer = local_model(f"{store.prefix}/published/", tmp_path)
    assert Model(by_pointer).classes == Model(light_run.directory / "model").classes
    there = {path.name for path in (light_run.directory / "model").iterdir()}
    assert {path.name for path in by_pointer.iterdir()} == set(WANTED) & there
    before = (by_pointer / "model.tflite").stat().st_mtime_ns
    again = local_model(f"{store.prefix}/published/v1", tmp_path)
    assert again == by_pointer
    assert (again / "model.tflite").stat().st_mtime_ns == before


def test_changed_model_in_a_bucket_is_fetched_anew(
    light_run: Run, store: Store, tmp_path: Path
) -> None:
    upload(store, light_run.directory / "model", "changing")
    first = local_model(f"{store.prefix}/changing", tmp_path)
    store.put("changing/retrained_labels.txt", b"other\n")
    second = local_model(f"{store.prefix}/changing", tmp_path)
    assert second != first
    assert (second / "retrained_labels.txt").read_bytes() == b"other\n"


def test_bucket_without_a_model_says_what_is_missing(store: Store, tmp_path: Path) -> None:
    store.put("nothing/readme.txt", b"hello")
    with pytest.raises(InputError, match=r"not a model directory: there is no model\.json"):
        local_model(f"{store.prefix}/nothing", tmp_path)
