"""Networks of keras.applications: what they see, and what they answer, is what Keras's own do.

With random weights: the published ones could not be had where this was written.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import small_networks
from small_networks import NAMES, of_keras, with_small_photos

from components.common.network import convert, keras_form, origin, weights, weights_sources
from components.common.network.architecture import (
    FAMILIES,
    Architecture,
    Family,
    parse_architecture,
)
from components.common.network.keras_form import Pixels


@pytest.fixture(autouse=True)
def small() -> Iterator[None]:
    convert.quiet_tensorflow()
    with small_networks.few_blocks():
        yield


# What CONTRIBUTING.md says: all that another network of keras.applications needs.
ANOTHER = Family(
    name="efficientnet_v2_s",
    keras="EfficientNetV2S",
    widths=(),
    sizes=(64,),
    weights_file=lambda _, __: "efficientnetv2-s.h5",
    pixels=Pixels((128, 128, 128), (128, 128, 128)),
)


@pytest.mark.parametrize(
    "architecture",
    [*map(with_small_photos, NAMES), Architecture(ANOTHER.name, ANOTHER, "", 64)],
    ids=lambda architecture: architecture.name,
)
def test_features_and_scores_are_those_of_keras_with_its_own_scaling(
    architecture: Architecture, tmp_path: Path
) -> None:
    """Keras's own network writes the file that `--weights` names."""
    import keras

    original = of_keras(architecture)
    published = tmp_path / architecture.weights_file
    original.save(published)
    network = architecture.build()
    weights.apply_to_keras(weights_sources.obtain(architecture, tmp_path, str(published)), network)
    shape = (2, *network.input_shape[1:])
    pixels = np.random.default_rng(1).integers(0, 256, shape).astype(np.float32)
    pixels[1] //= 3  # a dark photo
    module = sys.modules[getattr(keras.applications, architecture.family.keras).__module__]
    given = module.preprocess_input(pixels.copy())
    expected = {"features": keras_form.feature_map(original), "scores": original.output}
    expected = keras.Model(original.input, expected)(given)
    found = {"features": keras_form.feature_map(network), "scores": network.output}
    found = keras.Model(network.input, found)(pixels / 127.5 - 1)
    for name in found:
        ours, theirs = np.asarray(found[name]), np.asarray(expected[name])
        largest = np.abs(theirs).max()
        assert np.abs(theirs[0] - theirs[1]).max() > 0.05 * largest  # photos make a difference
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * largest)
    for layer in network.layers:
        by_chance = isinstance(layer, keras.layers.Dropout) and layer.noise_shape is not None
        assert not by_chance, layer.name
        assert getattr(layer, "groups", 1) == 1, layer.name


LICENCES = {"convnext_tiny": "MIT"}  # all others: Apache


def test_each_network_of_keras_says_its_file_and_licence(tmp_path: Path) -> None:
    import keras

    for family in FAMILIES:
        if not family.keras:
            continue
        architecture = parse_architecture(family.architectures[0])
        module = sys.modules[getattr(keras.applications, family.keras).__module__]
        assert origin.find(architecture, "x", tmp_path) == {
            "source": "keras.applications",
            "licence": LICENCES.get(family.name, "Apache-2.0"),
            "file": architecture.weights_file,
        }
        # Keras downloads by a hash that it keeps under a part of the file's name.
        for key in getattr(module, "WEIGHTS_HASHES", ()):
            if architecture.name.endswith(key):
                assert re.search(rf"{key}\.h5$", architecture.weights_file)
