"""Publishing: a version is never overwritten, and the pointer moves last."""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from conftest import ROOT, Run
from publish_items import decided, publish_command, write_metrics
from sealing import reseal, unseal

from components.common.base.errors import InputError, WorkError
from components.common.dataset.class_facts import ClassFacts
from components.common.model.description import read_description
from components.common.model.model import Model
from components.common.model.model_place import version_of
from components.common.model.unknown import ClassDistances
from components.common.store.alone import alone_in
from components.publish.decision import HOLD, Decision
from components.publish.options import PublishOptions
from components.publish.publish import publish, publish_if_good


def publish_it(run: Run, model_dir: Path, folder: Path) -> Path:
    """Publish below `folder`/published as "m"."""
    metrics = write_metrics(folder / "metrics", model_dir)
    decision = decided(run, model_dir, folder, max_regression=1.0)
    return Path(publish(model_dir, metrics, decision, folder / "published", name="m"))


def another_version(model: Path, folder: Path) -> Path:
    """A copy of a model that counts as made of other photos."""
    copy = folder / "another"
    shutil.copytree(model, copy)
    reseal(copy / "model.json", manifest_sha256="1" * 64)
    return copy


def test_same_model_twice_is_one_version_left_as_it_was(light_run: Run, tmp_path: Path) -> None:
    model = light_run.directory / "model"
    first = publish_it(light_run, model, tmp_path)
    before = (first / "model.tflite").stat()
    again = publish_it(light_run, model, tmp_path)
    assert again == first
    after = (first / "model.tflite").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    names = sorted(path.name for path in first.parent.iterdir())
    assert names == sorted(["latest.json", "serving", first.name])


def test_model_without_a_name_is_published_under_that_of_its_subject(
    light_run: Run, tmp_path: Path
) -> None:
    drawn, photographed = light_run.directory / "model", tmp_path / "model"
    shutil.copytree(drawn, photographed)
    facts = ClassFacts(subject="wild flowers").to_json()
    reseal(photographed / "model.json", rendered=False, facts=facts)
    for model, name in ((drawn, "sample"), (photographed, "wild-flowers")):
        metrics = write_metrics(tmp_path / f"metrics of {name}", model)
        asked = PublishOptions(publish_dir=str(tmp_path / "out"))
        decision, place = publish_if_good(model, light_run.directory / "demo", metrics, asked)
        assert decision.name == name
        assert Path(place).parent == tmp_path / "out" / name


def test_same_weights_from_other_photos_are_another_version(light_run: Run, tmp_path: Path) -> None:
    # The same pictures with other credits: ATTRIBUTION.md must not stay that of the first.
    model = tmp_path / "model"
    shutil.copytree(light_run.directory / "model", model)
    first = publish_it(light_run, model, tmp_path)
    (model / "ATTRIBUTION.md").write_text("by someone else")
    reseal(model / "model.json", manifest_sha256="0" * 64)
    second = publish_it(light_run, model, tmp_path)
    assert first != second
    assert (second / "ATTRIBUTION.md").read_text() == "by someone else"


def test_same_weights_with_another_rule_are_another_version(light_run: Run, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(light_run.directory / "model", model)
    first = publish_it(light_run, model, tmp_path)
    distances = ClassDistances.load((model / "distances.npz").read_bytes(), "distances.npz")
    other = dataclasses.replace(distances, ridge=2 * distances.ridge).to_bytes()
    (model / "distances.npz").write_bytes(other)
    reseal(model / "model.json", distances_sha256=hashlib.sha256(other).hexdigest())
    second = publish_it(light_run, model, tmp_path)
    assert first != second
    assert (second / "distances.npz").read_bytes() == other


def test_published_model_answers_and_has_its_papers(light_run: Run, tmp_path: Path) -> None:
    model = light_run.directory / "model"
    folder = publish_it(light_run, model, tmp_path)
    assert Model(folder).description == Model(model).description
    assert json.loads((folder / "metrics.json").read_text())["accuracy"] == 0.9
    assert Decision.read(folder / "decision.json").version == folder.name
    card = (folder / "README.md").read_text()
    assert card == (folder / "MODEL_CARD.md").read_text()
    assert "license_link: LICENSE.md" in card
    assert "(ATTRIBUTION.md)" in (folder / "LICENSE.md").read_text()
    pointer = json.loads((folder.parent / "latest.json").read_text())
    assert pointer["version"] == folder.name


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b", "x" * 101])
def test_name_that_is_no_folder_name_is_refused(light_run: Run, tmp_path: Path, name: str) -> None:
    model = light_run.directory / "model"
    metrics = write_metrics(tmp_path / "metrics", model)
    decision = dataclasses.replace(decided(light_run, model, tmp_path), name=name)
    with pytest.raises(InputError, match="--name"):
        publish(model, metrics, decision, tmp_path / "out", name=name)
    assert not (tmp_path / "out").exists()


def test_figures_of_another_model_are_refused(light_run: Run, tmp_path: Path) -> None:
    model = light_run.directory / "model"
    decision = decided(light_run, model, tmp_path)
    metrics = write_metrics(tmp_path / "metrics", model)
    head = json.loads(metrics.read_text())["head_sha256"]
    for other in ({"head_sha256": "0" * 64}, {"head_sha256": head, "model_sha256": "0" * 64}):
        reseal(metrics, **other)
        with pytest.raises(InputError, match="another model"):
            publish(model, metrics, decision, tmp_path / "out", name="m")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["model.keras", "saved_model/saved_model.pb", "ATTRIBUTION.md"])
@pytest.mark.parametrize("damage", ["flipped", "removed", "added"])
def test_damaged_model_is_not_published(
    light_run: Run, tmp_path: Path, name: str, damage: str
) -> None:
    # Files that neither the decision nor the model card looks into.
    model = tmp_path / "model"
    shutil.copytree(light_run.directory / "model", model)
    path = model / name
    if damage == "flipped":
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif damage == "removed":
        path.unlink()
    else:
        path = path.with_name("notes.txt")
        path.write_text("mine")
    metrics = write_metrics(tmp_path / "metrics", model)
    decision = decided(light_run, model, tmp_path)
    with pytest.raises(InputError, match=f"{path.name} is .*model.json"):
        publish(model, metrics, decision, tmp_path / "out", name="m")
    assert not (tmp_path / "out").exists()


def test_published_version_can_be_published_elsewhere_with_its_papers(
    light_run: Run, tmp_path: Path
) -> None:
    first = publish_it(light_run, light_run.directory / "model", tmp_path)
    second = publish_it(light_run, first, tmp_path / "elsewhere")
    assert first.name == second.name
    papers = ("metrics.json", "decision.json", "README.md", "MODEL_CARD.md", "LICENSE.md")
    read_description(second).check_files(second, but=papers)


def test_model_of_version_2_stays_the_version_that_it_was_published_as(
    light_run: Run, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(light_run.directory / "model", model)
    unseal(model / "model.json", format_version=2, facts=None)
    description = read_description(model)
    hashes = (description.head_sha256, description.manifest_sha256, description.distances_sha256)
    assert (
        version_of(description)
        == (hashlib.sha256(" ".join([*hashes, "2"]).encode()).hexdigest()[:12])
    )
    assert version_of(read_description(light_run.directory / "model")) != version_of(description)


def test_what_is_stated_of_the_classes_makes_another_version(
    light_run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(light_run.directory / "model", folder)
    path = folder / "model.json"
    versions = [version_of(read_description(folder))]
    for edibility in ("edible", "deadly"):
        reseal(path, facts=ClassFacts(edibility={"giant puffball": edibility}).to_json())
        versions.append(version_of(read_description(folder)))
    assert len(set(versions)) == 3
    assert version_of(read_description(folder)) == versions[-1]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"version": "0" * 12}, "the decision is about the model 000000000000 as m"),
        ({"name": "flowers"}, "as flowers, not about"),
        ({"decision": HOLD, "reason": "too bad"}, "held back: too bad"),
    ],
)
def test_decision_to_do_something_else_is_refused(
    light_run: Run, tmp_path: Path, changes: dict[str, str], expected: str
) -> None:
    model = light_run.directory / "model"
    decision = dataclasses.replace(decided(light_run, model, tmp_path), **changes)  # type: ignore[arg-type]
    metrics = write_metrics(tmp_path / "metrics", model)
    with pytest.raises(InputError, match=expected):
        publish(model, metrics, decision, tmp_path / "out", name="m")
    assert not (tmp_path / "out").exists()


def test_model_published_in_the_meantime_is_not_passed_over(light_run: Run, tmp_path: Path) -> None:
    model = light_run.directory / "model"
    metrics = write_metrics(tmp_path / "own metrics", model)
    decision = decided(light_run, model, tmp_path)
    other = publish_it(light_run, another_version(model, tmp_path), tmp_path)
    with pytest.raises(WorkError, match="another model was published as m since"):
        publish(model, metrics, decision, tmp_path / "published", name="m")
    pointer = json.loads((other.parent / "latest.json").read_text())
    assert pointer["version"] == other.name
    folders = {path.name for path in other.parent.iterdir() if path.is_dir()}
    assert folders == {other.name, "serving"}
    assert [path.name for path in (other.parent / "serving").iterdir()] == ["1"]


def test_publisher_waits_for_another_one_in_the_same_folder(light_run: Run, tmp_path: Path) -> None:
    model = light_run.directory / "model"
    metrics = write_metrics(tmp_path / "metrics", model)
    decision = decided(light_run, model, tmp_path)
    folder = tmp_path / "published" / "m"
    folder.mkdir(parents=True)
    with ThreadPoolExecutor(1) as pool:
        with alone_in(folder):
            waiting = pool.submit(
                publish, model, metrics, decision, tmp_path / "published", name="m"
            )
            # Without the lock it takes a fraction of a second.
            wait([waiting], timeout=3)
            assert list(folder.iterdir()) == []
        assert Path(waiting.result(60)) == folder / decision.version


def test_publishers_at_once_leave_one_whole_version(light_run: Run, tmp_path: Path) -> None:
    model = light_run.directory / "model"
    metrics = write_metrics(tmp_path / "metrics", model)
    command = [sys.executable, "-m", "components.publish", "--model_dir", str(model)]
    command += ["--demo", str(light_run.directory / "demo"), "--metrics", str(metrics)]
    command += ["--publish_dir", str(tmp_path / "out"), "--name", "mushrooms"]
    started = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(3)]
    for one in started:
        one.communicate(timeout=120)
    assert [one.returncode for one in started] == [0, 0, 0]
    pointer = json.loads((tmp_path / "out" / "mushrooms" / "latest.json").read_text())
    names = sorted(path.name for path in (tmp_path / "out" / "mushrooms").iterdir())
    assert names == sorted(["latest.json", "serving", pointer["version"]])
    assert [path.name for path in (tmp_path / "out/mushrooms/serving").iterdir()] == ["1"]
    Model(tmp_path / "out" / "mushrooms" / pointer["version"])


def test_link_in_a_model_folder_is_not_followed(light_run: Run, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(light_run.directory / "model", model)
    (tmp_path / "secret").write_text("mine")
    (model / "notes").symlink_to(tmp_path / "secret")
    with pytest.raises(InputError, match="notes is a link"):
        publish_it(light_run, model, tmp_path)
    assert not (tmp_path / "published").exists()


def test_pipe_in_a_model_folder_is_not_waited_for(light_run: Run, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(light_run.directory / "model", model)
    os.mkfifo(model / "notes")
    with pytest.raises(InputError, match="notes is not a regular file"):
        publish_it(light_run, model, tmp_path)
    assert not (tmp_path / "published").exists()


def test_empty_publish_dir_is_refused_instead_of_writing_into_the_current_folder(
    light_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = light_run.directory / "model"
    metrics = write_metrics(tmp_path / "metrics of model", model)
    decision = decided(light_run, model, tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="publish_dir"):
        publish(model, metrics, decision, Path(), name="m")
    assert [path.name for path in tmp_path.iterdir()] == ["metrics of model"]


def test_folder_that_is_a_file_is_exit_2(light_run: Run, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    model = light_run.directory / "model"
    metrics = write_metrics(tmp_path / "metrics", model)
    done = publish_command(light_run, model, metrics, tmp_path / "out")
    assert done.returncode == 2
    assert str(tmp_path / "out") in done.stderr
    assert "Traceback" not in done.stderr


def test_command_is_exit_1_when_held_back_by_its_own_figures(
    light_run: Run, tmp_path: Path
) -> None:
    model = light_run.directory / "model"
    metrics = write_metrics(tmp_path / "metrics", model, 0.5, 0.6)
    done = publish_command(light_run, model, metrics, tmp_path / "out", "--min_accuracy", "0.7")
    assert done.returncode == 1
    assert "held back: the lower bound 0.500 of its accuracy is below 0.7" in done.stdout
    assert "lower bound" not in done.stderr
    assert not (tmp_path / "out").exists()
