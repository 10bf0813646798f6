"""Labels come with the dangerous classes that a photo could show, in every form of the answer."""

import csv
import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from conftest import Run, run_captured
from danger_items import DANGEROUS_CLASSES, FACTS, dangerous_model, sure_of
from html_page import Page
from sealing import reseal

from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.model.model import Model
from components.label_image import gallery
from components.label_image.answers import Guess, PhotoAnswer, answer, as_label_image_py, writer
from components.label_image.gallery import Gallery, Labelled
from components.label_image.label_image import label_demo

NO_LEAVE = "Never eat anything because of an answer."


def answered(
    label: str, *others: tuple[str, float], unknown: bool = False, facts: ClassFacts = FACTS
) -> PhotoAnswer:
    """The answer `label`."""
    guess = Guess(np.array(sure_of(label, *others), np.float32), unknown, 0.01 if unknown else 0.5)
    return answer("a.jpg", guess, DANGEROUS_CLASSES, 3, facts)


def written(form: str, *given: PhotoAnswer, count: int | None = None) -> str:
    stream = io.StringIO()
    write = writer(form, DANGEROUS_CLASSES, count, stream)
    for one in given:
        write(one)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("given", "last"),
    [
        (answered("champignon"), NO_LEAVE),
        (
            answered("champignon", ("death cap", 0.04)),
            f"could also be death cap (deadly), 4 %. {NO_LEAVE}",
        ),
        (answered("fly agaric"), f"fly agaric is poisonous. {NO_LEAVE}"),
        (
            answered("champignon", ("death cap", 0.04), unknown=True),
            f"could also be death cap (deadly), 4 %. {NO_LEAVE}",
        ),
        (answered("champignon", facts=ClassFacts()), "fly agaric (score=0.00000)"),
    ],
)
def test_one_photo_s_lines_end_with_the_dangers(given: PhotoAnswer, last: str) -> None:
    lines = as_label_image_py(given, 0.1)
    assert lines[-1] == last
    # What label_image.py's lines said, they say.
    assert [line for line in lines if "(score=" in line] == [
        f"{label} (score={share:0.5f})" for label, share in given.top
    ]


def test_lines_of_many_photos_name_dangers_below_their_photo() -> None:
    assert written(
        "text",
        answered("champignon"),
        answered("champignon", ("death cap", 0.04)),
        answered("fly agaric"),
        answered("earthstar", ("fly agaric", 0.3), unknown=True),
    ).splitlines() == [
        "100.0 %  champignon     a.jpg",
        " 96.0 %  champignon     a.jpg",
        "         could also be death cap (deadly), 4 %",
        "100.0 %  fly agaric     a.jpg",
        "         fly agaric is poisonous",
        "    -    none of these  a.jpg",
        "         could also be fly agaric (poisonous), 30 %",
    ]


def test_programs_get_the_dangers_as_fields() -> None:
    one = answered("fly agaric", ("death cap", 0.04))
    found = json.loads(written("json", one))
    assert found["dangers"] == [
        {"label": "death cap", "edibility": "deadly", "probability": pytest.approx(0.04)},
        {"label": "fly agaric", "edibility": "poisonous", "probability": pytest.approx(0.96)},
    ]
    said = "fly agaric is poisonous; could also be death cap (deadly), 4 %"
    assert found["caution"] == said
    rows = list(csv.DictReader(io.StringIO(written("csv", one, answered("champignon")))))
    assert [row["caution"] for row in rows] == [said, ""]
    assert rows[0]["label_1"] == "fly agaric"


def labelled(true: str, said: str, *others: tuple[str, float], unknown: bool = False) -> Labelled:
    shares = sure_of(said, *others)
    top = sorted(zip(DANGEROUS_CLASSES, shares, strict=True), key=lambda one: -one[1])
    return Labelled(
        Photo(true, f"{true}/1.jpg"),
        top=tuple(top),
        thumbnail=b"",
        unknown=unknown,
        familiarity=0.02 if unknown else 0.5,
        probabilities=shares,
    )


@pytest.mark.parametrize(
    ("photo", "expected"),
    [
        (labelled("champignon", "champignon"), None),
        (
            labelled("champignon", "champignon", ("death cap", 0.04)),
            "Could also be death cap (deadly), 4 %.",
        ),
        (
            labelled("fly agaric", "champignon", ("fly agaric", 0.2)),
            "fly agaric (poisonous), taken for an edible class. Could also be fly agaric",
        ),
        (labelled("fly agaric", "champignon"), "1 of the wrong ones takes a deadly or poisonous"),
        (labelled("champignon", "fly agaric"), "Wrong: fly agaric (poisonous), 100 %"),
        (labelled("fly agaric", "fly agaric"), "fly agaric (poisonous) 1 of 1 right"),
        (
            labelled("champignon", "champignon", ("death cap", 0.04), unknown=True),
            "Could also be death cap (deadly), 4 %.",
        ),
    ],
)
def test_gallery_names_dangers_beside_every_answer(photo: Labelled, expected: str | None) -> None:
    text = " ".join(Page(gallery.render(Gallery(dangerous_model(), (photo,)))).text.split())
    if expected:
        assert expected in text
    else:
        assert not any(word in text for word in ("ould also be", "poisonous", "deadly", "edible"))


def test_command_and_predictions_name_what_is_stated_to_be_dangerous(
    sample_run: Run, tmp_path: Path
) -> None:
    # Every class is deadly, and the model hardly sure of anything.
    model = tmp_path / "model"
    shutil.copytree(sample_run.directory / "model", model)
    classes = Model(model).classes
    facts = ClassFacts(edibility=dict.fromkeys(classes, "deadly"))
    reseal(model / "model.json", facts=facts.to_json(), temperature=20.0)
    demo = sample_run.directory / "demo"
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(Dataset(demo).read(Dataset(demo).photos[0]))
    command = (sys.executable, "-m", "components.label_image", "--model_dir", str(model))
    done = run_captured(*command, str(photo))
    assert done.returncode == 0, done.stderr
    caution = done.stdout.splitlines()[-1]
    assert caution.endswith(f" %. {NO_LEAVE}")
    assert caution.count("(deadly)") == len(classes) - 1
    many = run_captured(*command, str(photo), str(photo))
    assert many.stdout.count(" is deadly; could also be ") == 2
    assert "2 labelled, 0 failed" in many.stderr
    assert "a second; never eat anything because of an answer" in many.stderr

    label_demo(model, demo, tmp_path / "predictions", tmp_path / "gallery.html")
    rows = pq.read_table(tmp_path / "predictions").to_pylist()
    assert all(row["caution"].count("(deadly)") >= len(classes) - 1 for row in rows)
