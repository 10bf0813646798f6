"""The networks that can be retrained, each like keras.applications' own."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from components.common.base.errors import InputError
from components.common.base.files import hash_file
from components.common.network import backbone, keras_form, weights
from components.common.network.architecture import ARCHITECTURES, FAMILIES, parse_architecture
from components.common.network.convert import quiet_tensorflow
from components.retrain import export
from components.retrain.head import Head

NARROW, INCEPTION = "mobilenet_v2_0.35_96", "inception_v3"


def test_every_name_is_understood() -> None:
    assert len(set(ARCHITECTURES)) == 16 + 30 + 1 + 3 + 4 + 4 + 1
    for name in ARCHITECTURES:
        parsed = parse_architecture(name)
        assert parsed.name == name
        if parsed.width:
            assert name == f"{parsed.family.name}_{parsed.width}_{parsed.size}"
    assert parse_architecture(INCEPTION).size == 299


@pytest.mark.parametrize(
    "name",
    [
        *("", "mobilenet", "mobilenet_1.0_225", "mobilenet_1.0_224\n", "mobilenet_v2_0.25_224"),
        *("efficientnet_lite", "efficientnet_lite3", "efficientnet_lite0_224", "x"),
        *("mobilenet_v3_small", "mobilenet_v3_1.0_224", "efficientnet_v2_b4", "convnext_small"),
    ],
)
def test_unknown_architecture_is_refused_with_those_expected(name: str) -> None:
    with pytest.raises(InputError, match=r"mobilenet_1\.0_224") as caught:
        parse_architecture(name)
    for family in FAMILIES:
        assert family.name in str(caught.value)


def test_error_asks_what_was_meant_in_one_line() -> None:
    with pytest.raises(InputError) as caught:
        parse_architecture("mobilenet_v2_0.36_96")
    message = str(caught.value)
    assert "did you mean mobilenet_v2_0.35_96? expected" in message
    assert "for mobilenet_v2, WIDTH is one of 1.4, 1.3" in message
    assert "\n" not in message


def test_quantized_architecture_is_refused_with_what_to_do() -> None:
    with pytest.raises(InputError, match="leave out _quantized"):
        parse_architecture("mobilenet_0.50_224_quantized")


@pytest.mark.parametrize(
    ("name", "length"),
    [
        ("mobilenet_0.25_128", 256),
        ("mobilenet_1.0_224", 1024),
        (NARROW, 1280),
        ("mobilenet_v2_1.3_224", 1664),
        ("mobilenet_v2_1.4_224", 1792),
        (INCEPTION, 2048),
        ("efficientnet_lite0", 1280),
        ("efficientnet_lite1", 1280),
        ("efficientnet_lite2", 1280),
        ("mobilenet_v3_large_0.75_224", 720),
    ],
)
def test_layers_and_bottleneck_are_those_that_are_named(name: str, length: int) -> None:
    architecture = parse_architecture(name)
    model = architecture.build()
    assert keras_form.feature_map(model).shape[-1] == length
    assert model.output.shape == (None, 1000)
    assert model.input_shape == (None, architecture.size, architecture.size, 3)


@pytest.fixture(scope="module", params=[NARROW, pytest.param(INCEPTION, marks=pytest.mark.long)])
def given(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file as keras.applications would serve it, with random weights."""
    import keras

    quiet_tensorflow()
    keras.utils.set_random_seed(0)
    architecture = parse_architecture(request.param)
    architecture.build()  # Keras goes on counting layers: the file must not depend on it
    path = tmp_path_factory.mktemp(request.param) / architecture.weights_file
    architecture.build().save(path)
    (path.parent / "name").write_text(architecture.name)
    return path


@pytest.mark.long
def test_converted_network_computes_as_keras_does(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file lies in the cache folder, and that is named from where the person stands."""
    import keras

    name = (given.parent / "name").read_text()
    (tmp_path / "models").mkdir()
    shutil.copy(given, tmp_path / "models")
    monkeypatch.chdir(tmp_path)
    network = backbone.load_backbone(name, Path("models"))
    size = network.architecture.size
    generator = np.random.default_rng(0)
    batch = generator.uniform(-1, 1, (2, size, size, 3)).astype(np.float32)
    vectors, scores = network(batch)
    original = keras.models.load_model(given, compile=False)
    features = keras.Model(original.input, keras_form.feature_map(original))
    np.testing.assert_allclose(scores, np.asarray(original(batch)), atol=1e-5)
    expected = np.asarray(features(batch)).mean(axis=(1, 2))
    np.testing.assert_allclose(vectors, expected, atol=1e-4)
    assert vectors.shape == expected.shape


@pytest.mark.long
@pytest.mark.parametrize("given", [NARROW], indirect=True)  # the other takes a minute
def test_retrained_model_of_another_family_is_whole(given: Path, tmp_path: Path) -> None:
    import keras

    name = (given.parent / "name").read_text()
    architecture = parse_architecture(name)
    network = backbone.load_backbone(name, tmp_path, str(given))
    (directory,) = (tmp_path / "backbones").iterdir()
    written = (directory / backbone.HASH_FILE).read_text()
    assert written == hash_file(directory / backbone.MODEL_FILE) + "\n"
    stored = weights.read_weights(weights.given_cache_file(given, architecture, tmp_path))
    assert stored.sha256 == network.key.weights_sha256
    generator = np.random.default_rng(0)
    head = Head(
        generator.normal(0, 0.1, (1280, 3)).astype(np.float32),
        np.zeros(3, np.float32),
    )
    models = export.build(architecture, stored, head)
    (tmp_path / "model").mkdir()
    export.write(models, architecture.size, tmp_path / "model")
    batch = generator.uniform(-1, 1, (2, architecture.size, architecture.size, 3))
    batch = batch.astype(np.float32)
    run = backbone.make_interpreter(tmp_path / "model" / "model.tflite")
    expected = np.asarray(keras.models.load_model(tmp_path / "model" / "model.keras")(batch))
    np.testing.assert_allclose(run(input=batch)["final_result"], expected, atol=1e-4)
    np.testing.assert_allclose(run(input=batch)["bottleneck"], network(batch)[0], atol=1e-4)


def test_weights_of_another_architecture_are_refused(
    given: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(given.parent)
    with pytest.raises(InputError, match=r"does not hold the weights of mobilenet_1\.0_128"):
        backbone.load_backbone("mobilenet_1.0_128", tmp_path, given.name)
