"""From answers to class folders: nothing is overwritten, and an answer can be changed."""

import json
from pathlib import Path

import pytest
from conftest import run_captured
from select_items import chosen, jpeg

from components.common.base.errors import InputError
from components.common.dataset import class_folders
from programs.select import answers, ending, labelled, selection
from programs.select.answers import NONE, Answers
from programs.select.selection import Selection


@pytest.fixture
def home(tmp_path: Path) -> Path:
    chosen(tmp_path / "to-label", tmp_path / "photos")
    return tmp_path / "to-label"


def said(made: Selection, *labels: str) -> Answers:
    """Answers to the first photos."""
    return Answers({photo.sha256: label for photo, label in zip(made.photos, labels, strict=False)})


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_photos_lie_in_the_folders_of_their_classes_as_they_were_found(home: Path) -> None:
    made = selection.read(home)
    placed = labelled.place(home, made, said(made, "rose", "oxeye", NONE))
    assert placed.classes == {"oxeye": 1, "rose": 1}
    assert placed.new_classes == ("oxeye",)
    assert (placed.none, placed.undecided) == (1, 1)
    assert class_folders.list_classes(placed.folder) == ["oxeye", "rose"]
    originals = {jpeg(number) for number in range(4)}
    assert set(files(placed.folder).values()) <= originals
    assert len(files(placed.folder)) == 2
    told = "\n".join(ending.lines(placed))
    assert "2 photos labelled in" in told
    assert "1 left out, 1 undecided" in told
    assert "oxeye (new class)" in told
    assert f"make run IMAGES={placed.folder}" in told


def test_one_class_alone_is_no_run(home: Path) -> None:
    made = selection.read(home)
    assert "No photo has a class yet." in "".join(
        ending.lines(labelled.place(home, made, Answers()))
    )
    told = "\n".join(ending.lines(labelled.place(home, made, said(made, "rose"))))
    assert "A run needs photos of 2 classes or more" in told
    assert "make run" not in told


def test_changed_answer_moves_the_copy_and_a_withdrawn_one_removes_it(home: Path) -> None:
    made = selection.read(home)
    labelled.place(home, made, said(made, "rose", "tulip", "tulip"))
    placed = labelled.place(home, made, said(made, "daisy", NONE, "tulip"))
    assert sorted(path.split("/")[0] for path in files(placed.folder)) == ["daisy", "tulip"]
    assert not (placed.folder / "rose").exists()
    assert labelled.place(home, made, said(made, "daisy", NONE, "tulip")) == placed  # once more


def test_folder_with_photos_gets_the_new_ones_and_loses_none(home: Path, tmp_path: Path) -> None:
    made = selection.read(home)
    into, first, second = tmp_path / "mine", *(Path(one.file).name for one in made.photos[:2])
    for label, name, data in (
        ("Rose", "a.jpg", b"a photo of mine"),
        ("Rose", first, b"another photo of that name"),
        ("daisy", second, (home / made.photos[1].file).read_bytes()),  # labelled before, by me
    ):
        (into / label).mkdir(parents=True, exist_ok=True)
        (into / label / name).write_bytes(data)
    before = files(into)
    labelled.place(home, made, said(made, "rose", "tulip", "rose"), into)
    after = files(into)
    assert {name: after[name] for name in before} == before
    # The class is spelt as the folder is.
    assert set(after) - set(before) == {
        f"tulip/{second}",
        f"Rose/{Path(made.photos[2].file).name}",
    }
    labelled.place(home, made, said(made), into)
    assert files(into) == before


def test_copy_that_somebody_has_changed_stays(home: Path) -> None:
    made = selection.read(home)
    folder = labelled.place(home, made, said(made, "rose")).folder
    (copy,) = folder.rglob("*.jpg")
    copy.write_bytes(b"turned by hand")
    labelled.place(home, made, said(made, "tulip"))
    assert files(folder)[f"rose/{copy.name}"] == b"turned by hand"
    assert f"tulip/{copy.name}" in files(folder)


def test_photo_that_was_changed_or_is_a_link_is_not_copied(home: Path) -> None:
    made = selection.read(home)
    photo = home / made.photos[0].file
    data = photo.read_bytes()
    for spoil in (lambda: photo.write_bytes(b"x"), photo.unlink, lambda: photo.symlink_to("x")):
        spoil()
        with pytest.raises(InputError, match="is missing or was changed"):
            labelled.place(home, made, said(made, "rose"))
    photo.unlink()
    photo.write_bytes(data)
    (home / "labelled").mkdir(exist_ok=True)
    (home / "labelled" / "rose").write_text("")
    with pytest.raises(InputError, match="expected one for the photos of a class"):
        labelled.place(home, made, said(made, "rose"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "Expecting value"),
        ("[" * 100_000, "recursion"),
        ('{"format": "x", "format_version": "1"}', "its format is not"),
        ('{"format": "wild-mushrooms-answers", "format_version": "1"}', "'answers' is missing"),
        ("{}", "'format' is missing"),
        ("LABEL:../../etc", "cannot be a class name"),
        ("LABEL:.hidden", "cannot be a class name"),
        ("LABEL:a\u0000b", "cannot be a class name"),
        ("SHA:xyz", "no sha256"),
        ("TWICE:", "says something else"),
    ],
)
def test_what_are_no_answers_is_said(content: str, message: str) -> None:
    head = {"format": answers.FORMAT, "format_version": answers.FORMAT_VERSION}
    kind, _, value = content.partition(":")
    entry = {"sha256": "a" * 64, "label": "rose"}
    if kind == "LABEL":
        content = json.dumps({**head, "answers": [{**entry, "label": value}]})
    elif kind == "SHA":
        content = json.dumps({**head, "answers": [{**entry, "sha256": value}]})
    elif kind == "TWICE":
        content = json.dumps({**head, "answers": [entry, {**entry, "label": "tulip"}]})
    with pytest.raises(InputError, match=message):
        answers.parse(content.encode(), "what was sent")


def test_exported_answers_become_folders_by_the_command(home: Path, tmp_path: Path) -> None:
    made = selection.read(home)
    exported = tmp_path / "answers.json"
    exported.write_text(json.dumps(said(made, "rose", "tulip").to_json()))
    command = (".venv/bin/python", "-m", "programs.select", "--output", str(home))
    done = run_captured(*command, "--answers", str(exported), "--into", str(tmp_path / "mine"))
    assert done.returncode == 0, done.stderr
    assert f"make run IMAGES={tmp_path / 'mine'}" in done.stdout
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == ["rose", "tulip"]
    (home / "selection.json").write_text("{}")
    done = run_captured(*command, "--answers", str(exported))
    assert done.returncode == 2
    assert "selection.json" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("file", ["../../etc/passwd", "photos/../a.jpg", "photos/0000.jpg"])
def test_selection_that_names_other_files_is_refused(home: Path, file: str) -> None:
    from components.common.untrusted import sealed

    content = json.loads((home / "selection.json").read_text())
    content["photos"][0]["file"] = file
    sealed.dump(home / "selection.json", content, what="the selection")
    with pytest.raises(InputError, match="names no photo of this folder"):
        selection.read(home)
