"""REASONS.csv says in words why each photo was left out, and no stranger's text is run by it."""

import csv
import io
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from sealing import reseal

from components.common.dataset import reasons
from components.common.dataset.dataset import DESCRIPTION, DESCRIPTION_KIND, Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.untrusted import sealed

FORMULAS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def reject(**fields: str) -> Photo:
    return Photo(**{"label": "daisy", "path": "daisy/0.jpg", "reason": "html", **fields})


def test_each_photo_has_a_row_in_words() -> None:
    photos = [
        reject(path="daisy/2.jpg", reason="too_few_bytes", source_url="daisy/tiny.jpg"),
        reject(path="daisy/1.jpg", source="folder", source_url='daisy/Röhrling, "rot".jpg'),
    ]
    first, second = rows(reasons.render(photos, {"daisy/2.jpg": "812 bytes"}))
    assert first == {
        "file": "daisy/1.jpg",
        "class": "daisy",
        "found_as": 'daisy/Röhrling, "rot".jpg',
        "source": "folder",
        "reason": "html",
        "meaning": "a web page, saved under the name of a photo",
        "measured": "",
    }
    assert (second["file"], second["measured"]) == ("daisy/2.jpg", "812 bytes")
    assert "show too little" in second["meaning"]


def test_without_photos_there_is_the_header_alone() -> None:
    assert reasons.render([], {}) == ",".join(reasons.COLUMNS) + "\n"


def test_order_of_the_photos_does_not_matter() -> None:
    photos = [reject(label=label, path=f"{label}/{n}.jpg") for label in "ba" for n in range(3)]
    assert reasons.render(photos, {}) == reasons.render(photos[::-1], {})


def test_many_photos_are_counted_in_the_last_row() -> None:
    photos = [reject(path=f"daisy/{number:06}.jpg") for number in range(reasons.MAX_ROWS + 7)]
    lines = reasons.render(photos, {}).splitlines()
    assert len(lines) == 1 + reasons.MAX_ROWS + 1
    assert lines[-1] == "7 more: see manifest.parquet"


TEXT = st.text(max_size=400) | st.builds(
    lambda blank, mark, rest: blank + mark + rest,
    st.sampled_from(["", " ", "\t", "\r\n", "\u00a0", "\ufeff", "\x00", "\u202e"]),
    st.sampled_from(FORMULAS),
    st.text(max_size=20),
)


@given(label=TEXT, url=TEXT, source=TEXT, measured=TEXT)
def test_no_text_begins_a_formula_or_another_row(
    label: str, url: str, source: str, measured: str
) -> None:
    photo = reject(label=label, source_url=url, source=source)
    text = reasons.render([photo], {photo.path: measured})
    assert text.count("\n") == 2
    assert len(text) < 5000
    assert "".join(text.splitlines()).isprintable()
    (row,) = rows(text)
    assert set(row) == set(reasons.COLUMNS)
    assert not any(value.strip().startswith(FORMULAS) for value in row.values())


def test_formula_is_shown_as_it_is_behind_a_mark() -> None:
    (row,) = rows(reasons.render([reject(source_url='=HYPERLINK("x")')], {}))
    assert row["found_as"] == '\'=HYPERLINK("x")'


def test_what_a_decoder_says_is_shown_without_type_and_address() -> None:
    said = "UnidentifiedImageError: cannot identify image file <_io.BytesIO object at 0x7f03>"
    assert reasons.cell(said) == "cannot identify image file the file"


def written(path: Path, *, rejects: bool = True) -> Dataset:
    with DatasetWriter(path, rejects=rejects) as writer:
        writer.add(Photo("daisy", reason="damaged"), b"one", measured="cut after 3 bytes")
        writer.add(Photo("daisy", reason="html"), b"two")
    return Dataset(path)


def test_dataset_of_rejects_has_the_file_sealed(tmp_path: Path) -> None:
    dataset = written(tmp_path / "d")
    text = (tmp_path / "d" / reasons.FILE_NAME).read_text("utf-8-sig")
    assert {row["file"]: row["measured"] for row in rows(text)} == {
        dataset.photos[0].path: "cut after 3 bytes",
        dataset.photos[1].path: "",
    }
    files = sealed.read(tmp_path / "d" / DESCRIPTION, DESCRIPTION_KIND)["files"]
    assert sorted(files) == ["ATTRIBUTION.md", "REASONS.csv", "manifest.parquet"]


def test_other_datasets_have_no_such_file(tmp_path: Path) -> None:
    written(tmp_path / "d", rejects=False)
    assert not (tmp_path / "d" / reasons.FILE_NAME).exists()


def test_dataset_of_an_earlier_program_is_read_without_it(tmp_path: Path) -> None:
    before = written(tmp_path / "d").photos
    (tmp_path / "d" / reasons.FILE_NAME).unlink()
    reseal(tmp_path / "d" / DESCRIPTION)
    assert Dataset(tmp_path / "d").photos == before


def test_same_rejects_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        written(tmp_path / name)
    first, second = ((tmp_path / name / reasons.FILE_NAME).read_bytes() for name in ("a", "b"))
    assert first == second
