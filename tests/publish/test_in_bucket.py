"""Publishing into object storage, on real servers: the pointer moves last, for one at a time."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT, Run, run_captured
from object_stores import Store, upload_folder, using
from publish_items import decided, publish_command, write_metrics
from sealing import reseal

from components.common.base.errors import InputError, WorkError
from components.common.model.model import Model
from components.common.model.model_place import local_model
from components.common.store import storage
from components.publish import in_bucket, serving
from components.publish.publish import publish


@pytest.fixture
def place(store: Store, request: pytest.FixtureRequest) -> str:
    """Where a test publishes: a prefix of its own."""
    return f"{store.prefix}/{request.node.name.partition('[')[0]}"


@pytest.fixture(scope="module")
def models(light_run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two models of other versions, that a test may publish one after the other."""
    other = tmp_path_factory.mktemp("other") / "model"
    shutil.copytree(light_run.directory / "model", other)
    reseal(other / "model.json", manifest_sha256="1" * 64)
    return light_run.directory / "model", other


def publish_it(run: Run, model_dir: Path, folder: Path, place: str) -> str:
    metrics = write_metrics(folder / "metrics", model_dir)
    decision = decided(run, model_dir, folder, max_regression=1.0, place=place)
    return publish(model_dir, metrics, decision, place, name="m")


def pointer(place: str) -> str:
    """The version that is published; empty where none is."""
    data = storage.find_place(f"{place}/m/latest.json", max_bytes=10_000)
    return str(json.loads(data)["version"]) if data else ""


def names(prefix: str) -> dict[str, str]:
    """Names and versions of the objects below a prefix."""
    return {one.uri[len(prefix) + 1 :]: one.version for one in storage.list_objects(prefix)}


def test_bucket_gets_what_a_folder_gets(light_run: Run, place: str, tmp_path: Path) -> None:
    model = light_run.directory / "model"
    there = publish_it(light_run, model, tmp_path, place)
    here = Path(publish_it(light_run, model, tmp_path, str(tmp_path / "published")))
    assert there == f"{place}/m/{here.name}"
    expected = {path.relative_to(here).as_posix() for path in here.rglob("*") if path.is_file()}
    assert set(names(there)) == expected
    for name in ("model.tflite", "saved_model/saved_model.pb", "metrics.json", "MODEL_CARD.md"):
        assert storage.read_place(f"{there}/{name}", max_bytes=10**8) == (here / name).read_bytes()
    assert (
        storage.read_place(f"{place}/m/latest.json", max_bytes=10_000)
        == (here.parent / "latest.json").read_bytes()
    )


def test_same_model_twice_is_one_version_left_as_it_was(
    light_run: Run, place: str, tmp_path: Path
) -> None:
    model = light_run.directory / "model"
    publish_it(light_run, model, tmp_path, place)
    before = names(f"{place}/m")
    publish_it(light_run, model, tmp_path, place)
    assert names(f"{place}/m") == before


def test_next_model_is_compared_with_the_one_in_the_bucket_and_takes_its_place(
    light_run: Run, models: tuple[Path, Path], place: str, tmp_path: Path
) -> None:
    first = publish_it(light_run, models[1], tmp_path, place)
    before = names(first)
    decision = decided(light_run, models[0], tmp_path, place=place)
    assert decision.champion == first.rpartition("/")[2]
    assert decision.comparison
    assert decision.comparison.photos
    second = publish_it(light_run, models[0], tmp_path, place)
    assert pointer(place) == second.rpartition("/")[2]
    assert names(first) == before


def test_worse_model_is_held_back_by_the_one_in_the_bucket(
    sample_run: Run, shuffled_model: Path, place: str, tmp_path: Path
) -> None:
    published = publish_it(sample_run, sample_run.directory / "model", tmp_path, place)
    metrics = write_metrics(tmp_path / "metrics", shuffled_model)
    done = publish_command(sample_run, shuffled_model, metrics, place, "--name", "m")
    assert done.returncode == 1, done.stderr
    assert "held back" in done.stdout
    assert pointer(place) == published.rpartition("/")[2]


def test_model_published_since_the_decision_is_not_passed_over(
    light_run: Run, models: tuple[Path, Path], place: str, tmp_path: Path
) -> None:
    metrics = write_metrics(tmp_path / "own metrics", models[0])
    decision = decided(light_run, models[0], tmp_path, place=place)
    other = publish_it(light_run, models[1], tmp_path, place)
    with pytest.raises(WorkError, match="another model was published as m since"):
        publish(models[0], metrics, decision, place, name="m")
    assert pointer(place) == other.rpartition("/")[2]
    assert set(storage.list_folders(f"{place}/m")) == {pointer(place), "serving"}
    assert [one.number for one in serving.numbered(f"{place}/m")] == [1]


def test_model_published_during_the_upload_is_not_passed_over(
    light_run: Run,
    models: tuple[Path, Path],
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    metrics = write_metrics(tmp_path / "own metrics", models[0])
    decision = decided(light_run, models[0], tmp_path, place=place)
    upload = in_bucket._upload
    others: list[str] = []

    def overtaken(*arguments: object) -> None:
        upload(*arguments)  # type: ignore[arg-type]
        if not others:
            others.append("")
            others[0] = publish_it(light_run, models[1], tmp_path, place)

    monkeypatch.setattr(in_bucket, "_upload", overtaken)
    with pytest.raises(WorkError, match="another model was published as m since"):
        publish(models[0], metrics, decision, place, name="m")
    assert pointer(place) == others[0].rpartition("/")[2]
    assert [one.number for one in serving.numbered(f"{place}/m")] == [1]


@pytest.fixture
def publishers(
    light_run: Run, models: tuple[Path, Path], place: str, tmp_path: Path
) -> Iterator[list["subprocess.Popen[str]"]]:
    """Two processes that have decided to publish a model each, and wait for a word to do it."""
    code = (
        "import sys; from pathlib import Path; from components.publish.decision import Decision\n"
        "from components.publish.publish import publish\n"
        "from components.common.base.errors import WorkError\n"
        "model, metrics, decision, place = sys.argv[1:]\n"
        "decided = Decision.read(Path(decision)); input()\n"
        "try: print(publish(Path(model), Path(metrics), decided, place, name='m'))\n"
        "except WorkError as error: sys.exit(str(error))\n"
    )
    started = []
    for number, model in enumerate(models):
        metrics = write_metrics(tmp_path / f"metrics {number}", model)
        decision = tmp_path / f"decision {number}"
        decision.write_text(decided(light_run, model, tmp_path, place=place).to_json())
        command = [sys.executable, "-c", code, str(model), str(metrics), str(decision), place]
        pipe = subprocess.PIPE
        started.append(
            subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        )
    yield started
    for one in started:
        one.kill()
        one.wait()


def test_of_two_publishers_at_once_one_wins_and_the_other_is_told(
    publishers: list["subprocess.Popen[str]"], place: str, tmp_path: Path
) -> None:
    for one in publishers:
        assert one.stdin
        one.stdin.write("go\n")
        one.stdin.flush()
    said = [one.communicate(timeout=120) for one in publishers]
    assert sorted(one.returncode for one in publishers) == [0, 1], said
    winner, loser = sorted(zip(publishers, said, strict=True), key=lambda one: one[0].returncode)
    assert "another model was published as m since" in loser[1][1]
    assert winner[1][0].strip() == f"{place}/m/{pointer(place)}"
    Model(local_model(f"{place}/m", tmp_path / "cache"))
    newest = serving.newest(serving.numbered(f"{place}/m"))
    assert newest
    assert newest.version == pointer(place)  # not the loser's


def test_publisher_that_ends_half_way_leaves_the_pointer_and_can_be_repeated(
    light_run: Run,
    models: tuple[Path, Path],
    place: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = publish_it(light_run, models[1], tmp_path, place)
    upload_files = storage.upload_files

    def dies(files: dict[str, Path], uri: str) -> None:
        upload_files(dict(sorted(files.items())[:4]), uri)
        raise WorkError("the network is gone")

    monkeypatch.setattr(storage, "upload_files", dies)
    with pytest.raises(WorkError, match="gone"):
        publish_it(light_run, models[0], tmp_path, place)
    monkeypatch.undo()
    assert pointer(place) == first.rpartition("/")[2]
    folders = storage.list_folders(f"{place}/m")
    (half,) = {f"{place}/m/{name}" for name in folders} - {first, f"{place}/m/serving"}
    before = names(half)
    assert 0 < len(before) <= 4
    second = publish_it(light_run, models[0], tmp_path, place)
    assert second == half
    assert pointer(place) == second.rpartition("/")[2]
    assert before.items() <= names(second).items()  # what was there was not sent again


def test_object_of_somebody_else_in_a_version_is_never_overwritten(
    light_run: Run, store: Store, place: str, tmp_path: Path
) -> None:
    model = light_run.directory / "model"
    version = decided(light_run, model, tmp_path, place=place).version
    key = f"{place.removeprefix(f'{store.prefix}/')}/m/{version}/retrained_labels.txt"
    store.put(key, b"mine")
    with pytest.raises(WorkError, match=r"retrained_labels\.txt is there already, with other"):
        publish_it(light_run, model, tmp_path, place)
    assert storage.read_place(f"{store.prefix}/{key}", max_bytes=9) == b"mine"
    assert pointer(place) == ""


def test_damaged_pointer_is_replaced_where_that_was_decided(
    light_run: Run, store: Store, place: str, tmp_path: Path
) -> None:
    store.put(f"{place.removeprefix(f'{store.prefix}/')}/m/latest.json", b"{")
    published = publish_it(light_run, light_run.directory / "model", tmp_path, place)
    assert pointer(place) == published.rpartition("/")[2]


def test_bucket_that_is_not_there_is_exit_2(light_run: Run, store: Store, tmp_path: Path) -> None:
    model = light_run.directory / "model"
    metrics = write_metrics(tmp_path / "metrics", model)
    missing = store.prefix.replace("photos", "no-such-bucket")
    done = publish_command(light_run, model, metrics, missing)
    assert done.returncode == 2
    assert f"{missing}/mushrooms/latest.json cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("store", ["s3"], indirect=True)  # Google's emulator takes anyone
def test_wrong_secret_is_exit_2_and_is_not_repeated(
    light_run: Run, place: str, store: Store, tmp_path: Path
) -> None:
    model = light_run.directory / "model"
    metrics = write_metrics(tmp_path / "metrics", model)
    with using({**store.environment, "AWS_SECRET_ACCESS_KEY": "not-my-secret"}):
        done = publish_command(light_run, model, metrics, place)
        with pytest.raises(InputError, match="cannot be written"):
            upload_folder(model, place)
    assert done.returncode == 2
    assert "SignatureDoesNotMatch" in done.stderr
    assert "not-my-secret" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_minio_is_another_name_of_s3(light_run: Run, place: str, tmp_path: Path) -> None:
    published = publish_it(
        light_run, light_run.directory / "model", tmp_path, place.replace("s3://", "minio://")
    )
    assert published.startswith(f"{place}/m/")
    Model(local_model(f"{place.replace('s3://', 'minio://')}/m", tmp_path / "cache"))


def test_published_model_answers_from_the_bucket_as_at_home(
    light_run: Run, place: str, tmp_path: Path
) -> None:
    model = light_run.directory / "model"
    publish_it(light_run, model, tmp_path, place)
    for shard in (light_run.directory / "demo").glob("images-*.tar"):
        shutil.unpack_archive(shard, tmp_path / "photos", filter="data")
    command = [sys.executable, "-m", "components.label_image", str(tmp_path / "photos")]
    command += ["--format", "json", "--cache_dir", str(tmp_path / "cache"), "--model_dir"]
    here, there = (run_captured(*command, where) for where in (str(model), f"{place}/m"))
    assert here.returncode == 0, here.stderr
    assert there.returncode == 0, there.stderr
    assert here.stdout == there.stdout
    assert here.stdout.count('"probabilities"') > 10
