"""Names of classes that look alike are an error that names both, wherever classes are named."""

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from components.common.base.errors import InputError
from components.common.dataset.class_folders import list_classes
from components.common.dataset.photo import check_labels
from components.common.dataset.species import Species, as_parameter, find_species, read_species
from components.download.download import class_names, download
from components.download.options import DownloadOptions
from programs.submit.upload import list_photos

NFC, NFD = (unicodedata.normalize(form, "Röhrling") for form in ("NFC", "NFD"))
TWINS = [
    *(("Fly agaric", "fly agaric"), ("fly_agaric", "fly agaric"), ("FlyAgaric", "fly_agaric")),
    *(("fly agaric", "fly  agaric"), (NFC, NFD)),
    *(("ÄRGER", unicodedata.normalize("NFD", "ärger")), ("class 1", "Class_1")),
]
DIFFERENT = [("1 1", "11"), ("a-b", "ab"), ("Röhrling", "Rohrling"), ("a1", "a 2"), ("x.", "x")]


def folders(labels: tuple[str, str], tmp_path: Path) -> None:
    for label in labels:
        (tmp_path / label).mkdir()
        (tmp_path / label / "1.jpg").write_bytes(b"x")


def by_folder(labels: tuple[str, str], tmp_path: Path) -> object:
    folders(labels, tmp_path)
    return list_classes(tmp_path)


def by_submit(labels: tuple[str, str], tmp_path: Path) -> object:
    folders(labels, tmp_path)
    return list_photos(tmp_path, 0)


def by_list(labels: tuple[str, str], tmp_path: Path) -> object:
    path = tmp_path / "list.csv"
    path.write_text("url,label\n" + "".join(f"https://a.org/1,{label}\n" for label in labels))
    return class_names(DownloadOptions(source="urls", url_list=str(path), cache_dir=str(tmp_path)))


def by_species(labels: tuple[str, str], tmp_path: Path) -> object:
    path = tmp_path / "species.yaml"
    path.write_text(f"species: [{{label: '{labels[0]}'}}, {{label: '{labels[1]}'}}]")
    return read_species(path)


def by_step(labels: tuple[str, str], tmp_path: Path) -> object:
    folders(labels, tmp_path)
    options = DownloadOptions(source="folder", image_dir=str(tmp_path))
    return download(labels, tmp_path / ".out", options)


WAYS = [by_folder, by_submit, by_list, by_species, by_step]


@pytest.mark.parametrize("labels", TWINS, ids=ascii)
@pytest.mark.parametrize("way", WAYS)
def test_two_spellings_of_one_name_are_refused(
    tmp_path: Path, way: Callable[[tuple[str, str], Path], object], labels: tuple[str, str]
) -> None:
    with pytest.raises(InputError, match="differ only by") as caught:
        way(labels, tmp_path)
    for label in labels:
        assert repr(label) in str(caught.value) or ascii(label) in str(caught.value)


@pytest.mark.parametrize("labels", DIFFERENT, ids=ascii)
def test_names_that_differ_by_more_are_two(labels: tuple[str, str]) -> None:
    assert check_labels(labels, "here") == list(labels)


@pytest.mark.parametrize("labels", TWINS, ids=ascii)
def test_species_is_found_by_another_spelling_of_its_name(labels: tuple[str, str]) -> None:
    listed = as_parameter([Species("other"), Species(labels[0], latin="Amanita muscaria")])
    assert find_species(listed, labels[1]) == Species(labels[1], latin="Amanita muscaria")
