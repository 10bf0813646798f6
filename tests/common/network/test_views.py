"""Several views of a photo: what the network sees, the averages, the keys, and maps put back."""

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import SMALL_ARCHITECTURE

from components.common.base.errors import InputError
from components.common.base.files import default_cache_dir
from components.common.network import backbone, views
from components.common.network.backbone import Backbone, BackboneKey, make_key
from components.common.network.views import View
from components.common.photos import images

ARCHITECTURES = (SMALL_ARCHITECTURE, "efficientnet_lite0")
SEVERAL = [number for number in views.VIEWS if number > 1]
KEY = BackboneKey(SMALL_ARCHITECTURE, 128, "0" * 64)


@pytest.fixture(scope="module", params=ARCHITECTURES)
def alone(request: pytest.FixtureRequest) -> Backbone:
    """A network that looks at the whole photo only."""
    return backbone.load_backbone(request.param, default_cache_dir())


@pytest.fixture(scope="module", params=SEVERAL)
def several(request: pytest.FixtureRequest, alone: Backbone) -> Backbone:
    """The same network with more views."""
    name = alone.architecture.name
    return backbone.load_backbone(name, default_cache_dir(), views=request.param)


@pytest.fixture(scope="module")
def batch(shared_photos: Path, several: Backbone) -> np.ndarray:
    """Four real photos."""
    files = sorted((shared_photos / "mushrooms" / "fly_agaric").glob("*.jpg"))[:4]
    size = several.key.input_size
    return np.stack([images.model_input(file.read_bytes(), size) for file in files])


def parts_of(batch: np.ndarray, network: Backbone) -> list[np.ndarray]:
    """The views of each photo, cut and reduced by OpenCV."""
    size = network.architecture.size
    parts = []
    for view in views.of_square(size, network.key.views):
        cut = batch[:, view.top : view.top + view.side, view.left : view.left + view.side]
        parts.append(
            np.stack([cv2.resize(one, (size, size), interpolation=cv2.INTER_LINEAR) for one in cut])
        )
    return parts


def test_features_are_the_mean_of_those_of_the_parts(
    alone: Backbone, several: Backbone, batch: np.ndarray
) -> None:
    seen = [alone(part)[0] for part in parts_of(batch, several)]
    assert len(seen) == several.key.views
    features, _ = several(batch)
    np.testing.assert_allclose(features, np.mean(seen, axis=0), atol=1e-3)
    assert np.abs(features - seen[0]).max() > 0.1


def test_imagenet_scores_are_those_of_the_whole_photo(
    alone: Backbone, several: Backbone, batch: np.ndarray
) -> None:
    whole = parts_of(batch, several)[0]
    np.testing.assert_allclose(several(batch)[1], alone(whole)[1], atol=1e-4)


def test_photo_has_the_same_bits_in_every_batch_and_with_every_number_of_threads(
    several: Backbone, batch: np.ndarray
) -> None:
    together = several(batch)
    single = several.for_one_thread()
    for row, photo in enumerate(batch):
        for values, one in zip(together, single(photo[None]), strict=True):
            np.testing.assert_array_equal(values[row], one[0])


@pytest.mark.parametrize(
    ("number", "size", "expected"),
    [
        (1, 224, [View(0, 0, 224)]),
        (2, 224, [View(0, 0, 358), View(67, 67, 224)]),
        (2, 299, [View(0, 0, 479), View(90, 90, 299)]),
        (
            5,
            128,
            [
                View(0, 0, 206),
                View(0, 0, 128),
                View(0, 78, 128),
                View(78, 0, 128),
                View(78, 78, 128),
            ],
        ),
    ],
)
def test_views_lie_in_the_square(number: int, size: int, expected: list[View]) -> None:
    assert views.of_square(size, number) == expected
    assert views.input_size(size, number) == expected[0].side


def test_key_of_one_view_is_what_it_was_before_there_were_more() -> None:
    assert KEY.digest == "de8ac3ffe2e52140869a8c8458f3d498b3a9891f9047ed63835bf94197476ea8"
    assert "views" not in KEY.fields
    assert make_key(KEY.fields, "backbone.json") == KEY


def test_networks_of_other_views_have_other_keys() -> None:
    keys = [dataclasses.replace(KEY, views=number) for number in views.VIEWS]
    assert len({key.digest for key in keys}) == len(keys)
    for key in keys:
        assert make_key(json.loads(json.dumps(key.fields)), "backbone.json") == key


@pytest.mark.parametrize("wrong", [0, 3, -1, 10**9, True, "2", 2.0, None, [2]])
def test_key_with_a_senseless_number_of_views_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"views|wrong type"):
        make_key({**KEY.fields, "views": wrong}, "backbone.json")


def test_conversion_with_a_number_of_views_that_there_is_not_is_refused(
    backbone_cache: Path, tmp_path: Path
) -> None:
    (tmp_path / "weights").symlink_to(backbone_cache / "weights")
    with pytest.raises(InputError, match=r"--views is 3: expected one of 1, 2, 5"):
        backbone.load_backbone(SMALL_ARCHITECTURE, tmp_path, views=3)


@pytest.mark.parametrize("number", views.VIEWS)
@pytest.mark.parametrize("cells", [4, 7, 10])
def test_mean_of_a_map_on_the_photo_is_that_of_the_maps_of_the_views(
    number: int, cells: int
) -> None:
    stacked = np.random.default_rng(0).normal(1, 2, (number * cells, cells)).astype(np.float32)
    placed = views.on_photo(stacked, 224, number)
    assert placed.shape == (cells, cells)
    assert placed.dtype == np.float32
    assert placed.mean() == pytest.approx(stacked.mean(), abs=1e-5)


# In cells of a map of 4 by 4: what lights up in a view, and where it is on the photo.
@pytest.mark.parametrize(
    ("number", "view", "cell", "expected"),
    [
        (1, 0, (3, 1), (3, 1)),
        (2, 0, (0, 3), (0, 3)),
        (2, 1, (1, 1), (1, 1)),
        (5, 1, (0, 0), (0, 0)),
        (5, 2, (0, 3), (0, 3)),
        (5, 3, (3, 0), (3, 0)),
        (5, 4, (3, 3), (3, 3)),
        (5, 4, (0, 0), (1, 1)),
    ],
)
def test_what_lights_up_in_a_view_does_so_in_its_place_on_the_photo(
    number: int, view: int, cell: tuple[int, int], expected: tuple[int, int]
) -> None:
    stacked = np.zeros((number, 4, 4), np.float32)
    stacked[view][cell] = 1
    placed = views.on_photo(stacked.reshape(-1, 4), 128, number)
    assert np.unravel_index(placed.argmax(), placed.shape) == expected
