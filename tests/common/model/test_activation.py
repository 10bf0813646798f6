"""The class activation map on its photo."""

import numpy as np
import pytest

from components.common.model.activation import LINE, spotlight
from components.common.photos import images
from components.common.photos.images import BadPhoto


def photo(height: int, width: int) -> bytes:
    """A plain light green picture."""
    return images.encode(np.full((height, width, 3), (150, 220, 150), np.uint8))


def test_what_speaks_for_the_class_keeps_its_light_and_colour() -> None:
    activation = np.zeros((7, 7), np.float32)
    activation[:, 5:] = 4
    shown = images.decode(spotlight(photo(200, 400), activation, 160))
    assert shown.shape == (80, 160, 3)
    lit, dark = shown[40, 150].astype(int), shown[40, 10].astype(int)
    np.testing.assert_allclose(lit, (150, 220, 150), atol=12)
    assert dark.max() < 80
    assert dark.max() - dark.min() < 12  # grey


def test_line_surrounds_it() -> None:
    activation = np.zeros((7, 7), np.float32)
    activation[2:5, 2:5] = 1
    shown = images.decode(spotlight(photo(210, 210), activation, 210)).astype(int)
    assert LINE[0] > 200 < LINE[1]
    yellow = shown[..., :2].min(axis=2) - shown[..., 2] > 100
    rows, columns = np.nonzero(yellow)
    assert 30 < rows.min() < 75
    assert 135 < columns.max() < 180
    assert not yellow[105, 105]


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_map_that_speaks_nowhere_for_the_class_leaves_all_dark(value: float) -> None:
    shown = images.decode(spotlight(photo(100, 100), np.full((7, 7), value, np.float32), 100))
    assert shown.max() < 90


def test_narrow_strip_is_shown_too() -> None:
    shown = spotlight(photo(60, 1500), np.ones((7, 7), np.float32), 160)
    assert images.probe(shown) == (160, 6)


def test_what_is_no_photo_is_refused() -> None:
    with pytest.raises(BadPhoto):
        spotlight(b"no photo", np.ones((7, 7), np.float32), 100)
