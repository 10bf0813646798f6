"""Every format that is read is read wherever photos are, and what is no photo is told."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import heif_files  # noqa: F401 - saves HEIC
import numpy as np
import pytest
from PIL import Image

from components.clean.clean import clean
from components.common.dataset import class_folders, reasons
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.photos import images
from components.common.web import fetch
from components.download.download import download
from components.download.options import DownloadOptions
from components.evaluate import answers
from components.label_image import photos
from components.retrain import from_folder
from programs.serve import upload as serve_upload
from programs.serve.options import Limits
from programs.submit import upload as submit_upload

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")
CLASSES = ("daisy", "roses")
SIDE = 320


def encoded(kind: str, seed: int) -> bytes:
    """A detailed picture, large enough for `clean`."""
    noise = np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, kind)
    return stream.getvalue()


def by_run(folder: Path, scratch: Path) -> int:
    cleaned(folder, scratch)
    return len(Dataset(scratch / "good").photos)


def cleaned(folder: Path, scratch: Path) -> None:
    options = DownloadOptions(source="folder", image_dir=str(folder), min_per_class=1)
    download(CLASSES, scratch / "found", options)
    clean(scratch / "found", scratch / "good", scratch / "bad")


def by_submit(folder: Path, scratch: Path) -> int:
    return len(submit_upload.list_photos(folder, 0))


def by_retrain_and_learning_curve(folder: Path, scratch: Path) -> int:
    with DatasetWriter(scratch / "dataset") as writer:
        return len(list(from_folder._clean(folder, CLASSES, writer)))


def by_label_image(folder: Path, scratch: Path) -> int:
    with photos.Reader(scratch) as reader:
        read = list(photos.read_ahead(photos.find([str(folder)]), reader))
    return len([images.model_input(data, 128) for _, data in read if isinstance(data, bytes)])


def by_evaluate(folder: Path, scratch: Path) -> int:
    source, unusable = answers.folder_source(folder, CLASSES)
    assert unusable == []
    return len([images.model_input(source.read(photo), 128) for photo in source.photos])


def by_serve(folder: Path, scratch: Path) -> int:
    files = [path for path in folder.rglob("*") if path.is_file()]
    ready = [serve_upload.ready(path.read_bytes(), Limits()) for path in files]
    return len([images.model_input(data, 128) for data in ready])


def by_url_lists(folder: Path, scratch: Path) -> int:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sum(
        fetch._check_photo(path.read_bytes(), declared, "https://example.org/photo") == ""
        for path, declared in zip(files, ("image/heic", ""), strict=True)
    )


PLACES: tuple[Callable[[Path, Path], int], ...] = (
    *(by_run, by_submit, by_retrain_and_learning_curve, by_label_image, by_evaluate, by_serve),
    by_url_lists,
)


@pytest.mark.parametrize("name", ["no_extension", "wrong.JPG"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_format_is_read_in_every_place(
    tmp_path: Path, place: Callable[[Path, Path], int], kind: str, name: str
) -> None:
    for number, label in enumerate(CLASSES):
        (tmp_path / "photos" / label).mkdir(parents=True)
        (tmp_path / "photos" / label / name).write_bytes(encoded(kind, number))
    assert place(tmp_path / "photos", tmp_path) == 2


LITTER = {
    ".DS_Store": "hidden",
    "._1.jpg": "hidden",
    "Thumbs.db": "unknown_type",
    "notes.txt": "unknown_type",
    "text.jpg": "unknown_type",
    "page.jpg": "html",
    "cut.heic": "damaged",
    "link.jpg": "no_file",
}


def test_every_file_that_is_not_taken_stands_in_reasons_csv(tmp_path: Path) -> None:
    for number, label in enumerate(CLASSES):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        (folder / "1").write_bytes(encoded("HEIF", number))
    for name in LITTER:
        (folder / name).write_bytes(b"no photo " * 1000)
    (folder / "page.jpg").write_bytes(b"<!DOCTYPE html>" * 1000)
    (folder / "cut.heic").write_bytes(encoded("HEIF", 5)[:30_000])
    (folder / "link.jpg").unlink()
    (folder / "link.jpg").symlink_to("/nowhere/x.jpg")
    cleaned(tmp_path / "photos", tmp_path)
    text = (tmp_path / "bad" / reasons.FILE_NAME).read_text("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    found = {reasons.plain(row["found_as"]): row["reason"] for row in rows}
    assert found == {f"{folder.name}/{name}": reason for name, reason in LITTER.items()}
    assert all(row["meaning"] and row["class"] == folder.name for row in rows)
    # Nothing of them is copied but what was taken for a photo first.
    sizes = {photo.source_url: photo.size for photo in Dataset(tmp_path / "bad").photos}
    assert sizes[f"{folder.name}/notes.txt"] == 0 < sizes[f"{folder.name}/text.jpg"]


def test_files_that_are_no_photos_are_packed_for_a_cluster_with_their_reasons(
    tmp_path: Path,
) -> None:
    for number, label in enumerate(CLASSES):
        (tmp_path / label).mkdir()
        (tmp_path / label / "1").write_bytes(encoded("JPEG", number))
    listed = submit_upload.list_photos(tmp_path, 0)
    before = submit_upload.dataset_uri(listed, "gs://bucket")
    (tmp_path / "roses" / "notes.txt").write_text("no photo")
    assert submit_upload.list_photos(tmp_path, 0) == listed
    assert submit_upload.dataset_uri(listed, "gs://bucket") != before
    assert [(row.source_url, row.reason) for row in submit_upload._left_out(listed)] == [
        ("roses/notes.txt", "unknown_type")
    ]


def test_class_with_a_photo_without_extension_is_a_class(tmp_path: Path) -> None:
    for label in CLASSES:
        (tmp_path / label).mkdir()
        (tmp_path / label / "no_extension").write_bytes(encoded("HEIF", 0))
    assert class_folders.list_classes(tmp_path) == list(CLASSES)
