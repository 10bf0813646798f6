"""index.html says what came of a run; a step's page gets links to the others and stays as it is."""

import dataclasses

import pytest
from evaluation_items import description
from html_page import Page

from components.common.dataset.vocabulary import PARTS
from components.common.pages.text import RENDERED
from programs.run import run_pages
from programs.run.run_pages import Outcome

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
    return Outcome("run 1", description(), counts, METRICS, "published/abc", reason, ("5 dark",))


def test_index_says_how_good_the_model_is_and_what_became_of_it(outcome: Outcome) -> None:
    text = " ".join(Page(run_pages.index(outcome)).text.split())
    assert "Run run 1" in text
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
