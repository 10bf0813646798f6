"""Photos in class folders become a dataset with parts, as retrain.py's users have them."""

import shutil
from itertools import islice
from pathlib import Path

import pytest
from conftest import SMALL_ARCHITECTURE

from components.common.base.errors import InputError
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dataset import Dataset
from components.common.network import backbone
from components.common.network.backbone import Backbone
from components.download.sources import sample
from components.retrain import from_folder
from components.retrain.command import CommandOptions

LABELS = ("fly agaric", "earthstar")


@pytest.fixture(scope="module")
def network(backbone_cache: Path) -> Backbone:
    return backbone.load_backbone(SMALL_ARCHITECTURE, backbone_cache)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of twelve rendered pictures."""
    root = tmp_path_factory.mktemp("photos")
    for label in LABELS:
        (root / label).mkdir()
        for number, picture in enumerate(islice(sample.render_class(label, 12), 12)):
            (root / label / f"{number}.jpg").write_bytes(picture.data)
    return root


def written(root: Path, output: Path, network: Backbone) -> Dataset:
    from_folder.write_dataset(
        root,
        output,
        network,
        output.parent / "kept",
        validation_percentage=10,
        testing_percentage=10,
    )
    return Dataset(output)


def parts(dataset: Dataset) -> dict[str, str]:
    return {photo.source_sha256: photo.split for photo in dataset.photos}


def test_every_class_has_every_part(photos: Path, network: Backbone, tmp_path: Path) -> None:
    dataset = written(photos, tmp_path / "dataset", network)
    assert dataset.labels == sorted(LABELS)
    assert len(dataset.photos) == 24
    for label in LABELS:
        counts = [photo.split for photo in dataset.photos if photo.label == label]
        assert counts.count("training") == 10
        assert counts.count("validation") == counts.count("test") == 1
    assert "earthstar/0.jpg" in {photo.source_url for photo in dataset.photos}


def test_moved_and_renamed_photos_stay_in_their_parts(
    photos: Path, network: Backbone, tmp_path: Path
) -> None:
    first = written(photos, tmp_path / "dataset", network)
    moved = tmp_path / "elsewhere"
    for label in LABELS:
        (moved / label).mkdir(parents=True)
        for path in (photos / label).iterdir():
            shutil.copy(path, moved / label / f"renamed-{path.stem}.JPG")
    assert parts(written(moved, tmp_path / "again", network)) == parts(first)


def test_copies_stay_together_and_a_photo_in_two_classes_is_left_out(
    photos: Path, network: Backbone, tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    shutil.copytree(photos, root)
    shutil.copy(root / "earthstar" / "3.jpg", root / "fly agaric" / "copy.jpg")
    shutil.copy(root / "earthstar" / "5.jpg", root / "earthstar" / "copy.jpg")
    dataset = written(root, tmp_path / "dataset", network)
    by_name = {photo.source_url: photo for photo in dataset.photos}
    assert by_name["earthstar/3.jpg"].split == by_name["fly agaric/copy.jpg"].split == "surplus"
    assert by_name["earthstar/5.jpg"].group == by_name["earthstar/copy.jpg"].group != ""
    assert by_name["earthstar/5.jpg"].split == by_name["earthstar/copy.jpg"].split


def test_files_that_are_no_photos_are_left_out(
    photos: Path, network: Backbone, tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    shutil.copytree(photos, root)
    (root / "earthstar" / "page.jpg").write_text("<html>not found</html>")
    (root / "earthstar" / "cut.jpg").write_bytes((root / "earthstar" / "1.jpg").read_bytes()[:900])
    assert len(written(root, tmp_path / "dataset", network).photos) == 24


def test_class_without_a_usable_photo_is_an_error(
    photos: Path, network: Backbone, tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    shutil.copytree(photos, root)
    (root / "roses").mkdir()
    (root / "roses" / "1.jpg").write_text("<html>")
    with pytest.raises(InputError, match=r"roses is a usable photo"):
        written(root, tmp_path / "dataset", network)
    assert not (tmp_path / "dataset").exists()


@pytest.mark.parametrize(("validation", "testing"), [(-1, 10), (10, -1), (50, 50)])
def test_senseless_percentages_are_refused(validation: int, testing: int) -> None:
    options = CommandOptions(validation_percentage=validation, testing_percentage=testing)
    with pytest.raises(InputError, match="percentage"):
        options.check()


def test_file_that_cannot_be_read_is_left_out(
    photos: Path, network: Backbone, tmp_path: Path
) -> None:
    shutil.copytree(photos, tmp_path / "photos")
    (tmp_path / "photos" / LABELS[0] / "unreadable.jpg").symlink_to("/proc/self/mem")
    dataset = written(tmp_path / "photos", tmp_path / "dataset", network)
    assert len(dataset.photos) == 24
    assert all("unreadable" not in photo.source_url for photo in dataset.photos)


def test_species_file_of_the_folder_says_what_is_known_of_its_classes(
    photos: Path, tmp_path: Path, network: Backbone
) -> None:
    shutil.copytree(photos, tmp_path / "photos")
    stated = "subject: drawings\nspecies: [{label: Fly_agaric, edibility: poisonous}]"
    (tmp_path / "photos" / "species.yaml").write_text(stated)
    found = written(tmp_path / "photos", tmp_path / "dataset", network)
    assert found.labels == sorted(LABELS)
    assert found.facts == ClassFacts("drawings", {"fly agaric": "poisonous"})
    assert written(photos, tmp_path / "plain", network).facts == ClassFacts()
