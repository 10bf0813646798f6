"""The backbone: where its weights come from, what it says of real photos, and its cache."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, SMALL_ARCHITECTURE

from components.common.base.errors import InputError
from components.common.base.files import SECOND_CACHE_VARIABLE, hash_file
from components.common.network import weights
from components.common.network.architecture import parse_architecture
from components.common.network.backbone import (
    Backbone,
    key_directory,
    load_backbone,
    make_interpreter,
)
from components.common.photos import images


def test_backbone_gives_features_and_imagenet_probabilities(backbone_cache: Path) -> None:
    backbone = load_backbone(SMALL_ARCHITECTURE, backbone_cache)
    batch = np.random.default_rng(0).uniform(-1, 1, (3, 128, 128, 3)).astype(np.float32)
    features, scores = backbone(batch)
    assert features.shape == (3, 1024)
    assert scores.shape == (3, 1000)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-4)
    alone, _ = backbone(batch[1:2])
    np.testing.assert_allclose(alone[0], features[1], atol=1e-4)


def test_weights_are_really_imagenet_s(shared_photos: Path, backbone_cache: Path) -> None:
    """A daisy is class 985 of ImageNet: nothing but the true weights finds that."""
    backbone = load_backbone(SMALL_ARCHITECTURE, backbone_cache)
    files = sorted((shared_photos / "flowers" / "daisy").glob("*.jpg"))
    batch = np.stack([images.model_input(path.read_bytes(), 128) for path in files])
    _, scores = backbone(batch)
    assert (scores.argmax(axis=1) == 985).mean() > 0.6


def test_backbone_from_the_cache_needs_no_tensorflow(backbone_cache: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from components.common.network.backbone import load_backbone\n"
        f"load_backbone({SMALL_ARCHITECTURE!r}, Path({str(backbone_cache)!r}))\n"
        "assert not {'tensorflow', 'keras', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_network_that_an_image_carries_is_used_where_it_lies(
    backbone_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECOND_CACHE_VARIABLE, str(backbone_cache))
    backbone = load_backbone(SMALL_ARCHITECTURE, tmp_path / "cache")
    assert backbone.key == load_backbone(SMALL_ARCHITECTURE, backbone_cache).key
    assert not (tmp_path / "cache").exists()


def test_weights_of_the_cache_go_before_those_that_an_image_carries(
    backbone_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECOND_CACHE_VARIABLE, str(backbone_cache))
    architecture = parse_architecture(SMALL_ARCHITECTURE)
    cached = weights.cached_file(architecture, tmp_path, "")
    assert cached == weights.cache_file(architecture, backbone_cache)
    # A file of keras.applications that a person put there: it is still to be converted.
    (tmp_path / architecture.weights_file).write_bytes(b"published")
    assert weights.cached_file(architecture, tmp_path, "") is None


def test_given_weights_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mobilenet_1_0_128_tf\.h5"):
        load_backbone(SMALL_ARCHITECTURE, tmp_path, str(tmp_path / "nowhere.h5"))


def test_given_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "weights.h5"
    wrong.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(1000))
    with pytest.raises(InputError, match="does not hold the weights"):
        load_backbone(SMALL_ARCHITECTURE, tmp_path / "cache", str(wrong))
    assert not list((tmp_path / "cache").rglob("*.tflite"))


def test_given_keras_file_is_converted_to_the_same_network(
    backbone_cache: Path, tmp_path: Path
) -> None:
    """What keras.applications publishes is an .h5 file; one written from our weights equals it."""
    from components.common.network import weights_sources

    architecture = parse_architecture(SMALL_ARCHITECTURE)
    ours = weights.read_weights(weights.cache_file(architecture, backbone_cache))
    model = architecture.build()
    weights.apply_to_keras(ours, model)
    given = tmp_path / "mobilenet_1_0_128_tf.h5"
    model.save_weights(tmp_path / "mobilenet.weights.h5")
    (tmp_path / "mobilenet.weights.h5").rename(given)
    with pytest.raises(InputError, match="does not hold the weights"):
        # Keras tells its two HDF5 layouts apart by name; the published one is the older.
        weights_sources.obtain(architecture, tmp_path / "cache", str(given))
    model.save(tmp_path / "whole.h5")
    found = weights_sources.obtain(architecture, tmp_path / "cache", str(tmp_path / "whole.h5"))
    assert found.sha256 == ours.sha256


def test_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="missing"):
        make_interpreter(tmp_path / "model.tflite")
    (tmp_path / "model.tflite").write_bytes(b"x" * 100)
    with pytest.raises(InputError, match="not a LiteRT model"):
        make_interpreter(tmp_path / "model.tflite")


@pytest.fixture
def copied(tmp_path: Path, backbone_cache: Path) -> Path:
    """A copy of the cached network, to be damaged."""
    key = load_backbone(SMALL_ARCHITECTURE, backbone_cache).key
    cached = key_directory(key, backbone_cache)
    return Path(shutil.copytree(cached, tmp_path / "network"))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"architecture": 7}', b"\xff", None])
def test_damaged_description_of_a_cached_network_is_told(
    copied: Path, content: bytes | None
) -> None:
    (copied / "backbone.json").unlink()
    if content is not None:
        (copied / "backbone.json").write_bytes(content)
    with pytest.raises(InputError, match=r"holds no converted network .* remove it and run"):
        Backbone(copied)


def test_cached_network_with_one_bit_changed_is_refused(copied: Path) -> None:
    """It would compute other features, and everything after it would go on with them."""
    network = copied / "backbone.tflite"
    # Also where the cache of this machine is of a version that wrote none.
    (copied / "backbone.sha256").write_text(hash_file(network) + "\n")
    assert Backbone(copied)
    data = bytearray(network.read_bytes())
    data[len(data) // 3] ^= 0x40
    network.write_bytes(data)
    with pytest.raises(InputError, match=r"backbone\.tflite is damaged: remove .* and run again"):
        Backbone(copied)


def test_cached_network_of_a_version_that_wrote_no_hash_is_used(
    copied: Path, backbone_cache: Path
) -> None:
    (copied / "backbone.sha256").unlink(missing_ok=True)
    assert Backbone(copied).key == load_backbone(SMALL_ARCHITECTURE, backbone_cache).key
