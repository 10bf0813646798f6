"""Which photos, and in which part: nothing is lost, nothing leaks, nothing depends on chance."""

import collections
import csv
import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import pyarrow.parquet as pq
import pytest
from curation_items import SMALL, Item, items, places, prepare, surplus
from sealing import reseal

from components.clean.clean import clean
from components.clean.options import CleanOptions
from components.common.base.errors import InputError
from components.common.base.step import log
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dataset import DESCRIPTION, Dataset, DatasetWriter
from components.common.dataset.ledger import FILE_NAME as LEDGER
from components.common.dataset.photo import Photo
from components.common.dataset.reasons import FILE_NAME
from components.common.dataset.vocabulary import DEMO, PARTS, TEST, TRAINING, VALIDATION
from components.common.network import bottlenecks
from components.common.network.backbone import load_backbone
from components.common.photos import images
from components.curate.curate import curate
from components.curate.options import CurateOptions, Division


@dataclass(frozen=True)
class Curated:
    """What a run of `curate` wrote."""

    training: Dataset
    demo: Dataset
    rejects: Dataset
    surplus: list[Photo]
    ledger: Path

    @property
    def parts(self) -> dict[str, str]:
        """The part of each photo, by its name; the reason where it was left out."""
        used = [*self.training.photos, *self.demo.photos]
        found = [*used, *self.rejects.photos, *self.surplus]
        return {photo.source_url: photo.reason or photo.split for photo in found}


def run(
    out: Path,
    sources: Sequence[Path],
    vectors: Path,
    division: Division = SMALL,
    earlier: Path | None = None,
) -> Curated:
    outputs = places(out)
    ledger = str(earlier) if earlier else ""
    options = CurateOptions(**dataclasses.asdict(division), earlier_ledger=ledger)
    curate(sources, vectors, outputs, options=options)
    written = (Dataset(place) for place in (outputs.training, outputs.demo, outputs.rejects))
    return Curated(*written, surplus(outputs), ledger=outputs.ledger)


def curated(
    root: Path, photos: Sequence[Item], division: Division = SMALL, earlier: Path | None = None
) -> Curated:
    return run(root / "out", *prepare(root, photos), division, earlier)


def test_enough_photos_fill_every_part_and_the_rest_is_surplus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log, "propagate", True)
    with caplog.at_level("INFO", "components"):
        found = curated(tmp_path, items("daisy", 15) + items("roses", 12))
    assert "curate: 24 of 27 photos used" in caplog.messages
    counts = collections.Counter(
        (photo.label, photo.split) for photo in [*found.training.photos, *found.demo.photos]
    )
    for label in ("daisy", "roses"):
        expected = {TRAINING: 8, VALIDATION: 1, TEST: 1, DEMO: 2}
        assert {part: counts[label, part] for part in expected} == expected
    assert {photo.split for photo in found.demo.photos} == {DEMO}
    assert len(found.surplus) == 3


def test_surplus_is_told_and_not_copied(tmp_path: Path) -> None:
    found = curated(tmp_path, items("daisy", 15) + items("roses", 12))
    assert found.rejects.photos == []
    left_out = found.rejects.left_out()
    assert {(photo.label, photo.group) for photo in left_out} == {
        (photo.label, photo.group) for photo in found.surplus
    }
    assert len({photo.sha256 for photo in left_out}) == 3
    rows = list(csv.DictReader((found.rejects.path / FILE_NAME).open(encoding="utf-8-sig")))
    told = {(row["class"], row["found_as"], row["reason"]) for row in rows}
    assert told == {(photo.label, photo.source_url, "surplus") for photo in found.surplus}


def test_no_photo_is_lost_and_bytes_go_along(tmp_path: Path) -> None:
    photos = items("daisy", 20) + items("roses", 14)
    photos += [Item("daisy", f"copy {n}", like=f"daisy {n}", width=300) for n in range(4)]
    photos += [Item("roses", "daisy 7"), Item("roses", "again", like="daisy 8")]
    sources, vectors = prepare(tmp_path, photos)
    found = run(tmp_path / "out", sources, vectors)
    before = {data for source in sources for _, data in Dataset(source).stream()}
    after = [
        data
        for dataset in (found.training, found.demo, found.rejects)
        for _, data in dataset.stream()
    ]
    assert len(after) + len(found.surplus) == len(photos)
    without = {photo.sha256 for photo in found.rejects.left_out()}
    assert set(after) == {one for one in before if hashlib.sha256(one).hexdigest() not in without}


def test_best_of_near_copies_is_kept(tmp_path: Path) -> None:
    copies = [
        Item("daisy", "medium", like="daisy 0", width=500),
        Item("daisy", "large", like="daisy 0", width=2000),
        Item("daisy", "small", like="daisy 0", width=200),
    ]
    parts = curated(tmp_path, items("daisy", 8) + copies + items("roses", 8)).parts
    assert parts["large"] in PARTS
    assert [parts[name] for name in ("daisy 0", "medium", "small")] == ["near_duplicate"] * 3


def test_photo_of_two_classes_is_out_of_both(tmp_path: Path) -> None:
    photos = items("daisy", 8) + items("roses", 8)
    photos += [
        Item("roses", "daisy 3"),  # the same bytes
        Item("roses", "similar", like="daisy 4", width=300),
        Item("roses", "same walk", observation="walk"),
        Item("daisy", "other shot", observation="walk"),
    ]
    found = curated(tmp_path, photos)
    out = [(photo.label, photo.source_url) for photo in found.rejects.photos]
    assert sorted(out) == [
        ("daisy", "daisy 3"),
        ("daisy", "daisy 4"),
        ("daisy", "other shot"),
        ("roses", "daisy 3"),
        ("roses", "same walk"),
        ("roses", "similar"),
    ]
    assert {photo.reason for photo in found.rejects.photos} == {"in_two_classes"}


def test_photo_of_two_classes_is_told_with_its_counterpart(tmp_path: Path) -> None:
    photos = items("daisy", 8) + items("roses", 8)
    photos += [
        Item("roses", "daisy 3"),  # the same bytes
        Item("roses", "similar", like="daisy 3", width=300),
        Item("daisy", "copy of both", like="daisy 3", width=200),
        Item("roses", "same walk", observation="walk"),
        Item("roses", "third shot", observation="walk"),
        Item("daisy", "other shot", observation="walk"),
        Item("daisy", "far", like="other shot", width=300),
    ]
    said: list[dict[tuple[str, str], str]] = []
    for name, order in (("a", photos), ("b", photos[::-1])):
        found = curated(tmp_path / name, order)
        path_of = {(one.label, one.source_url): one.path for one in found.rejects.photos}
        with open(tmp_path / name / "out" / "rejects" / FILE_NAME, encoding="utf-8-sig") as file:
            rows = csv.DictReader(file)
            said.append({(row["class"], row["found_as"]): row["measured"] for row in rows})
    copies = [path_of["roses", other] for other in ("daisy 3", "similar")]
    walk = min(path_of["roses", other] for other in ("same walk", "third shot"))
    assert said[0] == {
        ("daisy", "daisy 3"): f"also in {path_of['roses', 'daisy 3']}",
        ("roses", "daisy 3"): f"also in {path_of['daisy', 'daisy 3']}",
        ("daisy", "copy of both"): f"also in {min(copies)}",
        ("roses", "similar"): "also in "
        + min(path_of["daisy", other] for other in ("daisy 3", "copy of both")),
        ("daisy", "other shot"): f"of one observation with {walk}",
        ("roses", "same walk"): f"of one observation with {path_of['daisy', 'other shot']}",
        ("roses", "third shot"): f"of one observation with {path_of['daisy', 'other shot']}",
        ("daisy", "far"): f"also in {walk}",
    }
    assert said[1] == said[0]


def test_photos_of_one_observation_stay_in_one_part(tmp_path: Path) -> None:
    photos = [
        Item(label, f"{label} {walk} {shot}", observation=f"{label} walk {walk}")
        for label in ("daisy", "roses")
        for walk in range(12)
        for shot in range(1 + walk % 3)
    ]
    found = curated(tmp_path, photos, Division(train_per_class=16, demo_per_class=4))
    parts = collections.defaultdict(set)
    observations = {photo.name: photo.observation for photo in photos}
    used = [*found.training.photos, *found.demo.photos]
    for photo in [*used, *found.rejects.photos, *found.surplus]:
        observation = observations[photo.source_url]
        parts[observation].add(photo.split)
        assert photo.group == hashlib.sha1(observation.encode()).hexdigest()
    assert len(parts) == 24
    assert all(len(places) == 1 for places in parts.values())


def test_few_photos_are_divided_in_proportion_with_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    found = curated(tmp_path, items("daisy", 25) + items("roses", 25), Division())
    counts = collections.Counter(found.parts.values())
    assert counts == {TRAINING: 32, VALIDATION: 4, TEST: 4, DEMO: 10}
    assert "250" in (tmp_path / "events").read_text()


def test_zero_held_out_photos_are_possible(tmp_path: Path) -> None:
    division = Division(12, 0, validation_percentage=0, testing_percentage=0)
    found = curated(tmp_path, items("daisy", 6) + items("roses", 6), division)
    assert found.demo.photos == []
    assert collections.Counter(found.parts.values()) == {TRAINING: 12}


@pytest.mark.parametrize(
    ("photos", "message"),
    [
        (items("daisy", 3) + items("roses", 9), "class 'daisy' has 3 different photos; 4"),
        (items("daisy", 9), r"at least two classes.*\['daisy'\]"),
        (
            [Item("daisy", "d", observation="w"), Item("roses", "r", observation="w")],
            "class 'daisy' has no photo of its own",
        ),
        (
            [Item("daisy", f"d{n}", observation="w") for n in range(9)] + items("roses", 9),
            "class 'daisy' has 1 different photo; ",
        ),
    ],
)
def test_photos_that_cannot_be_divided_are_refused(
    tmp_path: Path, photos: list[Item], message: str
) -> None:
    sources, vectors = prepare(tmp_path, photos)
    with pytest.raises(InputError, match=message) as caught:
        run(tmp_path / "out", sources, vectors)
    assert str(caught.value).endswith(f"Review page: {tmp_path / 'out' / 'curation.html'}")
    # What a person needs to mend it is there, and nothing that a later step would take.
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"curation.html", "facts"}
    page = (tmp_path / "out" / "curation.html").read_text()
    assert "The run ended here" in page
    assert page.count('class="card photo') == len(photos)


@pytest.mark.parametrize(
    "division", [(2, 1, 10, 10), (10, -1, 10, 10), (10, 1, 50, 50), (10, 1, -1, 0)]
)
def test_numbers_that_make_no_sense_are_refused(
    tmp_path: Path, division: tuple[int, int, int, int]
) -> None:
    sources, vectors = prepare(tmp_path, items("daisy", 9) + items("roses", 9))
    with pytest.raises(InputError, match="expected"):
        run(tmp_path / "out", sources, vectors, Division(*division))


def test_bottlenecks_of_other_photos_are_refused(tmp_path: Path) -> None:
    sources, _ = prepare(tmp_path / "a", items("daisy", 9) + items("roses", 9))
    _, vectors = prepare(tmp_path / "b", items("daisy", 8) + items("roses", 9))
    with pytest.raises(InputError, match="1 photo has no bottleneck"):
        run(tmp_path / "out", sources, vectors)


def test_class_of_rejects_only_is_refused(tmp_path: Path) -> None:
    sources, vectors = prepare(tmp_path, items("daisy", 9) + items("roses", 9))
    with DatasetWriter(tmp_path / "rejects") as writer:
        writer.add(Photo("tulips", reason="damaged"), b"no photo")
    with pytest.raises(InputError, match="class 'tulips' has no usable photo"):
        curate(sources, vectors, places(tmp_path / "out"), clean_rejects=[tmp_path / "rejects"])


def test_photos_that_were_never_cleaned_are_refused(tmp_path: Path) -> None:
    sources, vectors = prepare(tmp_path, items("daisy", 9) + items("roses", 9))
    with DatasetWriter(sources[0]) as writer:  # the same bytes, without perceptual hashes
        for number in range(9):
            writer.add(Photo("daisy"), f"daisy {number} 640".encode() * 9)
    with pytest.raises(InputError):
        run(tmp_path / "out", sources, vectors)


def test_same_input_makes_the_same_bytes(tmp_path: Path) -> None:
    sources, vectors = prepare(tmp_path, items("daisy", 20) + items("roses", 14))
    for name in ("a", "b"):
        run(tmp_path / name, sources, vectors)
    for folder in ("training", "demo", "rejects"):
        for file in ("manifest.parquet", "images-00000.tar"):
            left, right = (tmp_path / name / folder / file for name in ("a", "b"))
            assert left.exists() == right.exists()
            assert not left.exists() or left.read_bytes() == right.read_bytes()
    ledgers = [(tmp_path / name / "ledger" / LEDGER).read_bytes() for name in ("a", "b")]
    assert ledgers[0] == ledgers[1]


def test_order_of_datasets_and_photos_changes_no_part(tmp_path: Path) -> None:
    photos = items("daisy", 20) + items("roses", 14) + items("tulips", 9)
    photos += [Item("daisy", f"copy {n}", like=f"daisy {n}", width=640) for n in range(5)]
    sources, vectors = prepare(tmp_path / "a", photos)
    first = run(tmp_path / "a" / "out", sources, vectors).parts
    assert run(tmp_path / "a" / "turned", sources[::-1], vectors).parts == first
    assert curated(tmp_path / "b", photos[::-1]).parts == first


def test_other_classes_change_no_part(tmp_path: Path) -> None:
    photos = items("daisy", 20) + items("roses", 14)
    first = curated(tmp_path / "a", photos).parts
    more = curated(tmp_path / "b", items("asters", 9) + photos + items("tulips", 30)).parts
    assert {name: part for name, part in more.items() if name in first} == first


def test_same_photo_in_two_datasets_of_a_class_is_kept_once(tmp_path: Path) -> None:
    sources, vectors = prepare(tmp_path, items("daisy", 9) + items("roses", 9))
    with DatasetWriter(tmp_path / "more") as writer:
        photo, data = next(Dataset(sources[0]).stream())
        writer.add(photo, data)
    found = run(tmp_path / "out", [*sources, tmp_path / "more"], vectors)
    kept = [one.sha256 for one in [*found.training.photos, *found.demo.photos]]
    assert kept.count(photo.sha256) == 1


def test_earlier_ledger_keeps_photos_in_their_parts(tmp_path: Path) -> None:
    photos = items("daisy", 9) + items("roses", 9)
    first = curated(tmp_path / "a", photos)
    more = photos + [Item("daisy", f"new {number}") for number in range(9)]
    without = curated(tmp_path / "b", more).parts
    found = curated(tmp_path / "c", more, earlier=first.ledger).parts
    assert {name: found[name] for name in first.parts} == first.parts
    assert {name: without[name] for name in first.parts} != first.parts  # or nothing was tested


def test_ledger_of_another_collection_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log, "propagate", True)
    photos = items("daisy", 9) + items("roses", 9)
    first = curated(tmp_path / "a", photos)
    other = [Item(one.label, f"{one.name} of another garden") for one in photos]
    alone = curated(tmp_path / "b", other).parts
    with caplog.at_level("INFO", "components"):
        assert curated(tmp_path / "c", other, earlier=first.ledger).parts == alone
    assert (
        "warning: the ledger of an earlier run (--earlier_ledger) contains none of these 18 "
        "photos: is it from another collection? They are divided without it"
    ) in caplog.messages
    caplog.clear()
    with caplog.at_level("INFO", "components"):
        curated(tmp_path / "d", [*photos[:9], *other[9:]], earlier=first.ledger)
    assert "curate: the ledger placed 9 of 18 photos" in caplog.messages
    assert "another collection" not in caplog.text


def test_photo_stays_in_its_part_when_a_copy_of_it_arrives(tmp_path: Path) -> None:
    photos = items("daisy", 12) + items("roses", 9)
    first = curated(tmp_path / "a", photos)
    copies = [
        Item("daisy", f"copy {number} of {copy}", like=f"daisy {copy}", width=200)
        for copy in range(12)
        for number in range(3)
    ]
    found = curated(tmp_path / "b", photos + copies, earlier=first.ledger).parts
    assert {name: found[name] for name in first.parts} == first.parts


def test_ledger_lists_every_group_once(tmp_path: Path) -> None:
    found = curated(tmp_path, items("daisy", 20) + items("roses", 14))
    rows = pq.read_table(found.ledger / LEDGER).to_pylist()
    used = [*found.training.photos, *found.demo.photos]
    everything = [*used, *found.rejects.photos, *found.surplus]
    assert len(rows) == len({photo.group for photo in everything})
    assert {(row["label"], row["group"]): row["split"] for row in rows} == {
        (photo.label, photo.group): photo.split for photo in everything
    }


def test_missing_ledger_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no file at"):
        curated(tmp_path, items("daisy", 9) + items("roses", 9), earlier=tmp_path / "empty")


def test_real_photo_resized_and_recompressed_is_kept_once(
    tmp_path: Path, shared_photos: Path, backbone_cache: Path
) -> None:
    sources = []
    for label in ("daisy", "tulips"):
        files = sorted((shared_photos / "flowers" / label).glob("*.jpg"))[:12]
        with DatasetWriter(tmp_path / "found" / label) as writer:
            for file in files:
                writer.add(Photo(label, source_url=file.name), file.read_bytes())
            for file in files[:3]:
                pixels = images.decode(file.read_bytes())
                small = cv2.resize(pixels, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
                copy = images.encode(small, quality=70)  # type: ignore[arg-type]
                writer.add(Photo(label, source_url=f"copy of {file.name}"), copy)
        sources.append(tmp_path / "clean" / label)
        found = tmp_path / "found" / label
        clean(found, sources[-1], tmp_path / "bad" / label, CleanOptions(min_bytes=0))
    photos = [row for source in sources for row in Dataset(source).stream()]
    backbone = load_backbone("mobilenet_1.0_128", backbone_cache)
    vectors = bottlenecks.compute(backbone, photos)
    bottlenecks.save(vectors, tmp_path / "b", [photo.label for photo, _ in photos])
    result = run(tmp_path / "out", sources, tmp_path / "b", Division(10, 2))
    assert len(photos) == 30
    out = [one.source_url for one in result.rejects.photos if one.reason == "near_duplicate"]
    assert len(out) == 6
    assert all(name.startswith("copy of ") for name in out)


def test_of_equally_large_copies_the_larger_file_is_kept_and_named_as_it_was_found(
    tmp_path: Path,
) -> None:
    # The content of `prepare` is its name, nine times: the longer name is the larger file.
    copies = [
        Item("daisy", "a daisy with less in it", like="daisy 0", width=900),
        Item("daisy", "a daisy with less in it, but not so little", like="daisy 0", width=900),
    ]
    found = curated(tmp_path, items("daisy", 8) + copies + items("roses", 8))
    assert found.parts[copies[1].name] in PARTS
    assert found.parts[copies[0].name] == "near_duplicate"
    table = (found.rejects.path / "REASONS.csv").read_text("utf-8-sig")
    assert f"a copy of {copies[1].name}" in table.replace('"', "")


def test_a_system_s_own_files_are_on_no_page(tmp_path: Path) -> None:
    sources, vectors = prepare(tmp_path, items("daisy", 9) + items("roses", 9))
    with DatasetWriter(tmp_path / "rejects", rejects=True) as writer:
        writer.add(Photo("daisy", source_url="daisy/.DS_Store", reason="hidden"), b"")
        writer.add(Photo("daisy", source_url="daisy/notes.txt", reason="unknown_type"), b"")
    curate(sources, vectors, places(tmp_path / "out"), clean_rejects=[tmp_path / "rejects"])
    page = (tmp_path / "out" / "curation.html").read_text()
    assert "notes.txt" in page
    assert ".DS_Store" not in page


@pytest.mark.parametrize(("asked", "subject"), [("", "petals"), ("any", "any")])
def test_what_is_known_of_the_classes_goes_into_every_dataset(
    tmp_path: Path, asked: str, subject: str
) -> None:
    sources, vectors = prepare(tmp_path, items("daisy", 9) + items("roses", 9))
    stated = [ClassFacts("petals", {"daisy": "edible"}), ClassFacts("petals", {}, ("roses",))]
    for source, facts in zip(sources, stated, strict=True):
        reseal(source / DESCRIPTION, facts=facts.to_json())
    options = CurateOptions(**dataclasses.asdict(SMALL), subject=asked)
    outputs = places(tmp_path / "out")
    curate(sources, vectors, outputs, options=options)
    known = ClassFacts(subject, {"daisy": "edible"}, ("roses",))
    for place in (outputs.training, outputs.demo, outputs.rejects):
        assert Dataset(place).facts == known
