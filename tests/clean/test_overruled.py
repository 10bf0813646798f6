"""What is quarantined, what a person may keep all the same, and how much of a reject is stored."""

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from components.clean import clean as clean_module
from components.clean.clean import clean, judge
from components.clean.options import CleanOptions
from components.common.dataset import decisions
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import KEPT_BY_HAND, TRUNCATED
from components.common.photos import images
from components.common.photos.images import BadPhoto


def picture(seed: int) -> bytes:
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (480, 360), interpolation=cv2.INTER_CUBIC)
    grain = draw.integers(-12, 13, smooth.shape)
    return images.encode(np.clip(smooth + grain, 0, 255).astype(np.uint8))


GOOD = picture(0)
HOLED = GOOD[:9000] + bytes(512) + GOOD[9512:]
CUT = GOOD[: len(GOOD) // 2]


def run(folder: Path, *files: bytes, keep: tuple[bytes, ...] = (), strict: bool = False) -> Path:
    """Clean a class of these files; those of `keep` are kept by hand."""
    with DatasetWriter(folder / "found") as writer:
        photos = [writer.add(Photo("daisy"), data) for data in files]
    entries = [
        {"label": "daisy", "source_sha256": photo.source_sha256, "decision": "keep"}
        for photo, data in zip(photos, files, strict=True)
        if data in keep
    ]
    place = folder / "decisions.json"
    content = {"format": decisions.FORMAT, "format_version": "1", "decisions": entries}
    place.write_text(json.dumps(content))
    clean(
        folder / "found",
        folder / "good",
        folder / "bad",
        CleanOptions(min_bytes=0, strict=strict, decisions=str(place)),
    )
    return folder


def test_what_pillow_shows_and_the_strict_decoder_refuses_is_quarantined() -> None:
    with Image.open(io.BytesIO(HOLED)) as image:
        image.load()
    with pytest.raises(BadPhoto) as raised:
        judge(HOLED, CleanOptions(min_bytes=0, suspicious_bytes=0))
    assert raised.value.reason == "quarantined"


def test_what_no_decoder_shows_is_damaged() -> None:
    with pytest.raises(BadPhoto) as raised:
        judge(CUT, CleanOptions(min_bytes=0, suspicious_bytes=0))
    assert raised.value.reason == "damaged"


def test_quarantined_photo_can_be_kept_and_a_damaged_one_cannot(tmp_path: Path) -> None:
    run(tmp_path, GOOD, HOLED, CUT, keep=(HOLED, CUT))
    good, bad = Dataset(tmp_path / "good"), Dataset(tmp_path / "bad")
    assert [photo.flags for photo in good.photos] == [(), (KEPT_BY_HAND,)]
    assert images.decode(good.read(good.photos[1])).shape == (360, 480, 3)
    assert [photo.reason for photo in bad.photos] == ["damaged"]


def test_quarantined_photo_that_is_moved_is_taken_and_moved_by_curate_alone(tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "found") as writer:
        holed = writer.add(Photo("daisy"), HOLED)
        writer.add(Photo("daisy"), GOOD)
    key = (holed.label, holed.source_sha256)
    content = decisions.Decisions({key: decisions.MOVE}, {key: "rose"}).to_json()
    (tmp_path / "decisions.json").write_text(json.dumps(content))
    options = CleanOptions(min_bytes=0, decisions=str(tmp_path / "decisions.json"))
    clean(tmp_path / "found", tmp_path / "good", tmp_path / "bad", options)
    taken = {photo.source_sha256: photo.label for photo in Dataset(tmp_path / "good").photos}
    assert taken[holed.source_sha256] == "daisy"
    assert Dataset(tmp_path / "bad").photos == []


def test_flagged_photo_can_be_kept_although_the_step_is_strict(tmp_path: Path) -> None:
    dark = images.encode((images.decode(GOOD) * 0.2).astype(np.uint8))
    gloomy = images.encode((images.decode(picture(1)) * 0.2).astype(np.uint8))
    run(tmp_path, GOOD, dark, gloomy, keep=(dark,), strict=True)
    kept = Dataset(tmp_path / "good").photos
    assert [photo.flags for photo in kept] == [(), (KEPT_BY_HAND, "dark")]
    assert [photo.reason for photo in Dataset(tmp_path / "bad").photos] == ["dark"]


def test_good_photo_that_is_kept_by_hand_keeps_its_bytes(tmp_path: Path) -> None:
    run(tmp_path, GOOD, keep=(GOOD,))
    stored = Dataset(tmp_path / "good")
    assert stored.read(stored.photos[0]) == images.to_clean_jpeg(GOOD).data


def test_rejects_store_no_more_than_they_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clean_module, "REJECT_MAX_BYTES", 5000)
    monkeypatch.setattr(clean_module, "REJECTS_MAX_BYTES", 8000)
    files = [picture(seed)[:7000] for seed in (1, 2, 3)]
    run(tmp_path, GOOD, files[0][:3000], *files)
    bad = Dataset(tmp_path / "bad")
    assert [photo.size for photo in bad.photos] == [3000, 5000, 0, 0]
    assert [photo.flags for photo in bad.photos] == [(), *[(TRUNCATED,)] * 3]
    found = Dataset(tmp_path / "found").photos
    assert [photo.source_sha256 for photo in bad.photos] == [
        photo.source_sha256 for photo in found[1:]
    ]
    assert bad.read(bad.photos[1]) == files[0][:5000]
