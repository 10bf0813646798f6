"""index.html says what came of a run; a step's page gets links to the others and stays as it is."""

import dataclasses
from pathlib import Path

import pytest
from conftest import Run
from evaluation_items import description, jpeg
from html_page import Page

from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import PARTS
from components.common.pages.text import RENDERED
from programs.run import run_pages, run_photos
from programs.run.run_pages import Outcome
from programs.run.run_photos import Answered

METRICS = {
    "held_out_photos": 28,
    "held_out_accuracy": 23 / 28,
    "held_out_accuracy_low": 0.6441,
    "held_out_accuracy_high": 0.9213,
}


@pytest.fixture
def outcome() -> Outcome:
    counts = {"rose": dict.fromkeys(PARTS, 7), "fly_agaric": dict.fromkeys(PARTS, 8)}
    reason = "it is the first"
    return Outcome(
        *("run 1", description(), counts, METRICS, "published/abc", reason, ("5 dark",)),
        name="kinds",
        next_steps=(("make serve RUN='runs/run 1'", "a page to try this model"),),
    )


def text_of(outcome: Outcome, **changed: object) -> str:
    """The words of index.html."""
    found = dataclasses.replace(outcome, **changed)  # type: ignore[arg-type]
    return Page(run_pages.index(found)).text


def test_index_says_how_good_the_model_is_and_what_became_of_it(outcome: Outcome) -> None:
    text = " ".join(Page(run_pages.index(outcome)).text.split())
    assert text.startswith("kinds: daisy, rose, tulip and 1 more")
    assert "4 classes. Run run 1." in text
    assert "23 of 28 held-out photos right: 82 %, 95 % interval 64 % to 92 %" in text
    assert "The model was published at published/abc: it is the first." in text
    assert "fly_agaric8888" in text
    assert "5 dark" in text
    back = dataclasses.replace(outcome, published="", warnings=(), metrics={"held_out_photos": 0})
    text = " ".join(Page(run_pages.index(back)).text.split())
    assert "No held-out photos were measured." in text
    assert "The model was held back: it is the first." in text
    assert "Warnings" not in text


@pytest.mark.parametrize(
    ("confusions", "said"),
    [
        (0, "None of 17 photos of deadly or poisonous classes was taken for an edible class, 95 %"),
        (1, "1 of 17 photos of deadly or poisonous classes was taken for an edible class, 95 %"),
        (2, "2 of 17 photos of deadly or poisonous classes were taken for an edible class, 95 %"),
    ],
)
def test_index_says_how_often_a_dangerous_class_is_taken_for_an_edible_one(
    outcome: Outcome, confusions: int, said: str
) -> None:
    assert "edible" not in Page(run_pages.index(outcome)).text
    known = {
        **{"dangerous_photos": 17, "dangerous_confusions": confusions},
        **{"dangerous_rate_low": 0.033, "dangerous_rate_high": 0.343},
    }
    found = dataclasses.replace(outcome, metrics={**METRICS, **known})
    text = " ".join(Page(run_pages.index(found)).text.split())
    assert f"{said} interval 3 % to 34 %" in text


def test_confusion_that_happened_stands_above_the_accuracy_and_leads_to_the_report(
    outcome: Outcome,
) -> None:
    known = {
        **{"dangerous_photos": 17, "dangerous_confusions": 2},
        **{"dangerous_rate_low": 0.033, "dangerous_rate_high": 0.343},
    }
    source = run_pages.index(dataclasses.replace(outcome, metrics={**METRICS, **known}))
    assert source.index("2 of 17 photos") < source.index("held-out photos right")
    assert "report.html#dangers" in source
    # Where no class is stated to be edible, no answer can be such a mistake.
    none = {**METRICS, **known, "dangerous_confusions": 0, "edible_classes": 0}
    assert "taken for an edible" not in text_of(outcome, metrics=none)


def figures_of(part: str, photos: int, accuracy: float) -> dict[str, float]:
    """What metrics.json says of a part."""
    name = f"{part}_accuracy"
    low, high = accuracy - 0.1, accuracy + 0.1
    return {f"{part}_photos": photos, name: accuracy, f"{name}_low": low, f"{name}_high": high}


def test_index_goes_by_what_the_figures_are_over_and_tells_the_other_parts(
    outcome: Outcome,
) -> None:
    parts = {
        **figures_of("cross_validated", 100, 0.7),
        **figures_of("test", 20, 0.5),
        **figures_of("demo", 10, 0.8),
    }
    text = text_of(outcome, metrics={**parts, **METRICS, "basis": "cross-validated"})
    assert "70 of 100 photos right by cross-validation: 70 %, 95 % interval 60 % to 80 %" in text
    assert (
        "test: 10 of 20 right, 50 %, 95 % interval 40 % to 60 %, by a model of the training part "
        "alone demo: 8 of 10 right, 80 %, 95 % interval 70 % to 90 %, by this model" in text
    )
    text = text_of(outcome, metrics={**parts, **METRICS, "basis": "held out"})
    assert "23 of 28 held-out photos right: 82 %" in text
    assert "test: 10 of 20 right, 50 %, 95 % interval 40 % to 60 % demo" in text


def test_index_says_first_of_which_classes_no_danger_is_stated(outcome: Outcome) -> None:
    text = text_of(outcome, unstated="1 of 2 classes has no stated edibility")
    assert text.index("1 of 2 classes has no stated edibility.") < text.index("held-out photos")


def test_index_says_what_to_do_next(outcome: Outcome) -> None:
    text = text_of(outcome)
    assert "Look at the mistakes" in text
    assert "A page to try this model: make serve RUN='runs/run 1'" in text
    assert "doubtful" not in text
    text = text_of(outcome, metrics={**METRICS, "photos": 300}, doubtful=1)
    assert "Check 1 doubtful photo: keep, move or drop it" in text
    right = {**METRICS, "held_out_accuracy": 1.0}
    assert "Look at the mistakes" not in text_of(outcome, metrics=right)


def test_index_shows_photos_with_their_answers(outcome: Outcome) -> None:
    photos = [
        Answered(Photo("rose", author="Ann"), jpeg(), "rose", 0.93, False),
        Answered(Photo("rose"), jpeg(), "daisy", 0.6, False),
        Answered(Photo("rose"), jpeg(), "tulip", 0.3, True),
    ]
    text = text_of(outcome, photos_answered=photos)
    assert "3 of 15 photos that it never saw, right or wrong" in text
    assert "Right, 93 % sure roseby Ann Wrong, 60 % sure daisyTrue class: rose None of" in text
    assert "What it answers" not in text_of(outcome)


def test_run_shows_the_first_photo_of_each_class_and_the_curves(sample_run: Run) -> None:
    page = Page((sample_run.directory / "index.html").read_text())
    labels = sorted({photo.label for photo in Dataset(sample_run.directory / "demo").photos})
    shown = [one["alt"] for one in page.all("img")]
    expected = [f"Photo of {label}" for label in labels]
    assert shown == [*expected, expected[0]][: len(shown)]
    assert len(shown) == 6
    assert "Training the last layer: accuracy" in page.text


def test_photo_without_an_answer_is_told(sample_run: Run, tmp_path: Path) -> None:
    (answers,) = sample_run.directory.glob("artifacts/*/label-image/predictions")
    with pytest.raises(InputError, match="has no answer for"):
        run_photos.answered(sample_run.directory / "training", answers)


def test_rendered_pictures_are_called_so(outcome: Outcome) -> None:
    drawn = dataclasses.replace(outcome.model, rendered=True)
    told = run_pages.index(dataclasses.replace(outcome, model=drawn))
    assert RENDERED in Page(told).text
    real = dataclasses.replace(outcome.model, rendered=False)
    assert RENDERED not in run_pages.index(dataclasses.replace(outcome, model=real))


def test_links_are_all_that_is_added_to_a_page(outcome: Outcome) -> None:
    script = "<script>'<body>\n'</script></main>"
    source = run_pages.index(outcome).replace("</main>", script).encode()
    found = run_pages.linked(source, "gallery")
    bar = found[found.index(b"<nav") : found.index(b"</nav>") + len(b"</nav>\n")]
    assert found.replace(bar, b"") == source
    assert [link["href"] for link in Page(bar.decode()).all("a")] == [
        *("index.html", "report.html", "curation.html")
    ]
