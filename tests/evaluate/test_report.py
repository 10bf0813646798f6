"""report.html says what was measured, in figures, drawings and words."""

import base64
import dataclasses
import hashlib
import re

import numpy as np
from evaluation_items import CLASSES, RULE, answer, description, evaluation, jpeg, sixty_answers
from html_page import Page

from components.common.dataset.photo import Photo
from components.common.model.model_place import CROSS_VALIDATED
from components.common.pages.text import RENDERED, WARNING
from components.common.photos import images
from components.evaluate import report, report_charts
from components.evaluate.answers import MAX_MISTAKES, outcomes
from components.evaluate.evaluation import (
    FOLDER,
    Caution,
    EvaluatedPhoto,
    Evaluation,
    Mistake,
    RoundAnswer,
    Unusable,
)
from components.evaluate.measure import Outcomes, measure_part

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def text_of(found: Evaluation) -> str:
    """The report's words, spaces as on the screen."""
    return " ".join(Page(report.render(found)).text.split())


def test_headline_tells_accuracy_interval_and_how_few_photos_that_is() -> None:
    text = " ".join(Page(report.render(evaluation())).text.split())
    assert "52 of 60 held-out photos right: 87 %, 95 % interval 76 % to 93 %" in text
    assert "60 photos are few: the interval is 17 percentage points wide" in text
    assert "Guessing among 4 classes would be right 25 % of the time" in text


def test_many_photos_are_not_called_few() -> None:
    answers = [answer("daisy", (0.7, 0.1, 0.1, 0.1)) for _ in range(report.FEW_PHOTOS)]
    text = text_of(evaluation(answers))
    assert "photos are few" not in text
    assert "None of these photos was misclassified." in text


def test_interval_is_drawn_where_it_is_written() -> None:
    page = Page(report.render(evaluation()))
    drawing = next(one for one in page.all("svg") if one.get("class") == "interval")
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
    matrix = source.split('class="scroll confusion"')[1]
    row = matrix.split('<th scope="row">rose</th>')[1].split("</tr>")[0]
    cells = re.findall(r' class="(\w+)"[^>]*>(\d+)</(?:span|a)>', row)
    assert cells == [("wrong2", "6"), ("right3", "13"), ("wrong1", "2"), ("zero", "0")]


def test_mistakes_are_shown_in_the_given_order_with_source_and_licence() -> None:
    page = Page(report.render(evaluation()))
    headings = re.findall(r"rose, taken for (?:daisy|tulip)", page.text)
    assert headings == ["rose, taken for daisy"] * 6 + ["rose, taken for tulip"] * 2
    assert "8 of 60 photos" in page.text
    assert "0123456789abcdef.jpg · by Ann Photographer · CC BY 4.0 · example.org" in page.text
    assert [picture["alt"] for picture in page.all("img")][-3:] == [
        "Photo of rose",
        "What speaks for tulip",
        "What speaks for rose",
    ]
    assert len(page.all("img")) == 3 * 8


def test_true_class_below_the_top_three_is_told() -> None:
    page = Page(report.render(evaluation([answer("tulip", (0.5, 0.3, 0.06, 0.14))])))
    assert "The true class got 6 %." in page.text


def test_mistakes_left_out_are_counted() -> None:
    full = evaluation()
    part = dataclasses.replace(full, mistakes=full.mistakes[:3])
    assert "The 3 worst of them" in Page(report.render(part)).text


def test_mistake_that_was_called_unknown_says_so() -> None:
    model = dataclasses.replace(description(), unknown=RULE)
    known = answer("rose", (0.7, 0.1, 0.1, 0.1), familiarity=0.5)
    assert "Called “none of these”: more unusual" not in text_of(evaluation([known], model))
    strange = answer("rose", (0.7, 0.1, 0.1, 0.1), familiarity=0.02)
    found = text_of(evaluation([strange], model))
    assert "Called “none of these”: more unusual than 98 % of the photos of the classes." in found


def test_mistake_without_a_picture_says_so() -> None:
    one = answer("rose", (0.7, 0.1, 0.1, 0.1))
    page = Page(report.render(evaluation([one], pictures=(jpeg(), b"", b""))))
    assert page.text.count("no picture") == 2


def test_model_is_described_with_abbreviated_hashes() -> None:
    page = Page(report.render(evaluation()))
    for fact in ("mobilenet_v1_1.0_224", "224 × 224 pixels", "1.2.3", "how_many_training_steps"):
        assert fact in page.text
    assert "a1" * 6 in page.text
    assert "a1" * 7 not in page.text
    assert "All16040" in page.text


def test_temperature_and_rule_are_told_once_they_are_fitted() -> None:
    text = text_of(evaluation())
    assert "Temperature1.25" not in text
    assert "“None of these”more unusual" not in text
    fitted = dataclasses.replace(description(), temperature=1.25, unknown=RULE)
    text = text_of(evaluation(model=fitted))
    assert "Temperature1.25" in text
    assert "“None of these”more unusual than 95 % of the photos of the classes" in text


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
    one = dataclasses.replace(answer(HOSTILE, (0.1, 0.9), classes=classes), photo=photo)
    found = dataclasses.replace(
        evaluation([one, answer("rose", (0.1, 0.9), classes=classes)], model),
        unusable=(Unusable(HOSTILE, HOSTILE),),
        cautions=(Caution(HOSTILE, "parts"),),
    )
    page = Page(report.render(found))
    assert not page.all("script")
    assert all((one["href"] or "").startswith("#") for one in page.all("a"))
    assert len(page.all("img")) == 3
    assert not [name for _, attributes in page.elements for name in attributes if name[:2] == "on"]


def test_every_table_has_a_caption_and_scoped_headers() -> None:
    page = Page(report.render(evaluation()))
    assert len(page.all("table")) == len(page.all("caption")) == 9
    assert all(header["scope"] in ("col", "row") for header in page.all("th"))


def test_policy_matches_the_style_and_allows_no_script() -> None:
    source = report.render(evaluation())
    style = source.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'; script-src 'none'" in source
    assert " style=" not in source


def test_no_figure_is_infinite_or_missing() -> None:
    model = dataclasses.replace(description(), unknown=RULE, temperature=0.9)
    answers = [answer("daisy", (1.0, 0.0, 0.0, 0.0), familiarity=0.01)]
    for found in (evaluation(), evaluation(answers), evaluation(answers, model)):
        source = report.render(found).split("<main>")[1].replace("None of", "")
        assert not re.search(r"\b(nan|inf|None)\b", source)


def test_figures_at_a_glance_come_with_interval_and_meaning() -> None:
    text = text_of(evaluation())
    assert "Accuracy87 %76 % to 93 %the likeliest class is the true one" in text
    assert re.search(r"Top-3 accuracy\d+ %\d+ % to \d+ %the true class is among the 3", text)
    assert "guessing gets 1.39" in text  # the natural logarithm of 4 classes
    two = ("daisy", "rose")
    few = [answer("daisy", (0.9, 0.1), classes=two), answer("rose", (0.4, 0.6), classes=two)]
    assert "Top-3 accuracy" not in text_of(evaluation(few, description(two)))


def test_flagged_photos_are_shown_with_and_without() -> None:
    full = evaluation()
    assert "Without flagged photos" not in text_of(full)
    answers = sixty_answers()[:56]
    curated = measure_part("curated", CLASSES, outcomes(answers, CLASSES, rule=False))
    text = text_of(dataclasses.replace(full, curated=curated))
    assert "With and without doubtful photos 4 flagged" in text
    assert "All, as labelled6087 %" in text
    assert "Without flagged photos5693 %" in text


def test_reliability_is_drawn_before_and_after_the_temperature() -> None:
    model = dataclasses.replace(description(), temperature=2.0)
    sharp = (0.97, 0.01, 0.01, 0.01)
    mild = (0.7, 0.1, 0.1, 0.1)
    answers = [answer("daisy", mild, uncalibrated=sharp) for _ in range(3)]
    answers.append(answer("rose", mild, uncalibrated=sharp))
    page = Page(report.render(evaluation(answers, model)))
    labels = [one["aria-label"] or "" for one in page.all("svg") if one.get("aria-label")]
    assert "Before the temperature: stated 97 %, right 75 % of 4" in labels
    assert "After the temperature: stated 70 %, right 75 % of 4" in labels
    text = " ".join(page.text.split())
    assert "The temperature 2, fitted on other photos, divides" in text
    assert "These photos are too few to show that it changes anything." in text
    assert "Calibration error0.2200.050" in text


def test_model_that_needs_no_temperature_says_so_and_has_one_diagram() -> None:
    model = dataclasses.replace(description(), temperature=1.0)
    page = Page(report.render(evaluation(model=model)))
    assert "This model has no temperature, because none would help" in page.text
    assert "Before the temperature" not in page.text


def test_model_without_temperature_says_so_and_has_one_diagram() -> None:
    page = Page(report.render(evaluation()))
    assert "This model has no temperature" in page.text
    labels = [one["aria-label"] or "" for one in page.all("svg") if one.get("aria-label")]
    assert sum("stated" in label for label in labels) == 1


def test_risk_of_the_surest_answers_is_told() -> None:
    page = Page(report.render(evaluation()))
    labels = [one["aria-label"] or "" for one in page.all("svg") if one.get("aria-label")]
    (risk,) = [label for label in labels if label.startswith("Wrong answers among the surest")]
    assert risk.endswith("13 % of all")
    assert "at least 70 %5897 %90 %" in " ".join(page.text.split())


def test_false_alarms_are_counted_apart_from_welcome_ones() -> None:
    model = dataclasses.replace(description(), unknown=RULE)
    right, wrong = (0.7, 0.1, 0.1, 0.1), (0.1, 0.7, 0.1, 0.1)
    answers = [
        *(answer("daisy", right, familiarity=one) for one in (0.5, 0.5, 0.01)),
        *(answer("daisy", wrong, familiarity=one) for one in (0.02, 0.9)),
    ]
    text = text_of(evaluation(answers, model))
    assert "Rightly recognised3133 %" in text
    assert "Misclassified2150 %" in text
    assert "Of the other 3, 2 are right: 67 %" in text


def test_model_without_a_rule_says_so() -> None:
    assert "This model has no rule for photos of other things" in text_of(evaluation())


def test_each_class_has_its_curves_the_hardest_first() -> None:
    page = Page(report.render(evaluation()))
    labels = [one["aria-label"] or "" for one in page.all("svg") if one.get("aria-label")]
    roc = [label for label in labels if label.startswith("ROC curve of ")]
    figures = evaluation().overall.classes
    hardest = sorted(figures, key=lambda one: one.average_precision or 0)
    assert [label.split(", ")[0] for label in roc[:2]] == [
        f"ROC curve of {one.label}" for one in hardest[:2]
    ]
    assert hardest[0].label == "daisy"
    assert len(roc) == sum(label.startswith("Precision by recall of ") for label in labels) == 4


def test_of_many_classes_only_the_hardest_are_drawn() -> None:
    classes = tuple(f"class {place}" for place in range(30))
    rows = 0.9 * np.eye(30) + 0.1 / 30
    answers = [
        answer(label, tuple(row), classes=classes)
        for label, row in zip(classes, rows.tolist(), strict=True)
    ]
    text = text_of(evaluation(answers, description(classes)))
    assert f"The {report_charts.MAX_CLASSES_DRAWN} hardest of 30 classes" in text


def test_folder_is_not_called_held_out() -> None:
    answers = sixty_answers()
    part = measure_part(FOLDER, CLASSES, outcomes(answers, CLASSES, rule=False))
    found = dataclasses.replace(evaluation(answers), parts=(part,), overall=part)
    text = text_of(found)
    assert "Measured on a folder of labelled photos." in text
    assert "52 of 60 photos of the folder right" in text
    assert "held-out" not in text


def test_files_that_were_left_out_are_named_and_counted() -> None:
    files = tuple(Unusable(f"daisy/{place}.jpg", "damaged") for place in range(150))
    found = text_of(dataclasses.replace(evaluation(), unusable=files))
    assert "Left out 150 files" in found
    assert f"The first {report.MAX_NAMED} are named." in found
    assert "daisy/99.jpgdamaged" in found
    assert "daisy/100.jpg" not in found


def test_every_drawing_is_described_or_hidden_and_no_style_attribute_is_there() -> None:
    page = Page(report.render(evaluation()))
    drawings = page.all("svg")
    assert all(one.get("aria-label") or one.get("aria-hidden") for one in drawings)
    assert not [one for one in page.elements if "style" in one[1]]
    assert all(one["alt"] for one in page.all("img"))


def test_page_of_1500_photos_all_wrong_stays_below_5_mb() -> None:
    draw = np.random.default_rng(0)

    def noise() -> bytes:  # the hardest picture to compress
        return images.encode(draw.integers(0, 256, (160, 120, 3), np.uint8), 80)

    wrong = [answer("rose", tuple(row)) for row in draw.dirichlet((3, 0.1, 1, 1), 1500).tolist()]
    wrong = [one for one in wrong if not one.right]
    full = evaluation(wrong, pictures=(noise(), noise(), noise()))
    assert len(full.mistakes) > 1400
    shown = dataclasses.replace(full, mistakes=full.mistakes[:MAX_MISTAKES])
    source = report.render(shown)
    assert len(source.encode()) < 5_000_000
    assert len(Page(source).all("img")) == 3 * MAX_MISTAKES


def test_what_always_answers_one_class_is_told_beside_the_accuracy() -> None:
    sure = (0.7, 0.1, 0.1, 0.1)
    answers = [answer("daisy", sure)] * 9 + [answer("rose", sure)] * 2
    text = text_of(evaluation(answers))
    assert "always answering daisy 82 %" in text
    assert "Never recognised: rose." in text
    assert "There are fewer than 5 photos of rose, tulip, violet" in text
    even = [answer(label, sure) for label in ("daisy", "rose", "tulip", "violet")] * 6
    text = text_of(evaluation(even))
    assert "always answering" not in text
    assert "fewer than 5 photos" not in text


def test_parts_stand_in_the_order_of_reading_and_the_contents_lead_to_each() -> None:
    page = Page(report.render(evaluation()))
    places = [one["id"] for one in page.all("h2")]
    assert places == [
        *("mistakes", "mixed-up", "classes", "calibration", "sure", "none-of-these"),
        *("class-curves", "glance", "parts", "model"),
    ]
    contents = [one["href"] for one in page.all("a")][: len(places) + 1]
    assert contents == [f"#{place}" for place in ("accuracy", *places)]


def test_every_link_within_the_page_leads_to_something_and_no_id_is_there_twice() -> None:
    known = dataclasses.replace(
        evaluation(),
        cautions=(Caution("a", "doubtful"), Caution("b", "classes"), Caution("c", "parts")),
    )
    for found in (evaluation(), known, evaluation([answer("daisy", (0.7, 0.1, 0.1, 0.1))])):
        page = Page(report.render(found))
        places = [one["id"] for _, one in page.elements if "id" in one]
        assert len(places) == len({*places})
        inner = [one["href"] or "" for one in page.all("a") if (one["href"] or "")[0] == "#"]
        assert {one[1:] for one in inner} <= {*places}


def test_cell_of_the_matrix_leads_to_its_photos_and_hides_the_others() -> None:
    source = report.render(evaluation())
    cards = re.findall(r'<li class="card([^"]*)"', source)
    assert cards == [" mixed-1-0"] * 6 + [" mixed-1-2"] * 2
    text = Page(source).text
    assert "rose taken for daisy: 6 photos. Back to the matrix All mistakes" in text
    style = source.split("<style>")[1].split("</style>")[0]
    assert "#mixed-1-0:target ~ .mistakes > :not(.mixed-1-0)" in style
    assert "#mixed-1-2:target ~ .mistakes > .mixed-1-2" in style


def test_cell_says_how_many_of_its_photos_are_not_on_the_page() -> None:
    full = evaluation()
    part = dataclasses.replace(full, mistakes=full.mistakes[:2])
    page = Page(report.render(part))
    assert "rose taken for daisy: 6 photos, of which 2 are shown." in page.text
    assert {"#mixed-1-0", "#not-shown"} <= {one["href"] for one in page.all("a")}
    assert "only the 2 worst mistakes have" in page.text


def rounds_of(*predicted: str) -> EvaluatedPhoto:
    """A rose of cross-validation: the answers of its rounds, whose mean is right."""
    one = answer("rose", (0.1, 0.7, 0.1, 0.1), CROSS_VALIDATED)
    by_round = tuple(RoundAnswer(label, False) for label in predicted)
    return dataclasses.replace(one, by_round=by_round)


def test_photo_that_is_wrong_in_some_rounds_is_behind_each_of_its_cells() -> None:
    recipe = [rounds_of("rose", "daisy", "tulip"), rounds_of("rose", "rose", "rose")]
    demo = answer("rose", (0.7, 0.1, 0.1, 0.1), "demo")
    wrong = tuple(Mistake(one, jpeg(), jpeg(), jpeg()) for one in (demo, recipe[0]))
    shares = np.full((6, 4), 0.1)
    shares[range(6), [1, 1, 0, 1, 2, 1]] = 0.7  # round by round
    asked = Outcomes(np.ones(6, np.int64), shares, shares, rounds=3)
    part = measure_part(CROSS_VALIDATED, CLASSES, asked)
    found = dataclasses.replace(
        *(evaluation([demo]),),
        **{"parts": (part,), "overall": part, "outcomes": asked, "mistakes": wrong},
        **{"asked": 3, "wrong": 1, "unsteady": 1},
    )
    source = report.render(found)
    # The matrix is of cross-validation: no cell counts the demo photo.
    assert re.findall(r'<li class="card([^"]*)"', source) == ["", " mixed-1-0 mixed-1-2"]
    text = Page(source).text
    assert "rose, taken for daisy in some rounds" in text
    assert "answers of 3 rounds: daisy 1, rose 1, tulip 1" in text
    assert "at the end 1 that is right by the mean, but wrong in some of the rounds" in text


def test_only_what_changes_the_figures_is_an_alarm_and_each_leads_to_what_explains_it() -> None:
    told = (Caution("These are easy.", "classes"), Caution("Not for sale.", "parts", alarm=False))
    source = report.render(dataclasses.replace(evaluation(), cautions=told))
    notices = re.findall(r'<p class="(notice[^"]*)" role="note">(.*?)</p>', source, re.DOTALL)
    assert [css for css, _ in notices] == ["notice", "notice alarm"]
    assert notices[0][1] == WARNING
    assert "These are easy." in notices[1][1]
    assert '<a href="#classes">Classes</a>' in notices[1][1]
    assert "Not for sale." in source.split('id="parts"')[1]
