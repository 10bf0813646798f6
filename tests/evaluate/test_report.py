import base64
import dataclasses
import hashlib
import re

import numpy as np
from html_page import Page

from components.common import images
from components.common.model import ModelDescription, UnknownRule
from components.common.photo import Photo
from components.common.report import RENDERED, WARNING
from components.evaluate import report
from components.evaluate.measure import measure_part
from components.evaluate.report import Answer, Evaluation

CLASSES = ("daisy", "rose", "tulip", "violet")
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def jpeg(grey: int = 120) -> bytes:
    return images.encode(np.full((40, 60, 3), grey, np.uint8))


def description(classes: tuple[str, ...] = CLASSES, *, rendered: bool = False) -> ModelDescription:
    return ModelDescription(
        classes=classes,
        architecture="mobilenet_v1_1.0_224",
        input_size=224,
        weights_sha256="a1" * 32,
        head_sha256="b2" * 32,
        manifest_sha256="c3" * 32,
        version="1.2.3",
        recipe={"how_many_training_steps": 4000, "learning_rate": 0.01},
        photos={"training": dict.fromkeys(classes, 40), "test": dict.fromkeys(classes, 10)},
        rendered=rendered,
    )


def answer(true: str, probabilities: tuple[float, ...], part: str = "test") -> Answer:
    photo = Photo(
        true,
        path=f"{true}/0123456789abcdef.jpg",
        author="Ann Photographer",
        licence="CC-BY-4.0",
        source_url="https://example.org/photo/1",
    )
    predicted = CLASSES[int(np.argmax(probabilities))]
    return Answer(photo, part, predicted, probabilities, jpeg())


def evaluation(
    answers: list[Answer] | None = None, model: ModelDescription | None = None
) -> Evaluation:
    """52 of 60 right, where no answers are given: six roses taken for daisies, two for tulips."""
    if answers is None:
        right = [
            answer(label, tuple(0.85 if one == label else 0.05 for one in CLASSES), part)
            for label in CLASSES
            for part in ["test"] * 7 + ["demo"] * 6
        ]
        daisies = [answer("rose", (0.9 - i / 100, 0.04, 0.03, 0.03 + i / 100)) for i in range(6)]
        tulips = [answer("rose", (0.2, 0.04, 0.56, 0.2), "demo") for _ in range(2)]
        answers = [*right, *daisies, *tulips]
    model = model or description()
    parts = []
    for name in ("test", "demo", "held out"):
        chosen = [one for one in answers if name in (one.part, "held out")]
        true = [one.photo.label for one in chosen]
        parts.append(measure_part(name, model.classes, true, [one.predicted for one in chosen]))
    wrong = tuple(one for one in answers if not one.right)
    return Evaluation(model, tuple(parts), wrong)


def test_headline_tells_accuracy_interval_and_how_few_photos_that_is() -> None:
    text = " ".join(Page(report.render(evaluation())).text.split())
    assert "52 of 60 held-out photos right: 87 %, 95 % interval 76 % to 93 %" in text
    assert "60 photos are few: the interval is 17 percentage points wide" in text
    assert "Guessing blindly among 4 classes would be right 25 % of the time." in text


def test_many_photos_are_not_called_few() -> None:
    answers = [answer("daisy", (0.7, 0.1, 0.1, 0.1)) for _ in range(report.FEW_PHOTOS)]
    text = Page(report.render(evaluation(answers))).text
    assert "few" not in text
    assert "None of the held-out photos was misclassified." in text


def test_interval_is_drawn_where_it_is_written() -> None:
    page = Page(report.render(evaluation()))
    drawing = next(one for one in page.all("svg") if one.get("role") == "img")
    assert "accuracy 87 %, 95 % interval 76 % to 93 %" in (drawing["aria-label"] or "")
    band = next(one for one in page.all("rect") if one.get("class") == "band")
    accuracy = evaluation().overall.accuracy
    assert band["x"] == f"{100 * accuracy.low:.1f}%"
    assert band["width"] == f"{100 * (accuracy.high - accuracy.low):.1f}%"


def test_every_part_has_its_accuracy() -> None:
    text = Page(report.render(evaluation())).text
    assert re.search(r"test34288\d %", text)
    assert re.search(r"demo26249\d %", text)
    assert "held out605287 %76 % to 93 %" in text


def test_part_without_photos_has_no_figures() -> None:
    text = Page(report.render(evaluation([answer("daisy", (0.7, 0.1, 0.1, 0.1))]))).text
    assert "demo00no photos" in text
    assert "1 photo is few" in text


def test_class_that_was_never_answered_has_no_precision() -> None:
    answers = [answer("rose", (0.7, 0.1, 0.1, 0.1)), answer("daisy", (0.7, 0.1, 0.1, 0.1))]
    text = Page(report.render(evaluation(answers))).text
    assert re.search(r"rose10 %0 % to \d+ %never answered", text)
    assert re.search(r"daisy1100 %\d+ % to 100 %50 %", text)


def test_confusion_matrix_shows_counts_and_names_the_mix_ups() -> None:
    source = report.render(evaluation())
    text = Page(source).text
    assert "Most frequent: rose taken for daisy, 6 times; rose taken for tulip, 2 times." in text
    row = source.split('<th scope="row">rose</th>')[2].split("</tr>")[0]
    cells = re.findall(r'<span class="(\w+)">(\d+)</span>', row)
    assert cells == [("wrong2", "6"), ("right3", "13"), ("wrong1", "2"), ("zero", "0")]


def test_mistakes_are_shown_in_the_given_order_with_source_and_licence() -> None:
    page = Page(report.render(evaluation()))
    headings = re.findall(r"rose, taken for (?:daisy|tulip)", page.text)
    assert headings == ["rose, taken for daisy"] * 6 + ["rose, taken for tulip"] * 2
    assert "8 of 60 photos" in page.text
    assert "0123456789abcdef.jpg · by Ann Photographer · CC BY 4.0 · example.org" in page.text
    assert len(page.all("img")) == 8
    assert {picture["alt"] for picture in page.all("img")} == {"Photo of rose"}


def test_true_class_below_the_top_three_is_told() -> None:
    page = Page(report.render(evaluation([answer("tulip", (0.5, 0.3, 0.06, 0.14))])))
    assert "The true class got 6 %." in page.text


def test_mistakes_left_out_are_counted() -> None:
    full = evaluation()
    part = dataclasses.replace(full, misclassified=full.misclassified[:3])
    assert "The 3 most confident of them" in Page(report.render(part)).text


def test_model_is_described_with_abbreviated_hashes() -> None:
    page = Page(report.render(evaluation()))
    for fact in ("mobilenet_v1_1.0_224", "224 × 224 pixels", "1.2.3", "how_many_training_steps"):
        assert fact in page.text
    assert "a1" * 6 in page.text
    assert "a1" * 7 not in page.text
    assert "All16040" in page.text


def test_temperature_and_threshold_are_told_once_they_are_fitted() -> None:
    text = Page(report.render(evaluation())).text
    assert "Temperature" not in text
    assert "None of these" not in text
    fitted = dataclasses.replace(
        description(), temperature=1.25, unknown=UnknownRule(0.4, 0.7, 5, 0.05)
    )
    text = Page(report.render(evaluation(model=fitted))).text
    assert "Temperature1.25" in text
    assert "“None of these”probability below 40 %" in text


def test_fine_tuning_is_told() -> None:
    assert "Fine-tuning" not in Page(report.render(evaluation())).text
    options = {"fine_tune_steps": 200, "fine_tune_layers": 10}
    tuned = dataclasses.replace(description(), fine_tuning=options)
    text = Page(report.render(evaluation(model=tuned))).text
    assert "Fine-tuning200 steps, the top 10 layers" in text


def test_rendered_notice_only_for_models_of_rendered_pictures() -> None:
    assert RENDERED not in Page(report.render(evaluation())).text
    assert RENDERED in Page(report.render(evaluation(model=description(rendered=True)))).text
    assert WARNING in Page(report.render(evaluation())).text


def test_strangers_text_is_only_text() -> None:
    classes = (HOSTILE, "rose")
    photo = Photo(HOSTILE, f"{HOSTILE}/1.jpg", author=HOSTILE, licence=HOSTILE)
    photo = dataclasses.replace(photo, source_url=f"javascript:alert(1)//{HOSTILE}")
    model = dataclasses.replace(
        description(classes),
        architecture=HOSTILE,
        weights_sha256=HOSTILE,
        version=HOSTILE,
        decoder=HOSTILE,
        recipe={HOSTILE: HOSTILE},
        photos={HOSTILE: {HOSTILE: 3}},
    )
    one = Answer(photo, "test", "rose", (0.1, 0.9), jpeg())
    page = Page(report.render(evaluation([one], model)))
    assert not page.all("script")
    assert not page.all("a")
    assert len(page.all("img")) == 1
    assert not [name for _, attributes in page.elements for name in attributes if name[:2] == "on"]


def test_every_table_has_a_caption_and_scoped_headers() -> None:
    page = Page(report.render(evaluation()))
    assert len(page.all("table")) == len(page.all("caption")) == 6
    assert all(header["scope"] in ("col", "row") for header in page.all("th"))


def test_policy_matches_the_style_and_allows_no_script() -> None:
    source = report.render(evaluation())
    style = source.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'; script-src 'none'" in source
    assert " style=" not in source


def test_no_figure_is_infinite_or_missing() -> None:
    answers = [answer("daisy", (1.0, 0.0, 0.0, 0.0))]
    for source in (report.render(evaluation()), report.render(evaluation(answers))):
        assert not re.search(
            r"\b(nan|inf|None)\b", source.split("<main>")[1].replace("None of", "")
        )
