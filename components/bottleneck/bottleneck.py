"""Step `bottleneck`: one feature vector and the ImageNet scores per photo, computed once."""

from collections.abc import Sequence
from pathlib import Path

from components.common.base.errors import InputError
from components.common.base.files import default_cache_dir, hash_file
from components.common.base.step import step
from components.common.dataset.dataset import Dataset, stream_all
from components.common.network import backbone, bottlenecks
from components.common.network.architecture import DEFAULT_ARCHITECTURE, parse_architecture


@step("bottleneck")
def bottleneck(
    sources: Sequence[Path],
    output: Path,
    *,
    architecture: str = DEFAULT_ARCHITECTURE,
    weights: str = "",
    weights_sha256: str = "",
    cache_dir: str = "",
) -> None:
    """Run the pretrained network over datasets, on LiteRT; TensorFlow is not imported here.

    Args:
        sources: datasets of clean photos.
        output: directory of the bottlenecks to write.
        architecture: of the network, such as mobilenet_1.0_224.
        weights: a weights file; by default the pretrained ImageNet weights are looked for.
        weights_sha256: of that file; empty asks nothing of it.
        cache_dir: where converted networks and earlier vectors are kept; by default the user's
            cache folder.

    Raises:
        InputError: unknown architecture, a dataset that is none, or another weights file.
        WorkError: the pretrained weights are not to be had.
    """
    parse_architecture(architecture)
    _check_weights(weights, weights_sha256)
    datasets = [Dataset(source) for source in sources]
    cache = Path(cache_dir).expanduser() if cache_dir else default_cache_dir()
    network = backbone.load_backbone(architecture, cache, weights)
    result = bottlenecks.compute(network, stream_all(datasets), cache / bottlenecks.CACHE_FOLDER)
    labels = {photo.sha256: photo.label for dataset in datasets for photo in dataset.photos}
    bottlenecks.save(result, output, [labels[sha256] for sha256 in result.sha256])


@step("join_bottlenecks")
def join(sources: Sequence[Path], output: Path) -> None:
    """Put the bottlenecks of parts together: as if all photos had been computed at once.

    Args:
        sources: bottlenecks of the parts, in their order.
        output: directory of the bottlenecks to write.

    Raises:
        InputError: they are of different networks, or there are none.
    """
    result, labels = bottlenecks.joined(sources)
    bottlenecks.save(result, output, labels)


def _check_weights(weights: str, sha256: str) -> None:
    if not sha256:
        return
    if not weights:
        raise InputError("--weights_sha256 is given without --weights: expected the file it is of")
    path = Path(weights).expanduser()
    if not path.is_file():
        raise InputError(f"no weights file at {path}")
    digest = hash_file(path)
    if digest != sha256.lower():
        raise InputError(
            f"{path} has the SHA-256 {digest}: expected {sha256}, as --weights_sha256 says"
        )
