"""Class names of strangers: all the way through, or refused at once; and the files that name them.

Quotes, emoji, right-to-left writing, names that Windows reserves, words that YAML takes for
something else, bombs of references.
"""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from html_page import Page

from components.common.base.errors import InputError
from components.common.dataset import attribution, class_folders, decisions
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo, check_label
from components.common.dataset.species import as_parameter, find_species, read_species
from components.common.model.description import ModelDescription
from components.common.pages import page as pages
from components.common.photos import images
from components.label_image import gallery, graph
from components.label_image.gallery import Gallery, Labelled
from components.retrain import projector

GOOD = [
    *("'quoted'", '"double"', "`back`", "a & b <c>", "<script>alert(1)<script>", "[x](y)"),
    *("CON", "nul.txt", "com1", "a:b", "what?", "star*", "pipe|pipe", "trailing dot."),
    *("فطر أحمر", "פטרייה", "蘑菇", "Röhrling", "Ro\u0308hrling", "🍄", "❤️ heart", "👍🏽"),
    *("yes", "no", "null", "~", "007", "1e3", "2020-01-01", "1:30", "true", "=", "<<", "-", "-rf"),
    *("%2e%2e", "$HOME", "${x}", "{{7*7}}", "; rm -rf x", "a,b", "C:", "#1", "__init__", "NaN"),
    *("x" * 100, "蘑" * 85, "a  b", "per%cent %s %d"),
]
BAD = [
    *("", " ", " x", "x ", ".", "..", ".hidden", "a/b", "../x", "/etc", "a\\b", "..\\x"),
    *("a\nb", "a\rb", "a\tb", "a\0b", "\x1b[31mred", "bell\a", "\x7f", "\x85next", "a\u2028b"),
    "abc\u202egnp.exe",  # shown as abcexe.png
    *("zero\u200bwidth", "\u2066isolated\u2069", "soft\u00adhyphen", "\ufeffmark", "\udcff"),
    *("x" * 101, "x" * 300, "蘑" * 86, "x" * 1_000_000),
]


def short(name: str) -> str:
    return ascii(name[:16])


def photo_bytes(grey: int) -> bytes:
    return images.encode(np.full((40, 50, 3), grey, np.uint8))


@pytest.mark.parametrize("name", GOOD, ids=short)
def test_good_name_goes_all_the_way_through(tmp_path: Path, name: str) -> None:
    # From a species file,
    listed = yaml.safe_dump({"species": [{"label": name}, {"label": "other"}]}, allow_unicode=True)
    (tmp_path / "species.yaml").write_text(listed, encoding="utf-8")
    parameter = json.loads(json.dumps(as_parameter(read_species(tmp_path / "species.yaml"))))
    assert list(parameter) == [name, "other"]
    assert find_species(parameter, name).names == (name,)
    # and a folder of photos,
    for label in (name, "other"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        (tmp_path / "photos" / label / "1.jpg").write_bytes(photo_bytes(len(label)))
    if not name.startswith("__"):  # such folders are no classes, as they are none for Keras
        assert class_folders.list_classes(tmp_path / "photos") == sorted([name, "other"])
    (file,) = class_folders.class_files(tmp_path / "photos", name)
    # into a dataset and out of it,
    with DatasetWriter(tmp_path / "d") as writer:
        stored = writer.add(Photo(name, split="training"), file.read_bytes())
        writer.add(Photo("other"), photo_bytes(1))
    dataset = Dataset(tmp_path / "d")
    assert dataset.labels == sorted([name, "other"])
    assert next(iter(dataset.stream())) == (stored, file.read_bytes())
    with tarfile.open(tmp_path / "d" / stored.shard) as shard:
        shard.extractall(tmp_path / "out", filter="data")
    assert (tmp_path / "out" / name / Path(stored.path).name).read_bytes() == file.read_bytes()
    # TensorBoard's table,
    fields = projector._line(stored).split("\t")
    assert fields == [" ".join(name.split()), "training", " ".join(stored.path.split())]
    # the labels of a model,
    (tmp_path / "labels.txt").write_text(f"{name}\nother\n", "utf-8")
    assert graph.read_labels(tmp_path / "labels.txt") == (name, "other")
    # decisions by hand,
    content = {"label": name, "source_sha256": "a" * 64, "decision": "keep"}
    head = {"format": decisions.FORMAT, "format_version": decisions.FORMAT_VERSION}
    (tmp_path / "decisions.json").write_text(json.dumps({**head, "decisions": [content]}))
    assert decisions.read(str(tmp_path / "decisions.json")).vouches_for(
        Photo(name, source_sha256="a" * 64)
    )


@pytest.mark.parametrize("name", GOOD, ids=short)
def test_good_name_is_shown_as_text(name: str) -> None:
    model = ModelDescription((name, "other"), "mobilenet_1.0_128", 128, "", "", "", "1")
    one = Labelled(Photo(name, f"{name}/1.jpg"), ((name, 0.9), ("other", 0.1)), photo_bytes(9))
    page = Page(gallery.render(Gallery(model, (one,))))
    assert " ".join(name.split()) in page.text
    assert len(page.all("script")) == 1
    assert len(page.all("img")) == 1
    assert "\n" not in attribution.escape(name)
    assert "\ufffd" not in pages.visible(pages.class_name(name))


@pytest.mark.parametrize("name", BAD, ids=short)
def test_bad_name_is_refused_at_once_in_a_short_message(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be a class name: use 1 to 100") as caught:
        check_label(name)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()
    with (
        pytest.raises(InputError, match="cannot be a class name"),
        DatasetWriter(tmp_path / "d") as w,
    ):
        w.add(Photo(name), b"x")
    assert not (tmp_path / "d").exists()
    with pytest.raises(InputError, match="cannot be a class name"):
        class_folders.class_files(tmp_path, name)
    with pytest.raises(InputError, match="cannot be a class name"):
        find_species({}, name)
    content = {"label": name, "source_sha256": "a" * 64, "decision": "keep"}
    head = {"format": decisions.FORMAT, "format_version": decisions.FORMAT_VERSION}
    (tmp_path / "decisions.json").write_text(json.dumps({**head, "decisions": [content]}))
    with pytest.raises(InputError, match="cannot be a class name") as caught:
        decisions.read(str(tmp_path / "decisions.json"))
    assert len(str(caught.value)) < 600


def laughs(levels: int = 9) -> str:
    """Lists of lists, by reference: ten to the power of `levels` entries in a few hundred bytes."""
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(levels):
        name, below = chr(98 + level), chr(97 + level)
        lines.append(f"{name}: &{name} [{', '.join([f'*{below}'] * 10)}]")
    return "\n".join(lines)


def merges(levels: int = 9) -> str:
    """The same by merging mappings, which PyYAML does by copying."""
    lines = ["a: &a {x: y}"]
    for level in range(levels):
        name, below = chr(98 + level), chr(97 + level)
        lines.append(f"{name}: &{name} {{<<: [{', '.join([f'*{below}'] * 10)}]}}")
    return "\n".join(lines)


BOMBS = {
    "laughs as a label": f"{laughs()}\nspecies: [{{label: *j}}, {{label: two}}]",
    "laughs as an entry": f"{laughs()}\nspecies: [*j, {{label: two}}]",
    "laughs as taxa": f"{laughs()}\nspecies: [{{label: one, taxa: *j}}, {{label: two}}]",
    "merged mappings": f"{merges()}\nspecies: [*j, {{label: two}}]",
    "a list in itself": "species: &a [*a, *a]",
    "a number in base 60": f"species: [{{label: 1{':1' * 400_000}}}, {{label: two}}]",
    "a long number": f"species: [{{label: one, latin: {'9' * 900_000}}}, {{label: two}}]",
    "deep lists": "[" * 400_000,
    "a long name": f"species: [{{label: {'x' * 900_000}}}, {{label: two}}]",
    "a long field": f"species: [{{label: one, {'x' * 100_000}: 1}}, {{label: two}}]",
    "many twice": f"species: [{', '.join(['{label: one}'] * 10_000)}]",
    "a tag": "species: !!python/object/apply:os.system ['touch hacked']",
    "a tag of a name": "species: [{label: !!python/name:os.system }, {label: two}]",
    "binary": "species: [{label: !!binary aGVsbG8=}, {label: two}]",
    "a mapping for a label": "species: [{label: {a: b}}, {label: two}]",
    "a list for a key": "species: [{[a, b]: c, label: one}, {label: two}]",
    "two documents": "species: [{label: one}, {label: two}]\n---\nspecies: []",
    "no text": "\x00\x01\x02",
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_bomb_in_a_species_file_is_refused_in_a_short_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bomb: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("species.yaml").write_text(BOMBS[bomb])
    with pytest.raises(InputError, match=r"species\.yaml") as caught:
        read_species(Path("species.yaml"))
    assert len(str(caught.value)) < 700
    assert not Path("hacked").exists()


def test_species_file_may_be_written_plainly(tmp_path: Path) -> None:
    (tmp_path / "species.yaml").write_text(
        "species:\n"
        "  - label: no\n"
        "    latin:\n"
        "  - {label: 007, latin: null, wordnet_id: ~, taxa: [1e3, yes]}\n"
    )
    first, second = read_species(tmp_path / "species.yaml")
    assert (first.label, first.latin) == ("no", "")
    assert (second.label, second.latin, second.taxa) == ("007", "", ("1e3", "yes"))
