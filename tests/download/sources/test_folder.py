"""The source `folder`: a folder with one subfolder per class, as people have it."""

import dataclasses
import errno
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from components.clean.clean import clean
from components.clean.options import CleanOptions
from components.common.base.errors import InputError
from components.common.dataset import class_folders, photo_files
from components.common.dataset.dataset import Dataset
from components.common.photos import images
from components.download.download import download
from components.download.options import DownloadOptions

DATA = images.encode(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))


def from_folder(path: Path) -> DownloadOptions:
    return DownloadOptions(source="folder", image_dir=str(path))


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(DATA)
    return root


def test_photos_come_with_their_bytes_and_origin(tmp_path: Path) -> None:
    tree(tmp_path, "roses/2.jpg", "roses/1.jpg", "daisy/1.jpg")
    download(["roses"], tmp_path / "out", from_folder(tmp_path))
    rows = list(Dataset(tmp_path / "out").stream())
    assert [photo.source_url for photo, _ in rows] == ["roses/1.jpg", "roses/2.jpg"]
    for photo, data in rows:
        assert data == DATA
        assert (photo.label, photo.source) == ("roses", "folder")
        assert photo.source_sha256 == hashlib.sha256(DATA).hexdigest()


def test_files_beside_the_class_folders_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))

    def warned() -> list[str]:
        (tmp_path / "events").unlink(missing_ok=True)
        download(["daisy"], tmp_path / "out", from_folder(tmp_path / "photos"))
        events = map(json.loads, (tmp_path / "events").read_text().splitlines())
        return [event["message"] for event in events if event["event"] == "warning"]

    photos = tree(tmp_path / "photos", "roses/1.jpg", "daisy/1.jpg", ".DS_Store", "__MACOSX/1.jpg")
    assert warned() == []
    tree(photos, "ATTRIBUTION.csv")
    (said,) = warned()
    assert said == f"{photos}: 1 file beside the class folders is not read: ATTRIBUTION.csv"
    tree(photos, "b\x1b[31m.jpg", os.fsdecode(b"c\xfc.txt"), "d" * 200, "e.md")
    (said,) = warned()
    assert said == (
        f"{photos}: 5 files beside the class folders are not read: ATTRIBUTION.csv, b[31m.jpg, "
        "c.txt and 2 more"
    )


def test_class_of_too_large_files_only_is_refused(tmp_path: Path) -> None:
    tree(tmp_path, "photos/daisy/1.jpg")
    os.truncate(tmp_path / "photos/daisy/1.jpg", photo_files.MAX_FILE_BYTES + 1)
    with pytest.raises(InputError, match="daisy"):  # else the class would vanish in silence
        download(["daisy"], tmp_path / "out", from_folder(tmp_path / "photos"))
    assert not (tmp_path / "out").exists()


def test_download_stores_bytes_as_they_were_under_their_true_type(tmp_path: Path) -> None:
    tree(tmp_path, "photos/daisy/1.png", "photos/daisy/2.jpg", "photos/daisy/3.jpg")
    (tmp_path / "photos/daisy/2.jpg").write_bytes(b"<html>gone</html>")
    (tmp_path / "photos/daisy/3.jpg").write_bytes(b"")
    download(["daisy"], tmp_path / "out", from_folder(tmp_path / "photos"))
    stored = list(Dataset(tmp_path / "out").stream())
    assert [data for _, data in stored] == [DATA, b"<html>gone</html>", b""]
    assert [photo.path.rpartition(".")[2] for photo, _ in stored] == ["jpg", "html", "bin"]


def test_home_folder_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    tree(tmp_path, "photos/daisy/1.jpg")
    download(["daisy"], tmp_path / "out", DownloadOptions(source="folder", image_dir="~/photos"))
    assert len(Dataset(tmp_path / "out").photos) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "flickr"}, "unknown source 'flickr': expected one of"),
        ({"source": "folder"}, "needs --image_dir"),
        ({"source": "sample"}, "the sample has no class 'daisy'"),
    ],
)
def test_download_that_cannot_be_done_is_refused(
    tmp_path: Path, options: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        download(["daisy"], tmp_path / "out", DownloadOptions(**options))
    assert list(tmp_path.iterdir()) == []


def test_file_name_that_is_no_text_does_not_stop_the_class(tmp_path: Path) -> None:
    tree(tmp_path, "photos/daisy/1.jpg")
    for odd in (b"\xfe", b"\xff"):  # two names, and still two when they are text
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/photos/daisy/" + odd + b".jpg"))
        path.write_bytes(DATA)
    download(["daisy"], tmp_path / "out", from_folder(tmp_path / "photos"))
    found = [photo.source_url for photo in Dataset(tmp_path / "out").photos]
    assert found == ["daisy/1.jpg", r"daisy/\udcfe.jpg", r"daisy/\udcff.jpg"]


def test_files_that_cannot_be_read_are_left_out_with_their_reason_and_cost_no_other_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    photos = tree(tmp_path / "photos", "daisy/1.jpg", "daisy/4.jpg", "daisy/5.jpg")
    for number in (2, 3):  # even root gets an error of the disk when it reads this
        (photos / "daisy" / f"{number}.jpg").symlink_to("/proc/self/mem")
    options = dataclasses.replace(from_folder(photos), per_class=2)
    download(["daisy"], tmp_path / "out", options)
    found = {
        photo.source_url: (photo.reason, photo.size) for photo in Dataset(tmp_path / "out").photos
    }
    assert found == {
        "daisy/1.jpg": ("", len(DATA)),
        "daisy/2.jpg": ("unreadable", 0),
        "daisy/3.jpg": ("unreadable", 0),
        "daisy/4.jpg": ("", len(DATA)),
    }
    said = (tmp_path / "events").read_text()
    assert "2 unreadable files were left out, such as daisy/2.jpg (Input/output error)" in said
    clean(tmp_path / "out", tmp_path / "good", tmp_path / "bad", CleanOptions(min_bytes=0))
    assert len(Dataset(tmp_path / "good").photos) == 1  # the two are the same
    reasons = [photo.reason for photo in Dataset(tmp_path / "bad").photos]
    assert sorted(reasons) == ["exact_duplicate", "unreadable", "unreadable"]
    assert "no permission, or a faulty disk" in (tmp_path / "bad" / "REASONS.csv").read_text()


def test_lack_of_file_descriptors_is_no_fault_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path) -> bytes:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(Path, "read_bytes", fail)
    with pytest.raises(OSError, match="Too many open files"):
        class_folders.read_photo(tmp_path / "1.jpg")
