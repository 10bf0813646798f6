import base64
import hashlib

import cv2
import numpy as np
import pytest
from html_page import Page

from components.common.dataset.photo import Photo
from components.common.model.description import ModelDescription
from components.common.pages.text import RENDERED, WARNING
from components.common.photos import images
from components.common.photos.thumbnails import MAX_BYTES
from components.label_image import gallery
from components.label_image.gallery import Gallery, Labelled

CLASSES = ("daisy", "rose", "tulip")
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def jpeg(seed: int = 0, side: int = 60) -> bytes:
    """Coarse random blobs: about as hard to compress as a photo."""
    noise = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
    pixels = cv2.resize(noise, (side, side), interpolation=cv2.INTER_CUBIC)
    return images.encode(pixels.astype(np.uint8), 80)


def description(*, rendered: bool = False) -> ModelDescription:
    return ModelDescription(
        classes=CLASSES,
        architecture="mobilenet_v1_1.0_224",
        input_size=224,
        weights_sha256="a1" * 32,
        head_sha256="b2" * 32,
        manifest_sha256="c3" * 32,
        version="1.2.3",
        rendered=rendered,
    )


LICENCE = "https://creativecommons.org/licenses/by/4.0/"


def labelled(
    label: str,
    answer: str,
    thumbnail: bytes | None = None,
    *,
    why: bytes = b"",
    unknown: bool = False,
) -> Labelled:
    others = [one for one in CLASSES if one != answer]
    return Labelled(
        Photo(
            label,
            f"{label}/0123456789abcdef.jpg",
            author="Ann Photographer",
            licence="CC-BY-4.0",
            source_url="https://example.org/photo/1",
        ),
        top=((answer, 0.75), (others[0], 0.2), (others[1], 0.05)),
        thumbnail=jpeg() if thumbnail is None else thumbnail,
        why=why,
        unknown=unknown,
        familiarity=0.02 if unknown else 0.5,
    )


def example(*, rendered: bool = False) -> Gallery:
    """Three of four right."""
    answers = (("rose", "rose"), ("daisy", "daisy"), ("daisy", "tulip"), ("rose", "rose"))
    photos = tuple(labelled(label, answer) for label, answer in answers)
    return Gallery(description(rendered=rendered), photos)


def test_photos_are_counted_and_grouped_by_true_class() -> None:
    page = Page(gallery.render(example()))
    assert "3 of 4 demo photos right: 75 %" in page.text
    assert page.text.index("daisy 1 of 2 right") < page.text.index("rose 2 of 2 right")
    assert len([one for one in page.all("section") if one.get("class") == "group"]) == 2


def test_right_and_wrong_are_told_by_word_icon_and_border() -> None:
    page = Page(gallery.render(example()))
    cards = [one["class"] for one in page.all("li") if "card" in (one.get("class") or "")]
    assert sorted(cards) == ["card right"] * 3 + ["card wrong"]  # type: ignore[type-var]
    assert page.text.count("Right, 75 %") == 3
    assert page.text.count("Wrong: tulip, 75 %") == 1
    icons = [one["href"] for one in page.all("use")]
    assert icons == ["#yes", "#no", "#unknown"] + ["#yes", "#no"] + 2 * ["#yes"]


def test_none_of_these_is_a_state_of_its_own_whatever_class_is_likeliest() -> None:
    answers = (("rose", "rose", True), ("rose", "daisy", True), ("rose", "rose", False))
    photos = tuple(labelled(true, said, unknown=unknown) for true, said, unknown in answers)
    page = Page(gallery.render(Gallery(description(), photos)))
    cards = [one["class"] for one in page.all("li") if "card" in (one.get("class") or "")]
    assert cards == ["card unknown", "card unknown", "card right"]
    assert page.text.count("None of these More unusual than 98 % of known photos.") == 2
    assert "rose 1 of 3 right, 2 none of these" in page.text
    assert "Right: 1 Wrong: 0 None of these: 2" in page.text
    # The accuracy of the report knows no "none of these".
    assert "2 of 3 demo photos right: 67 %" in page.text
    assert (
        "2 are called none of these; the likeliest class is right for 1 of them, which counts "
        "among the 2, and wrong for 1."
    ) in page.text


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        (["rose"], "1 is called none of these; its likeliest class is right, so it counts among "),
        (["daisy"], "1 is called none of these; its likeliest class is wrong, so it does not "),
        (["rose", "rose"], "is right for all of them, so they count among the 3."),
        (["daisy", "daisy"], "is wrong for all of them, so none of them counts"),
        (["rose", "rose", "daisy"], "right for 2 of them, which count among the 3, and wrong for"),
    ],
)
def test_photos_called_none_of_these_are_said_to_count_as_right_or_not(
    answers: list[str], said: str
) -> None:
    unknown = [labelled("rose", answer, unknown=True) for answer in answers]
    page = Page(gallery.render(Gallery(description(), (labelled("rose", "rose"), *unknown))))
    assert said in page.text


def test_none_of_these_is_counted_where_the_model_does_not_know_the_class() -> None:
    photos = (labelled("pansy", "rose", unknown=True), labelled("pansy", "rose"))
    page = Page(gallery.render(Gallery(description(), photos)))
    expected = "pansy a class that the model does not know: 1 of 2 called none of these"
    assert expected in page.text


def test_what_spoke_for_an_answer_lies_on_its_photo_and_is_switched_on_without_script() -> None:
    photo = labelled("rose", "daisy", jpeg(1), why=jpeg(2))
    source = gallery.render(Gallery(description(), (photo, photo)))
    page = Page(source)
    pair = [one["alt"] for one in page.all("img")]
    assert pair == ["Photo of rose", "What of it spoke for daisy"] * 2
    switch = next(one for one in page.all("input") if one["type"] == "checkbox")
    assert switch["id"] == "why"
    assert "main:has(#why:checked)" in source
    assert "class activation map" in page.text


def test_too_many_photos_go_without_what_spoke_for_them_and_the_page_says_so() -> None:
    photo = labelled("rose", "daisy", why=jpeg(2))
    most = gallery.MAX_WITH_MAPS
    for count, shown in ((most, True), (most + 1, False)):
        page = Page(gallery.render(Gallery(description(), (photo,) * count)))
        assert len(page.all("img")) == count * (2 if shown else 1)
        assert any(one.get("id") == "why" for one in page.all("input")) == shown
        assert (f"Above {most} photos" in page.text) != shown


def test_top_three_are_listed_with_the_true_class_marked() -> None:
    page = Page(gallery.render(example()))
    assert "tulip75 %True: daisy20 %rose5 %" in page.text


def test_attribution_is_given_for_each_photo() -> None:
    page = Page(gallery.render(example()))
    line = "0123456789abcdef.jpg · by Ann Photographer · CC BY 4.0 · example.org"
    assert page.text.count(line) == 4
    links = [LICENCE, "https://example.org/photo/1"]
    assert [link["href"] for link in page.all("a")] == 4 * links


def test_every_picture_has_an_alternative_text() -> None:
    page = Page(gallery.render(example()))
    alternatives = [picture["alt"] for picture in page.all("img")]
    assert alternatives == ["Photo of daisy"] * 2 + ["Photo of rose"] * 2


def test_without_script_everything_is_shown_and_the_filter_is_not() -> None:
    with_maps = Gallery(description(), (labelled("rose", "rose", why=jpeg(2)),))
    for shown, expected in ((example(), ["div"]), (with_maps, [])):
        elements = Page(gallery.render(shown)).elements
        hidden = [tag for tag, attributes in elements if "hidden" in attributes]
        # The switch works without the script; the rest of the bar does not.
        assert hidden == [*expected, "fieldset", "label"]


def test_filter_is_made_of_native_controls_and_a_live_count() -> None:
    page = Page(gallery.render(example()))
    assert [one["value"] for one in page.all("input")] == ["all", "right", "wrong", "unknown"]
    assert {one["type"] for one in page.all("input")} == {"radio"}
    assert "All 4 Right 3 Wrong 1 None of these 0" in " ".join(page.text.split())
    assert [one["value"] for one in page.all("option")] == ["all", "class-0", "class-1"]
    groups = [one.get("id") for one in page.all("section") if one.get("class") == "group"]
    assert groups == ["class-0", "class-1"]
    assert page.all("output") == [{"id": "count", "aria-live": "polite"}]


def test_policy_matches_the_inline_script() -> None:
    source = gallery.render(example())
    script = source.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in source
    assert " style=" not in source


def test_strangers_text_is_only_text() -> None:
    photo = Labelled(
        Photo(
            HOSTILE,
            f"{HOSTILE}/1.jpg",
            author=HOSTILE,
            licence=HOSTILE,
            source_url=f"javascript:alert(1)//{HOSTILE}",
        ),
        top=((HOSTILE, 0.6), ("rose", 0.4)),
        thumbnail=jpeg(),
    )
    page = Page(gallery.render(Gallery(description(), (photo, labelled("rose", "rose")))))
    assert page.all("script") == [{}]
    assert len(page.all("img")) == 2
    links = [LICENCE, "https://example.org/photo/1"]
    assert [link["href"] for link in page.all("a")] == links
    assert not [name for _, attributes in page.elements for name in attributes if name[:2] == "on"]
    assert "a class that the model does not know" in page.text


def test_rendered_notice_only_for_models_of_rendered_pictures() -> None:
    assert RENDERED not in Page(gallery.render(example())).text
    assert RENDERED in Page(gallery.render(example(rendered=True))).text
    assert WARNING in Page(gallery.render(example())).text


def test_empty_demo_set_says_so() -> None:
    page = Page(gallery.render(Gallery(description(), ())))
    assert "There are no demo photos." in page.text
    assert WARNING in page.text
    assert not page.all("script")


def test_photo_without_thumbnail_is_shown_without_one() -> None:
    page = Page(gallery.render(Gallery(description(), (labelled("rose", "rose", b""),))))
    assert "no picture" in page.text
    assert not page.all("img")


def test_few_photos_keep_their_thumbnails_as_given() -> None:
    source = gallery.render(Gallery(description(), (labelled("rose", "rose", jpeg(7, 200)),)))
    assert base64.b64encode(jpeg(7, 200)).decode() in source


@pytest.mark.parametrize("count", [250, gallery.MAX_WITH_MAPS, 1500])
def test_many_photos_stay_below_5_megabytes(count: int) -> None:
    thumbnails = [jpeg(seed, 256) for seed in range(20)]
    assert count * len(thumbnails[0]) > MAX_BYTES
    photos = tuple(
        labelled("rose", "daisy", thumbnails[i % 20], why=thumbnails[-1 - i % 20], unknown=True)
        for i in range(count)
    )
    source = gallery.render(Gallery(description(), photos))
    assert len(source.encode()) < 5_000_000
    assert source.count("<img ") == count * (2 if count <= gallery.MAX_WITH_MAPS else 1)
