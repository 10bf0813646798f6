"""Distorted copies: what each option does, and that the network runs once for each."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import SMALL_ARCHITECTURE, Run

from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset
from components.common.network import backbone
from components.common.photos import images
from components.retrain.distort import distorted_bottlenecks, distorted_input, draw
from components.retrain.options import Distortions

SIZE = 64
GRADIENT = np.stack(
    [np.tile(np.linspace(0, 200, 96, dtype=np.uint8), (96, 1))] * 2
    + [np.tile(np.linspace(0, 200, 96, dtype=np.uint8)[:, None], (1, 96))],
    axis=2,
)
JPEG = images.encode(GRADIENT, quality=95)
AS_IT_IS = images.model_input(JPEG, SIZE)


def drawn(distortions: Distortions, count: int = 40) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    draws = [draw(SIZE, distortions, generator) for _ in range(count)]
    return [distorted_input(JPEG, SIZE, drawn) for drawn in draws]


def test_without_options_the_photo_is_as_it_is() -> None:
    assert not Distortions()
    for one in drawn(Distortions(), 3):
        np.testing.assert_allclose(one, AS_IT_IS, atol=1e-6)


def test_half_of_the_copies_are_mirrored() -> None:
    mirrored = [
        np.allclose(one, AS_IT_IS[:, ::-1], atol=1e-6) for one in drawn(Distortions(True), 100)
    ]
    straight = [np.allclose(one, AS_IT_IS, atol=1e-6) for one in drawn(Distortions(True), 100)]
    assert sum(mirrored) + sum(straight) == 100
    assert 35 < sum(mirrored) < 65


def test_crop_cuts_squares_out_of_a_larger_photo() -> None:
    side = round(SIZE * 1.5)
    larger = cv2.resize(images.decode(JPEG, SIZE), (side, side), interpolation=cv2.INTER_LINEAR)
    larger = larger.astype(np.float32) / np.float32(127.5) - 1
    places = set()
    for one in drawn(Distortions(random_crop=50)):
        found = [
            (top, left)
            for top in range(side - SIZE + 1)
            for left in range(side - SIZE + 1)
            if np.allclose(one, larger[top : top + SIZE, left : left + SIZE], atol=1e-5)
        ]
        assert found
        places.add(found[0])
    assert len(places) > 20


def test_scale_shows_a_smaller_part() -> None:
    spans = [
        float(one[..., 0].max() - one[..., 0].min()) for one in drawn(Distortions(False, 0, 50))
    ]
    whole = float(AS_IT_IS[..., 0].max() - AS_IT_IS[..., 0].min())
    assert min(spans) < 0.75 * whole
    assert max(spans) > 0.95 * whole


def test_brightness_multiplies_within_its_bounds() -> None:
    bright = AS_IT_IS.mean() + 1
    factors = [float((one.mean() + 1) / bright) for one in drawn(Distortions(random_brightness=30))]
    assert 0.7 <= min(factors) < 0.8
    assert 1.2 < max(factors) <= 1.3


@pytest.mark.parametrize(
    ("distortions", "option"),
    [
        (Distortions(random_crop=-1), "--random_crop"),
        (Distortions(random_scale=-1), "--random_scale"),
        (Distortions(random_brightness=100), "--random_brightness"),
        (Distortions(distorted_copies=0), "--distorted_copies"),
    ],
)
def test_senseless_option_is_named(distortions: Distortions, option: str) -> None:
    with pytest.raises(InputError, match=option):
        distortions.check()


def test_copies_are_cached_and_the_same_however_many_there_are(
    sample_run: Run, backbone_cache: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = Dataset(sample_run.directory / "training")
    network = backbone.load_backbone(SMALL_ARCHITECTURE, backbone_cache)
    photos = dataset.photos[:5]
    one, two = (
        distorted_bottlenecks(
            network,
            dataset,
            photos,
            Distortions(True, random_brightness=20, distorted_copies=copies),
            tmp_path,
            seed=0,
        )
        for copies in (1, 2)
    )
    assert [copy.shape for copy in two] == [(5, 1024)] * 2
    np.testing.assert_array_equal(one[0], two[0])
    assert not np.array_equal(two[0], two[1])
    kept = sorted(path.parent.name for path in tmp_path.rglob("*.npz"))
    assert len(kept) == 2  # the second call computed one copy more, and no other
    other = distorted_bottlenecks(
        network, dataset, photos, Distortions(True, random_brightness=20), tmp_path, seed=1
    )
    assert not np.array_equal(other[0], one[0])
