"""What is stated of the classes, in a folder's own species.yaml or the run's, and where it goes."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest
from object_stores import Store, using
from services import photo

from components.clean.clean import clean
from components.clean.options import CleanOptions
from components.common.base.errors import InputError
from components.common.dataset.class_facts import ClassFacts
from components.common.dataset.dataset import Dataset
from components.common.store import storage
from components.download.download import download
from components.download.options import DownloadOptions
from programs.run import options as run_options

CLASSES = ("death cap", "field_mushroom", "litter")
OWN = """
subject: mushrooms
species:
  - {label: death cap, edibility: deadly}
  - {label: Field Mushroom, edibility: edible}
  - {label: litter, other: true}
"""
STATED = ClassFacts("fungi", {"death cap": "deadly", "field_mushroom": "edible"}, ("litter",))


def folder(root: Path, text: str = "", classes: tuple[str, ...] = CLASSES) -> Path:
    for number, label in enumerate(classes):
        (root / label).mkdir(parents=True)
        for row in range(3):
            (root / label / f"{row}.jpg").write_bytes(photo(10 * number + row))
    if text:
        (root / "species.yaml").write_text(text)
    return root


def gathered(tmp_path: Path, image_dir: Path, **more: object) -> Dataset:
    options = DownloadOptions("folder", str(image_dir), cache_dir=str(tmp_path / "cache"))
    species = more.pop("species", None)
    options = DownloadOptions.of({**vars(options), **more})
    download(CLASSES, tmp_path / "found", options, species)  # type: ignore[arg-type]
    return Dataset(tmp_path / "found")


def test_species_file_of_a_folder_travels_to_the_cleaned_photos(tmp_path: Path) -> None:
    found = gathered(tmp_path, folder(tmp_path / "photos", OWN))
    assert found.facts == STATED
    assert {row.label for row in found.photos} == set(CLASSES)
    clean(found.path, tmp_path / "clean", tmp_path / "bad", CleanOptions(min_bytes=0))
    assert Dataset(tmp_path / "clean").facts == STATED
    assert Dataset(tmp_path / "bad").facts == STATED


def test_species_file_is_not_told_as_a_file_that_nothing_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gathered(tmp_path, folder(tmp_path / "photos", OWN))
    assert "not read" not in capsys.readouterr().err


def test_what_stands_beside_the_photos_counts_more_than_the_run_s_species(tmp_path: Path) -> None:
    run = {
        "Death_Cap": {"label": "Death_Cap", "edibility": "edible", "latin": "Amanita phalloides"},
        "litter": {"label": "litter", "edibility": "inedible"},
        "truffle": {"label": "truffle", "edibility": "edible"},
    }
    found = gathered(tmp_path, folder(tmp_path / "photos", OWN), species=run)
    assert found.facts == ClassFacts(
        "fungi", {**STATED.edibility, "litter": "inedible"}, STATED.others
    )


@pytest.mark.parametrize(
    ("option", "own", "expected"),
    [
        ("", "", "fungi"),
        ("", "subject: flowers", "flowers"),
        ("any", "subject: flowers", "any"),
        ("Toadstools", "subject: flowers", "fungi"),
    ],
)
def test_subject_is_the_option_s_else_the_folder_s(
    tmp_path: Path, option: str, own: str, expected: str
) -> None:
    found = gathered(tmp_path, folder(tmp_path / "photos", own), subject=option)
    assert found.facts.subject == expected


REFUSED = {
    "species: [{label: deth cap}]": r"'deth cap'.* the nearest is 'death cap'",
    "species: [{label: death cap}, {label: Death_Cap}]": "differ only by",
    "species: [{label: death cap, edibility: yummy}]": "'yummy' is none of deadly, poisonous",
    "species: [{label: death cap, other: perhaps}]": "other is 'perhaps', expected true or false",
    "species: [{label: death cap, deadly: true}]": "unknown field deadly: expected some of label",
    "subjects: flowers": "unknown field subjects: expected species and subject",
    "subject: [flowers]": "subject",
    "species: {death cap: deadly}": "expected `species:` and a list",
    "just words": "no species file",
    "": "no species file",
    "\xff": "no species file",
}


@pytest.mark.parametrize("text", REFUSED)
def test_species_file_that_makes_no_sense_is_named_with_what_is_wrong(
    tmp_path: Path, text: str
) -> None:
    image_dir = folder(tmp_path / "photos")
    (image_dir / "species.yaml").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=REFUSED[text]) as caught:
        gathered(tmp_path, image_dir)
    assert f"{image_dir}/species.yaml" in str(caught.value)
    assert not (tmp_path / "found").exists()
    # and before anything of a run starts
    parser = argparse.ArgumentParser()
    run_options.add_parameters(parser)
    with pytest.raises(InputError, match=REFUSED[text]):
        run_options.checked(parser.parse_args(["--image_dir", str(image_dir)]))


def test_large_species_file_of_a_folder_is_refused(tmp_path: Path) -> None:
    image_dir = folder(tmp_path / "photos", f"subject: flowers{' ' * 1024**2}")
    with pytest.raises(InputError, match="larger than"):
        gathered(tmp_path, image_dir)


def test_run_takes_the_folder_s_word_then_the_species_file_s(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    run_options.add_parameters(parser)
    listed = "species: [{label: litter}, {label: death cap, edibility: poisonous}]"
    (tmp_path / "mine.yaml").write_text(f"subject: leaves\n{listed}")
    own, plain = folder(tmp_path / "own", OWN), folder(tmp_path / "plain")
    found = {}
    for place in (own, plain):
        asked = ["--image_dir", str(place), "--species", str(tmp_path / "mine.yaml")]
        found[place] = run_options.checked(parser.parse_args(asked))
    assert found[own]["subject"] == "fungi"
    assert found[plain]["subject"] == "leaves"
    assert found[own]["species"]["death cap"]["edibility"] == "deadly"
    assert found[plain]["species"]["death cap"]["edibility"] == "poisonous"
    asked = [*asked, "--subject", "any"]
    assert run_options.checked(parser.parse_args(asked))["subject"] == "any"


def test_species_file_below_a_prefix_is_read_too(store: Store, tmp_path: Path) -> None:
    image_dir = folder(tmp_path / "photos", OWN)
    with using(store.environment):
        place = f"{store.prefix}/stated"
        for label in CLASSES:
            files = {path.name: path for path in (image_dir / label).iterdir()}
            storage.upload_files(files, f"{place}/{label}")
        storage.upload_files({"species.yaml": image_dir / "species.yaml"}, place)
        options = DownloadOptions(
            "storage", place, min_per_class=1, cache_dir=str(tmp_path / "cache")
        )
        download(CLASSES, tmp_path / "found", options)
    assert Dataset(tmp_path / "found").facts == STATED


def test_command_takes_the_subject_of_its_species_file(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "subject: trees\nspecies: [{label: death cap}, {label: litter, other: yes}]"
    )
    image_dir = folder(tmp_path / "photos")
    command = [
        *(sys.executable, "-m", "components.download", "--source", "folder"),
        *("--image_dir", str(image_dir), "--species", str(tmp_path / "mine.yaml")),
        *("--output", str(tmp_path / "found"), "--cache_dir", str(tmp_path / "cache")),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert Dataset(tmp_path / "found").facts == ClassFacts("trees", {}, ("litter",))
