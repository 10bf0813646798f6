"""A sound JPEG whose chroma is sampled more finely than its luma: rare, legal, and once refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from components.common.photos import images

# Made from a gradient by `cjpeg -sample 1x1,2x1,1x1` of libjpeg-turbo.
FILE = Path(__file__).parent / "data" / "odd_subsampling.jpg"


def test_odd_subsampling_is_converted_not_rejected() -> None:
    photo = images.to_clean_jpeg(FILE.read_bytes())
    assert (photo.width, photo.height) == (64, 48)
    with Image.open(FILE) as image:
        expected = np.asarray(image.convert("RGB")).astype(int)
    difference = np.abs(images.decode(photo.data).astype(int) - expected)
    assert difference.mean() < 5


def test_cut_file_with_odd_subsampling_is_rejected() -> None:
    data = FILE.read_bytes()
    with pytest.raises(images.BadPhoto):
        images.to_clean_jpeg(data[: len(data) * 2 // 3])


def test_header_that_names_no_components_is_rejected() -> None:
    with pytest.raises(images.BadPhoto, match="damaged_header"):
        images.to_clean_jpeg(b"\xff\xd8\xff\xe0" + bytes(3000))
