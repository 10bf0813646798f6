"""Photos that take much memory are converted one after another, whatever the threads."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from components.common.photos import images

WAIT_S = 1.0  # the one that is alone waits so long for the other


@pytest.mark.parametrize(("limit", "together"), [(100 * 100, True), (100 * 100 - 1, False)])
def test_only_small_photos_are_converted_at_the_same_time(
    monkeypatch: pytest.MonkeyPatch, limit: int, together: bool
) -> None:
    stored = io.BytesIO()
    Image.new("RGB", (100, 100), "green").save(stored, "PNG")
    met = []
    both = threading.Barrier(2)

    def encode(pixels: NDArray[np.uint8]) -> bytes:
        try:
            both.wait(WAIT_S)
            met.append(True)
        except threading.BrokenBarrierError:
            met.append(False)
        return b"jpeg"

    monkeypatch.setattr(images, "LARGE_PIXELS", limit)
    monkeypatch.setattr(images, "encode", encode)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(images.to_clean_jpeg, [stored.getvalue()] * 2))
    assert [photo.data for photo in found] == [b"jpeg"] * 2
    assert met == [together] * 2
