"""Which files of a folder are photos: the same for every command, and of the others why not."""

import os
from pathlib import Path

import heif_files
import numpy as np
import pytest
from PIL import Image

from components.common.dataset import photo_files, vocabulary
from components.common.photos import images
from components.label_image import photos as label_photos

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")
# As cameras, telephones, browsers and hand-made scripts name photos.
NAMES = (
    *("a.jpg", "B.JPG", "c.jpeg", "d.jpe", "e.jfif", "f.pjpeg", "g.pjp", "IMG_1.HEIC", "h.heif"),
    *("i.HIF", "j.avif", "k.Png", "l.webp", "m.gif", "n.bmp", "o.tif", "p.TIFF"),
    *("no_extension", "photo.jpg.part", "photo.jpg_large", "1.txt", "jpg", "a b (1)", "ä.dat"),
)
NO_PHOTOS = {
    ".DS_Store": "hidden",
    "._a.jpg": "hidden",
    ".hidden.jpg": "hidden",
    "Thumbs.db": "unknown_type",
    "desktop.ini": "unknown_type",
    "notes.txt": "unknown_type",
    "list.csv": "unknown_type",
    "page": "unknown_type",
    "clip.mp4": "unknown_type",
    "empty": "unknown_type",
    "dangling.jpg": "no_file",
    "pipe.jpg": "no_file",
    "large.jpg": "too_large",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_photo_is_taken_whatever_its_name(tmp_path: Path, name: str, kind: str) -> None:
    PICTURE.save(tmp_path / name, kind)
    assert photo_files.objection(tmp_path / name) == ""
    assert photo_files.photo_files(tmp_path) == [tmp_path / name]
    assert list(photo_files.left_out(tmp_path)) == []
    assert list(label_photos.find([str(tmp_path)])) == [str(tmp_path / name)]
    images.to_clean_jpeg((tmp_path / name).read_bytes())


def litter(folder: Path) -> None:
    """What lies about in folders of photos."""
    for name in NO_PHOTOS:
        (folder / name).write_bytes(b"no photo")
    (folder / "._a.jpg").write_bytes(b"\0\5\x16\7" * 1000)
    (folder / ".hidden.jpg").write_bytes(images.encode(np.asarray(PICTURE)))
    (folder / "page").write_bytes(b"<!DOCTYPE html><html>")
    (folder / "clip.mp4").write_bytes(heif_files.box(b"ftyp", b"mp42", bytes(4), b"isom"))
    (folder / "empty").write_bytes(b"")
    (folder / "dangling.jpg").unlink()
    (folder / "dangling.jpg").symlink_to("/nowhere/x.jpg")
    (folder / "pipe.jpg").unlink()
    os.mkfifo(folder / "pipe.jpg")
    os.truncate(folder / "large.jpg", photo_files.MAX_FILE_BYTES + 1)  # sparse


def test_file_that_is_no_photo_is_left_out_with_its_reason(tmp_path: Path) -> None:
    litter(tmp_path)
    (tmp_path / "more").mkdir()
    found = {path.name: reason for path, reason in photo_files.left_out(tmp_path)}
    assert found == NO_PHOTOS
    assert set(found.values()) <= vocabulary.LEFT_OUT <= vocabulary.FINAL_REASONS


def test_unreadable_file_is_left_out(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    (tmp_path / "photo").write_bytes(images.encode(np.asarray(PICTURE)))
    (tmp_path / "photo").chmod(0)
    assert photo_files.objection(tmp_path / "photo") == "unreadable"


def test_size_of_the_largest_file_is_told() -> None:
    megabytes = photo_files.MAX_FILE_BYTES // 1024**2
    assert f"{megabytes} MB" in vocabulary.meaning(vocabulary.TOO_LARGE)
