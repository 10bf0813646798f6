"""curation.html: photos where a person looks for them, and nothing of a stranger that runs."""

import dataclasses
import json
import re

import numpy as np
import pytest
from html_page import Page
from review_items import entry, rendered

from components.common.dataset import vocabulary
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.decisions import DROP, KEEP, MOVE, Decisions
from components.common.dataset.vocabulary import DOUBTFUL_SUBJECT, OTHER_CLASS
from components.common.photos import images
from components.curate import facts, review
from components.curate.facts import CLEAN, CURATE, Entry
from components.curate.selection import Selection

HOSTILE = "</script><script>alert(1)</script>\"'><img src=x>"


def sections(*entries: Entry) -> dict[str, list[int]]:
    """The numbers of the photos in each section."""
    return {
        section.name: [
            int(one.photo.source_sha256, 16) for _, group in section.groups for one in group
        ]
        for section in review.choose(entries).sections
    }


def test_each_photo_is_in_the_section_of_what_speaks_against_it() -> None:
    found = sections(
        entry(1),
        entry(2, reason=OTHER_CLASS, nearest="rose", margin=-0.3),
        entry(3, split="test", flags=(OTHER_CLASS,), nearest="rose", margin=-0.9),
        entry(4, reason="no_mushroom"),
        entry(5, flags=(DOUBTFUL_SUBJECT,)),
        entry(6, reason="in_two_classes", group="g"),
        entry(6, label="rose", reason="in_two_classes", group="g"),
        entry(7, best=f"daisy/{7:016x}.jpg"),
        entry(8, reason="near_duplicate", best=f"daisy/{7:016x}.jpg"),
        entry(9, CLEAN, reason="quarantined"),
        entry(10, CLEAN, reason="exact_duplicate"),
        entry(11, flags=("dark",)),
        entry(12, reason="dropped", decision=DROP),
        entry(13, reason="surplus"),
    )
    assert found == {
        OTHER_CLASS: [3, 2],
        "no_mushroom": [4, 5],
        "in_two_classes": [6, 6],
        "copies": [7, 8],
        "unusable": [9],
        "remarks": [11],
        "by-hand": [12],
        "used": [1],
    }


def test_photo_that_cannot_be_shown_has_no_picture_and_no_choice() -> None:
    page = Page(rendered(entry(1), entry(2, CLEAN, reason="damaged")))
    assert len(page.all("img")) == 1
    assert "no picture" in page.text
    buttons = [button["value"] for button in page.all("button") if "aria-pressed" in button]
    assert buttons == [DROP]  # of the used one


def choices(*entries: Entry, beside: str = "rose") -> list[str | None]:
    """The buttons of the first photo; there is another class unless `beside` is that of it."""
    page = Page(rendered(*entries, entry(99, label=beside)))
    card = next(item for item in page.all("li") if item.get("data-sha"))
    name = str(card["aria-label"]).split(",")[0]
    labelled = [one for one in page.all("button") if one.get("aria-label", "").endswith(f" {name}")]
    return [button["value"] for button in labelled]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (entry(1), [DROP, MOVE]),
        (entry(1, flags=("dark",)), [KEEP, DROP, MOVE]),
        (entry(1, flags=("rendered",)), [DROP, MOVE]),
        (entry(1, reason="near_duplicate", best="daisy/x.jpg"), [KEEP, MOVE]),
        (entry(1, reason=OTHER_CLASS), [KEEP, DROP, MOVE]),  # drop: rightly left out
        (entry(1, reason="no_mushroom"), [KEEP, DROP, MOVE]),
        (entry(1, reason="in_two_classes", group="g"), [KEEP, DROP, MOVE]),
        (entry(1, reason="dropped", decision=DROP), [KEEP, DROP, MOVE]),
        (entry(1, CLEAN, reason="quarantined"), [KEEP, MOVE]),
        (entry(1, CLEAN, reason="html"), []),
    ],
)
def test_buttons_are_those_that_change_something(one: Entry, expected: list[str]) -> None:
    assert choices(one) == expected
    assert MOVE not in choices(one, beside="daisy")


@pytest.mark.parametrize(
    ("place", "title", "expected"),
    [
        ("roses/IMG_0001.JPG", "", "IMG_0001.JPG"),
        ("sample:fly agaric/a-1.jpg", "", "a-1.jpg"),
        ("https://example.org/a/b%20c.jpg?x=1", "a title", "b c.jpg"),
        ("https://example.org/photos/123/original.jpg", "", "123/original.jpg"),
        ("https://example.org/photos/123/large.jpeg", "", "123/large.jpeg"),
        ("https://example.org", "a title", "a title"),
        ("http://[", "", "0000000000000001.jpg"),
        ("", "", "0000000000000001.jpg"),
    ],
)
def test_photo_has_the_name_under_which_it_was_found(place: str, title: str, expected: str) -> None:
    one = entry(1, source_url=place, title=title)
    assert review.original_name(one.photo) == expected
    assert expected in Page(rendered(one)).text


def group_buttons(*entries: Entry) -> list[str]:
    source = rendered(*entries)
    return re.findall(r">((?:Keep|Drop|Move) all \d+…?)</button>", source)


def test_group_is_decided_on_at_once_where_that_makes_sense() -> None:
    two = [
        entry(n, label=label, reason="in_two_classes") for n, label in ((1, "daisy"), (2, "rose"))
    ]
    assert group_buttons(*two) == ["Drop all 2", "Move all 2…"]  # in both it cannot be kept
    dark = [entry(n, flags=("dark",)) for n in (1, 2, 3)]
    assert group_buttons(*dark) == ["Keep all 3", "Drop all 3"]  # there is one class only
    assert group_buttons(*dark[:1]) == []
    assert group_buttons(*(entry(n) for n in range(5))) == []  # nothing speaks against these
    copies = [entry(1, best="b"), entry(2, best="b", reason="near_duplicate"), entry(3, label="x")]
    assert group_buttons(*copies) == ["Move all 2…"]


def test_page_says_what_is_doubtful_and_what_was_moved() -> None:
    moved = dataclasses.replace(entry(3, flags=("moved_by_hand",), label="rose"), found_in="daisy")
    both = entry(1, flags=(OTHER_CLASS, DOUBTFUL_SUBJECT), nearest="rose")
    left_out = entry(2, reason=OTHER_CLASS, flags=(OTHER_CLASS,))
    text = " ".join(Page(rendered(both, left_out, moved)).text.split())
    assert (
        "1 photo used but doubtful: 1 may belong to another class, 1 may show no mushroom, "
        "1 may be both." in text
    )
    assert "1 moved by hand from daisy to rose." in text
    assert "moved by hand from daisy" in text
    assert "doubtful" not in Page(rendered(left_out)).text.replace("doubtful_subject", "")


def test_moved_photo_is_named_by_where_it_was_found_for_the_next_decision() -> None:
    moved = dataclasses.replace(entry(3, label="rose"), found_in="daisy")
    page = Page(rendered(moved, entry(1)))
    found = [item.get("data-found") for item in page.all("li") if item.get("data-sha")]
    assert sorted(map(str, found)) == ["None", "daisy"]


def test_hostile_names_stay_text() -> None:
    source = rendered(
        entry(1, author=HOSTILE, title=HOSTILE, source_page="javascript:alert(1)", label="a <b> c"),
        entry(2, reason=OTHER_CLASS, nearest="<i>", label="a <b> c"),
        by_hand=Decisions({("</script>", "f" * 64): KEEP}),
    )
    page = Page(source)
    assert len(page.all("img")) == 2
    assert not page.all("b") or "a <b> c" in page.text
    assert len(page.all("script")) == 3  # two of data, one that runs
    assert 'href="javascript' not in source
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', source)
    assert policy
    assert "default-src 'none'" in policy[1]
    earlier = re.search(r'id="earlier">([^<]*)</script>', source)
    assert earlier
    assert json.loads(earlier[1])["decisions"][0]["label"] == "</script>"
    labels = re.search(r'id="labels">([^<]*)</script>', source)
    assert labels
    assert json.loads(labels[1]) == ["a <b> c"]


def test_many_photos_are_shared_out_and_the_rest_is_told() -> None:
    many = [entry(n, CLEAN, reason=("damaged", "html")[n % 50 == 0]) for n in range(1000)]
    page = Page(rendered(entry(5000), *many))
    shown = [one for one in page.all("li") if one.get("data-sha")]
    assert len(shown) <= review.MAX_SHOWN + 1
    assert "more are in facts/photos.parquet" in page.text
    assert {section.count for section in review.choose(many).sections} == {1000}


def test_page_of_very_many_photos_stays_small() -> None:
    noise = np.random.default_rng(0)
    entries = [entry(number, label=f"class {number % 5}") for number in range(4000)]
    shown = review.choose(entries)
    for one in entries:
        if shown.wants(one):
            coarse = noise.integers(0, 256, (160, 160, 3), np.uint8)
            shown.small[review._name(one)] = images.encode(coarse, 80)
    content = facts.summary(entries, Selection({}, True, {}, {}, 0, {}), ClassFacts(), [])
    source = review.render(shown, content, Decisions())
    assert source.count("<img ") == review.MAX_USED_SHOWN
    assert len(source.encode()) < 11_000_000


def test_what_was_not_judged_is_said() -> None:
    assert "looked for photos without a mushroom" in Page(rendered(entry(1), judged=False)).text
    assert "looked for photos without a mushroom" not in Page(rendered(entry(1))).text


def test_funnel_adds_up_and_is_a_table() -> None:
    page = Page(rendered(entry(1), entry(2, CLEAN, reason="damaged"), entry(3, label="rose")))
    assert "Photos found and photos used" in page.text
    assert "all classes" in page.text
    assert "2 of 3 photos are used" in page.text


def test_page_says_in_which_folder_its_files_are() -> None:
    said = "Details: facts/photos.parquet and facts/curation.json."
    assert said in Page(rendered(entry(1))).text


def test_command_with_the_decisions_cannot_be_typed_without_its_photos() -> None:
    said = " ".join(Page(rendered(entry(1))).text.split())
    assert "make run IMAGES=… DECISIONS=~/Downloads/decisions.json: with the same IMAGES," in said
    assert "make run DECISIONS" not in said


def test_photos_in_two_classes_are_said_to_be_nearly_the_same_too() -> None:
    """Copies are found by what they look like: plainly different things can be grouped."""
    page = Page(rendered(entry(6, reason="in_two_classes", group="g")))
    assert "The same or nearly the same picture, or photos of one observation" in page.text
    assert "the same or nearly the same picture" in vocabulary.meaning("in_two_classes")


@pytest.mark.parametrize(
    "flag", [word.name for word in vocabulary.WORDS.values() if word.flag and not word.origin]
)
def test_photo_with_a_doubt_is_where_a_person_looks_and_the_doubt_beside_it(flag: str) -> None:
    doubtful = entry(1, flags=(flag,), nearest="rose", margin=-0.1)
    (section,) = sections(doubtful)
    assert section != "used"
    beside = "looks like rose" if flag == OTHER_CLASS else vocabulary.short(flag)
    assert beside in Page(rendered(doubtful)).text


@pytest.mark.parametrize("word", vocabulary.WORDS.values(), ids=vocabulary.WORDS)
def test_only_final_reasons_leave_a_person_no_choice(word: vocabulary.Word) -> None:
    step = CLEAN if word.quality else CURATE
    if not word.reason or word.name in ("exact_duplicate", "surplus"):  # these are not shown
        return
    page = Page(rendered(entry(1, step, reason=word.name, best="daisy/x.jpg", group="g")))
    kept = KEEP in [button.get("value") for button in page.all("button")]
    assert kept is not word.final or not sections(entry(1, step, reason=word.name))


@pytest.mark.parametrize(
    "reason",
    [
        *sorted(word.name for word in vocabulary.WORDS.values() if word.reason and not word.final),
        "of_a_later_version",
    ],
)
def test_photo_that_curate_left_out_is_shown_and_counted_whatever_the_reason(reason: str) -> None:
    left_out = entry(1, reason=reason, best="daisy/x.jpg", group="g", split="")
    assert sections(left_out) not in ([], ["used"])
    assert KEEP in [button.get("value") for button in Page(rendered(left_out)).all("button")]
    assert facts.funnel([left_out])["daisy"]["used"] == 0
