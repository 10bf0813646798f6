"""Photos that show no mushroom, by what the pretrained network says."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from components.common.base.files import default_cache_dir
from components.common.dataset.photo import Photo
from components.common.network import bottlenecks
from components.common.network.backbone import BackboneKey, load_backbone
from components.common.network.bottlenecks import Bottlenecks
from components.common.photos import images
from components.curate import suspects

KEY = BackboneKey("mobilenet_1.0_224", 224, "0" * 64)


def fungi(count: int, share: float) -> Bottlenecks:
    scores = np.zeros((count, 1000), dtype=np.float16)
    scores[:, 947] = share
    vectors = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    return Bottlenecks(
        tuple(str(n) for n in range(count)), vectors, scores, np.zeros((count, 1024), np.uint8), KEY
    )


def mushroom_odds(found: Bottlenecks) -> np.ndarray | None:
    """Of photos of which each is a group of its own."""
    scores = found.scores[:, suspects.FUNGI]
    return suspects.mushroom_odds(found.vectors, scores, found.sha256)


@pytest.mark.parametrize(("count", "share", "judged"), [(20, 0.9, 1), (19, 0.9, 0), (20, 0.1, 0)])
def test_only_enough_photos_of_fungi_are_judged(count: int, share: float, judged: int) -> None:
    odds = mushroom_odds(fungi(count, share))
    assert (odds is not None) == bool(judged)


def test_rounding_above_one_is_no_error() -> None:
    scores = fungi(30, 0.9)
    scores.scores[:, 997] = 0.2
    odds = mushroom_odds(scores)
    assert odds is not None
    assert np.isfinite(odds).all()


@pytest.mark.parametrize(
    ("architecture", "size", "sure"),
    [
        ("mobilenet_1.0_224", 224, True),
        ("mobilenet_1.0_128", 128, False),
        ("efficientnet_lite0", 224, True),
        ("efficientnet_lite1", 240, True),
        ("efficientnet_lite2", 260, True),
        ("mobilenet_v2_1.0_224", 224, False),
        ("inception_v3", 299, False),
    ],
)
def test_small_networks_and_those_that_were_not_measured_only_flag(
    architecture: str, size: int, sure: bool
) -> None:
    found = dataclasses.replace(fungi(1, 0.5), key=BackboneKey(architecture, size, "0" * 64))
    assert suspects.may_leave_out(found) == sure
    lite = architecture.startswith("efficientnet")
    assert suspects.limits(found) == (suspects.EFFICIENTNET_LITE if lite else suspects.MOBILENET)


@pytest.mark.parametrize(
    "architecture",
    [
        "mobilenet_1.0_224",
        "efficientnet_lite0",
        pytest.param("efficientnet_lite1", marks=pytest.mark.long),
        pytest.param("efficientnet_lite2", marks=pytest.mark.long),
    ],
)
def test_flowers_among_real_fungi(shared_photos: Path, architecture: str) -> None:
    """Limits are those of the benchmark; here only that they hold for one fixed choice."""
    fungi_files = sorted((shared_photos / "mushrooms").glob("*/*.jpg"))
    flowers = sorted((shared_photos / "flowers").glob("*/*.jpg"))[::8]
    files = fungi_files + flowers
    photos = (
        (Photo("x", sha256=str(number)), images.to_clean_jpeg(file.read_bytes()).data)
        for number, file in enumerate(files)
    )
    network = load_backbone(architecture, default_cache_dir())
    found = bottlenecks.compute(network, photos)
    odds, limits = mushroom_odds(found), suspects.limits(found)
    assert odds is not None
    out, doubtful = odds < limits.no_mushroom, odds < limits.doubtful
    count = len(fungi_files)
    assert out[:count].mean() <= 0.025  # at most 3 of 140; 1 % in the mean of 20 draws
    assert out[count:].mean() >= 0.75
    assert doubtful[count:].mean() >= 0.9
    alone = mushroom_odds(
        Bottlenecks(
            found.sha256[:count],
            found.vectors[:count],
            found.scores[:count],
            found.fingerprints[:count],
            found.key,
        )
    )
    assert alone is not None
    assert (alone < limits.no_mushroom).mean() <= 0.02
