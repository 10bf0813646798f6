"""Photos that a model learned from are known by their content, and no others."""

import hashlib
import io
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from PIL import Image
from sealing import reseal

from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import TEST, TRAINING, VALIDATION
from components.common.model import learned
from components.common.model.description import read_description
from components.common.model.layout import LEARNED, REFERENCES
from components.common.model.learned import Learned
from components.common.photos import images


def encoded(photo: bytes, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(photo)).save(buffer, kind, **options)
    return buffer.getvalue()


def turned(photo: bytes) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(photo, "JPEG", exif=exif, quality=90)


# Files that may be what a dataset's photo was made of.
FILES: dict[str, Callable[[bytes], bytes]] = {
    "as it is": lambda photo: photo,
    "with a comment": lambda photo: encoded(photo, "JPEG", comment=b"by me", quality=90),
    "progressive": lambda photo: encoded(photo, "JPEG", progressive=True, quality=80),
    "turned": turned,
    "with junk behind it": lambda photo: photo + b"junk",
    "PNG": lambda photo: encoded(photo, "PNG"),
    "WebP": lambda photo: encoded(photo, "WEBP"),
    "CMYK": lambda photo: encoded(encoded_cmyk(photo), "JPEG"),
}


def encoded_cmyk(photo: bytes) -> bytes:
    buffer = io.BytesIO()
    Image.open(io.BytesIO(photo)).convert("CMYK").save(buffer, "JPEG")
    return buffer.getvalue()


CONVERTED = ("turned", "PNG", "WebP", "CMYK")


@pytest.mark.parametrize("kind", FILES)
def test_stripped_bytes_are_those_that_cleaning_stores(kind: str, shared_photos: Path) -> None:
    for path in sorted((shared_photos / "flowers" / "tulips").glob("*.jpg"))[:4]:
        data = FILES[kind](path.read_bytes())
        converted = kind in CONVERTED or images.needs_conversion(data)  # some have a profile
        expected = None if converted else images.to_clean_jpeg(data).data
        assert images.stripped(data) == expected


@pytest.mark.parametrize("kind", FILES)
def test_photo_is_known_as_it_was_found_and_as_it_was_stored(
    kind: str, shared_photos: Path, copy: Path
) -> None:
    paths = sorted((shared_photos / "flowers" / "roses").glob("*.jpg"))[:3]
    found = [FILES[kind](path.read_bytes()) for path in paths]
    stored = [images.to_clean_jpeg(data).data for data in found]
    photos = [
        Photo("rose", sha256=_sha256(one), source_sha256=_sha256(other))
        for one, other in zip(stored, found, strict=True)
    ]
    learned.write(copy / LEARNED, photos[:2])
    reseal(copy / "model.json")
    known = Learned(copy, read_description(copy))
    assert [known.has(data) for data in found] == [True, True, False]
    assert [known.has(data) for data in stored] == [True, True, False]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def copy(sample_run: Run, tmp_path: Path) -> Path:
    """A model directory that may be damaged."""
    shutil.copytree(sample_run.directory / "model", tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("from_references", [False, True])
def test_photos_learned_from_are_known_and_held_out_ones_are_not(
    sample_run: Run, copy: Path, *, from_references: bool
) -> None:
    if from_references:  # a model of before there was the file
        (copy / LEARNED).unlink()
        reseal(copy / "model.json")
    known = Learned(copy, read_description(copy))
    training = Dataset(sample_run.directory / "training")
    # All but what looked like another class.
    learned = [photo for photo in training.photos if known.has(training.read(photo))]
    assert len(learned) == sum(read_description(copy).learned.values())
    assert {photo.split for photo in learned} == {TRAINING, VALIDATION, TEST}
    demo = Dataset(sample_run.directory / "demo")
    assert not any(known.has(demo.read(photo)) for photo in demo.photos)
    smaller = encoded(training.read(training.photos[0]), "JPEG", quality=30)
    assert not known.has(smaller)
    assert not known.has(b"no photo")


def test_model_without_a_word_of_its_photos_knows_none(sample_run: Run, copy: Path) -> None:
    for name in (LEARNED, REFERENCES):
        (copy / name).unlink()
    reseal(copy / "model.json")
    training = Dataset(sample_run.directory / "training")
    known = Learned(copy, read_description(copy))
    assert not any(known.has(training.read(photo)) for photo in training.photos)


@pytest.mark.parametrize(
    "array",
    [np.zeros((3, 31), np.uint8), np.zeros((3, 32), np.int64), np.zeros(32, np.uint8), None],
    ids=["short hashes", "numbers", "one row", "no array"],
)
def test_damaged_file_is_named(copy: Path, array: np.ndarray | None) -> None:
    if array is None:
        (copy / LEARNED).write_bytes(b"nothing")
    else:
        np.save(copy / LEARNED, array)
    with pytest.raises(InputError, match=r"learned\.npy is damaged or of another origin"):
        Learned(copy, read_description(copy))
    reseal(copy / "model.json")
    with pytest.raises(InputError, match=r"learned\.npy cannot be read"):
        Learned(copy, read_description(copy))
