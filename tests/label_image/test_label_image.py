"""Labelling photos: the answers, their form, the speed's reason, and what is refused."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import ROOT, Run
from photo_server import Answer, serve
from PIL import Image
from sealing import reseal

from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.model.model import Model
from components.common.photos import images
from components.common.photos.images import BadPhoto
from components.label_image.crew import Crew
from components.label_image.label_image import label_demo


def label(
    *options: str,
    importtime: bool = False,
    given: Path = Path(os.devnull),
    timeout_s: float = 60,
    encoding: str = "utf-8",
    folder: Path = ROOT,
) -> "subprocess.CompletedProcess[str]":
    """Run the command; `given` is its standard input, `encoding` that of its output."""
    interpreter = [sys.executable, *(["-X", "importtime"] if importtime else [])]
    with given.open("rb") as file:
        return subprocess.run(
            [*interpreter, "-m", "components.label_image", *options],
            cwd=folder,
            stdin=file,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env={**os.environ, "PYTHONIOENCODING": encoding},
        )


def test_int8_form_answers_much_the_same_where_the_model_has_one(
    sample_run: Run, tmp_path: Path
) -> None:
    dataset, model = Dataset(sample_run.directory / "demo"), sample_run.directory / "model"
    for number, one in enumerate(dataset.photos[:6]):
        (tmp_path / f"{number}.jpg").write_bytes(dataset.read(one))
    command = ("--model_dir", str(model), "--format", "json", str(tmp_path))
    exact, coarse = label(*command), label(*command, "--int8")
    if not (model / "model-int8.tflite").is_file():
        pytest.skip("the int8 form of the sample's model was not good enough to be shipped")
    assert (exact.returncode, coarse.returncode) == (0, 0), coarse.stderr
    assert exact.stdout != coarse.stdout
    likeliest = [
        [next(iter(json.loads(line)["probabilities"])) for line in done.stdout.splitlines()]
        for done in (exact, coarse)
    ]
    assert sum(a == b for a, b in zip(*likeliest, strict=True)) >= 5


def test_int8_form_that_was_left_out_is_told(sample_run: Run, photo: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    left_out = shutil.ignore_patterns("saved_model", "model-int8.tflite")
    shutil.copytree(sample_run.directory / "model", model, ignore=left_out)
    done = label("--model_dir", str(model), "--int8", str(photo))
    assert done.returncode == 2
    assert "has no model-int8.tflite: it is left out where it loses" in done.stderr


@pytest.fixture
def photo(sample_run: Run, tmp_path: Path) -> Path:
    dataset = Dataset(sample_run.directory / "demo")
    path = tmp_path / "photo.jpg"
    path.write_bytes(dataset.read(dataset.photos[0]))
    return path


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    """What is none of the classes."""
    path = tmp_path / "noise.jpg"
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    path.write_bytes(images.encode(pixels))
    return path


def test_answer_reads_as_label_image_py_s(sample_run: Run, photo: Path) -> None:
    model = str(sample_run.directory / "model")
    done = label("--image", str(photo), "--model_dir", model)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    # The sample states which of its classes are poisonous: a line more than label_image.py's.
    first, blank, *answers, caution = done.stdout.splitlines()
    assert caution.endswith("Never eat anything because of an answer.")
    assert re.fullmatch(r"Evaluation time \(1-image\): \d+\.\d{3}s", first)
    assert blank == ""
    assert len(answers) == 5
    scores = [float(re.fullmatch(r"[\w ]+ \(score=(\d\.\d{5})\)", line)[1]) for line in answers]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1, abs=1e-3)


def test_photo_of_something_else_is_none_of_these(sample_run: Run, noise: Path) -> None:
    model = str(sample_run.directory / "model")
    done = label("--image", str(noise), "--model_dir", model)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()[2]
    assert re.fullmatch(
        r"none of these \(more unusual than \d+ % of known photos\). Closest classes:", said
    )
    assert len(done.stdout.splitlines()) == 9


def test_top_k_limits_the_lines(sample_run: Run, photo: Path) -> None:
    model = str(sample_run.directory / "model")
    done = label("--image", str(photo), "--model_dir", model, "--top_k", "2")
    assert len(done.stdout.splitlines()) == 5


@pytest.mark.parametrize("copies", [1, 2])
def test_labelling_needs_neither_tensorflow_nor_pyarrow_nor_kfp(
    sample_run: Run, photo: Path, copies: int
) -> None:
    model = str(sample_run.directory / "model")
    done = label(*[str(photo)] * copies, "--model_dir", model, importtime=True)
    assert done.returncode == 0
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "components.common.model.model" in modules
    heavy = {"tensorflow", "keras", "pyarrow", "kfp", "sklearn", "scipy", "requests", "boto3"}
    assert not modules & heavy


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_other_formats_get_the_same_likeliest_class(
    sample_run: Run, photo: Path, tmp_path: Path, form: str
) -> None:
    other = tmp_path / f"photo.{form.lower()}"
    with Image.open(photo) as image:
        image.save(other, form, **({"lossless": True} if form == "WEBP" else {}))
    model = str(sample_run.directory / "model")
    answers = [
        label("--image", str(path), "--model_dir", model, "--top_k", "1").stdout.split(" (")[1]
        for path in (photo, other)
    ]
    assert answers[0].splitlines()[-1] == answers[1].splitlines()[-1]


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: path.write_bytes(b""), "it is empty"),
        (lambda path: path.write_text("<html>not found</html>"), "not a usable photo (html"),
        (lambda path: path.write_bytes(b"\xff\xd8\xff\xe0" + bytes(3000)), "not a usable photo"),
    ],
)
@pytest.mark.parametrize("form", ["text", "json", "csv"])
def test_file_that_is_no_photo_is_exit_1_with_one_clear_line(
    sample_run: Run, tmp_path: Path, make: Callable[[Path], object], expected: str, form: str
) -> None:
    path = tmp_path / "photo.jpg"
    make(path)
    model = str(sample_run.directory / "model")
    done = label("--image", str(path), "--model_dir", model, "--format", form)
    assert done.returncode == 1
    assert f"label_image: {path}: " in done.stderr
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
    assert (expected in done.stdout) == (form != "text")


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: None, "there is no photo at"),
        (lambda path: path.mkdir(), "there are no photos at"),
    ],
)
def test_place_without_a_photo_is_exit_2(
    sample_run: Run, tmp_path: Path, make: Callable[[Path], object], expected: str
) -> None:
    path = tmp_path / "photo.jpg"
    make(path)
    done = label("--image", str(path), "--model_dir", str(sample_run.directory / "model"))
    assert done.returncode == 2
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_file_among_others_fails_alone(
    sample_run: Run, photo: Path, tmp_path: Path
) -> None:
    missing = str(tmp_path / "missing.jpg")
    model = str(sample_run.directory / "model")
    done = label("--model_dir", model, "--format", "json", missing, str(photo))
    assert done.returncode == 1
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [bool(row["error"]) for row in rows] == [True, False]
    assert f"label_image: {missing}: No such file or directory" in done.stderr


@pytest.mark.parametrize("content", [None, "{}", "nonsense", '{"format": "other"}', "[]"])
def test_model_directory_that_is_none_is_exit_2(
    photo: Path, tmp_path: Path, content: str | None
) -> None:
    folder = tmp_path / "model"
    if content is not None:
        folder.mkdir()
        (folder / "model.json").write_text(content)
    done = label("--image", str(photo), "--model_dir", str(folder))
    assert done.returncode == 2
    assert "model" in done.stderr
    assert "Traceback" not in done.stderr


def test_model_without_its_litert_file_is_exit_2(
    sample_run: Run, photo: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    description = sample_run.directory / "model" / "model.json"
    (folder / "model.json").write_bytes(description.read_bytes())
    done = label("--image", str(photo), "--model_dir", str(folder))
    assert done.returncode == 2
    assert "model.tflite is missing" in done.stderr
    (folder / "model.tflite").write_bytes(b"no model" * 100)
    done = label("--image", str(photo), "--model_dir", str(folder))
    assert done.returncode == 2
    assert "model.tflite is damaged" in done.stderr
    reseal(folder / "model.json")
    done = label("--image", str(photo), "--model_dir", str(folder))
    assert done.returncode == 2
    assert "not a LiteRT model" in done.stderr


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "no photo was named"),
        (("",), "a photo's name is empty"),
        (("photo.jpg", "--image", ""), "a photo's name is empty"),
        (("photo.jpg", "--top_k", "0"), "--top_k is 0"),
        (("photo.jpg", "--demo", "demo"), "go together"),
        (("-", "-"), "more than once"),
        (("photo.jpg", "--input_mean", "0"), "--input_mean is for --graph"),
        (("photo.jpg", "--graph", "graph.pb"), "either --model_dir, or --graph"),
    ],
)
def test_wrong_usage_is_exit_2(sample_run: Run, options: tuple[str, ...], expected: str) -> None:
    done = label(*options, "--model_dir", str(sample_run.directory / "model"))
    assert done.returncode == 2
    assert expected in done.stderr


def test_without_a_model_it_is_that_of_the_last_run(
    photo: Path, sample_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = label(str(photo), folder=tmp_path)
    assert done.returncode == 2
    assert "runs/latest/model does not exist: give --model_dir" in done.stderr
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "latest").symlink_to(sample_run.directory)
    words = (str(photo), "--format", "json")  # as text it says how long it took
    done = label(*words, folder=tmp_path)
    named = label(*words, "--model_dir", str(sample_run.directory / "model"))
    assert (done.returncode, done.stdout) == (0, named.stdout)
    assert "the model of the last run, runs/latest/model" in done.stderr


def without_cautions(text: str) -> list[str]:
    """The lines of many photos without those that name dangerous classes below them."""
    return [line for line in text.splitlines() if not line.startswith(" " * 9)]


def test_photos_of_a_folder_get_a_line_each_as_text(
    sample_run: Run, photo: Path, noise: Path
) -> None:
    model = str(sample_run.directory / "model")
    done = label(str(photo.parent), "--model_dir", model)
    assert done.returncode == 0, done.stderr
    of_noise, of_photo = without_cautions(done.stdout)
    assert re.fullmatch(rf" +-    none of these +{re.escape(str(noise))}", of_noise)
    assert re.fullmatch(rf" *[\d.]+ %  [a-z ]+ {re.escape(str(photo))}", of_photo)
    assert "label photos: 2 labelled, 0 failed" in done.stderr
    more = label(str(photo), str(noise), "--model_dir", model, "--top_k", "2")
    assert len(without_cautions(more.stdout)) == 2 + 3


def test_json_tells_of_each_photo_on_a_line(sample_run: Run, photo: Path, noise: Path) -> None:
    model = str(sample_run.directory / "model")
    done = label(str(photo), str(noise), "--model_dir", model, "--format", "json", "--top_k", "2")
    known, unknown = map(json.loads, done.stdout.splitlines())
    assert list(known) == [
        *("file", "predicted", "unknown", "familiarity", "probabilities", "error"),
        *("dangers", "caution", "learned_from"),
    ]
    assert (known["file"], unknown["file"]) == (str(photo), str(noise))
    assert known["predicted"] == next(iter(known["probabilities"]))
    assert (known["unknown"], known["error"]) == (False, None)
    assert 0 <= known["familiarity"] <= 1
    assert (unknown["predicted"], unknown["unknown"]) == (None, True)
    assert len(unknown["probabilities"]) == 2


def test_csv_has_a_row_for_each_photo(sample_run: Run, photo: Path, noise: Path) -> None:
    model = str(sample_run.directory / "model")
    odd = photo.with_name('a "b", c.jpg')
    odd.write_bytes(photo.read_bytes())
    done = label(str(odd), str(noise), "--model_dir", model, "--format", "csv", "--top_k", "2")
    known, unknown = csv.DictReader(io.StringIO(done.stdout))
    assert known["file"] == str(odd)
    assert known["predicted"] == known["label_1"]
    assert (known["unknown"], unknown["unknown"]) == ("false", "true")
    assert float(known["probability_1"]) >= float(known["probability_2"])
    assert (unknown["predicted"], unknown["error"]) == ("", "")


@pytest.mark.parametrize("form", ["text", "csv", "json"])
def test_name_that_the_terminal_cannot_show_is_no_error(
    sample_run: Run, photo: Path, form: str
) -> None:
    odd = Path(os.fsdecode(os.fsencode(photo.with_name("pilz-\u00e4")) + b"-\xff.jpg"))
    odd.write_bytes(photo.read_bytes())
    model = str(sample_run.directory / "model")
    done = label(str(odd.parent), "--model_dir", model, "--format", form, encoding="ascii")
    assert done.returncode == 0, done.stderr
    assert "pilz-" in done.stdout


def test_50_broken_among_1000_are_named_and_the_others_answered(
    sample_run: Run, tmp_path: Path
) -> None:
    dataset = Dataset(sample_run.directory / "demo")
    small = [images.thumbnail(dataset.read(photo), 128) for photo in dataset.photos[:10]]
    for number in range(1000):
        data = small[number % len(small)]
        broken = number % 20 == 7
        (tmp_path / f"{number:03}.jpg").write_bytes(data[: len(data) // 2] if broken else data)
    model = str(sample_run.directory / "model")
    done = label(str(tmp_path), "--model_dir", model, "--format", "json", timeout_s=120)
    assert done.returncode == 1
    rows = list(map(json.loads, done.stdout.splitlines()))
    assert [Path(row["file"]).stem for row in rows] == [f"{number:03}" for number in range(1000)]
    answered = [row for row in rows if row["probabilities"]]
    failed = {row["file"] for row in rows if "not a usable photo (damaged" in (row["error"] or "")}
    assert (len(answered), len(failed)) == (950, 50)
    named = re.findall(r"^label_image: (\S+): not a usable photo", done.stderr, re.MULTILINE)
    assert set(named) == failed
    assert "950 labelled, 50 failed" in done.stderr


def test_many_photos_get_the_answers_of_single_ones(
    sample_run: Run, shared_photos: Path, tmp_path: Path
) -> None:
    model = Model(sample_run.directory / "model")
    data = [path.read_bytes() for path in sorted(shared_photos.rglob("*.jpg"))[:24]]
    data[5] = b"no photo"
    crew = Crew(model.directory, threads=3)
    for one, found in zip(data, crew.predict_each(data), strict=True):
        if one == b"no photo":
            assert isinstance(found, BadPhoto)
            continue
        assert not isinstance(found, BadPhoto)
        expected = next(model.predict_each([one]))
        np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-5)
        assert found.unknown == expected.unknown


def test_photos_come_from_standard_input_and_addresses(
    sample_run: Run, photo: Path, tmp_path: Path
) -> None:
    model = str(sample_run.directory / "model")
    places = ("--model_dir", model, "--format", "json", "--cache_dir", str(tmp_path / "cache"))
    with serve(lambda path, _: Answer(photo.read_bytes() if path == "/1.jpg" else b"")) as server:
        addresses = (f"{server.address}/1.jpg", f"{server.address}/2.jpg")
        done = label(*addresses, "-", *places, "--allow_private_hosts", "localhost", given=photo)
        refused = label(addresses[0], *places)
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert done.returncode == 1
    assert first["probabilities"] == third["probabilities"]
    assert (first["file"], third["file"]) == (addresses[0], "-")
    assert second["error"] == "empty"
    assert refused.returncode == 1
    assert "refused address" in refused.stderr


def test_address_is_asked_anew_each_time(sample_run: Run, photo: Path, tmp_path: Path) -> None:
    model = str(sample_run.directory / "model")
    options = ("--model_dir", model, "--cache_dir", str(tmp_path / "cache"))
    with serve(lambda *_: Answer(photo.read_bytes())) as server:
        for _ in range(2):
            done = label(
                f"{server.address}/webcam.jpg", *options, "--allow_private_hosts", "localhost"
            )
            assert done.returncode == 0, done.stderr
    assert server.paths() == ["/webcam.jpg"] * 2


def test_published_model_is_found_by_its_root(sample_run: Run, photo: Path) -> None:
    published = next(sample_run.directory.parent.rglob("latest.json")).parent
    answers = [
        label(str(photo), "--model_dir", str(place)).stdout.splitlines()[1:]
        for place in (published, sample_run.directory / "model")
    ]
    assert answers[0] == answers[1] != []


def test_predictions_of_the_demo_photos_are_complete(sample_run: Run) -> None:
    path = next((sample_run.directory / "artifacts").rglob("predictions"))
    table = pq.read_table(path)
    rows = table.to_pylist()
    demo = Dataset(sample_run.directory / "demo")
    classes = json.loads(table.schema.metadata[b"classes"])
    assert [row["path"] for row in rows] == [photo.path for photo in demo.photos]
    assert all(row["right"] == (row["label"] == row["predicted"]) for row in rows)
    for row in rows:
        likeliest = int(np.argmax(row["probabilities"]))
        assert row["predicted"] == classes[likeliest]
        assert row["probability"] == pytest.approx(row["probabilities"][likeliest])
        assert sum(row["probabilities"]) == pytest.approx(1, abs=1e-5)
        assert 0 <= row["familiarity"] <= 1
        assert isinstance(row["unknown"], bool)
    right = sum(row["right"] for row in rows)
    metrics = sample_run.summary["metrics"]
    assert right / len(rows) == pytest.approx(metrics["demo_accuracy"])


def test_demo_photo_that_is_none_is_named(sample_run: Run, tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "demo") as writer:
        writer.add(Photo("daisy"), b"no photo")
    places = (tmp_path / "demo", tmp_path / "predictions", tmp_path / "gallery.html")
    with pytest.raises(InputError, match=r"daisy/.* is not a usable photo"):
        label_demo(sample_run.directory / "model", *places)
    assert not places[1].exists()
