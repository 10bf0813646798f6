"""`publish --to hf-folder`: a published model as a folder that the Hugging Face Hub takes."""

import dataclasses
import json
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, Run, run_captured
from object_stores import Store
from publish_items import decided, publish_as, write_metrics
from sealing import reseal

from components.common.base.errors import InputError
from components.common.base.files import hash_file
from components.common.model.description import read_description
from components.common.model.model import Model
from components.publish import hub_folder
from components.publish.decision import HOLD, Decision
from components.publish.publish import publish

ADDED = {"config.json", "metadata.json", "model.weights.h5"}
KEPT_OUT = {"MODEL_CARD.md"}


def command(*options: Path | str, directory: Path = ROOT) -> tuple[int, str, str]:
    """`mushrooms publish` with these options."""
    done = run_captured(
        *(sys.executable, "-m", "programs.command", "publish", *map(str, options)),
        directory=directory,
    )
    return done.returncode, done.stdout, done.stderr


def files(folder: Path) -> dict[str, str]:
    """SHA-256 of each file by its path."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in paths}


@pytest.fixture(scope="module")
def version(light_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published version; nobody changes it."""
    return publish_as(light_run, light_run.directory / "model", tmp_path_factory.mktemp("hub"))


def test_folder_is_the_version_and_its_keras_model_unpacked(version: Path, tmp_path: Path) -> None:
    assert hub_folder.write(str(version), tmp_path / "hub") == "m"
    before, found = files(version), files(tmp_path / "hub")
    assert found.keys() == (before.keys() | ADDED) - KEPT_OUT
    assert {name for name in before.keys() - KEPT_OUT if before[name] != found[name]} == {
        "README.md"  # it also has the hashes of what was unpacked
    }
    card = (tmp_path / "hub" / "README.md").read_text()
    for name in found.keys() - {"README.md"}:
        assert found[name] in card, name
    with zipfile.ZipFile(version / "model.keras") as packed:
        for name in ADDED - {"config.json"}:
            assert (tmp_path / "hub" / name).read_bytes() == packed.read(name)
    config = json.loads((tmp_path / "hub" / "config.json").read_text())
    classes = read_description(version).classes
    assert config["id2label"] == {str(place): label for place, label in enumerate(classes)}
    assert config["label2id"] == {label: place for place, label in enumerate(classes)}
    assert config["wild_mushrooms"]["version"] == version.name
    assert Model(tmp_path / "hub").description == Model(version).description


def test_page_of_changes_is_not_copied(version: Path, tmp_path: Path) -> None:
    copy = tmp_path / version.name
    shutil.copytree(version, copy)
    (copy / "change.html").write_text("photos")
    hub_folder.write(str(copy), tmp_path / "hub")
    assert files(tmp_path / "hub").keys() == (files(version).keys() | ADDED) - KEPT_OUT
    assert "change.html" not in (tmp_path / "hub" / "README.md").read_text()


def test_keras_loads_the_folder(version: Path, tmp_path: Path) -> None:
    from keras.saving import load_model

    hub_folder.write(str(version), tmp_path / "hub")
    side = read_description(version).input_size
    pixels = np.random.default_rng(1).uniform(-1, 1, (2, side, side, 3)).astype(np.float32)
    expected = load_model(version / "model.keras")(pixels)
    found = load_model(str(tmp_path / "hub"))(pixels)
    assert np.array_equal(np.asarray(found), np.asarray(expected))


def test_command_takes_the_last_run_and_says_how_to_upload(sample_run: Run, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "latest").symlink_to(sample_run.directory)
    status, said, _ = command("--to", "hf-folder", directory=tmp_path)
    assert (status, said) == (
        0,
        "written: hf-folder; to upload it: hf upload YOU/sample hf-folder\n",
    )
    published = Path(sample_run.summary["published"])
    expected = (files(published).keys() | ADDED) - KEPT_OUT
    assert files(tmp_path / "hf-folder").keys() == expected
    assert f"version {published.name}" in (tmp_path / "hf-folder" / "README.md").read_text()
    # Again: its own folder is replaced.
    assert command("--to", "hf-folder", directory=tmp_path)[0] == 0


def test_model_is_published_and_written_in_one_go(sample_run: Run, tmp_path: Path) -> None:
    run = sample_run.directory
    status, said, _ = command(
        *("--model_dir", run / "model", "--demo", run / "demo", "--metrics", run / "metrics.json"),
        *("--publish_dir", tmp_path / "published", "--name", "mine", "--to", "hf-folder"),
        *("--output", tmp_path / "for the hub"),
    )
    assert status == 0
    (published,) = (tmp_path / "published" / "mine").glob("*/model.json")
    assert f"published: {published.parent}" in said
    assert f"hf upload YOU/mine '{tmp_path / 'for the hub'}'" in said
    assert (tmp_path / "for the hub" / "README.md").is_file()


def test_version_in_a_bucket_gives_the_same_folder(
    light_run: Run, store: Store, tmp_path: Path
) -> None:
    model = light_run.directory / "model"
    metrics = write_metrics(tmp_path / "metrics", model)
    place = f"{store.prefix}/hub"
    decision = decided(light_run, model, tmp_path, max_regression=1.0, place=place)
    there = publish(model, metrics, decision, place, name="m")
    for number, asked in enumerate((there, f"{place}/m")):
        hub_folder.write(asked, tmp_path / f"hub {number}")
    with pytest.raises(InputError, match="no published model"):
        hub_folder.write(f"{place}/other", tmp_path / "other")
    here = publish_as(light_run, model, tmp_path)
    hub_folder.write(str(here), tmp_path / "here")
    expected = files(tmp_path / "here")
    assert files(tmp_path / "hub 0") == files(tmp_path / "hub 1") == expected


@pytest.mark.parametrize("name", ["notes.txt", "config.json", ".git/config"])
def test_folder_of_somebody_else_is_left_alone(version: Path, tmp_path: Path, name: str) -> None:
    place = tmp_path / "hub"
    if name.startswith("."):  # a clone of what was uploaded
        hub_folder.write(str(version), place)
    (place / name).parent.mkdir(parents=True, exist_ok=True)
    (place / name).write_text('{"architectures": ["ViT"]}')
    before = files(place)
    with pytest.raises(InputError, match=r"not empty.*choose another"):
        hub_folder.write(str(version), place)
    assert files(place) == before


def test_output_inside_the_model_is_refused(version: Path) -> None:
    before = files(version)
    for place in (version, version / "hub"):
        with pytest.raises(InputError, match="--output"):
            hub_folder.write(str(version), place)
    assert files(version) == before


def test_what_is_not_published_is_refused(light_run: Run, tmp_path: Path) -> None:
    for place, said in (
        (light_run.directory / "model", "is not published: expected a run"),
        (tmp_path / "nothing", "no published model"),
    ):
        with pytest.raises(InputError, match=said):
            hub_folder.write(str(place), tmp_path / "hub")
    assert not (tmp_path / "hub").exists()


def test_model_of_a_run_that_held_it_back_is_refused(sample_run: Run, tmp_path: Path) -> None:
    decision = next(sample_run.directory.glob("artifacts/*/publish/comparison"))
    held = dataclasses.replace(Decision.read(decision), decision=HOLD, reason="too few photos")
    run = tmp_path / "run"
    (run / "artifacts" / "x" / "publish").mkdir(parents=True)
    (run / "artifacts" / "x" / "publish" / "comparison").write_text(held.to_json())
    (run / "model").symlink_to(sample_run.directory / "model")
    for name in ("metrics.json", "summary.json"):
        shutil.copyfile(sample_run.directory / name, run / name)
    with pytest.raises(InputError, match="held back: too few photos"):
        hub_folder.write(str(run), tmp_path / "hub")


@pytest.mark.parametrize("content", ["no zip", "no config", "no JSON", "too large"])
def test_keras_file_of_a_stranger_gives_one_line(
    version: Path, tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "model"
    shutil.copytree(version, model)
    path = model / "model.keras"
    if content == "no zip":
        path.write_bytes(b"PK" + bytes(100))
    elif content == "too large":
        monkeypatch.setitem(hub_folder._KERAS_FILES, "model.weights.h5", 1000)
    else:
        with zipfile.ZipFile(path, "w") as packed:
            for name in ADDED - ({"config.json"} if content == "no config" else set()):
                packed.writestr(name, "[" * 100_000)
    described = json.loads((model / "model.json").read_text())["files"]
    reseal(model / "model.json", files={**described, "model.keras": hash_file(path)})
    with pytest.raises(InputError, match=r"model\.keras"):
        hub_folder.write(str(model), tmp_path / "hub")
    assert not (tmp_path / "hub").exists()


def test_photos_without_a_licence_are_told(
    version: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = tmp_path / "model"
    shutil.copytree(version, model)
    path = model / "references.parquet"
    table = pq.read_table(path)
    place = table.schema.get_field_index("licence")
    column = pa.array(["", *table.column("licence").to_pylist()[1:]])
    pq.write_table(table.set_column(place, "licence", column), path)
    described = json.loads((model / "model.json").read_text())["files"]
    reseal(model / "model.json", files={**described, path.name: hash_file(path)})
    hub_folder.write(str(version), tmp_path / "hub")
    assert not caplog.messages
    hub_folder.write(str(model), tmp_path / "hub")
    (said,) = caplog.messages
    assert f"no licence is known of 1 photo of {table.num_rows}: remove references.parquet" in said


def test_damaged_version_is_refused(version: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(version, model)
    (model / "retrained_labels.txt").write_text("others\n")
    with pytest.raises(InputError, match=r"retrained_labels\.txt is damaged"):
        hub_folder.write(str(model), tmp_path / "hub")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--to", "zip"), "--to"),
        (("--to", "hf-folder", "--name", "x"), "decides nothing"),
        (("--to", "hf-folder", "--demo", "demo"), "--metrics must be given"),
        (("--to", "hf-folder", "--model_dir", "nowhere"), "nowhere"),
        (("--demo", "demo"), "--model_dir, --metrics must be given"),
    ],
)
def test_wrong_usage_is_one_line(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    status, out, error = command(*options, directory=tmp_path)
    assert (status, out) == (2, "")
    assert said in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "hf-folder").exists()
