"""The review page in a real browser: decide by mouse, keys and touch, export or save, run again."""

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from conftest import SMALL_ARCHITECTURE, Run, run_captured, run_pipeline
from playwright.sync_api import Browser, Page, expect
from review_items import entry, rendered
from review_process import reviewing

from components.common.dataset import decisions
from components.common.dataset.dataset import Dataset
from components.common.dataset.decisions import DROP, MOVE
from components.common.dataset.vocabulary import MOVED_BY_HAND
from components.common.pages import page as pages


def outcomes(folder: Path) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Part and reason of every photo, by the facts of a run or of its step `curate`."""
    rows = pq.read_table(folder / "facts" / "photos.parquet").to_pylist()
    return {
        (row["label"], row["source_sha256"], row["step"]): (row["split"], row["reason"])
        for row in rows
    }


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.long)])
def test_two_dropped_photos_are_gone_and_nothing_else_moved(
    page: Page, sample_run: Run, backbone_cache: Path, tmp_path: Path, whole: bool
) -> None:
    """In the next curation, and in a whole run."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text))
    page.goto((sample_run.directory / "curation.html").as_uri())
    drops = page.locator("#used .photo button[value=drop]")
    for number in (0, drops.count() - 1):
        drops.nth(number).click()
    assert page.locator("#bar output").inner_text() == "0 to keep, 2 to drop, 0 to move"
    with page.expect_download() as download:
        page.locator("#bar a").click()
    place = tmp_path / "decisions.json"
    download.value.save_as(place)
    assert errors == []
    dropped = {
        (one["label"], one["source_sha256"], "curate")
        for one in json.loads(place.read_text())["decisions"]
    }
    assert len(dropped) == 2
    assert len(decisions.read(str(place)).decided) == 2

    if whole:
        run = run_pipeline(
            tmp_path / "runs",
            backbone_cache,
            *("--per_class", "20", "--architecture", SMALL_ARCHITECTURE),
            *("--how_many_training_steps", "20", "--decisions", str(place)),
        )
        assert run.returncode == 0, run.stdout + run.stderr
        again = run.directory
    else:
        again = tmp_path / "again"
        curated_again(sample_run, again, place)
    before, after = outcomes(sample_run.directory), outcomes(again)
    assert set(after) == set(before)
    for photo in dropped:
        assert before[photo][1] == ""
        assert after[photo] == (before[photo][0], "dropped")
    # A photo of the training part may now look otherwise to the two that are gone; none changes
    # its part.
    assert {name for name in after if after[name][0] != before[name][0]} == set()
    used = {
        photo["source_sha256"]
        for part in ("training", "demo")
        for photo in pq.read_table(again / part / "manifest.parquet").to_pylist()
    }
    assert not used & {sha256 for _, sha256, _ in dropped}

    # The next page knows what was decided, and its export holds it.
    page.goto((again / "curation.html").as_uri())
    assert page.locator("#bar output").inner_text() == "0 to keep, 2 to drop, 0 to move"
    assert page.locator("#by-hand .photo.drop").count() == 2
    page.locator("#by-hand .photo.drop button[value=drop]").first.click()
    assert page.locator("#bar output").inner_text() == "0 to keep, 1 to drop, 0 to move"


def test_filter_shows_one_class(page: Page, sample_run: Run) -> None:
    page.goto((sample_run.directory / "curation.html").as_uri())
    everything = page.locator(".photo:visible").count()
    page.locator("#bar select").select_option("1")
    visible = page.locator(".photo:visible")
    assert 0 < visible.count() < everything
    assert {card.get_attribute("data-class") for card in visible.all()} == {"1"}
    page.locator("#bar select").select_option("")
    assert page.locator(".photo:visible").count() == everything


def test_page_fits_a_telephone(page: Page, sample_run: Run) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto((sample_run.directory / "curation.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.set_viewport_size({"width": 1280, "height": 900})


LABELS = ("daisy", "rose", "tulip")
# By number: two that look like another class, one without a mushroom, two pairs in two classes, a
# dark one, and twelve that nothing speaks against.
ENTRIES = (
    entry(1, flags=("other_class",), nearest="rose", margin=-0.9, source_url="daisy/one.jpg"),
    entry(2, label="rose", reason="other_class", nearest="tulip", margin=-0.8),
    entry(3, label="tulip", reason="no_mushroom"),
    entry(4, reason="in_two_classes", group="a"),
    entry(5, label="rose", reason="in_two_classes", group="a"),
    entry(6, reason="in_two_classes", group="b"),
    entry(7, label="tulip", reason="in_two_classes", group="b"),
    entry(8, flags=("dark",)),
    entry(9, flags=("dark",), label="rose"),
    *(entry(number, label=LABELS[number % 3]) for number in range(20, 32)),
)


@pytest.fixture
def made_up(page: Page, tmp_path: Path) -> Iterator[Page]:
    """The page of `ENTRIES`, as a file."""
    (tmp_path / "curation.html").write_text(rendered(*ENTRIES), encoding="utf-8")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text))
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto((tmp_path / "curation.html").as_uri())
    yield page
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto("about:blank")
    assert errors == []


def made(page: Page) -> dict[int, str]:
    """The decisions by the photo's number, with the class that it goes to."""
    with page.expect_download() as download:
        page.locator("#bar a").click()
    entries = json.loads(download.value.path().read_text())["decisions"]
    return {
        int(one["source_sha256"], 16): " ".join([one["decision"], *filter(None, [one.get("to")])])
        for one in entries
    }


def at(page: Page) -> int:
    """The number of the photo that has the focus."""
    return int(page.evaluate("document.activeElement.closest('.photo').dataset.sha"), 16)


@pytest.mark.parametrize(
    ("keys", "expected", "place"),
    [
        ("n", {}, 1),
        ("n k", {1: "keep"}, 1),
        ("n d", {1: "drop"}, 1),
        ("n d d", {}, 1),  # once more: neither
        ("n k d", {1: "drop"}, 1),
        ("n 2", {1: "move rose"}, 1),
        ("n 2 3", {1: "move tulip"}, 1),
        ("n 2 1", {}, 1),  # back to its own
        ("n 1", {}, 1),
        ("n 9", {}, 1),  # there is no ninth class
        ("n 2 d", {1: "drop"}, 1),
        ("n k n d", {1: "keep", 2: "drop"}, 2),
        ("n d n 1 n k n", {1: "drop", 2: "move daisy", 3: "keep"}, 4),
        ("n d u", {}, 1),
        ("n d 2 u", {1: "drop"}, 1),
        ("n d n d u u", {}, 1),
        ("u", {}, 0),
        ("n ArrowRight k", {2: "keep"}, 2),
        ("n ArrowRight ArrowRight ArrowLeft k", {2: "keep"}, 2),
        ("n ArrowDown", {}, 3),
        ("n ArrowRight ArrowDown ArrowDown ArrowUp", {}, 3),
        ("n ArrowLeft", {}, 1),
        ("n m 3", {1: "move tulip"}, 1),
        ("n m Escape", {}, 1),
        ("n m ArrowRight Tab Enter", {1: "move rose"}, 1),
        ("n Shift+D", {1: "drop", 2: "drop"}, 1),
        ("n Shift+D u", {}, 1),
        ("n Shift+M 3", {1: "move tulip", 2: "move tulip"}, 1),
        ("n n n d n Shift+K", {3: "drop"}, 4),  # in two classes both cannot be kept
        ("n n n d n Shift+M 2", {3: "drop", 4: "move rose"}, 4),
        ("? Escape n d", {1: "drop"}, 1),
        ("n Control+d", {}, 1),
        ("n Tab Enter", {1: "keep"}, 1),
        ("k d 2", {}, 0),  # no photo was chosen
    ],
)
def test_keys(made_up: Page, keys: str, expected: dict[int, str], place: int) -> None:
    for key in keys.split():
        made_up.keyboard.press(key)
        if key == "Escape":  # the browser closes a dialog a moment later
            expect(made_up.locator("dialog[open]")).to_have_count(0)
    if place:
        assert at(made_up) == place
    if not expected:  # then there is nothing to export
        expect(made_up.locator("#bar output")).to_have_text("0 to keep, 0 to drop, 0 to move")
    else:
        assert made(made_up) == expected


def test_counts_say_what_is_left_and_one_decision_settles_a_photo_of_two_classes(
    made_up: Page,
) -> None:
    bar, next_one = made_up.locator("#bar output"), made_up.locator("#next")

    def left(section: str) -> str:
        return made_up.locator(f'h2 .left[data-of="{section}"]').inner_text()

    assert next_one.inner_text() == "7 left"
    assert left("in_two_classes") == ", 4 left"
    for _ in range(4):
        made_up.keyboard.press("n")
    assert at(made_up) == 4
    made_up.keyboard.press("k")
    assert left("in_two_classes") == ", 2 left"
    assert next_one.inner_text() == "5 left"
    made_up.locator("#in_two_classes .group").nth(1).get_by_text("Drop all 2").click()
    assert left("in_two_classes") == ", all decided"
    assert bar.inner_text() == "1 to keep, 2 to drop, 0 to move"
    made_up.locator("#undo").click()
    assert left("in_two_classes") == ", 2 left"
    made_up.locator("#other_class .all").get_by_text("Keep all 2").click()
    assert left("other_class") == ", all decided"
    for _ in range(2):
        made_up.keyboard.press("n")
        made_up.keyboard.press("d")
    assert next_one.inner_text() == "none left"
    assert next_one.is_disabled()


def test_photo_is_moved_by_touch_on_a_phone(chromium: Browser, tmp_path: Path) -> None:
    (tmp_path / "curation.html").write_text(rendered(*ENTRIES), encoding="utf-8")
    size = {"width": 390, "height": 844}
    with chromium.new_context(viewport=size, has_touch=True, is_mobile=True) as context:  # type: ignore[arg-type]
        phone = context.new_page()
        phone.goto((tmp_path / "curation.html").as_uri())
        card = phone.locator("#other_class .photo").first
        card.get_by_text("move…").tap()
        phone.locator("#move").get_by_text("tulip").tap()
        expect(card.get_by_text("→ tulip")).to_have_attribute("aria-pressed", "true")
        assert phone.evaluate("document.documentElement.scrollWidth") == size["width"]
        for button in card.locator("button").all():
            box = button.bounding_box()
            assert box is not None
            assert box["height"] >= 44
        card.get_by_text("→ tulip").tap()  # once more: not
        expect(card.get_by_text("move…")).to_have_attribute("aria-pressed", "false")


def test_buttons_and_photos_have_names_and_what_is_done_is_announced(made_up: Page) -> None:
    card = made_up.get_by_role("listitem", name="one.jpg, daisy")
    card.get_by_role("button", name="drop one.jpg").click()
    expect(made_up.get_by_role("status").first).to_have_text("Drop one.jpg")
    made_up.keyboard.press("m")
    expect(made_up.get_by_role("dialog", name="Move one.jpg to")).to_be_visible()
    made_up.keyboard.press("Escape")
    made_up.get_by_role("button", name="Keys").click()
    expect(made_up.get_by_role("dialog", name="Keys")).to_be_visible()
    made_up.keyboard.press("Escape")
    # One photo and its buttons are stops of the Tab key; the others are reached by arrows.
    stops = made_up.locator(".photo[tabindex='0'], .photo [tabindex='0']")
    assert stops.count() == 4


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_pressed_buttons_can_be_read(scheme: int) -> None:
    colours = pages.colours()[scheme]

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for text, ground in (("card", "right"), ("card", "wrong"), ("card", "ink"), ("muted", "card")):
        low, high = sorted((luminance(colours[text]), luminance(colours[ground])))
        assert (high + 0.05) / (low + 0.05) >= 4.5, (text, ground)


def curated_again(run: Run, out: Path, by_hand: Path) -> dict[str, Dataset]:
    """The datasets of the run's step `curate`, made again with decisions."""
    (root,) = (run.directory / "artifacts").iterdir()
    command = [sys.executable, "-m", "components.curate"]
    command += ["--images", str(root / "clean" / "cleaned")]
    command += ["--clean_rejects", str(root / "clean" / "rejects")]
    command += ["--bottlenecks", str(root / "bottleneck" / "bottlenecks")]
    for name in ("training", "demo", "rejects", "ledger", "facts"):
        command += [f"--{name}", str(out / name)]
    command += ["--page", str(out / "curation.html"), "--decisions", str(by_hand)]
    done = run_captured(*command)
    assert done.returncode == 0, done.stderr
    return {name: Dataset(out / name) for name in ("training", "demo", "rejects")}


def test_what_is_decided_is_saved_and_taken_by_the_next_curation(
    page: Page, sample_run: Run, tmp_path: Path
) -> None:
    # A folder of its own beside the shared one, with the same artifacts.
    run = dataclasses.replace(sample_run, directory=tmp_path / "run")
    run.directory.mkdir()
    for path in sample_run.directory.iterdir():
        if path.suffix == ".html":
            (run.directory / path.name).write_bytes(path.read_bytes())
        else:
            (run.directory / path.name).symlink_to(path)
    with reviewing(run.directory) as process:
        page.goto(process.url)
        expect(page.locator("#bar")).to_be_visible()
        used = page.locator("#used .photo")
        count = used.count()
        used.nth(0).click()
        page.keyboard.press("d")
        used.nth(count - 1).click()
        page.keyboard.press("1")
        used.nth(count - 2).click()
        page.keyboard.press("d")
        page.keyboard.press("u")
        expect(page.locator("#saved")).to_have_text("Saved")
        page.get_by_text("As text").click()
        expect(page.get_by_text("press Ctrl-C in the terminal")).to_be_visible()
        expect(page.get_by_text("~/Downloads/decisions.json")).to_be_hidden()
        page.set_viewport_size({"width": 390, "height": 844})
        used.nth(count - 2).click()
        page.keyboard.press("d")
        page.keyboard.press("u")
        expect(page.locator(".said")).to_have_text("Saved")
        page.get_by_role("link", name="Report").click()  # the run's other pages are there
        page.get_by_role("link", name="Curation").click()
        expect(page.locator("#bar output")).to_have_text("0 to keep, 1 to drop, 1 to move")
        status, said = process.end()
    assert status == 0
    assert "2 decisions (0 to keep, 1 to drop, 1 to move)" in said
    assert f"DECISIONS={run.directory / 'decisions.json'}" in said
    by_hand = decisions.read(str(run.directory / "decisions.json"))
    assert sorted(by_hand.decided.values()) == [DROP, MOVE]
    datasets = curated_again(run, tmp_path / "again", run.directory / "decisions.json")
    rejected = {(one.label, one.source_sha256): one.reason for one in datasets["rejects"].photos}
    (dropped,) = (key for key, what in by_hand.decided.items() if what == DROP)
    assert rejected[dropped] == "dropped"
    ((_, sha256), target) = next(iter(by_hand.targets.items()))
    (moved,) = (
        photo
        for dataset in datasets.values()
        for photo in dataset.photos
        if photo.source_sha256 == sha256
    )
    assert (moved.label, moved.reason) == (target, "")
    assert MOVED_BY_HAND in moved.flags
    # The next page shows it in its class, and its export is about the class that it was found in.
    page.goto((tmp_path / "again" / "curation.html").as_uri())
    expect(page.locator("#by-hand .photo.move")).to_have_count(1)
    assert made(page)[int(sha256, 16)] == f"move {target}"


def test_two_windows_do_not_overwrite_each_other(
    chromium: Browser, sample_run: Run, tmp_path: Path
) -> None:
    (tmp_path / "curation.html").write_bytes((sample_run.directory / "curation.html").read_bytes())
    with reviewing(tmp_path) as process, chromium.new_context() as context:
        windows = [context.new_page(), context.new_page()]
        for window in windows:
            window.goto(process.url)
            expect(window.locator("#bar")).to_be_visible()
        for window, key in zip(windows, "dd", strict=True):
            window.locator("#used .photo").nth(3).click()
            window.keyboard.press(key)
            expect(window.locator("#saved")).not_to_be_empty()
        expect(windows[0].locator("#saved")).to_have_text("Saved")
        expect(windows[1].locator("#saved")).to_contain_text("another window has saved decisions")
        windows[1].on("dialog", lambda dialog: dialog.accept())
        windows[1].reload()
        expect(windows[1].locator("#bar output")).to_have_text("0 to keep, 1 to drop, 0 to move")


def test_server_that_is_gone_is_told_and_nothing_is_lost(
    chromium: Browser, sample_run: Run, tmp_path: Path
) -> None:
    (tmp_path / "curation.html").write_bytes((sample_run.directory / "curation.html").read_bytes())
    page = chromium.new_page(accept_downloads=True)
    with reviewing(tmp_path) as process:
        page.goto(process.url)
        expect(page.locator("#bar")).to_be_visible()
        process.end()
    page.locator("#used .photo").nth(3).click()
    page.keyboard.press("d")
    expect(page.locator("#saved")).to_contain_text("Not saved: the program that serves this page")
    assert list(made(page).values()) == [DROP]
    page.on("dialog", lambda dialog: dialog.accept())
    page.close()
