"""What has changed since the published model: counts, and the page of real models."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from html_page import Page
from publish_items import publish_as, publish_command, write_metrics

from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import IMAGENET
from components.common.model.description import read_description
from components.common.model.model import Model
from components.common.model.model_place import version_of
from components.common.model.references import References
from components.publish import changes, paired
from components.publish.changes import ClassPhotos, class_changes, holm, photo_changes
from components.publish.paired import Answer, Comparison, distance


def test_photos_are_new_gone_moved_or_the_same() -> None:
    before = {"a": "rose", "b": "rose", "c": "daisy", "d": "tulip"}
    now = {"a": "rose", "b": "daisy", "e": "daisy", "f": "lily"}
    assert photo_changes(before, now) == [
        ClassPhotos("daisy", 1, 2, new=1, gone=1, moved_in=1, moved_out=0),
        ClassPhotos("lily", 0, 1, new=1, gone=0, moved_in=0, moved_out=0),
        ClassPhotos("rose", 2, 1, new=0, gone=0, moved_in=0, moved_out=1),
        ClassPhotos("tulip", 1, 0, new=0, gone=1, moved_in=0, moved_out=0),
    ]


def test_classes_are_paired_by_themselves_and_the_worst_change_comes_first() -> None:
    photos = [Photo("rose")] * 10 + [Photo("daisy")] * 10
    right, wrong = Answer(True, "rose", 1.0), Answer(False, "rose", 1.0)
    # All ten roses are lost, and one daisy is won.
    old = [right] * 10 + [right] * 8 + [wrong] * 2
    new = [wrong] * 10 + [right] * 9 + [wrong]
    rose, daisy = class_changes(photos, old, new)
    assert (rose.label, rose.compared) == ("rose", Comparison(10, 0, 10, 0))
    assert rose.is_worse
    assert rose.surely
    assert rose.adjusted == pytest.approx(2 * 2 / 2**10)
    assert (daisy.label, daisy.compared) == ("daisy", Comparison(10, 8, 0, 1))
    assert not daisy.is_worse
    assert not daisy.surely


def test_holm_corrects_each_p_value_for_those_that_are_left() -> None:
    found = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.9})
    assert found == pytest.approx({"a": 0.04, "c": 0.09, "b": 0.09, "d": 0.9})


def test_answers_differ_by_what_is_on_other_classes() -> None:
    one, other = np.float32([0.75, 0.25, 0]), np.float32([0, 0.5, 0.5])
    assert distance(one, one) == 0
    assert distance(one, other) == 0.75
    assert distance(one, np.float32([0, 0, 0])) == 0.5


def test_page_shows_both_models_and_goes_with_the_published_one(
    sample_run: Run, shuffled_model: Path, tmp_path: Path
) -> None:
    out, place = tmp_path / "out", tmp_path / "out" / "mushrooms"
    good, page = sample_run.directory / "model", tmp_path / "change.html"
    figures = write_metrics(tmp_path / "figures", good)
    page.write_text("of an earlier model")
    first = publish_command(sample_run, good, figures, out, "--changes", str(page))
    assert first.returncode == 0, first.stderr
    assert "no page of changes: no model was published as mushrooms before" in first.stderr
    assert not page.exists()
    published = version_of(read_description(good))
    assert not (place / published / "change.html").exists()

    figures = write_metrics(tmp_path / "worse", shuffled_model, 1.0, 1.0)
    words = ("--max_regression", "1", "--changes", str(page))
    second = publish_command(sample_run, shuffled_model, figures, out, *words)
    assert second.returncode == 0, second.stderr
    worse = version_of(read_description(shuffled_model))
    assert (place / worse / "change.html").read_bytes() == page.read_bytes()
    found = Page(page.read_text())
    demo = Dataset(sample_run.directory / "demo")
    labels = read_description(good).classes
    old, new = (
        list(paired.answers(Model(one), demo, demo.photos, labels, "demo"))
        for one in (good, shuffled_model)
    )
    rights = [sum(answer.right for answer, _ in side) for side in (new, old)]
    assert f"{rights[0]} of {len(old)} demo photos right, before {rights[1]}" in found.text
    assert f"compared with {published}, which was published as mushrooms before" in found.text
    assert len(found.all("img")) == 10
    distances = [distance(one[1], two[1]) for one, two in zip(old, new, strict=True)]
    worst = demo.photos[distances.index(max(distances))]
    first_card = found.text.split("disagree most", 1)[1]
    assert worst.path.split("/")[-1] in first_card[: first_card.index("Sorted by how much")]
    before, now = (
        {photo.sha256: photo.label for photo in References(one / "references.parquet").photos}
        for one in (good, shuffled_model)
    )
    # The same photos under other labels, without those of the test part.
    moved = sum(before[photo] != label for photo, label in now.items())
    assert moved > 10
    assert (
        f"It learned from {len(now)} photos, before {len(before)}: 0 new, "
        f"{len(before) - len(now)} gone, {moved} moved to another class." in found.text
    )
    # A model that comes from a published folder does not bring its page along.
    again = tmp_path / "again"
    shutil.copytree(place / worse, again)
    figures = write_metrics(tmp_path / "again.json", again)
    third = publish_command(sample_run, again, figures, tmp_path / "elsewhere")
    assert third.returncode == 0, third.stderr
    stale = Page((tmp_path / "elsewhere" / "mushrooms" / worse / "change.html").read_text())
    assert "There is nothing to compare: no model was published as mushrooms before." in stale.text


def test_same_model_has_no_page(sample_run: Run, tmp_path: Path) -> None:
    publish_as(sample_run, sample_run.directory / "model", tmp_path, "mushrooms")
    figures = write_metrics(tmp_path / "figures", sample_run.directory / "model")
    page = tmp_path / "change.html"
    done = publish_command(
        *(sample_run, sample_run.directory / "model", figures, tmp_path / "published"),
        *("--changes", str(page)),
    )
    assert "no page of changes: this same model is published already" in done.stderr
    assert not page.exists()


def test_photos_that_must_not_be_passed_on_are_not_shown(sample_run: Run) -> None:
    dataset = Dataset(sample_run.directory / "demo")
    one = dataset.photos[0]
    ours = dataclasses.replace(one, flags=(*one.flags, IMAGENET))
    answers = [Answer(True, "a", 1.0)] * 2, [Answer(False, "b", 1.0)] * 2
    shown = changes._disagreements(dataset, [one, ours], *answers, [1.0, 1.0])
    assert [bool(photo.thumbnail) for photo in shown] == [True, False]
