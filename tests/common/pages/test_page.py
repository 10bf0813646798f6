"""Pages: what every one of them is made of, and what strangers' words become on it."""

import base64
import hashlib
import itertools
import re
from pathlib import Path

import jinja2
import numpy as np
import pytest
from html_page import Page

from components.common.dataset.photo import Photo
from components.common.pages import page as pages
from components.common.pages import text
from components.common.photos import images
from components.evaluate.report_mistakes import SHADES

EXAMPLE = str(Path(__file__).with_name("example.py"))

HOSTILE = "<script>alert(1)</script>\" onload='alert(2)' & <img src=x onerror=alert(3)>"


def render(title: str = "Title", subtitle: str = "Subtitle", *, script: bool = False) -> str:
    labels = ["5 % cap", "</script>"]
    return pages.render(EXAMPLE, script=script, title=title, subtitle=subtitle, labels=labels)


def part(macro: str, *values: object) -> str:
    return pages.part("parts", macro, *values)


def source_hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def policy(page: Page) -> dict[str, str]:
    metas = [one for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    directives = (part.strip().partition(" ") for part in (metas[0]["content"] or "").split(";"))
    return {name: sources for name, _, sources in directives}


def inline(source: str, tag: str) -> str:
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", source, re.DOTALL)
    assert len(found) == 1
    return found[0]


def jpeg() -> bytes:
    return images.encode(np.full((40, 60, 3), 120, np.uint8))


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def mixed(colour: str, part: float, base: str) -> str:
    pairs = [(int(colour[at : at + 2], 16), int(base[at : at + 2], 16)) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(part * one + (1 - part) * other):02x}" for one, other in pairs)


def test_policy_allows_exactly_the_inline_style_and_script() -> None:
    source = render(script=True)
    directives = policy(Page(source))
    assert directives == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": source_hash(inline(source, "style")),
        "script-src": source_hash(inline(source, "script")),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert pages.policy(source).startswith("default-src 'none'; img-src data:; style-src 'sha256-")


@pytest.mark.parametrize("module", ["components/curate/review.py", "programs/select/page.py"])
def test_style_that_some_pages_share_is_before_what_names_it(module: str) -> None:
    shared, own = pages.style("decide"), (pages.ROOT / module).with_suffix(".css").read_text()
    named, rest = own.split("\n", 1)
    assert named == "/* after decide.css */"
    whole = "".join(map(pages.style, pages.STYLES)) + shared + rest
    digest = base64.b64encode(hashlib.sha256(whole.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in pages.policy_for(str(pages.ROOT / module))


def test_page_without_script_allows_none() -> None:
    source = render()
    assert policy(Page(source))["script-src"] == "'none'"
    assert [script.get("type") for script in Page(source).all("script")] == ["application/json"]


def test_policy_names_the_server_that_a_script_may_ask() -> None:
    source = pages.render(EXAMPLE, connect="'self'", title="", subtitle="", labels=[])
    assert policy(Page(source))["connect-src"] == "'self'"
    assert "connect-src" not in policy(Page(render()))


def test_page_is_html5_in_english_for_any_width() -> None:
    page = Page(render())
    assert page.all("html") == [{"lang": "en"}]
    assert {"charset": "utf-8"} in page.all("meta")
    assert "width=device-width" in str(page.all("meta"))


def test_title_and_subtitle_are_escaped() -> None:
    page = Page(render(HOSTILE, HOSTILE))
    assert [script.get("type") for script in page.all("script")] == ["application/json"]
    assert not page.all("img")
    assert page.text.count("<script>alert(1)</script>") == 4
    assert page.all("p")[-1]["title"] == HOSTILE


def test_value_that_a_template_names_and_nobody_gives_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="'title' is undefined"):
        pages.render(EXAMPLE, subtitle="", labels=[])


@pytest.mark.parametrize("colours", pages.colours(), ids=["light", "dark"])
def test_text_has_a_contrast_of_4_5_in_both_themes(colours: dict[str, str]) -> None:
    for ink, ground in itertools.product(("ink", "muted", "right", "wrong"), ("page", "card")):
        assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
    for ground in ("notice", "alarm"):
        assert contrast(colours["ink"], colours[ground]) >= 4.5, ground
    for hue, shade in itertools.product(("right", "wrong"), range(1, SHADES + 1)):
        ground = mixed(colours[hue], shade / 10, colours["card"])
        assert contrast(colours["ink"], ground) >= 4.5, (hue, shade)


def test_nothing_is_left_that_breaks_the_page_or_its_writing() -> None:
    source = render(subtitle="a\udcffb\x00c\u202ed <&>\"' e")
    assert "<p>a\ufffdb\ufffdc\ufffdd &lt;&amp;&gt;&#34;&#39; e</p>" in source
    assert source.encode()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0 %"),
        (0.001, "under 1 %"),
        (0.866, "87 %"),
        (0.9987, "over 99 %"),
        (1.0, "100 %"),
        (float(np.nextafter(np.float32(1), np.float32(2))), "100 %"),
    ],
)
def test_percent_is_rounded_but_never_to_certainty(value: float, shown: str) -> None:
    assert text.percent(value) == shown


def test_name_of_a_class_is_whole_and_may_break_after_each_underscore() -> None:
    assert pages.class_name("bay_bolete_<b>") == "bay_<wbr>bolete_<wbr>&lt;b&gt;"
    long = "x" * (text.MAX_TEXT + 1)
    assert pages.class_name(long) == long


def test_percent_sign_stays_with_its_number_in_text_and_nowhere_else() -> None:
    source = render()
    assert '<p title="5 % of">5\u00a0% of <b>81\u00a0%</b> %</p>' in source
    data = (
        '<script type="application/json" id="labels">["5 % cap", "\\u003c/script\\u003e"]</script>'
    )
    assert data in source


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.5, 1.5])
def test_percent_refuses_what_is_no_share(value: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        text.percent(value)


@pytest.mark.parametrize(
    "url", ["https://example.org/1?a=1&b=2", "http://example.org", "HTTPS://e.org"]
)
def test_web_address_becomes_a_link(url: str) -> None:
    links = Page(part("link", url, "text")).all("a")
    assert links == [{"href": url, "target": "_blank", "rel": "noopener noreferrer"}]


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\nscript:alert(1)",
        "javascript://example.org/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "//example.org",
        "https://",
        "https://[broken",
        "https://example.org/a b",
        "https://example.org/\u202e",
        f"https://example.org/{'a' * text.MAX_URL}",
        "",
    ],
)
def test_other_address_stays_text(url: str) -> None:
    page = Page(f"<p>{part('link', url, f'from {HOSTILE}')}</p>")
    assert [name for name, _ in page.elements] == ["p"]
    assert page.text.startswith("from <script>")


def test_address_cannot_leave_its_attribute() -> None:
    url = "https://example.org/\"onmouseover='alert(1)'>"
    assert Page(part("link", url, "text")).all("a")[0]["href"] == url


def test_attribution_names_what_is_known_and_nothing_else() -> None:
    photo = Photo(
        "daisy",
        "daisy/12ab.jpg",
        author="Ann",
        licence="CC-BY-NC-4.0",
        source_url="https://media.example.org/1.jpg",
        source_page="https://example.org/photo/1",
    )
    page = Page(part("attribution", photo))
    assert page.text == "12ab.jpg · by Ann · CC BY-NC 4.0 · example.org"
    links = ["https://creativecommons.org/licenses/by-nc/4.0/", photo.source_page]
    assert [link["href"] for link in page.all("a")] == links
    unknown = Photo("daisy", "daisy/12ab.jpg", licence="all mine")
    assert Page(part("attribution", unknown)).text == "12ab.jpg · all mine"
    assert part("attribution", Photo("daisy")) == ""


def test_attribution_of_strangers_is_escaped_and_shortened() -> None:
    photo = Photo(
        "daisy",
        HOSTILE,
        author=HOSTILE,
        licence=HOSTILE,
        source_page=f"javascript:{HOSTILE * 100}",
    )
    page = Page(part("attribution", photo))
    assert not {"script", "img", "a"} & {name for name, _ in page.elements}
    assert len(page.text) < 5 * text.MAX_TEXT


def test_table_has_caption_and_scoped_headers_and_can_be_scrolled_by_keyboard() -> None:
    page = Page(part("table", 'A "caption"', ("Class", "Photos"), [("daisy", "3"), ("rose", "12")]))
    assert page.all("div")[0] | {"class": ""} == {
        "class": "",
        "tabindex": "0",
        "role": "region",
        "aria-label": 'A "caption"',
    }
    assert len(page.all("caption")) == 1
    assert [header["scope"] for header in page.all("th")] == ["col", "col", "row", "row"]
    assert [cell.get("class") for cell in page.all("td")] == ["figure", "figure"]


def test_cells_of_a_table_of_many_columns_say_which_column_they_are_of() -> None:
    headers = ("Class", 'a"b', "c", "d")
    page = Page(part("table", "t", headers, [("daisy", "3", "4", "x")]))
    assert page.all("div")[0]["class"] == "scroll stacked"
    assert [cell["data-label"] for cell in page.all("td")] == ['a"b', "c", "d"]
    few = Page(part("table", "t", headers[:3], [("daisy", "3", "4")]))
    assert [cell.get("data-label") for cell in few.all("td")] == [None] * 2


def test_cells_of_a_table_are_text_unless_a_template_made_them() -> None:
    drawn = part("code", HOSTILE)
    page = Page(part("table", HOSTILE, (HOSTILE, "b"), [(HOSTILE, drawn), None, ("a_b", 3)]))
    assert not {"script", "img"} & {name for name, _ in page.elements}
    assert len(page.all("code")) == 1
    assert len(page.all("tr")) == 3
    assert len(page.all("wbr")) == 1


def test_figures_stand_on_the_right_where_the_whole_column_is_of_them() -> None:
    rows = [
        ("1", 3, "87 %", "under 1 %", "", "4"),
        ("2", 1.5, "9 %", "over 99 %", "5", "no photos"),
    ]
    assert pages.figure_columns(rows) == [False, True, True, True, False, False]
    assert pages.figure_columns([]) == []


def test_picture_has_an_escaped_alternative_text() -> None:
    page = Page(part("picture", jpeg(), HOSTILE))
    assert len(page.elements) == 1
    picture = page.all("img")[0]
    assert picture["alt"] == HOSTILE
    assert (
        base64.b64decode((picture["src"] or "").removeprefix("data:image/jpeg;base64,")) == jpeg()
    )


def test_missing_picture_is_said_in_words() -> None:
    assert Page(part("picture", b"", "daisy")).text == "no picture"


def test_true_class_is_marked_by_a_word() -> None:
    page = Page(part("bars", [("rose", 0.75), ("daisy", 0.25)], "daisy"))
    assert page.text == "rose75 %True: daisy25 %"
    assert [bar["width"] for bar in page.all("rect")] == ["75%", "25%"]


def test_only_rendered_models_are_called_rendered() -> None:
    assert text.RENDERED in Page(part("notices", True)).text
    assert text.RENDERED not in Page(part("notices", False)).text
    assert text.WARNING in Page(part("notices", False)).text
