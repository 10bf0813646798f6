"""The step `bottleneck`: no TensorFlow, one row per content, wrong input refused."""

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import SMALL_ARCHITECTURE, run_captured

from components.bottleneck.bottleneck import bottleneck
from components.bottleneck.options import BottleneckOptions
from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset, DatasetWriter
from components.common.dataset.photo import Photo
from components.common.network import bottlenecks
from components.common.photos import images


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    with DatasetWriter(tmp_path / "photos") as writer:
        for label in ("one", "two"):
            for _ in range(3):
                pixels = generator.integers(0, 256, (150, 200, 3), dtype=np.uint8)
                writer.add(Photo(label=label), images.encode(pixels))
    return tmp_path / "photos"


def test_command_computes_vectors_without_tensorflow(
    dataset: Path, backbone_cache: Path, tmp_path: Path
) -> None:
    done = run_captured(
        *(sys.executable, "-X", "importtime", "-m", "components.bottleneck"),
        *("--images", str(dataset), "--output", str(tmp_path / "vectors")),
        *("--architecture", SMALL_ARCHITECTURE, "--cache_dir", str(backbone_cache)),
    )
    assert done.returncode == 0, done.stderr
    assert "tensorflow" not in done.stderr.replace("TensorFlow Lite", "")
    found = bottlenecks.load(tmp_path / "vectors")
    assert found.vectors.shape == (6, 1024)
    assert set(found.sha256) == {photo.sha256 for photo in Dataset(dataset).photos}
    assert found.key.architecture == SMALL_ARCHITECTURE


def test_same_input_gives_the_same_bits_with_and_without_the_cache(
    dataset: Path, backbone_cache: Path, tmp_path: Path
) -> None:
    for name in ("first", "again"):
        bottleneck(
            [dataset],
            tmp_path / name,
            BottleneckOptions(architecture=SMALL_ARCHITECTURE, cache_dir=str(backbone_cache)),
        )
    for file in (*bottlenecks.FILES.values(), "index.parquet", "backbone.json"):
        first, again = (tmp_path / name / file for name in ("first", "again"))
        assert first.read_bytes() == again.read_bytes()


def test_weights_file_must_have_the_hash_that_it_is_said_to_have(
    dataset: Path, backbone_cache: Path, tmp_path: Path
) -> None:
    weights = backbone_cache / "weights" / f"{SMALL_ARCHITECTURE}.npz"
    right = hashlib.sha256(weights.read_bytes()).hexdigest()

    def compute(name: str, weights: str, sha256: str) -> None:
        bottleneck(
            [dataset],
            tmp_path / name,
            BottleneckOptions(
                architecture=SMALL_ARCHITECTURE,
                weights=weights,
                weights_sha256=sha256,
                cache_dir=str(backbone_cache),
            ),
        )

    compute("right", str(weights), right.upper())
    assert (tmp_path / "right" / "backbone.json").is_file()
    with pytest.raises(InputError, match=f"has the SHA-256 {right}: expected {64 * 'a'}"):
        compute("wrong", str(weights), 64 * "a")
    with pytest.raises(InputError, match="no weights file"):
        compute("wrong", str(tmp_path / "none.npz"), right)
    with pytest.raises(InputError, match="without --weights"):
        compute("wrong", "", right)
    assert not (tmp_path / "wrong").exists()


def test_unknown_architecture_and_missing_dataset_leave_nothing(
    dataset: Path, backbone_cache: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="unknown architecture"):
        bottleneck([dataset], tmp_path / "out", BottleneckOptions(architecture="inception_v9"))
    with pytest.raises(InputError, match="no dataset"):
        bottleneck(
            [tmp_path / "nowhere"],
            tmp_path / "out",
            BottleneckOptions(architecture=SMALL_ARCHITECTURE, cache_dir=str(backbone_cache)),
        )
    assert not (tmp_path / "out").exists()
