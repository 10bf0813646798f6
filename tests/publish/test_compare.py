"""The new model beside the published one: real models on the demo photos of a run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from publish_items import decided, publish_command, write_metrics
from sealing import reseal, unseal

from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.model.description import read_description
from components.common.model.model import Model, head_sha256
from components.common.model.model_place import version_of
from components.publish.compare import compare
from components.publish.decision import HOLD, PUBLISH, Decision
from components.publish.options import PublishOptions
from components.publish.publish import publish


def to(folder: Path) -> PublishOptions:
    """Options of publishing into a folder as "m"."""
    return PublishOptions(publish_dir=str(folder), name="m")


def publish_model(run: Run, model_dir: Path, folder: Path) -> Path:
    """Publish a model below `folder`/published as "m", whatever is there."""
    decision = decided(run, model_dir, folder, max_regression=1.0)
    metrics = write_metrics(folder / "figures", model_dir)
    return Path(publish(model_dir, metrics, decision, folder / "published", name="m"))


def own_accuracy(model_dir: Path, dataset: Dataset) -> float:
    """Accuracy counted by hand, one photo after another."""
    model = Model(model_dir)
    right = 0
    for photo in dataset.photos:
        (found,) = model.predict_each([dataset.read(photo)])
        right += model.classes[int(found.probabilities.argmax())] == photo.label
    return right / len(dataset.photos)


def test_worse_model_is_held_back_with_both_figures_and_the_published_one_stays(
    sample_run: Run, shuffled_model: Path, tmp_path: Path
) -> None:
    good, demo = sample_run.directory / "model", Dataset(sample_run.directory / "demo")
    figures = write_metrics(tmp_path / "good", good)
    first = publish_command(sample_run, good, figures, tmp_path / "out")
    assert first.returncode == 0, first.stderr
    pointer = (tmp_path / "out" / "mushrooms" / "latest.json").read_bytes()

    # Its figures reach everything: only the comparison can hold it back.
    figures = write_metrics(tmp_path / "worse", shuffled_model, 1.0, 1.0)
    written = tmp_path / "decision.json"
    held = publish_command(
        *(sample_run, shuffled_model, figures, tmp_path / "out"), "--decision", str(written)
    )
    assert held.returncode == 1, held.stderr
    accuracies = [own_accuracy(model_dir, demo) for model_dir in (shuffled_model, good)]
    assert accuracies[0] < accuracies[1] - 0.2
    photos = len(demo.photos)
    right = [round(accuracy * photos) for accuracy in accuracies]
    assert held.stdout.startswith("held back: ")
    assert f"on the same {photos} demo photos it gets {right[0]} right ({accuracies[0]:.3f})" in (
        held.stdout
    )
    assert f"{right[1]} ({accuracies[1]:.3f})" in held.stdout
    decision = Decision.read(written)
    assert decision.decision == HOLD
    assert decision.reason in held.stdout

    folder = tmp_path / "out" / "mushrooms"
    assert (folder / "latest.json").read_bytes() == pointer
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["latest.json", "serving", version_of(read_description(good))]
    )


def test_figures_of_a_folder_publish_nothing(sample_run: Run, tmp_path: Path) -> None:
    model = sample_run.directory / "model"
    path = write_metrics(tmp_path / "metrics", model)
    # As `evaluate --folder` alone writes them.
    reseal(path, held_out_photos=None, folder_photos=140)
    with pytest.raises(InputError, match="no figures of held-out photos"):
        compare(model, sample_run.directory / "demo", path, to(tmp_path / "published"))


def test_better_model_takes_the_place_of_a_worse_one(
    sample_run: Run, shuffled_model: Path, tmp_path: Path
) -> None:
    publish_model(sample_run, shuffled_model, tmp_path)
    taken = decided(sample_run, sample_run.directory / "model", tmp_path)
    assert taken.decision == PUBLISH
    assert taken.champion == version_of(read_description(shuffled_model))
    assert taken.comparison is not None
    assert taken.comparison.difference > 0.2
    assert taken.comparison.photos == len(Dataset(sample_run.directory / "demo").photos)
    assert taken.comparison.left_out == 0


def test_models_take_part_in_the_order_of_challenger_and_champion_only(
    sample_run: Run, shuffled_model: Path, tmp_path: Path
) -> None:
    # The same two the other way round: the table of right and wrong is mirrored.
    publish_model(sample_run, shuffled_model, tmp_path)
    one = decided(sample_run, sample_run.directory / "model", tmp_path).comparison
    publish_model(sample_run, sample_run.directory / "model", tmp_path)
    other = decided(sample_run, shuffled_model, tmp_path).comparison
    assert one is not None
    assert other is not None
    assert (one.both, one.only_champion) == (other.both, other.only_challenger)
    assert one.only_challenger == other.only_champion > one.only_champion


def test_photos_that_one_of_them_was_made_of_are_not_asked_about(
    sample_run: Run, shuffled_model: Path, tmp_path: Path
) -> None:
    publish_model(sample_run, shuffled_model, tmp_path)
    learned, demo = (Dataset(sample_run.directory / name) for name in ("training", "demo"))
    seen = [photo for photo in learned.photos if photo.split == "training"][:3]
    with DatasetWriter(tmp_path / "mixed") as writer:
        for dataset, photos in ((learned, seen), (demo, demo.photos[:4])):
            for photo in photos:
                writer.add(photo, dataset.read(photo))
    model = sample_run.directory / "model"
    metrics = write_metrics(tmp_path / "metrics", model)
    taken = compare(model, tmp_path / "mixed", metrics, to(tmp_path / "published"))
    assert taken.comparison is not None
    assert (taken.comparison.photos, taken.comparison.left_out) == (4, 3)
    assert "3 photos that one of them was trained on were left out" in taken.reason

    with DatasetWriter(tmp_path / "seen") as writer:
        for photo in seen:
            writer.add(photo, learned.read(photo))
    taken = compare(model, tmp_path / "seen", metrics, to(tmp_path / "published"))
    assert taken.decision == HOLD
    assert "no demo photo is left to compare the models on" in taken.reason


def test_published_model_with_other_classes_is_wrong_about_those_it_does_not_know(
    sample_run: Run, shuffled_model: Path, tmp_path: Path
) -> None:
    folder = publish_model(sample_run, shuffled_model, tmp_path)
    content = json.loads((folder / "model.json").read_text())
    missing = content["classes"][0]
    reseal(folder / "model.json", classes=["porcini", *content["classes"][1:]])
    taken = decided(sample_run, sample_run.directory / "model", tmp_path)
    assert taken.comparison is not None
    assert taken.comparison.champion_lacks == (missing,)
    assert taken.comparison.challenger_lacks == ("porcini",)
    assert f"the published model does not know {missing}" in taken.reason
    assert "no longer knows porcini" in taken.reason


def test_model_of_none_of_the_published_one_s_classes_does_not_replace_it(
    sample_run: Run, shuffled_model: Path, tmp_path: Path
) -> None:
    folder = publish_model(sample_run, shuffled_model, tmp_path)
    others = [f"flower {number}" for number in range(len(read_description(folder).classes))]
    reseal(folder / "model.json", classes=others)
    held = decided(sample_run, sample_run.directory / "model", tmp_path)
    assert held.decision == HOLD
    assert "it has other classes; choose another --name" in held.reason
    assert "publishes without comparing" not in held.reason
    anyway = decided(sample_run, sample_run.directory / "model", tmp_path, max_regression=1.0)
    assert anyway.decision == PUBLISH


@pytest.mark.parametrize(
    ("file", "content", "expected"),
    [
        ("model.json", b"{", "model.json cannot be read"),
        ("model.json", b'{"format": "wild-mushrooms-model", "format_version": 1}', "version 1"),
        ("model.json", b'{"format": "' + 9000 * b"x" + b'"}', "has format 'xxx"),
        ("model.tflite", b"", "model.tflite is damaged"),
        ("head.npz", b"PK\x03\x04", "head.npz is damaged"),
        ("distances.npz", b"0", "distances.npz is damaged"),
        ("references.parquet", b"PAR1", "references.parquet is damaged"),
        ("../latest.json", b"[]", "latest.json does not name"),
        ("../latest.json", b'{"version": "../../elsewhere"}', "letters and digits"),
        ("../latest.json", b'{"version": "gone"}', "gone is not a model directory"),
    ],
)
def test_published_model_that_cannot_be_read_holds_the_new_one_back(
    sample_run: Run,
    shuffled_model: Path,
    tmp_path: Path,
    file: str,
    content: bytes,
    expected: str,
) -> None:
    folder = publish_model(sample_run, shuffled_model, tmp_path)
    (folder / file).resolve().write_bytes(content)
    held = decided(sample_run, sample_run.directory / "model", tmp_path)
    assert held.decision == HOLD
    assert expected in held.reason
    assert "--max_regression 1" in held.reason
    assert str(tmp_path) not in held.reason
    assert len(held.reason) < 600
    assert held.reason.isprintable()
    assert (
        decided(sample_run, sample_run.directory / "model", tmp_path, max_regression=1.0).decision
        == PUBLISH
    )


def test_model_published_before_there_were_seals_is_compared_with(
    sample_run: Run, shuffled_model: Path, tmp_path: Path
) -> None:
    folder = publish_model(sample_run, shuffled_model, tmp_path)
    unseal(folder / "model.json", format_version=2)
    taken = decided(sample_run, sample_run.directory / "model", tmp_path)
    assert taken.champion_problem == ""
    assert taken.comparison is not None
    assert taken.comparison.photos == len(Dataset(sample_run.directory / "demo").photos)


def test_published_model_that_fails_while_it_is_asked_holds_the_new_one_back(
    sample_run: Run, shuffled_model: Path, tmp_path: Path
) -> None:
    # A head for another network: numpy finds out when the features of a photo come.
    folder = publish_model(sample_run, shuffled_model, tmp_path)
    content = json.loads((folder / "model.json").read_text())
    classes = len(content["classes"])
    weights, biases = np.zeros((5, classes), np.float32), np.zeros(classes, np.float32)
    np.savez(folder / "head.npz", weights=weights, biases=biases)
    reseal(folder / "model.json", head_sha256=head_sha256(weights, biases))
    held = decided(sample_run, sample_run.directory / "model", tmp_path)
    assert held.decision == HOLD
    assert "not comparable with the published model" in held.reason


def test_damaged_demo_photos_are_not_blamed_on_the_published_model(
    sample_run: Run, shuffled_model: Path, tmp_path: Path
) -> None:
    publish_model(sample_run, shuffled_model, tmp_path)
    shutil.copytree(sample_run.directory / "demo", tmp_path / "demo")
    shard = tmp_path / "demo" / "images-00000.tar"
    data = bytearray(shard.read_bytes())
    data[1024:2048] = bytes(1024)
    shard.write_bytes(data)
    model = sample_run.directory / "model"
    metrics = write_metrics(tmp_path / "metrics", model)
    with pytest.raises(InputError, match="make the dataset again"):
        compare(model, tmp_path / "demo", metrics, to(tmp_path / "published"))


@pytest.mark.parametrize("content", ["", "{}", '{"accuracy": 0.9}', '{"accuracy": "x"}', "[]"])
def test_file_that_is_no_metrics_is_refused(sample_run: Run, tmp_path: Path, content: str) -> None:
    (tmp_path / "metrics").write_text(content)
    with pytest.raises(InputError, match=r"not a metrics file|cannot be read"):
        compare(
            *(sample_run.directory / "model", sample_run.directory / "demo"),
            *(tmp_path / "metrics", to(tmp_path / "out")),
        )


def test_figures_that_make_no_sense_are_refused(sample_run: Run, tmp_path: Path) -> None:
    model = sample_run.directory / "model"
    metrics = write_metrics(tmp_path / "metrics", model, 0.9, 0.2)
    with pytest.raises(InputError, match="make no sense"):
        compare(model, sample_run.directory / "demo", metrics, to(tmp_path / "out"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--min_accuracy", "60"), "--min_accuracy is 60.0: expected 0 to 1"),
        (("--max_regression", "-0.1"), "--max_regression is -0.1: expected 0 to 1"),
        (("--max_regression", "nan"), "--max_regression is nan: expected 0 to 1"),
        (("--name", "../up"), "--name is '../up'"),
        (("--publish_dir", "ftp://bucket/models"), "expected a folder, gs://bucket/folder or s3"),
        (("--publish_dir", "gs:///models"), "expected gs://bucket or s3://bucket"),
        (("--publish_dir", ""), "set publish_dir"),
        (("--demo", "nowhere"), "nowhere is no dataset"),
        (("--model_dir", "nowhere"), "nowhere is not a model directory"),
    ],
)
def test_wrong_usage_is_exit_2_without_a_traceback(
    sample_run: Run, tmp_path: Path, options: tuple[str, ...], expected: str
) -> None:
    model = sample_run.directory / "model"
    metrics = write_metrics(tmp_path / "metrics", model)
    done = publish_command(sample_run, model, metrics, tmp_path / "out", *options)
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_gate_judges_the_classes_by_what_their_photos_are_worth(
    sample_run: Run, tmp_path: Path
) -> None:
    model, demo = sample_run.directory / "model", sample_run.directory / "demo"
    path = write_metrics(tmp_path / "metrics", model)
    options = PublishOptions(
        publish_dir=str(tmp_path / "published"), name="m", min_macro_recall=0.7
    )
    assert compare(model, demo, path, options).decision == PUBLISH
    # All nine of each class are right, but they are of one and a half observations.
    reseal(path, class_effective_photos=[1.5] * 5)
    held = compare(model, demo, path, options)
    assert held.decision == HOLD
    assert "(--min_macro_recall)" in held.reason
    reseal(path, class_effective_photos=[10] * 5)
    with pytest.raises(InputError, match="9 photos of a class do not count as 10"):
        compare(model, demo, path, options)
