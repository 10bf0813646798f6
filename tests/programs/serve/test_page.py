"""The page as it leaves the service; tests/browser looks at it in a browser."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from html_page import VOID, Page

from components.common.base.errors import InputError
from components.common.model.description import ModelDescription, read_description
from components.common.pages import text
from programs.serve import figures, page
from programs.serve.answer import Measured
from programs.serve.options import Limits

NO_RULE = "This model cannot tell when a photo shows none of the kinds that it knows"
MEASURED = Measured(accuracy=0.69, accuracy_low=0.54, accuracy_high=0.81, photos=42)


@pytest.fixture(scope="module")
def description(model_dir: Path) -> ModelDescription:
    return read_description(model_dir)


@pytest.fixture(autouse=True)
def links_have_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("html_page.VOID", VOID | {"link"})


def test_page_warns_and_says_that_the_model_is_of_rendered_pictures(
    description: ModelDescription,
) -> None:
    found = Page(page.render(description, Limits()))
    assert text.WARNING in found.text
    assert text.RENDERED in found.text
    real = Page(page.render(replace(description, rendered=False), Limits()))
    assert text.RENDERED not in real.text
    assert NO_RULE not in real.text


def test_page_says_how_good_the_model_is_where_that_is_known(
    description: ModelDescription,
) -> None:
    found = Page(page.render(description, Limits(), MEASURED))
    said = "On 42 photos that it never saw, it named 69 % right (95 % interval 54 % to 81 %)."
    assert said in found.text
    unknown = Page(page.render(description, Limits()))
    assert "How often it is right is not known here." in unknown.text


@pytest.mark.parametrize(
    "content",
    [
        "nonsense",
        "[]",
        {"accuracy": 2.0},
        {"accuracy_low": "x"},
        {"held_out_photos": 0},
        {"head_sha256": "other"},
    ],
)
def test_figures_that_are_not_the_model_s_are_refused(tmp_path: Path, content: object) -> None:
    good = {
        **{"accuracy": 0.69, "accuracy_low": 0.54, "accuracy_high": 0.81},
        **{"held_out_photos": 42, "head_sha256": "mine"},
    }
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(good))
    assert figures.read(path, "mine") == MEASURED
    path.write_text(json.dumps({**good, **content}) if isinstance(content, dict) else str(content))
    with pytest.raises(InputError, match=r"metrics\.json"):
        figures.read(path, "mine")


def test_page_says_when_the_model_cannot_tell_strangers(description: ModelDescription) -> None:
    assert NO_RULE in page.render(replace(description, unknown=None), Limits())


def test_names_of_classes_are_shown_as_text(description: ModelDescription) -> None:
    hostile = '<img src=x onerror="alert(1)">'
    html = page.render(replace(description, classes=(hostile, "fly_agaric")), Limits())
    found = Page(html)
    assert hostile in found.text
    assert "fly_agaric" in found.text
    assert found.all("img") == []


def test_many_classes_are_counted_rather_than_listed(description: ModelDescription) -> None:
    names = tuple(f"kind{number}" for number in range(page.MAX_NAMED + 5))
    text = Page(page.render(replace(description, classes=names), Limits())).text
    assert "and 5 more" in text
    assert names[-1] not in text


def test_page_loads_nothing_and_has_no_styles_in_attributes(description: ModelDescription) -> None:
    html = page.render(description, Limits())
    found = Page(html)
    for _, attributes in found.elements:
        assert "style" not in attributes
        assert not {name for name in attributes if name.startswith("on")}
    assert found.all("script") == [{}]
    sources = [link["href"] or "" for link in found.all("link")]
    assert all(source.startswith("data:") for source in sources)
    assert not re.search(r"https?://(?!127\.0\.0\.1|www\.w3\.org)", html)


def test_policy_lets_only_the_pages_own_style_and_script_run(description: ModelDescription) -> None:
    found = page.policy(page.render(description, Limits()))
    assert found.startswith("default-src 'none'")
    assert "connect-src 'self'" in found
    assert len(re.findall(r"(?:style|script)-src 'sha256-[\w+/=]{44}'", found)) == 2
    assert found.endswith("frame-ancestors 'none'")
