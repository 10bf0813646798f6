"""Where pretrained weights come from, as model.json and the model card tell it."""

from collections.abc import Mapping
from pathlib import Path

from components.common.base.files import hash_file
from components.common.network import package_index, weights
from components.common.network.architecture import Architecture

FIELDS = ("source", "name", "version", "licence", "package_sha256", "file", "file_sha256")
# Networks whose pretrained weights, of the same origin as ours, are also a model of the Hugging
# Face Hub: Google's checkpoints of MobileNet in some sizes, and of EfficientNet-Lite as timm has
# them.
_ON_HUB = {
    **{f"mobilenet_{one}": f"google/mobilenet_v1_{one}" for one in ("1.0_224", "0.75_192")},
    **{
        f"mobilenet_v2_{one}": f"google/mobilenet_v2_{one}"
        for one in ("1.4_224", "1.0_224", "0.75_160", "0.35_96")
    },
    **{f"efficientnet_lite{one}": f"timm/tf_efficientnet_lite{one}.in1k" for one in range(3)},
}
KERAS, INDEX, GIVEN, UNKNOWN = "keras.applications", "package index", "a given file", "unknown"


def find(
    architecture: Architecture, arrays_sha256: str, cache_dir: Path, weights_path: str = ""
) -> dict[str, str]:
    """The origin of weights: texts by name.

    `source` is always there. `name`, `version` and `licence` (an SPDX identifier) of what they are
    published in, `package_sha256` of that package, `file` and `file_sha256` of the weights in it
    are, where they are known.

    The weights of a known package are known by their hash, whichever way they came. A given file is
    named by its SHA-256 alone: its name is the person's own.

    Args:
        architecture: of the network.
        arrays_sha256: `Weights.sha256`.
        cache_dir: the cache that they were looked for in.
        weights_path: the file that they were given as; empty where they were found.
    """
    for package in package_index.PACKAGES:
        if package.arrays_sha256 == arrays_sha256:
            return {
                "source": INDEX,
                "name": package.name,
                "version": package.version,
                "licence": package.licence,
                "package_sha256": package.archive_sha256,
                "file": package.member,
                "file_sha256": package.member_sha256,
            }
    if not weights_path and not weights.cache_file(architecture, cache_dir).is_file():
        weights_path = weights.published_file(architecture, cache_dir)
    if weights_path:
        return {"source": GIVEN, "file_sha256": hash_file(Path(weights_path).expanduser())}
    if architecture.family.keras:
        return {
            "source": KERAS,
            "licence": architecture.family.licence,
            "file": architecture.weights_file,
        }
    return {"source": UNKNOWN}


def hub_model(architecture: str, weights: Mapping[str, str]) -> str:
    """The model of the Hugging Face Hub with these pretrained weights; empty where none is known.

    Args:
        architecture: name of the network.
        weights: their origin, as `find` tells it.
    """
    source = weights.get("source")
    if source == INDEX and weights.get("name") == package_index.MOBILENET.name:
        return _ON_HUB["mobilenet_1.0_224"]  # whatever size the photos have
    return _ON_HUB.get(architecture, "") if source in (KERAS, INDEX) else ""
