"""Is this file a usable photograph? Judged by its content, with every file accounted for."""

import collections
import csv
import hashlib
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from components.clean.clean import clean, judge
from components.clean.options import MIN_BYTES, SUSPICIOUS_BYTES, CleanOptions
from components.common.base.errors import InputError
from components.common.base.step import log
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.photos import file_types, images
from components.common.photos.images import BadPhoto
from components.common.photos.perceptual_hash import phash_of


def picture(seed: int = 0, width: int = 480, height: int = 360) -> NDArray[np.uint8]:
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC).astype(int)
    grain = generator.integers(-12, 13, smooth.shape)
    return np.clip(smooth + grain, 0, 255).astype(np.uint8)


def saved(pixels: NDArray[np.uint8] | Image.Image, kind: str, **options: Any) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def notice(size: tuple[int, int] = (500, 374)) -> bytes:
    """A grey card with a line of text, as hosts serve it; padded so that its size says nothing."""
    card = Image.new("RGB", size, (240, 240, 242))
    draw = ImageDraw.Draw(card)
    draw.text((60, size[1] // 2), "This photo is no longer available", fill=(120, 120, 120))
    return saved(card, "JPEG", quality=95) + bytes(MIN_BYTES)


def puffball_in_fog() -> bytes:
    """A white ball on bright, nearly even fog: little contrast, but no flat tone."""
    generator = np.random.default_rng(1)
    y, x = np.mgrid[0:480, 0:640]
    fog = 200 + 30 * (y / 480)
    distance = np.hypot(y - 280, x - 320)
    ball = np.where(distance < 120, 250 - distance / 8, fog)
    grain = generator.normal(0, 2.5, (480, 640, 3))
    return images.encode(np.clip(ball[..., None] + grain, 0, 255).astype(np.uint8))


PHOTO = images.encode(picture())
SMALL = images.encode(picture(width=120, height=90))


def reason_of(data: bytes) -> str:
    with pytest.raises(BadPhoto) as caught:
        judge(data, CleanOptions())
    return caught.value.reason


def test_pictures_of_these_tests_are_as_large_as_they_must_be() -> None:
    assert len(PHOTO) > MIN_BYTES > len(SMALL) > SUSPICIOUS_BYTES


def test_flickr_placeholder_is_known_by_its_bytes(shared_photos: Path) -> None:
    data = (shared_photos / "dirty" / "flickr-dummy-image.jpg").read_bytes()
    assert hashlib.md5(data).hexdigest() == "880a7a58e05d3e83797f27573bb6d35c"
    assert reason_of(data) == "placeholder"


def test_flickr_placeholder_is_known_by_its_look(shared_photos: Path) -> None:
    with Image.open(shared_photos / "dirty" / "flickr-dummy-image.jpg") as image:
        again = saved(image.convert("RGB"), "JPEG", quality=90)
    assert reason_of(again + bytes(MIN_BYTES)) == "placeholder"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (notice(), "placeholder"),
        (notice((300, 225)), "placeholder"),
        (images.encode(np.full((400, 400, 3), 255, np.uint8)) + bytes(MIN_BYTES), "placeholder"),
        (images.encode(np.zeros((400, 400, 3), np.uint8)) + bytes(MIN_BYTES), "placeholder"),
        (PHOTO[: SUSPICIOUS_BYTES - 1], "suspicious_size"),
        (b"", "suspicious_size"),
        (SMALL, "too_few_bytes"),
        (PHOTO[: len(PHOTO) // 2], "damaged"),
        (PHOTO[:-20], "damaged"),
        (SMALL[:-10], "damaged"),  # rather than too few bytes: the cut is why
        (PHOTO[:2] + bytes(200) + PHOTO[202:], "unknown_type"),
        (b"\x00" * 30000, "unknown_type"),
        (b"<!DOCTYPE html>" + b"<p>not found</p>" * 3000, "html"),
        (images.encode(picture(width=4000, height=24)), "too_few_pixels"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_unusable_file_is_rejected_with_its_reason(data: bytes, reason: str) -> None:
    assert reason_of(data) == reason


def test_file_that_lacks_only_its_end_marker_is_rejected() -> None:
    # Pillow shows a few of such: it depends on where the last of the compressed data ends.
    assert reason_of(PHOTO[:-2]) in ("damaged", "quarantined")


def test_white_puffball_in_fog_is_kept() -> None:
    data = puffball_in_fog()
    assert np.asarray(images.decode(data)).mean() > 200
    assert judge(data, CleanOptions()).data == data


def test_size_limits_are_those_given() -> None:
    for limit in (len(SMALL), len(SMALL) - 1):
        judge(SMALL, CleanOptions(min_bytes=limit, suspicious_bytes=limit))
    with pytest.raises(BadPhoto, match="too_few_bytes"):
        judge(SMALL, CleanOptions(min_bytes=len(SMALL) + 1, suspicious_bytes=len(SMALL)))


def test_real_photos_pass_except_for_the_size_floor(shared_photos: Path) -> None:
    reasons: collections.Counter[str] = collections.Counter()
    files = sorted(shared_photos.glob("flowers/*/*.jpg"))
    files += sorted(shared_photos.glob("mushrooms/*/*.jpg"))[::3]
    small = 0
    for file in files:
        small += file.stat().st_size < MIN_BYTES
        try:
            judge(file.read_bytes(), CleanOptions())
        except BadPhoto as bad:
            reasons[bad.reason] += 1
    assert len(files) > 200
    assert small >= 17
    assert reasons == {"too_few_bytes": small}


def dataset(path: Path, files: list[tuple[str, bytes]]) -> Path:
    """Files as `download` stores them: under the names that they came with."""
    with DatasetWriter(path) as writer:
        for name, data in files:
            label, _, file = name.partition("/")
            photo = Photo(label=label, source="folder", source_url=name, author="Ada")
            writer.add(photo, data, extension=file.rpartition(".")[2])
    return path


def run(tmp_path: Path, files: list[tuple[str, bytes]], **options: int) -> tuple[Dataset, Dataset]:
    source = dataset(tmp_path / "source", files)
    clean(source, tmp_path / "clean", tmp_path / "rejects", CleanOptions(**options))
    return Dataset(tmp_path / "clean"), Dataset(tmp_path / "rejects")


def test_kept_and_rejected_photos_are_all_that_were_found(tmp_path: Path) -> None:
    files = [(f"daisy/{seed}.jpg", images.encode(picture(seed))) for seed in range(40)]
    files[3:3] = [
        ("daisy/cut.jpg", PHOTO[:9000]),
        ("daisy/page.jpg", b"<html>" * 1000),
        ("daisy/again.jpg", files[0][1]),
        ("daisy/gone.jpg", notice()),
        ("daisy/junk.jpg", files[1][1] + b"\x00junk"),
    ]
    good, bad = run(tmp_path, files)
    names = [photo.source_url for photo in good.photos]
    assert names == [f"daisy/{seed}.jpg" for seed in range(40)]
    assert [(photo.source_url, photo.reason) for photo in bad.photos] == [
        ("daisy/cut.jpg", "damaged"),
        ("daisy/page.jpg", "html"),
        ("daisy/again.jpg", "exact_duplicate"),
        ("daisy/gone.jpg", "placeholder"),
        ("daisy/junk.jpg", "exact_duplicate"),  # trailing bytes make no other photo
    ]
    assert len(good.photos) + len(bad.photos) == len(files)


def test_rejects_keep_bytes_and_origin(tmp_path: Path) -> None:
    files = {
        "daisy/good.jpg": PHOTO,
        "daisy/page.jpg": b"<html>" * 1000,
        "daisy/odd.jpg": b"\x07" * 5000,
        "daisy/empty.jpg": b"",
        "daisy/cut.png": saved(picture(), "PNG")[:70000],
    }
    _, bad = run(tmp_path, list(files.items()))
    assert len(bad.photos) == 4
    for photo, data in bad.stream():
        assert data == files[photo.source_url]
        assert photo.source_sha256 == hashlib.sha256(data).hexdigest()
        assert photo.author == "Ada"
        assert photo.reason
    extensions = {photo.source_url: photo.path.rpartition(".")[2] for photo in bad.photos}
    assert extensions == {
        "daisy/page.jpg": "html",
        "daisy/odd.jpg": "bin",
        "daisy/empty.jpg": "bin",
        "daisy/cut.png": "png",
    }


def test_png_named_jpg_is_converted_and_kept(tmp_path: Path) -> None:
    png = saved(picture(), "PNG")
    good, bad = run(tmp_path, [("daisy/photo.jpg", png)])
    assert bad.photos == []
    (photo,) = good.photos
    data = good.read(photo)
    assert file_types.sniff(data) == "jpeg"
    assert photo.path.endswith(".jpg")
    assert photo.source_sha256 == hashlib.sha256(png).hexdigest()
    assert (photo.width, photo.height) == (480, 360)
    assert np.abs(images.decode(data).astype(int) - picture()).mean() < 8


def test_columns_of_kept_photos_are_filled(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[images.EXIF_ORIENTATION] = 6
    turned = saved(picture(), "JPEG", exif=exif, quality=95)
    good, _ = run(tmp_path, [("daisy/turned.jpg", turned)])
    (photo,) = good.photos
    assert (photo.width, photo.height) == (360, 480)
    assert photo.phash == phash_of(images.decode(good.read(photo), images.SMALL_SIDE))
    assert len(photo.phash) == 16
    assert int(photo.phash, 16) > 0
    assert photo.reason == ""
    assert photo.author == "Ada"
    assert photo.source_sha256 == hashlib.sha256(turned).hexdigest() != photo.sha256


def test_same_photo_of_two_classes_is_no_duplicate_here(tmp_path: Path) -> None:
    good, bad = run(tmp_path, [("daisy/1.jpg", PHOTO), ("roses/1.jpg", PHOTO)])
    assert (len(good.photos), len(bad.photos)) == (2, 0)


def test_perceptual_hash_survives_scaling_and_recompression() -> None:
    large = cv2.resize(picture(5), (1200, 900), interpolation=cv2.INTER_CUBIC)
    copy = images.encode(cv2.resize(large, (500, 375), interpolation=cv2.INTER_AREA), quality=60)  # type: ignore[arg-type]
    shown = [
        images.decode(data, images.SMALL_SIDE)
        for data in (images.encode(large), copy, PHOTO)  # type: ignore[arg-type]
    ]
    hashes = [int(phash_of(pixels), 16) for pixels in shown]
    assert (hashes[0] ^ hashes[1]).bit_count() <= 8 < (hashes[0] ^ hashes[2]).bit_count()


def test_class_without_a_usable_photo_stops_the_step(tmp_path: Path) -> None:
    files = [("daisy/1.jpg", PHOTO), ("roses/1.jpg", SMALL), ("roses/2.jpg", PHOTO[:9000])]
    with pytest.raises(InputError, match=r"class 'roses' has no usable photo.*--min_bytes"):
        run(tmp_path, files)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_size_floor_can_be_lowered(tmp_path: Path) -> None:
    good, bad = run(tmp_path, [("daisy/1.jpg", SMALL)], min_bytes=0)
    assert (len(good.photos), len(bad.photos)) == (1, 0)


def test_rejects_are_counted_in_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    run(tmp_path, [("daisy/1.jpg", PHOTO), ("daisy/2.jpg", SMALL), ("daisy/3.jpg", SMALL + b"x")])
    warnings = [
        line for line in (tmp_path / "events").read_text().splitlines() if '"warning"' in line
    ]
    assert len(warnings) == 1
    assert "2 of 3 files rejected (2 too few bytes)" in warnings[0]
    assert '"said": "3 of 3 photos looked at"' in (tmp_path / "events").read_text()


def test_clean_ends_by_saying_how_many_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(log, "propagate", True)
    with caplog.at_level("INFO", "components"):
        run(tmp_path, [("daisy/1.jpg", PHOTO), ("daisy/2.jpg", SMALL)])
    assert caplog.messages[-2] == "clean daisy: 1 of 2 photos kept"


def test_reasons_are_written_for_people(tmp_path: Path) -> None:
    files = [
        ("daisy/good.jpg", PHOTO),
        ("daisy/twin.jpg", PHOTO),
        ("daisy/cut.jpg", PHOTO[:9000]),
        ("daisy/small.jpg", SMALL),
        ("daisy/page.jpg", b"<html>" + bytes(3000)),
        ("daisy/empty.jpg", b"nothing"),
        ("daisy/notice.jpg", notice()),
        ("daisy/=cmd.png", saved(picture(1), "PNG")[:30_000]),
    ]
    run(tmp_path, files)
    with open(tmp_path / "rejects" / "REASONS.csv", encoding="utf-8-sig", newline="") as file:
        rows = {row["found_as"]: row for row in csv.DictReader(file)}
    said = {name: (row["reason"], row["measured"]) for name, row in rows.items()}
    assert said["daisy/twin.jpg"] == ("exact_duplicate", "the same as daisy/good.jpg")
    assert said["daisy/small.jpg"] == (
        "too_few_bytes",
        f"{len(SMALL)} bytes, less than {MIN_BYTES}",
    )
    assert said["daisy/empty.jpg"] == ("suspicious_size", "7 bytes")
    assert said["daisy/notice.jpg"] == ("placeholder", "90% or more of it in one tone")
    assert said["daisy/page.jpg"] == ("html", "")
    assert said["daisy/cut.jpg"][0] in ("damaged", "quarantined")
    assert said["daisy/cut.jpg"][1]
    assert "0x" not in "".join(measured for _, measured in said.values())
    assert all(row["meaning"] for row in rows.values())
    assert len(rows) == len(Dataset(tmp_path / "rejects").photos) == len(files) - 1
    assert not (tmp_path / "clean" / "REASONS.csv").exists()


def test_same_input_makes_the_same_bytes(tmp_path: Path) -> None:
    files = [(f"daisy/{seed}.png", saved(picture(seed), "PNG")) for seed in range(5)]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        run(tmp_path / name, [*files, ("daisy/cut.jpg", PHOTO[:9000])])
    for file in (
        *("clean/manifest.parquet", "clean/images-00000.tar", "clean/dataset.json"),
        *("rejects/manifest.parquet", "rejects/REASONS.csv", "rejects/dataset.json"),
    ):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
