"""Photos classified from Python: the same answers as the command's, and errors that help."""

import io
import json
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Run, run_captured
from photo_server import Answer as Sent
from photo_server import serve
from PIL import Image

from wild_mushrooms import Answer, Dataset, InputError, Model, WorkError


@pytest.fixture(scope="module")
def model(sample_run: Run) -> Model:
    return Model(sample_run.directory / "model")


@pytest.fixture(scope="module")
def photos(sample_run: Run, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The demo photos as files."""
    folder = tmp_path_factory.mktemp("photos")
    demo = Dataset(sample_run.directory / "demo")
    for number, photo in enumerate(demo.photos):
        (folder / f"{number:02}.jpg").write_bytes(demo.read(photo))
    return sorted(folder.iterdir())


def test_answers_are_those_of_the_command(model: Model, photos: list[Path]) -> None:
    label = ("-m", "components.label_image", "--model_dir", str(model.directory))
    done = run_captured(sys.executable, *label, "--format", "json", str(photos[0].parent))
    rows = list(map(json.loads, done.stdout.splitlines()))
    answers = list(model.classify_each(photos[0].parent))
    assert len(rows) == len(answers) == len(photos)
    for row, answer in zip(rows, answers, strict=True):
        assert (row["file"], row["predicted"]) == (answer.photo, answer.label)
        assert row["caution"] == answer.caution
        assert row["probabilities"] == pytest.approx(dict(answer.probabilities), abs=1e-4)


def test_answer_has_every_class_the_likeliest_first(model: Model, photos: list[Path]) -> None:
    answer = model.classify(photos[0])
    values = list(answer.probabilities.values())
    assert set(answer.probabilities) == set(model.classes)
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1, abs=1e-5)
    assert answer.top(2) == list(answer.probabilities.items())[:2]
    assert answer.likeliest == answer.top(1)[0][0]
    assert not answer.learned_from
    assert pickle.loads(pickle.dumps(answer)) == answer


def test_one_photo_and_many_get_the_same_answers(model: Model, photos: list[Path]) -> None:
    few = photos[:4]
    single = [model.classify(str(photo)) for photo in few]
    assert list(model.classify_each(iter(few))) == single
    of_bytes = list(model.classify_each([photo.read_bytes() for photo in few]))
    assert [one.probabilities for one in of_bytes] == [one.probabilities for one in single]
    assert [one.photo for one in of_bytes] == [""] * len(few)


def test_threads_may_share_a_model(model: Model, photos: list[Path]) -> None:
    expected = [model.classify(photo) for photo in photos]
    found: list[Answer | None] = [None] * len(photos)

    def work(start: int) -> None:
        for place in range(start, len(photos), 4):
            found[place] = model.classify(photos[place])

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected


def test_photo_that_the_model_learned_from_is_recognised(model: Model, sample_run: Run) -> None:
    training = Dataset(sample_run.directory / "training")
    learned = next(photo for photo in training.photos if photo.split == "training")
    assert model.classify(training.read(learned)).learned_from


def test_photo_that_fails_does_not_stop_the_others(model: Model, photos: list[Path]) -> None:
    broken = photos[0].read_bytes()[:500]
    first, second, third = model.classify_each(["missing.jpg", broken, photos[0]])
    assert (first.label, first.error) == (None, "No such file or directory")
    assert second.error.startswith("not a usable photo")
    assert third.label
    assert not third.error


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        ("missing.jpg", "missing.jpg: No such file or directory"),
        ("-", "-: No such file or directory"),  # never standard input
        (b"", "the photo: no usable photo"),
        (b"no photo", "the photo: no usable photo (unknown_type)"),
        (3, "a photo is int: expected a path, an address or the file's bytes"),
    ],
)
def test_what_is_no_photo_is_an_input_error(
    model: Model, photo: str | bytes, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as raised:
        model.classify(photo)
    assert str(raised.value).startswith(message)


def test_wrong_use_of_many_is_an_input_error(model: Model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a list"):
        list(model.classify_each(b"bytes"))
    with pytest.raises(InputError, match="a photo is int"):
        list(model.classify_each([3]))  # type: ignore[list-item]
    with pytest.raises(InputError, match="there are no photos at"):
        list(model.classify_each(tmp_path))


def test_address_is_fetched_where_its_host_is_allowed(
    model: Model, photos: list[Path], tmp_path: Path
) -> None:
    data = photos[0].read_bytes()
    with serve(lambda *_: Sent(data)) as server:
        address = f"{server.address}/a.jpg"
        with pytest.raises(WorkError, match="not a public address"):
            model.classify(address)
        allowed = Model(model.directory, cache_dir=tmp_path, allow_private_hosts=["localhost"])
        assert allowed.classify(address).probabilities == model.classify(photos[0]).probabilities


def test_map_is_where_the_logit_comes_from(model: Model, photos: list[Path]) -> None:
    head = np.load(model.directory / "head.npz")
    bottleneck = model.features(photos[0])
    assert bottleneck.dtype == np.float32
    for place, label in enumerate(model.classes):
        shown = model.activation_map(photos[0], label)
        assert shown.dtype == np.float32
        logit = bottleneck @ head["weights"][:, place]
        assert shown.mean() == pytest.approx(logit, rel=1e-3, abs=1e-3)
    with pytest.raises(InputError, match="no class 'toadstool': expected one of common stinkhorn"):
        model.activation_map(photos[0], "toadstool")


def test_spotlight_is_the_likeliest_class_unless_another_is_named(
    model: Model, photos: list[Path]
) -> None:
    answer = model.classify(photos[0])
    likeliest, second = (label for label, _ in answer.top(2))
    picture = model.spotlight(photos[0], side=200)
    assert max(Image.open(io.BytesIO(picture)).size) == 200
    assert picture == model.spotlight(photos[0], likeliest, side=200)
    assert picture != model.spotlight(photos[0], second, side=200)


def test_real_photo_has_an_answer(model: Model, shared_photos: Path) -> None:
    photo = min((shared_photos / "mushrooms" / "fly_agaric").glob("*.jpg"))
    assert model.classify(photo).likeliest in model.classes


def test_no_model_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not a model directory: there is no model\.json"):
        Model(tmp_path)


LOADED = """
import sys
import wild_mushrooms
print(*sorted({name.partition('.')[0] for name in sys.modules}))
from wild_mushrooms import Dataset, Model, Run, run
print(*sorted({name.partition('.')[0] for name in sys.modules}))
"""


def test_import_loads_nothing_that_is_large() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    at_first, with_all = (set(line.split()) for line in done.stdout.splitlines())
    assert not at_first & {"numpy", "cv2", "pyarrow", "PIL", "argparse"}
    assert "numpy" in with_all
    large = {"tensorflow", "keras", "kfp", "sklearn", "scipy", "boto3", "google", "rich", "fastapi"}
    assert not with_all & large
