"""A whole class is never judged by what ImageNet calls a fungus; how a curation ends that must."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from curation_items import SMALL, items, places, prepare
from html_page import Page
from object_stores import Store, google_emulator, using
from sealing import reseal

from components.common.base.errors import InputError
from components.common.base.files import default_cache_dir
from components.common.dataset import decisions
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dataset import DESCRIPTION, Dataset
from components.common.dataset.photo import Photo
from components.common.network import bottlenecks
from components.common.network.backbone import load_backbone
from components.common.network.bottlenecks import Bottlenecks
from components.common.photos import images
from components.common.store import storage
from components.curate import subject, suspects
from components.curate.curate import curate
from components.curate.options import CurateOptions
from components.curate.subject import Subject


@dataclasses.dataclass(frozen=True)
class Real:
    """Real photos: their bottlenecks, and the folder of each."""

    vectors: Bottlenecks
    labels: tuple[str, ...]

    def judged(self, labels: Sequence[str], facts: ClassFacts = ClassFacts()) -> Subject:
        """What is said of them under these labels; of those without one they are not among them."""
        rows = np.array([row for row, label in enumerate(labels) if label])
        groups = [self.vectors.sha256[row] for row in rows.tolist()]
        return subject.judge(self.vectors, rows, [one for one in labels if one], groups, facts)

    def labelled(self, **renamed: str) -> list[str]:
        """The labels, with others for some, and none for flowers that are not renamed."""
        flowers = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
        return [renamed.get(one, "" if one in flowers else one) for one in self.labels]


@pytest.fixture(scope="module")
def real(shared_photos: Path) -> Real:
    """140 mushrooms of 7 kinds, and 16 flowers of each of 5."""
    files = sorted((shared_photos / "mushrooms").glob("*/*.jpg"))
    for folder in sorted((shared_photos / "flowers").iterdir()):
        files += sorted(folder.glob("*.jpg"))[:16]
    photos = (
        (Photo("x", sha256=str(number)), images.to_clean_jpeg(file.read_bytes()).data)
        for number, file in enumerate(files)
    )
    network = load_backbone("mobilenet_1.0_224", default_cache_dir())
    found = bottlenecks.compute(network, photos)
    rows = found.rows([Photo("x", sha256=str(number)) for number in range(len(files))])
    assert rows.tolist() == list(range(len(files)))
    return Real(found, tuple(file.parent.name for file in files))


ELSE = "something else"
FLOWERS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
# What becomes of flowers beside real mushrooms: the labels that they get, and which class is kept
# whole for it.
MIXED = {
    "a class of something else": (dict.fromkeys(FLOWERS[:3], ELSE), {ELSE}),
    "a class of one flower": ({"daisy": "daisy"}, {"daisy"}),
    "half a class": ({"sunflowers": "penny_bun"}, {"penny_bun"}),
    "two classes of flowers": ({"roses": "roses", "tulips": "tulips"}, {"roses", "tulips"}),
    "none": ({}, set()),
}


@pytest.mark.parametrize("kind", MIXED)
def test_class_is_kept_whole_where_many_of_it_would_go(real: Real, kind: str) -> None:
    renamed, whole = MIXED[kind]
    labels = [label for label in real.labelled(**renamed) if label]
    found = real.judged(real.labelled(**renamed))
    assert set(found.spared) == whole
    names = np.array(labels)
    for label in whole:
        of_class = names == label
        assert found.spared[label] >= subject.MAX_SHARE * of_class.sum()
        assert found.doubtful[of_class].sum() >= found.spared[label]
        assert not found.leave_out[of_class].any()
    # The mushrooms beside them are judged as without them.
    assert found.leave_out.mean() <= 0.02


def test_few_flowers_in_a_class_are_left_out_of_it(real: Real) -> None:
    labels = real.labelled()
    strewn = [row for row, label in enumerate(real.labels) if label in ("daisy", "sunflowers")][::6]
    kinds = sorted(set(labels) - {""})
    for place, row in enumerate(strewn):
        labels[row] = kinds[place % len(kinds)]
    found = real.judged(labels)
    assert found.spared == {}
    rows = [row for row, label in enumerate(labels) if label]
    out = {rows[place] for place in np.flatnonzero(found.leave_out).tolist()}
    assert len(out & set(strewn)) >= 4
    assert len(out - set(strewn)) <= 2


def test_class_that_stands_for_something_else_is_not_asked(real: Real) -> None:
    labels = real.labelled(**dict.fromkeys(FLOWERS, ELSE))
    found = real.judged(labels, ClassFacts(others=(ELSE,)))
    asked = np.array(labels) != ELSE
    assert np.isnan(found.odds[~asked]).all()
    assert not (found.leave_out | found.doubtful)[~asked].any()
    alone = real.judged(real.labelled())
    np.testing.assert_array_equal(found.odds[asked], alone.odds)


@pytest.mark.parametrize("about", ["any", "flowers", "trees"])
def test_nothing_is_asked_where_the_subject_is_not_fungi(real: Real, about: str) -> None:
    found = real.judged(real.labelled(daisy="daisy"), ClassFacts(about))
    assert not found.is_judged
    assert not (found.leave_out | found.doubtful).any()


def strange(root: Path, labels: Sequence[str], each: int = 12) -> tuple[list[Path], Path]:
    """Classes of made-up photos, in the last of which the network sees no fungus."""
    sources, vectors = prepare(root, [one for label in labels for one in items(label, each)])
    found = bottlenecks.load(vectors)
    last = {photo.sha256 for photo in Dataset(root / "clean" / labels[-1]).photos}
    scores = np.zeros((len(found.sha256), 1000), dtype=np.float16)
    share = np.array([0.0 if sha256 in last else 0.99 for sha256 in found.sha256])
    scores[:, suspects.FUNGI[0]] = share
    key = dataclasses.replace(found.key, architecture="mobilenet_1.0_224", input_size=224)
    rows = {sha256: row for row, sha256 in enumerate(found.sha256)}
    listed = {
        sha256: photo.label
        for source in sources
        for photo in Dataset(source).photos
        if (sha256 := photo.sha256) in rows
    }
    bottlenecks.save(
        dataclasses.replace(found, scores=scores, key=key),
        vectors,
        [listed[sha256] for sha256 in found.sha256],
    )
    return sources, vectors


def test_class_that_is_kept_whole_is_told_by_name_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    sources, vectors = strange(tmp_path, ["bolete", "agaric", ELSE])
    outputs = places(tmp_path / "out")
    content = curate(sources, vectors, outputs, options=CurateOptions(**vars(SMALL)))
    assert content["classes"][ELSE]["used"] == 12
    assert content["kept_whole"] == {ELSE: 12}
    said = (tmp_path / "events").read_text()
    assert f"{ELSE}: the pretrained network sees no mushroom in 12 of 12 photos" in said
    assert "other: true" in said
    page = Page((tmp_path / "out" / "curation.html").read_text())
    assert "something else was kept whole" in page.text
    used = [*Dataset(outputs.training).photos, *Dataset(outputs.demo).photos]
    flagged = {photo.label for photo in used if "doubtful_subject" in photo.flags}
    assert flagged == {ELSE}


@pytest.mark.parametrize(("asked", "stated"), [("any", "fungi"), ("", "leaves"), ("", "any")])
def test_option_or_facts_switch_the_judgement_off(
    tmp_path: Path, asked: str, stated: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    sources, vectors = strange(tmp_path, ["bolete", "agaric", ELSE])
    for source in sources:
        reseal(source / DESCRIPTION, facts=ClassFacts(stated).to_json())
    options = CurateOptions(**vars(SMALL), subject=asked)
    content = curate(sources, vectors, places(tmp_path / "out"), options=options)
    assert not content["subject_judged"]
    assert content["kept_whole"] == {}
    assert "sees no mushroom" not in (tmp_path / "events").read_text()
    text = Page((tmp_path / "out" / "curation.html").read_text()).text
    assert "mushroom at all" not in text
    assert "No mushroom?" not in text


def test_keep_on_the_page_of_a_curation_that_ended_lets_the_next_one_go_on(tmp_path: Path) -> None:
    """Photos that a person dropped are told as that, and only those."""
    sources, vectors = prepare(tmp_path, items("daisy", 6) + items("roses", 9))
    found = {photo.source_url: photo for place in sources for photo in Dataset(place).photos}
    dropped = [found[f"daisy {number}"] for number in range(4)]

    def decided(choice: str, name: str) -> str:
        entries = [
            {"label": photo.label, "source_sha256": photo.source_sha256, "decision": choice}
            for photo in dropped
        ]
        content = {"format": decisions.FORMAT, "format_version": "1", "decisions": entries}
        (tmp_path / name).write_text(json.dumps(content))
        return str(tmp_path / name)

    options = CurateOptions(**vars(SMALL), decisions=decided("drop", "drop.json"))
    with pytest.raises(InputError, match=r"2 different photos left.*6 photos left out: 4 dropped"):
        curate(sources, vectors, places(tmp_path / "out"), options=options)
    page = Page((tmp_path / "out" / "curation.html").read_text())
    assert [one.get("value") for one in page.all("button")].count("keep") >= 4
    options = CurateOptions(**vars(SMALL), decisions=decided("keep", "keep.json"))
    curate(sources, vectors, places(tmp_path / "out"), options=options)
    assert Dataset(tmp_path / "out" / "demo").labels == ["daisy", "roses"]


def test_page_of_a_curation_that_ended_reaches_the_store(store: Store, tmp_path: Path) -> None:
    sources, vectors = prepare(tmp_path, items("daisy", 2) + items("roses", 9))
    with using(store.environment):
        place = f"{store.prefix}/run/curate/1/curation"
        with pytest.raises(InputError, match=f"Review page: {place}"):
            curate(sources, vectors, places(tmp_path / "out"), page_place=place)
        stored = storage.read_place(place, max_bytes=1024**2)
    assert stored == (tmp_path / "out" / "curation.html").read_bytes()


def test_store_that_takes_no_page_hides_not_why_the_curation_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    sources, vectors = prepare(tmp_path, items("daisy", 2) + items("roses", 9))
    with google_emulator(tmp_path) as store, using(store.environment):
        outputs = places(tmp_path / "out")
        with pytest.raises(InputError, match="'daisy' has 2 different") as caught:
            curate(sources, vectors, outputs, page_place="gs://no-such-bucket/page")
    assert (
        "the review page could not be written to gs://no-such" in (tmp_path / "events").read_text()
    )
    assert "Review page" not in str(caught.value)
    assert outputs.page.is_file()
