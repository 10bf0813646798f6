"""Runs that publish into object storage, and what of a run cannot be there."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT, SMALL_ARCHITECTURE, Run, run_captured, run_pipeline
from object_stores import Store

from components.common.model.description import read_description
from components.common.store import storage


@dataclass(frozen=True)
class Published:
    """A run on the sample of the fixture `sample_run`, and the bucket's folder for its models."""

    run: Run
    place: str


@pytest.fixture(scope="module")
def published(
    store: Store, backbone_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Published:
    place = f"{store.prefix}/models"
    run = run_pipeline(
        tmp_path_factory.mktemp("bucket") / "runs",
        backbone_cache,
        *("--per_class", "20", "--architecture", SMALL_ARCHITECTURE),
        *("--how_many_training_steps", "500", "--min_accuracy", "0", "--publish_dir", place),
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return Published(run, place)


# Into the other kind publishes a whole run of tests/test_run_secrets.py.
@pytest.mark.parametrize("store", ["s3", pytest.param("gs", marks=pytest.mark.long)], indirect=True)
def test_run_publishes_into_a_bucket_and_the_model_answers_from_there(
    published: Published, store: Store, tmp_path: Path
) -> None:
    run, place = published.run, published.place
    version = run.summary["published"]
    assert version.startswith(f"{place}/sample/")
    assert f"published  {version}\n" in run.stdout
    folders = {version.rpartition("/")[2], "serving", "memory"}
    assert set(storage.list_folders(f"{place}/sample")) == folders
    assert storage.list_folders(f"{place}/sample/serving") == ["1"]
    assert not list(run.directory.parent.glob("*published*"))
    assert not (ROOT / store.prefix.partition("/")[0]).exists()
    for shard in (run.directory / "demo").glob("images-*.tar"):
        shutil.unpack_archive(shard, tmp_path / "photos", filter="data")
    command = [sys.executable, "-m", "components.label_image", str(tmp_path / "photos")]
    command += ["--format", "json", "--cache_dir", str(tmp_path / "cache"), "--model_dir"]
    here = run_captured(*command, str(run.directory / "model"))
    there = run_captured(*command, f"{place}/sample")
    assert here.returncode == 0, here.stderr
    assert there.returncode == 0, there.stderr
    assert here.stdout == there.stdout
    assert here.stdout.count('"probabilities"') > 10


@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_same_photos_and_seed_give_the_same_head(sample_run: Run, published: Published) -> None:
    again = published.run
    descriptions = [
        json.loads((run.directory / "model" / "model.json").read_text())
        for run in (sample_run, again)
    ]
    files = [description.pop("files") for description in descriptions]
    # TensorFlow writes neither model.keras nor the SavedModel the same twice.
    for name in ("head.npz", "distances.npz", "model.tflite", "references.parquet"):
        assert files[0][name] == files[1][name]
    for description in descriptions:
        del description["sha256"]
    assert descriptions[0] == descriptions[1]
    models = [read_description(run.directory / "model") for run in (sample_run, again)]
    assert models[0].identity == models[1].identity
    figures = [(run.directory / "metrics.json").read_bytes() for run in (sample_run, again)]
    assert figures[0] == figures[1]
    for name in ("training", "demo"):
        manifests = [
            (run.directory / name / "manifest.parquet").read_bytes() for run in (sample_run, again)
        ]
        assert manifests[0] == manifests[1]


@pytest.mark.parametrize("store", ["s3"], indirect=True)  # Google's emulator refuses nobody
def test_bucket_that_refuses_us_ends_the_run_before_it_begins(
    store: Store, backbone_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    run = run_pipeline(tmp_path, backbone_cache, "--publish_dir", f"{store.prefix}/models")
    assert run.returncode == 2
    (line,) = run.stderr.splitlines()
    assert f"{store.prefix}/models/sample/latest.json cannot be read" in line
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["gs://bucket/runs", "s3://bucket/runs", "minio://bucket/runs"])
def test_runs_in_object_storage_are_refused_with_the_reason(tmp_path: Path, place: str) -> None:
    command = [sys.executable, str(ROOT / "pipeline.py"), "run", "--runs_dir", place]
    done = run_captured(*command, "--cache_dir", str(tmp_path))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "expected a folder, because a run on this machine passes its artifacts as" in line
    assert "--publish_dir" in line
    assert not (ROOT / f"{place.partition(':')[0]}:").exists()
