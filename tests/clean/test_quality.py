"""Flags: what is wrong with a photograph that is one, and the good ones that have none."""

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from components.clean import quality
from components.clean.clean import clean
from components.clean.options import CleanOptions
from components.common.base.errors import InputError
from components.common.dataset import vocabulary
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.photos import images
from components.common.photos.images import BadPhoto, CleanPhoto


def scene(width: int = 400, height: int = 300) -> np.ndarray:
    """Coloured shapes with edges and texture."""
    draw = np.random.default_rng(1)
    pixels = np.zeros((height, width, 3), np.uint8) + np.array([40, 120, 60], np.uint8)
    for _ in range(60):
        centre = (int(draw.integers(0, width)), int(draw.integers(0, height)))
        colour = tuple(int(value) for value in draw.integers(0, 256, 3))
        cv2.circle(pixels, centre, int(draw.integers(5, 40)), colour, -1)
    noise = draw.normal(0, 6, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8)


def as_photo(pixels: np.ndarray) -> CleanPhoto:
    height, width = pixels.shape[:2]
    return CleanPhoto(images.encode(np.ascontiguousarray(pixels)), width, height)


def degraded(pixels: np.ndarray) -> dict[str, np.ndarray]:
    light = pixels.astype(np.float64)
    noise = np.random.default_rng(0).normal(0, 2, pixels.shape)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return {
        vocabulary.DARK: (light * 0.25).astype(np.uint8),
        vocabulary.BRIGHT: (255 - (255 - light) * 0.2).astype(np.uint8),
        vocabulary.BLURRED: cv2.GaussianBlur(pixels, (0, 0), max(pixels.shape) / 50),
        vocabulary.GREY: np.repeat(grey[..., None], 3, axis=2),
        vocabulary.BLANK: np.clip(128 + noise, 0, 255).astype(np.uint8),
    }


def test_good_photo_has_no_flag() -> None:
    assert quality.flags(as_photo(scene())) == ()


@pytest.mark.parametrize("flag", list(degraded(scene())))
def test_damaged_photo_has_its_flag(flag: str) -> None:
    assert quality.flags(as_photo(degraded(scene())[flag])) == (flag,)


@pytest.mark.parametrize(
    ("width", "height", "flag"),
    [
        (127, 127, vocabulary.SMALL),
        (400, 130, vocabulary.ODD_ASPECT_RATIO),
        (130, 500, vocabulary.ODD_ASPECT_RATIO),
    ],
)
def test_shape_is_judged(width: int, height: int, flag: str) -> None:
    assert quality.flags(as_photo(scene(width, height))) == (flag,)


def dataset(path: Path, *photos: bytes) -> Path:
    with DatasetWriter(path) as writer:
        for photo in photos:
            writer.add(Photo("daisy", flags=("rendered",)), photo)
    return path


def test_flagged_photo_is_kept_with_a_warning_and_dropped_when_strict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    good, grey = as_photo(scene()).data, as_photo(degraded(scene())[vocabulary.GREY]).data
    source = dataset(tmp_path / "in", good, grey)
    clean(source, tmp_path / "out", tmp_path / "rejects", CleanOptions(min_bytes=0))
    found = [photo.flags for photo in Dataset(tmp_path / "out").photos]
    assert found == [("rendered",), ("rendered", "grey")]
    assert (
        "daisy: 1 photo kept although flagged (1 grey); --strict leaves them out"
        in (tmp_path / "events").read_text()
    )
    clean(source, tmp_path / "out", tmp_path / "rejects", CleanOptions(min_bytes=0, strict=True))
    assert [photo.flags for photo in Dataset(tmp_path / "out").photos] == [("rendered",)]
    (reject,) = Dataset(tmp_path / "rejects").photos
    assert reject.reason == "grey"
    assert Dataset(tmp_path / "rejects").read(reject) == grey


def test_photo_of_two_flags_is_one_photo_in_the_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    both = as_photo(degraded(scene(400, 130))[vocabulary.GREY]).data
    grey = as_photo(degraded(scene())[vocabulary.GREY]).data
    source = dataset(tmp_path / "in", both, grey)
    clean(source, tmp_path / "out", tmp_path / "rejects", CleanOptions(min_bytes=0))
    (said,) = [
        event["message"]
        for line in (tmp_path / "events").read_text().splitlines()
        if (event := json.loads(line))["event"] == "warning"
    ]
    assert said == (
        "daisy: 2 photos kept although flagged (2 grey, 1 odd aspect ratio); "
        "--strict leaves them out"
    )


def test_cleaning_twice_gives_the_same_flags(tmp_path: Path) -> None:
    grey = as_photo(degraded(scene())[vocabulary.GREY]).data
    source = dataset(tmp_path / "in", grey)
    clean(source, tmp_path / "once", tmp_path / "r1", CleanOptions(min_bytes=0))
    clean(tmp_path / "once", tmp_path / "twice", tmp_path / "r2", CleanOptions(min_bytes=0))
    (photo,) = Dataset(tmp_path / "twice").photos
    assert photo.flags == ("rendered", "grey")


@pytest.mark.parametrize("same", ["out", "rejects"])
def test_dataset_is_not_cleaned_onto_itself(tmp_path: Path, same: str) -> None:
    source = dataset(tmp_path / same, as_photo(scene()).data)
    with pytest.raises(InputError, match="would be replaced by its own result"):
        clean(source, tmp_path / "out", tmp_path / "rejects", CleanOptions(min_bytes=0))
    assert len(Dataset(source).photos) == 1


@pytest.mark.parametrize(
    ("kind", "each"),
    [
        ("flowers", 1),
        pytest.param("mushrooms", 2, marks=pytest.mark.long),
        pytest.param("mushrooms", 1, marks=pytest.mark.long),
    ],
)
def test_real_photos_pass_and_damaged_copies_do_not(
    shared_photos: Path, kind: str, each: int
) -> None:
    flagged: Counter[str] = Counter()
    found: Counter[str] = Counter()
    count = 0
    for path in sorted((shared_photos / kind).glob("*/*.jpg"))[::each]:
        try:
            photo = images.to_clean_jpeg(path.read_bytes())
        except BadPhoto:
            continue
        count += 1
        flagged.update(quality.flags(photo))
        for flag, pixels in degraded(images.decode(photo.data)).items():
            found[flag] += flag in quality.flags(as_photo(pixels))
    assert flagged.total() <= 0.02 * count, flagged
    for flag in (
        vocabulary.DARK,
        vocabulary.BRIGHT,
        vocabulary.BLURRED,
        vocabulary.GREY,
        vocabulary.BLANK,
    ):
        assert found[flag] >= 0.95 * count, flag
