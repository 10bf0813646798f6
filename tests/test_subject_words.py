"""Pages of a model say what fits its classes: of mushrooms, flowers, berries, of anything."""

import dataclasses
from collections.abc import Callable

import pytest
from evaluation_items import description, evaluation
from html_page import VOID, Page

from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.decisions import Decisions
from components.common.dataset.vocabulary import PARTS
from components.common.model.description import ModelDescription
from components.common.pages.subject import words
from components.common.pages.text import RENDERED, WARNING
from components.curate import facts as curation_facts
from components.curate import review
from components.curate.selection import Selection
from components.evaluate import report
from components.label_image import gallery
from components.label_image.gallery import Gallery
from components.publish import model_card
from components.publish.decision import Decision
from programs.run import run_pages
from programs.run.run_pages import Outcome
from programs.serve import answer, page
from programs.serve.options import Limits

EATING = "Never eat anything because of what this program says."
KINDS = {
    "nothing stated": (ClassFacts(), WARNING, "Which mushroom is this?"),
    "fungi": (ClassFacts("fungi", {"rose": "deadly"}), WARNING, "Which mushroom is this?"),
    "anything": (ClassFacts("any"), WARNING, "What is this?"),
    "flowers": (ClassFacts("flowers"), "This program can be wrong", "What is this?"),
    "berries": (ClassFacts("berries", {"rose": "deadly"}), EATING, "What is this?"),
    "unknown edibility": (
        ClassFacts("leaves", {"rose": "unknown"}),
        "This program can be wrong",
        "What is this?",
    ),
}


def of_model(facts: ClassFacts, *, rendered: bool = False) -> ModelDescription:
    # The name of an architecture that can be built, as the card names its family.
    named = dataclasses.replace(description(), architecture="mobilenet_1.0_224", facts=facts)
    return dataclasses.replace(named, rendered=rendered)


def report_page(model: ModelDescription) -> str:
    return report.render(dataclasses.replace(evaluation(), model=model))


def index_page(model: ModelDescription) -> str:
    counts = {"rose": dict.fromkeys(PARTS, 7)}
    return run_pages.index(Outcome("1", model, counts, {"held_out_photos": 0}, "", "so", ()))


def curation_page(model: ModelDescription) -> str:
    selected = Selection({}, False, {}, {}, 0, {})
    content = curation_facts.summary([], selected, model.facts, [])
    return review.render(review.choose([]), content, Decisions(), model.facts)


PAGES: dict[str, Callable[[ModelDescription], str]] = {
    "report": report_page,
    "gallery": lambda model: gallery.render(Gallery(model, ())),
    "index": index_page,
    "curation": curation_page,
    "service": lambda model: page.render(model, Limits()),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", PAGES)
def test_page_warns_of_what_its_classes_are(
    name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("html_page.VOID", VOID | {"link"})
    facts, warning, question = KINDS[kind]
    found = Page(PAGES[name](of_model(facts)))
    assert warning in found.text
    others = {WARNING, EATING, "This program can be wrong"} - {warning}
    assert not [other for other in others if other in found.text]
    if facts.subject not in ("fungi", "any"):
        assert "mushroom" not in found.text.casefold()
    if name == "service":
        assert question in found.text
        [asked] = [one for one in found.all("section") if one.get("id") == "ask"]
        assert ("eat" in (asked["data-caution"] or "")) == words(facts).of_eating


@pytest.mark.parametrize("kind", KINDS)
def test_service_warns_programs_too(kind: str) -> None:
    facts, warning, _ = KINDS[kind]
    told = answer.describe(of_model(facts), None)
    assert told.warning.startswith(warning)
    assert told.subject == facts.subject


@pytest.mark.parametrize("kind", KINDS)
def test_model_card_speaks_of_eating_where_something_could_be_eaten(kind: str) -> None:
    facts, warning, _ = KINDS[kind]
    decision = Decision("publish", "it is good", "kinds", "v1", 0.9, 0.8, 0.6, 0.0, "")
    card = model_card.render(of_model(facts), {}, [], decision, {})
    assert warning in card
    assert ("poison" in card) == words(facts).of_eating
    assert ("mushroom" in card.replace("wild-mushrooms", "")) == (facts.subject in ("fungi", "any"))


@pytest.mark.parametrize("kind", KINDS)
def test_drawings_say_nothing_about_what_the_classes_are(kind: str) -> None:
    facts, _, _ = KINDS[kind]
    text = Page(report_page(of_model(facts, rendered=True))).text
    assert words(facts).rendered in text
    assert (RENDERED in text) == (facts.subject == "fungi")
