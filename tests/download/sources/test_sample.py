"""The rendered default photos: the same bytes everywhere, and faults that are what they say."""

import io
import itertools
import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import imagehash
import numpy as np
import pytest
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from components.download.sample.render import FAULTS, LABELS, RenderedPhoto, render_class

ROOT = Path(__file__).resolve().parents[2]
GOOD = 40
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def rendered() -> dict[str, list[RenderedPhoto]]:
    return {label: list(render_class(label, GOOD)) for label in LABELS}


def fault(photos: list[RenderedPhoto], name: str) -> bytes:
    return next(photo.data for photo in photos if photo.fault == name)


def phash(data: bytes) -> NDArray[np.bool_]:
    bits: NDArray[np.bool_] = imagehash.phash(Image.open(io.BytesIO(data))).hash.ravel()
    return bits


def test_good_photos_come_first_and_then_every_fault_once(
    rendered: dict[str, list[RenderedPhoto]],
) -> None:
    for label, photos in rendered.items():
        assert [photo.fault for photo in photos] == [None] * GOOD + list(FAULTS)
        names = [photo.name for photo in photos]
        assert len(set(names)) == len(names)
        slug = label.replace(" ", "-")
        assert all(re.fullmatch(rf"{slug}-[a-z0-9-]+\.jpg", name) for name in names)
        assert names[7] == f"{slug}-007.jpg"


def test_same_seed_gives_identical_bytes_in_another_process(
    rendered: dict[str, list[RenderedPhoto]],
) -> None:
    script = (
        "import cv2, hashlib; cv2.setNumThreads(1)\n"
        "from components.download.sample.render import LABELS, render_class\n"
        "for label in reversed(LABELS):\n"
        "    for photo in render_class(label, 3):\n"
        "        print(photo.name, hashlib.sha256(photo.data).hexdigest())\n"
    )
    environment = os.environ | {"PYTHONHASHSEED": "4711", "LC_ALL": "C"}
    output = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    there = dict(line.split() for line in output.splitlines())
    here = {p.name: sha256(p.data).hexdigest() for photos in rendered.values() for p in photos}
    assert len(there) == len(LABELS) * (3 + len(FAULTS))
    assert there == {name: here[name] for name in there}


def test_a_picture_does_not_depend_on_the_count(rendered: dict[str, list[RenderedPhoto]]) -> None:
    short = list(render_class("earthstar", 2))
    expected = [photo.data for photo in rendered["earthstar"][:2]]
    assert [photo.data for photo in short[:2]] == expected
    assert fault(short, "truncated") == fault(rendered["earthstar"], "truncated")


def test_another_seed_gives_other_pictures() -> None:
    assert (
        next(render_class("earthstar", 1)).data != next(render_class("earthstar", 1, seed=1)).data
    )


def test_good_photos_are_jpegs_of_the_promised_size(
    rendered: dict[str, list[RenderedPhoto]],
) -> None:
    shapes = []
    for photos in rendered.values():
        for photo in photos[:GOOD]:
            assert 22_000 <= len(photo.data) <= 150_000
            shapes.append(simplejpeg.decode_jpeg(photo.data, strict=True).shape)
    portraits = shapes.count((500, 375, 3))
    assert portraits + shapes.count((375, 500, 3)) == len(shapes)
    assert 0.2 < portraits / len(shapes) < 0.5


def test_no_two_good_photos_are_near_duplicates(rendered: dict[str, list[RenderedPhoto]]) -> None:
    hashes = [phash(photo.data) for photos in rendered.values() for photo in photos[:GOOD]]
    assert min(int((a != b).sum()) for a, b in itertools.combinations(hashes, 2)) > 6


@pytest.mark.parametrize("label", LABELS)
class TestFaults:
    def test_truncated_photo_cannot_be_decoded_strictly(
        self, rendered: dict[str, list[RenderedPhoto]], label: str
    ) -> None:
        data = fault(rendered[label], "truncated")
        assert data.startswith(b"\xff\xd8")
        assert len(data) > 20_000
        with pytest.raises(ValueError, match=r"(?i)premature end"):
            simplejpeg.decode_jpeg(data, strict=True)

    def test_png_named_jpg_is_a_png_of_full_size(
        self, rendered: dict[str, list[RenderedPhoto]], label: str
    ) -> None:
        data = fault(rendered[label], "png_named_jpg")
        assert data.startswith(PNG_MAGIC)
        assert sorted(Image.open(io.BytesIO(data)).size) == [375, 500]

    def test_placeholder_is_a_small_nearly_uniform_png(
        self, rendered: dict[str, list[RenderedPhoto]], label: str
    ) -> None:
        data = fault(rendered[label], "placeholder")
        assert data.startswith(PNG_MAGIC)
        assert len(data) < 20_000
        picture = Image.open(io.BytesIO(data))
        assert picture.size == (500, 374)
        assert 1 < len(np.unique(picture)) < 50
        assert np.asarray(picture).std() < 10

    def test_exact_duplicate_has_the_bytes_of_the_first_photo(
        self, rendered: dict[str, list[RenderedPhoto]], label: str
    ) -> None:
        assert fault(rendered[label], "exact_duplicate") == rendered[label][0].data

    def test_near_duplicate_differs_in_bytes_but_hardly_in_phash(
        self, rendered: dict[str, list[RenderedPhoto]], label: str
    ) -> None:
        data, original = fault(rendered[label], "near_duplicate"), rendered[label][1].data
        assert data != original
        assert len(data) > 20_000
        assert sorted(Image.open(io.BytesIO(data)).size) == [300, 400]
        assert int((phash(data) != phash(original)).sum()) <= 4

    def test_other_class_has_the_bytes_of_a_photo_of_the_next_label(
        self, rendered: dict[str, list[RenderedPhoto]], label: str
    ) -> None:
        neighbour = LABELS[(LABELS.index(label) + 1) % len(LABELS)]
        assert fault(rendered[label], "other_class") == rendered[neighbour][2].data

    def test_no_mushroom_is_a_sound_jpeg_unlike_the_good_photos(
        self, rendered: dict[str, list[RenderedPhoto]], label: str
    ) -> None:
        data = fault(rendered[label], "no_mushroom")
        assert len(data) > 20_000
        assert simplejpeg.decode_jpeg(data, strict=True).shape[2] == 3
        code = phash(data)
        assert min(int((code != phash(p.data)).sum()) for p in rendered[label][:GOOD]) > 6


def test_copied_photos_wrap_around_a_small_count() -> None:
    photos = list(render_class("fly agaric", 1))
    assert fault(photos, "exact_duplicate") == photos[0].data
    assert fault(photos, "other_class") == next(render_class("giant puffball", 1)).data
    assert int((phash(fault(photos, "near_duplicate")) != phash(photos[0].data)).sum()) <= 4
