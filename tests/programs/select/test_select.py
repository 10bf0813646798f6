"""`select` with a real model: known photos and copies are left out, what is chosen is whole."""

import csv
import hashlib
import io
import shutil
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Run, run_captured
from object_stores import Store, upload_folder
from PIL import Image

from components.common.dataset.dataset import Dataset
from components.download.sources import sample
from programs.select import selection

COMMAND = (sys.executable, "-m", "programs.select")


@pytest.fixture(scope="module")
def photos(sample_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """New photos of two classes, photos that the model knows, copies, and files that are none."""
    folder = tmp_path_factory.mktemp("unlabelled")
    for label in sample.LABELS[:2]:
        (folder / "new" / label).mkdir(parents=True)
        for picture in sample.render_class(label, 12, seed=77):
            if picture.fault is None:
                (folder / "new" / label / picture.name).write_bytes(picture.data)
    training = Dataset(sample_run.directory / "training")
    (folder / "known").mkdir()
    for number, photo in enumerate(training.photos[:6]):
        (folder / "known" / f"{number}.jpg").write_bytes(training.read(photo))
        if number < 3:  # a copy that is no known file
            with Image.open(io.BytesIO(training.read(photo))) as image:
                small = image.resize((image.width * 2 // 3, image.height * 2 // 3))
                small.save(folder / "known" / f"small-{number}.jpg", quality=70)
    first = min((folder / "new").rglob("*.jpg"))
    (folder / "copies").mkdir()
    shutil.copy(first, folder / "copies" / "same.jpg")
    with Image.open(first) as image:
        image.resize((image.width // 2, image.height // 2)).save(folder / "copies" / "half.jpg")
    (folder / "broken.jpg").write_bytes(first.read_bytes()[:2000])
    (folder / "=notes.txt").write_text("no photo")
    return folder


def select(run: Run, *words: str) -> "tuple[int, str, str]":
    done = run_captured(*COMMAND, "--model_dir", str(run.directory / "model"), *words)
    return done.returncode, done.stdout, done.stderr


def test_known_photos_and_copies_are_left_out_and_chosen_ones_are_whole(
    sample_run: Run, photos: Path, tmp_path: Path
) -> None:
    output = tmp_path / "to-label"
    status, said, problems = select(
        sample_run, str(photos), "--count", "8", "--output", str(output)
    )
    assert status == 0, problems
    made = selection.read(output)
    assert len(made.photos) == 8
    assert made.counts["known"] >= 9  # with those that the sample shows again
    assert made.counts["copies"] >= 2
    assert made.counts["unusable"] == 1
    assert "1 photo is not usable, such as" in problems
    assert "8 chosen of" in said
    assert f"make review RUN={output}" in said
    for one in made.photos:
        data = (output / one.file).read_bytes()
        assert hashlib.sha256(data).hexdigest() == one.sha256
        assert data == Path(one.source).read_bytes()
        assert "/known/" not in one.source
        assert 0 <= one.uncertainty <= 1
        assert [share for _, share in one.guesses] == sorted(
            (share for _, share in one.guesses), reverse=True
        )
    assert len({one.sha256 for one in made.photos}) == 8
    rows = list(csv.DictReader((output / "selection.csv").open()))
    assert [row["file"] for row in rows] == [one.file for one in made.photos]
    html = (output / "label.html").read_text()
    assert all(one.sha256 in html for one in made.photos)

    # The same again is the same; a folder with something in it is left alone.
    again = tmp_path / "again"
    assert select(sample_run, str(photos), "--count", "8", "--output", str(again))[0] == 0
    for name in ("label.html", "selection.csv", "selection.json"):
        assert (again / name).read_bytes() == (output / name).read_bytes()
    status, _, problems = select(sample_run, str(photos), "--output", str(output))
    assert status == 2
    assert "is not empty: name a new folder" in problems


def test_photos_of_a_bucket_are_chosen_alike(
    sample_run: Run, photos: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    upload_folder(photos / "new", f"{store.prefix}/unlabelled")
    chosen = []
    for number, place in enumerate((f"{store.prefix}/unlabelled", str(photos / "new"))):
        output = tmp_path / str(number)
        done = select(sample_run, place, "--count", "5", "--output", str(output))
        assert done[0] == 0, done[2]
        chosen.append(selection.read(output).photos)
    assert {one.sha256 for one in chosen[0]} == {one.sha256 for one in chosen[1]}
    assert all(one.source.startswith(store.prefix) for one in chosen[0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["PHOTOS"], "--output is missing"),
        (["PHOTOS", "--output", "x", "--count", "0"], "--count is 0: expected 1 to 500"),
        (["PHOTOS", "--output", "x", "--into", "y"], "--into is for --answers"),
        (["-", "--output", "x"], "may be another photo the next time"),
        (["https://example.org/a.jpg", "--output", "x"], "may be another photo the next time"),
        (["--output", "x"], "no photo was named"),
        (["PHOTOS/known", "--output", "OUT"], "no photo is left to choose"),
        (["PHOTOS", "--output", "x", "--answers", "y"], "name no others"),
        (["--output", "x", "--answers", "/nowhere.json"], "/nowhere.json"),
    ],
)
def test_wrong_usage_is_said_in_one_line(
    sample_run: Run, photos: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    named = [word.replace("PHOTOS", str(photos)).replace("OUT", str(tmp_path)) for word in words]
    status, _, problems = select(sample_run, *named)
    assert status == 2
    assert message in problems
    assert "Traceback" not in problems
    assert not (ROOT / "x").exists()
