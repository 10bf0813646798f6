"""`evaluate` on a real run: its figures are those of the model, photo by photo."""

import dataclasses
import json
import math
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Run, run_captured
from html_page import Page

from components.common.base.errors import InputError
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import DOUBTFUL_SUBJECT, OTHER_CLASS
from components.common.model import layout, out_of_fold, predictions
from components.common.model.answer_counts import AnswerCounts
from components.common.model.model import Model, Prediction
from components.common.photos import images
from components.evaluate import cross_validated
from components.evaluate.cautions import cautions
from components.evaluate.evaluate import COMPARED, evaluate, figures
from components.evaluate.evaluation import Caution, Evaluation


def answers_by_hand(run: Run) -> list[tuple[Photo, Prediction]]:
    """Every photo of test part and demo with the answer of the head that had not seen it."""
    model = run.directory / "model"
    found = []
    for name, part in (("training", "test"), ("demo", "demo")):
        asked = Model(model, measured=part == "test")
        dataset = Dataset(run.directory / name)
        photos = [photo for photo in dataset.photos if photo.split == part]
        predictions = asked.predict_each(dataset.read(photo) for photo in photos)
        found += list(zip(photos, predictions, strict=True))
    return found


def unpacked(dataset: Path, folder: Path, *, split: str) -> int:
    """A folder with one subfolder per class, of one part of a dataset; how many photos."""
    count = 0
    for photo, data in Dataset(dataset).stream():
        if photo.split == split:
            (folder / photo.label).mkdir(parents=True, exist_ok=True)
            (folder / photo.path).write_bytes(data)
            count += 1
    return count


def measured_folder(run: Run, folder: Path, out: Path) -> Evaluation:
    """`evaluate` on a folder alone."""
    places = (out / "metrics.json", out / "report.html")
    return evaluate(run.directory / "model", None, None, *places, folder=folder)


def test_accuracy_is_that_of_the_model_counted_by_hand(sample_run: Run) -> None:
    classes = Model(sample_run.directory / "model").classes
    answers = answers_by_hand(sample_run)
    right = [classes[int(one.probabilities.argmax())] == photo.label for photo, one in answers]
    among = [
        photo.label in [classes[place] for place in np.argsort(-one.probabilities)[:3]]
        for photo, one in answers
    ]
    metrics = sample_run.summary["metrics"]
    for part in ("test", "demo"):
        of_part = [photo.split == part for photo, _ in answers]
        assert metrics[f"{part}_photos"] == sum(of_part)
        assert metrics[f"{part}_accuracy"] == pytest.approx(np.mean(np.array(right)[of_part]))
    # Both together, where nothing was measured by cross-validation.
    together = measured_without_cross_validation(sample_run)
    assert together["held_out_photos"] == len(right) == together["photos"]
    assert together["accuracy"] == pytest.approx(np.mean(right))
    assert together["top3_accuracy"] == pytest.approx(np.mean(among))
    assert sum(map(sum, together["confusion"])) == len(right)


def test_cross_validated_figures_are_those_of_its_answers_counted_by_hand(sample_run: Run) -> None:
    model = Model(sample_run.directory / "model")
    answers = out_of_fold.read(model.directory / layout.OUT_OF_FOLD, model.classes)
    true = np.array([model.classes.index(photo.label) for photo in answers.photos])
    metrics = sample_run.summary["metrics"]
    right = answers.probabilities.argmax(axis=-1) == true
    assert metrics["basis"] == "cross-validated"
    assert metrics["rounds"] == len(right) == 3
    assert metrics["photos"] == metrics["cross_validated_photos"] == len(true)
    assert metrics["accuracy"] == metrics["cross_validated_accuracy"]
    assert metrics["accuracy"] == pytest.approx(right.mean())
    assert sum(map(sum, metrics["confusion"])) == pytest.approx(len(true))
    for key, given in (
        ("log_loss", answers.probabilities),
        ("log_loss_uncalibrated", answers.uncalibrated),
    ):
        of_truth = np.take_along_axis(given, true[None, :, None], axis=2)
        assert metrics[key] == pytest.approx(-np.log(of_truth).mean(), rel=1e-4)
    assert metrics["unknown_rate"] == pytest.approx(answers.unknown.mean())
    # All photos but the demo ones were asked about, those that curation left out as well.
    training = Dataset(sample_run.directory / "training")
    expected = [*training.photos, *training.left_out()]
    assert {p.sha256 for p in answers.photos} == {p.sha256 for p in expected}


def test_report_says_which_figure_is_of_which_head_and_shows_the_curves(sample_run: Run) -> None:
    page = Page((sample_run.directory / "report.html").read_text())
    metrics = sample_run.summary["metrics"]
    assert "Measured by cross-validation." in page.text
    assert (
        "each photo was classified 3 times by a model that had learned only from other" in page.text
    )
    assert f"of {metrics['photos']} photos right" in page.text
    assert "“test”: a model of the training part alone. “demo”: this model." in page.text
    assert "How the training went" in page.text
    assert "Training the last layer: accuracy" in page.text
    index = Page((sample_run.directory / "index.html").read_text())
    assert "by cross-validation" in index.text
    assert "by this model" in index.text
    assert "by a model of the training part alone" in index.text


def test_mistakes_of_cross_validation_show_where_the_model_looks(
    sample_run: Run, tmp_path: Path
) -> None:
    places = (tmp_path / "metrics.json", tmp_path / "report.html")
    parts = (sample_run.directory / "training", sample_run.directory / "demo")
    found = evaluate(sample_run.directory / "model", *parts, *places)
    of_recipe = [one for one in found.mistakes if one.answer.is_cross_validated]
    assert of_recipe
    for one in of_recipe:
        assert one.for_predicted != one.for_true
        assert max(images.decode(one.for_predicted).shape[:2]) <= 160
        assert len(one.answer.by_round) == found.overall.rounds
    assert len(found.mistakes) == found.wrong + found.unsteady


def test_photos_left_out_as_another_class_count_among_the_doubtful(
    sample_run: Run, tmp_path: Path
) -> None:
    places = (tmp_path / "metrics.json", tmp_path / "report.html")
    parts = (sample_run.directory / "training", sample_run.directory / "demo")
    assert Dataset(parts[0]).left_out()
    found = evaluate(sample_run.directory / "model", *parts, *places)
    assert found.curated is not None
    flagged = found.overall.photos - found.curated.photos
    (told,) = [one.text for one in found.cautions if one.about == "doubtful"]
    assert told.startswith(f"{flagged} of these {found.overall.photos} photos")


def measured_without_cross_validation(run: Run) -> dict[str, Any]:
    """The figures of the held-out photos, as they are where cross-validation was not made."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(cross_validated, "read", lambda *_: None)
        out = Path(folder)
        places = (out / "metrics.json", out / "report.html")
        parts = (run.directory / "training", run.directory / "demo")
        return figures(evaluate(run.directory / "model", *parts, *places))


def test_probabilities_are_measured_with_and_without_the_temperature(sample_run: Run) -> None:
    classes = Model(sample_run.directory / "model").classes
    answers = answers_by_hand(sample_run)
    metrics = measured_without_cross_validation(sample_run)
    for key, kind in (("log_loss", "probabilities"), ("log_loss_uncalibrated", "uncalibrated")):
        losses = [
            -math.log(getattr(one, kind)[classes.index(photo.label)]) for photo, one in answers
        ]
        assert metrics[key] == pytest.approx(np.mean(losses), rel=1e-4)
    strange = [one.unknown for _, one in answers]
    assert metrics["unknown_rate"] == pytest.approx(np.mean(strange))


def test_metrics_count_what_the_model_answered_to_the_demo_photos(sample_run: Run) -> None:
    (file,) = sample_run.directory.glob("artifacts/*/label-image/predictions")
    counts = AnswerCounts()
    for row in predictions.read(file, most_rows=1000).to_pylist():
        counts.add(None if row["unknown"] else row["predicted"], row["familiarity"])
    told = sample_run.summary["metrics"]["demo_answers"]
    assert AnswerCounts.parse(told, "it") == counts
    assert counts.photos == sample_run.summary["metrics"]["demo_photos"]


def test_metrics_are_finite_and_ordered(sample_run: Run) -> None:
    metrics = sample_run.summary["metrics"]
    for name, value in metrics.items():
        assert isinstance(value, list | str | dict) or math.isfinite(value), name
    for part in ("test_", "demo_", "cross_validated_", ""):
        low, high = metrics[f"{part}accuracy_low"], metrics[f"{part}accuracy_high"]
        assert 0 <= low <= metrics[f"{part}accuracy"] <= high <= 1
    for name in ("macro_f1", "auroc_macro", "average_precision_macro", "aurc", "ece"):
        assert 0 <= metrics[name] <= 1
    assert metrics["top3_accuracy"] >= metrics["accuracy"]


def kfp_metadata(run: Run) -> dict[str, dict[str, Any]]:
    """What each output artifact of the run told Kubeflow, by its name."""
    found = {}
    for path in (run.directory / "artifacts").rglob("executor_output.json"):
        for name, artifacts in json.loads(path.read_text()).get("artifacts", {}).items():
            found[name] = artifacts["artifacts"][0]["metadata"]
    return found


def test_kfp_gets_the_metrics_and_the_confusion_matrix(sample_run: Run) -> None:
    found = kfp_metadata(sample_run)
    metrics = sample_run.summary["metrics"]
    # All others are in the file: Kubeflow's table to compare runs has a row for each of these.
    assert found["metrics"] == {name: metrics[name] for name in COMPARED}
    assert all(math.isfinite(value) for value in found["metrics"].values())
    # The sample's fly agarics are poisonous.
    assert metrics["dangerous_photos"] > 0
    matrix = found["confusion"]["confusionMatrix"]
    names = [entry["displayName"] for entry in matrix["annotationSpecs"]]
    assert names == sorted(sample_run.summary["photos"])


def test_kfp_gets_a_finite_roc_curve(sample_run: Run) -> None:
    points = kfp_metadata(sample_run)["confusion"]["confidenceMetrics"]
    assert 2 < len(points) <= 200
    assert all(math.isfinite(value) for point in points for value in point.values())
    assert (points[0]["falsePositiveRate"], points[0]["recall"]) == (0, 0)
    assert (points[-1]["falsePositiveRate"], points[-1]["recall"]) == (1, 1)


def test_worst_mistakes_come_first_with_what_the_model_saw(sample_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    unpacked(sample_run.directory / "demo", folder, split="demo")
    first, second = sorted(one for one in folder.iterdir())[:2]
    swapped = tmp_path / "swapped"  # every photo of the two is a mistake
    shutil.copytree(first, swapped / second.name)
    shutil.copytree(second, swapped / first.name)
    result = measured_folder(sample_run, swapped, tmp_path)
    classes = result.model.classes
    given = [
        one.answer.probabilities[classes.index(one.answer.photo.label)] for one in result.mistakes
    ]
    assert len(given) > 2
    assert given == sorted(given)
    for one in result.mistakes:
        for jpeg in (one.thumbnail, one.for_predicted, one.for_true):
            assert max(images.decode(jpeg).shape[:2]) <= 160
        assert one.for_predicted != one.for_true


def test_flagged_photos_are_left_out_of_the_curated_figures_only(
    sample_run: Run, tmp_path: Path
) -> None:
    demo = Dataset(sample_run.directory / "demo")
    with DatasetWriter(tmp_path / "flagged") as writer:
        for place, (photo, data) in enumerate(demo.stream()):
            flags = (OTHER_CLASS,) if place < 3 else ()
            writer.add(dataclasses.replace(photo, flags=flags), data)
    result = evaluate(
        sample_run.directory / "model",
        None,
        tmp_path / "flagged",
        tmp_path / "metrics.json",
        tmp_path / "report.html",
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["curated_photos"] == metrics["demo_photos"] - 3
    assert [part.name for part in result.parts] == ["demo", "held out"]
    assert "curated_accuracy" not in figures(dataclasses.replace(result, curated=None))


def test_folder_is_measured_alone_and_files_that_are_no_photos_are_named(
    sample_run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    count = unpacked(sample_run.directory / "demo", folder, split="demo")
    label = next(one for one in sorted(folder.iterdir())).name
    whole = next((folder / label).iterdir()).read_bytes()
    (folder / label / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / label / "page.jpg").write_bytes(b"<html>gone</html>")
    (folder / label / "empty.jpg").write_bytes(b"")
    (folder / label / "notes.txt").write_text("none")
    (folder / "list.csv").write_text("none")
    done = run_captured(
        *(sys.executable, "-m", "components.evaluate"),
        *("--model_dir", str(sample_run.directory / "model"), "--folder", str(folder)),
        *("--metrics", str(tmp_path / "metrics.json")),
        *("--report", str(tmp_path / "report.html")),
    )
    assert done.returncode == 0, done.stderr
    said = done.stderr + done.stdout
    assert said.count("left out") == 1
    assert "warning: 5 files were left out of the folder: " in done.stderr
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["folder_photos"] == count
    assert metrics["accuracy"] == metrics["folder_accuracy"]
    assert metrics["unusable_files"] == 5
    assert "held_out_photos" not in metrics
    text = Page((tmp_path / "report.html").read_text()).text
    for named in (
        f"{label}/cut.jpgdamaged",
        f"{label}/page.jpga web page",
        f"{label}/empty.jpgno picture of a known type",
        f"{label}/notes.txtno picture of a known type",
        "list.csvnot in a class folder",
    ):
        assert named in text
    assert "photos of the folder right" in text


def test_folder_of_one_class_is_measured(sample_run: Run, tmp_path: Path) -> None:
    unpacked(sample_run.directory / "demo", tmp_path / "photos", split="demo")
    first = sorted((tmp_path / "photos").iterdir())[0]
    shutil.copytree(first, tmp_path / "one" / first.name)
    result = measured_folder(sample_run, tmp_path / "one", tmp_path)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["folder_photos"] == len(list(first.iterdir()))
    assert "auroc_macro" not in metrics  # nothing to tell the class from
    assert metrics["macro_recall"] == result.overall.accuracy.value


def test_folder_beside_the_held_out_photos_is_a_part_of_its_own(
    sample_run: Run, tmp_path: Path
) -> None:
    count = unpacked(sample_run.directory / "demo", tmp_path / "photos", split="demo")
    result = evaluate(
        sample_run.directory / "model",
        sample_run.directory / "training",
        sample_run.directory / "demo",
        tmp_path / "metrics.json",
        tmp_path / "report.html",
        folder=tmp_path / "photos",
    )
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert [part.name for part in result.parts] == [*("cross-validated", "test", "demo", "folder")]
    assert metrics["folder_photos"] == count
    before = sample_run.summary["metrics"]
    assert metrics.pop("sha256") != before.pop("sha256")  # it has figures more
    assert {name: metrics[name] for name in before} == before


def evaluated(run: Run, folder: Path, out: Path) -> "subprocess.CompletedProcess[str]":
    """`evaluate` on a folder alone, as a person runs it, with both outputs in the order written."""
    command = [
        *(sys.executable, "-m", "components.evaluate", "--folder", str(folder)),
        *("--model_dir", str(run.directory / "model"), "--metrics", str(out / "metrics.json")),
        *("--report", str(out / "report.html")),
    ]
    return subprocess.run(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=True,
    )


def test_photos_that_the_model_never_saw_come_first(sample_run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    learned = unpacked(sample_run.directory / "training", folder, split="training")
    new = unpacked(sample_run.directory / "demo", folder, split="demo")
    said = evaluated(sample_run, folder, tmp_path).stdout
    warning = f"warning: The model learned from {learned} of the {learned + new} photos of this"
    assert said.count("Such photos prove nothing") == 1
    places = [
        said.index(text)
        for text in (warning, "folder, never seen: ", "folder, learned from: ", ": proves nothing")
    ]
    assert places == sorted(places)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    demo = measured_folder(sample_run, made_of(sample_run, "demo", tmp_path), tmp_path)
    assert metrics["accuracy"] == metrics["folder_accuracy"] == demo.overall.accuracy.value
    assert (metrics["folder_photos"], metrics["learned_from_photos"]) == (new, learned)
    assert metrics["folder_photos_seen"] == learned
    assert sum(map(sum, metrics["confusion"])) == new


def made_of(run: Run, part: str, out: Path) -> Path:
    folder = out / part
    unpacked(run.directory / ("demo" if part == "demo" else "training"), folder, split=part)
    return folder


def test_folder_of_nothing_but_photos_learned_from_proves_nothing(
    sample_run: Run, tmp_path: Path
) -> None:
    folder = made_of(sample_run, "training", tmp_path)
    said = evaluated(sample_run, folder, tmp_path).stdout
    count = sum(len(list(one.iterdir())) for one in folder.iterdir())
    warning = f"The model learned from all {count} photos of this folder. Such photos prove"
    assert 0 <= said.index(warning) < said.index("folder, learned from: ")
    assert "never seen: " not in said
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["folder_photos_seen"] == metrics["learned_from_photos"] == count
    assert "folder_accuracy" not in metrics
    text = Page((tmp_path / "report.html").read_text()).text
    assert text.index(warning) < text.index("photos that it learned from right")
    assert "this proves nothing" in text
    assert "on new photos the accuracy may be" not in text


def test_folder_of_new_photos_needs_no_such_words(sample_run: Run, tmp_path: Path) -> None:
    result = measured_folder(sample_run, made_of(sample_run, "demo", tmp_path), tmp_path)
    assert "learned from" not in " ".join(one.text for one in result.cautions)
    text = Page((tmp_path / "report.html").read_text()).text
    assert "model learned from" not in text
    assert "this proves nothing" not in text
    assert "folder_photos_seen" not in json.loads((tmp_path / "metrics.json").read_text())


def test_one_file_that_is_left_out_is_one_file(sample_run: Run, tmp_path: Path) -> None:
    folder = made_of(sample_run, "demo", tmp_path)
    (folder / "list.csv").write_text("none")
    said = evaluated(sample_run, folder, tmp_path).stdout
    assert "warning: 1 file was left out of the folder: list.csv (not in a class folder)" in said
    assert said.count("left out") == 1


def test_published_root_is_measured_by_its_latest_version(sample_run: Run, tmp_path: Path) -> None:
    unpacked(sample_run.directory / "demo", tmp_path / "photos", split="demo")
    done = run_captured(
        *(sys.executable, "-m", "components.evaluate"),
        *("--model_dir", str(Path(sample_run.summary["published"]).parent)),
        *("--folder", str(tmp_path / "photos")),
        *("--metrics", str(tmp_path / "metrics.json"), "--report", str(tmp_path / "report.html")),
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("folder: ")


def test_folder_of_a_class_that_the_model_does_not_know_is_refused(
    sample_run: Run, tmp_path: Path
) -> None:
    (tmp_path / "photos" / "death cap").mkdir(parents=True)
    with pytest.raises(InputError, match=r"death cap of .* it knows .*; rename them, or move"):
        measured_folder(sample_run, tmp_path / "photos", tmp_path)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("", "does not exist"),
        ("photos/", "holds no class folders"),
        ("photos/{label}/", "no usable photos in the class folders"),
        ("photos/{label}/a.jpg", r"left out 1, such as .*/a.jpg \(no picture"),
    ],
)
def test_folder_without_photos_is_refused(
    sample_run: Run, tmp_path: Path, made: str, message: str
) -> None:
    label = Model(sample_run.directory / "model").classes[0]
    place = tmp_path / made.format(label=label)
    (place if made.endswith("/") else place.parent).mkdir(parents=True, exist_ok=True)
    if place.suffix:
        place.write_bytes(b"no photo")
    with pytest.raises(InputError, match=message):
        measured_folder(sample_run, tmp_path / "photos", tmp_path)
    assert not (tmp_path / "metrics.json").exists()


def test_nothing_to_measure_on_is_wrong_usage(sample_run: Run, tmp_path: Path) -> None:
    places = (tmp_path / "metrics.json", tmp_path / "report.html")
    with pytest.raises(InputError, match="give datasets"):
        evaluate(sample_run.directory / "model", None, None, *places)


def test_photos_of_a_class_that_the_model_does_not_know_are_refused(
    sample_run: Run, tmp_path: Path
) -> None:
    demo = Dataset(sample_run.directory / "demo")
    with DatasetWriter(tmp_path / "other") as writer:
        for photo, data in demo.stream():
            writer.add(dataclasses.replace(photo, label="death cap"), data)
    with pytest.raises(InputError, match="death cap"):
        evaluate(
            sample_run.directory / "model",
            sample_run.directory / "training",
            tmp_path / "other",
            tmp_path / "metrics.json",
            tmp_path / "report.html",
        )
    assert not (tmp_path / "metrics.json").exists()


def test_dataset_with_a_damaged_photo_is_refused_by_name(sample_run: Run, tmp_path: Path) -> None:
    label = Model(sample_run.directory / "model").classes[0]
    with DatasetWriter(tmp_path / "broken") as writer:
        photo = writer.add(Photo(label, split="demo"), b"no photo at all")
    with pytest.raises(InputError, match=f"the demo photo {photo.path} cannot be used"):
        evaluate(
            sample_run.directory / "model",
            None,
            tmp_path / "broken",
            tmp_path / "metrics.json",
            tmp_path / "report.html",
        )


def test_photos_that_curation_doubts_are_told_of() -> None:
    photos = [Photo("a", flags=(OTHER_CLASS,)), Photo("a", flags=(DOUBTFUL_SUBJECT,)), Photo("b")]
    both = "2 of these 3 photos are doubtful (1 may belong to another class and 1 may show no {}): "
    both += "they are scored as labelled."
    (told,) = cautions(photos)
    assert told == Caution(both.format("mushroom"), "doubtful")
    (of_flowers,) = cautions(photos, facts=ClassFacts("flowers"))
    assert of_flowers.text == both.format("such thing")
    assert cautions(photos[2:]) == ()
    (one,) = cautions([photos[0], photos[2]])
    assert one.text == (
        "1 of these 2 photos is doubtful (1 may belong to another class): it is scored as labelled."
    )
