"""`label_image --watch`: a batch beside the demo photos, as a command and in a pipeline."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from html_page import Page
from label_job_items import COMMAND, options, run
from PIL import Image
from sealing import reseal

from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset
from components.common.untrusted import sealed
from components.label_image import drift, watch
from components.label_image.parts import Counts
from components.label_image.whole import Asked, label_place, watch_answers

STRANGE = 14
ALARM = 3


def label(model: str, *words: str | Path) -> "tuple[int, str]":
    done = run([*COMMAND, "--model_dir", model, *map(str, words)])
    return done.returncode, done.stderr


def document(folder: Path) -> "dict[str, object]":
    found: dict[str, object] = json.loads((folder / "drift.json").read_text())
    return found


@pytest.fixture(scope="module")
def usual(sample_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half of the demo photos."""
    folder = tmp_path_factory.mktemp("usual")
    dataset = Dataset(sample_run.directory / "demo")
    for number, photo in enumerate(dataset.photos[::2]):
        (folder / f"{number:02}.jpg").write_bytes(dataset.read(photo))
    return folder


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of noise."""
    folder = tmp_path_factory.mktemp("strange")
    random = np.random.default_rng(0)
    for number in range(STRANGE):
        side = 8 * 2 ** (number % 4)
        noise = Image.fromarray(random.integers(0, 255, (side, side, 3), np.uint8))
        noise.resize((256, 256)).save(folder / f"{number:02}.jpg", quality=95)
    return folder


def test_photos_like_those_of_the_training_raise_no_alarm(
    model: str, usual: Path, tmp_path: Path
) -> None:
    status, said = label(model, usual, "--format", "csv", "--watch", tmp_path / "report")
    assert status == 0, said
    assert "drift: no alarm: median familiarity" in said
    found = document(tmp_path / "report")
    assert found["alarm"] is False
    assert found["figures"]["drift_alarm"] == 0
    page = Page((tmp_path / "report" / "drift.html").read_text())
    assert "No alarm: what is different can be chance." in page.text
    assert "not compared: the demo photos are balanced by design" in page.text


def test_strange_photos_end_the_command_with_3_and_say_what_is_different(
    model: str, strange: Path, tmp_path: Path
) -> None:
    words = (strange, "--output", tmp_path / "answers", "--watch", tmp_path / "report")
    status, said = label(model, *words)
    assert status == ALARM, said
    assert "warning: drift: alarm: median familiarity" in said
    found = document(tmp_path / "report")
    assert found["findings"][drift.FAMILIARITY]["alarm"] is True
    assert found["answers"]["none_of_these"] == found["figures"]["none_of_these_rate"] * STRANGE
    page = Page((tmp_path / "report" / "drift.html").read_text())
    assert "Its photos look less familiar than the demo photos." in page.text
    # Nothing is labelled again, and the comparison is the same to the last bit.
    before = (tmp_path / "report" / "drift.json").read_bytes()
    assert label(model, *words)[0] == ALARM
    assert (tmp_path / "report" / "drift.json").read_bytes() == before


@pytest.mark.parametrize("kept", ["--output", "--watch"])
def test_classes_are_compared_with_an_earlier_batch(
    model: str, sample_run: Run, tmp_path: Path, kept: str
) -> None:
    every, one_kind = tmp_path / "every", tmp_path / "one kind"
    every.mkdir()
    one_kind.mkdir()
    dataset = Dataset(sample_run.directory / "demo")
    for number, photo in enumerate(dataset.photos):
        (every / f"{number:02}.jpg").write_bytes(dataset.read(photo))
    words = (every, "--format", "csv", kept, tmp_path / "october")
    done = run([*COMMAND, "--model_dir", model, *map(str, words)])
    assert done.returncode == 0, done.stderr
    # By what the model answers, not by what they are: that may differ between processors.
    answers = [done.stdout, *(path.read_text() for path in (tmp_path / "october").rglob("*.csv"))]
    rows = csv.DictReader(io.StringIO("".join(answers)))
    with_class = [row["file"] for row in rows if row["predicted"] == "fly agaric"]
    for number in range(16):
        data = Path(with_class[number % len(with_class)]).read_bytes() + bytes([number])
        (one_kind / f"{number}.jpg").write_bytes(data)
    words = ("--watch", tmp_path / "november", "--earlier_batch", tmp_path / "october")
    status, said = label(model, one_kind, "--format", "csv", *words)
    assert status == ALARM, said
    found = document(tmp_path / "november")
    assert found["findings"][drift.CLASSES]["alarm"] is True
    page = Page((tmp_path / "november" / "drift.html").read_text())
    assert "Its classes are shared out otherwise than in the earlier batch." in page.text


def test_batch_that_another_model_answered_is_named_and_not_compared(
    model: str, usual: Path, tmp_path: Path
) -> None:
    assert label(model, usual, "--format", "csv", "--watch", tmp_path / "october")[0] == 0
    path = tmp_path / "october" / "drift.json"
    reseal(path, model="0123456789ab", model_sha256="0" * 64)
    words = ("--watch", tmp_path / "november", "--earlier_batch", tmp_path / "october")
    status, said = label(model, usual, "--format", "csv", *words)
    assert status == 0, said
    assert "the model 0123456789ab answered it, not this one" in said
    assert drift.CLASSES not in document(tmp_path / "november")["findings"]
    page = Page((tmp_path / "november" / "drift.html").read_text())
    assert "The classes were not compared with" in page.text


def test_model_whose_figures_say_nothing_of_its_demo_photos_is_refused(
    sample_run: Run, usual: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "run" / "model"
    shutil.copytree(sample_run.directory / "model", copy)
    status, said = label(str(copy), usual, "--watch", tmp_path / "report")
    assert status == 2
    assert f"metrics.json of {copy} is missing" in said
    # Where the model was fetched, a person is told where it came from, not where its copy is.
    with pytest.raises(InputError, match=r"metrics\.json of s3://bucket/mushrooms is") as told:
        watch.reference_of(copy, "s3://bucket/mushrooms")
    assert str(copy) not in str(told.value)
    content = json.loads((sample_run.directory / "metrics.json").read_text())
    del content["demo_answers"]
    (tmp_path / "run" / "metrics.json").write_text(sealed.text(content))
    status, said = label(str(copy), usual, "--watch", tmp_path / "report")
    assert status == 2
    assert "does not say what the model answered to its demo photos" in said
    assert "measure it: python -m components.evaluate --model_dir" in said
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--earlier_batch", "x"), "--earlier_batch is for --watch"),
        (("--watch", "x", "--earlier_batch", "nowhere"), "holds neither drift.json nor"),
        (("--watch", "{file}"), "a file: name a folder"),
        (("--watch", "x", "--output", "y", "--share", "1/2"), "--watch is for a whole batch"),
    ],
)
def test_wrong_usage_is_refused_before_a_photo_is_labelled(
    model: str, usual: Path, tmp_path: Path, words: tuple[str, ...], expected: str
) -> None:
    file = tmp_path / "file"
    file.touch()
    status, said = label(model, usual, *(word.format(file=file) for word in words))
    assert status == 2
    assert expected in said
    assert "labelled" not in said


def test_graph_has_no_demo_photos(model: str, usual: Path) -> None:
    done = run([*COMMAND, "--graph", f"{model}/model.tflite", str(usual), "--watch", "x"])
    assert done.returncode == 2
    assert "--watch is for --model_dir" in done.stderr


def test_in_a_pipeline_an_alarm_is_a_figure_and_no_failure(
    model: str, strange: Path, usual: Path, tmp_path: Path
) -> None:
    for name, photos in (("october", usual), ("november", strange)):
        asked = Asked(str(photos), model, str(tmp_path / name), options())
        label_place(asked, tmp_path)
    assert watch_answers(str(tmp_path / "october"), "", tmp_path / "first.html")["drift_alarm"] == 0
    earlier, page = str(tmp_path / "october"), tmp_path / "page.html"
    figures = watch_answers(str(tmp_path / "november"), earlier, page)
    assert figures["drift_alarm"] == 1
    assert figures["photos_compared"] == STRANGE
    assert page.read_bytes() == (tmp_path / "november" / "drift.html").read_bytes()
    assert document(tmp_path / "november")["earlier"]["place"] == earlier


def test_in_a_pipeline_answers_that_cannot_be_compared_are_said_to_be(
    model: str, usual: Path, tmp_path: Path
) -> None:
    asked = Asked(str(usual), model, str(tmp_path / "answers"), options())
    label_place(asked, tmp_path)
    (first, *_) = sorted((tmp_path / "answers" / "counts").iterdir())
    content = json.loads(first.read_text())
    del content["answers"]
    first.write_text(json.dumps(content))
    assert watch_answers(asked.output, "", tmp_path / "page.html") == {}
    text = Page((tmp_path / "page.html").read_text()).text
    assert "an earlier version labelled some of" in text
    assert not (tmp_path / "answers" / "drift.json").exists()


def test_page_and_figures_name_no_secret_and_few_places(model: str, tmp_path: Path) -> None:
    signed = [f"https://me:pass@example.org/{number}.jpg?X-Amz-Signature=3f" for number in range(5)]
    watcher = watch.Watcher.of(Path(model), signed, str(tmp_path), "")
    watcher.ends(Counts())
    told = "https://example.org/0.jpg, https://example.org/1.jpg, https://example.org/2.jpg"
    assert document(tmp_path)["photos_at"] == f"{told} and 2 more"
    for name in ("drift.json", "drift.html"):
        text = (tmp_path / name).read_text()
        assert "pass@" not in text
        assert "Amz" not in text


def test_median_is_the_middle_photo() -> None:
    counts = [0] * 101
    assert watch.median(counts) == 0
    counts[3], counts[50], counts[100] = 1, 1, 1
    assert watch.median(counts) == 0.5
