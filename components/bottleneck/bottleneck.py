"""Step `bottleneck`: one feature vector and the ImageNet scores per photo, computed once."""

from collections.abc import Sequence
from pathlib import Path

from components.bottleneck.options import BottleneckOptions
from components.common.base.cache_place import cache_folder
from components.common.base.errors import InputError
from components.common.base.files import hash_file
from components.common.base.step import doing, step
from components.common.dataset.dataset import Dataset, stream_all
from components.common.network import backbone, bottlenecks
from components.common.network.architecture import parse_architecture
from components.common.network.backbone import Backbone

LOADING = "bottleneck: load the pretrained network; the first time it is fetched and converted"


@step("bottleneck")
def bottleneck(
    sources: Sequence[Path],
    output: Path,
    options: BottleneckOptions = BottleneckOptions(),
) -> None:
    """Run the pretrained network over datasets, on LiteRT; TensorFlow is not imported here.

    Args:
        sources: datasets of clean photos.
        output: directory of the bottlenecks to write.
        options: which network, and where it and earlier vectors are kept.

    Raises:
        InputError: unknown architecture, a number of views that there is not, a dataset that is
            none, or another weights file.
        WorkError: the pretrained weights are not to be had.
    """
    check(options)
    datasets = [Dataset(source) for source in sources]
    doing(LOADING)
    network = load_network(options)
    cache = cache_folder(options.cache_dir)
    result = bottlenecks.compute(network, stream_all(datasets), cache / bottlenecks.CACHE_FOLDER)
    labels = {photo.sha256: photo.label for dataset in datasets for photo in dataset.photos}
    bottlenecks.save(result, output, [labels[sha256] for sha256 in result.sha256])


def check(options: BottleneckOptions) -> None:
    """Raise `InputError` where the options name no network, or another weights file."""
    options.check()
    parse_architecture(options.architecture)
    _check_weights(options.weights, options.weights_sha256)


def load_network(options: BottleneckOptions) -> Backbone:
    """The network, fetched and converted where that was not done yet; see `load_backbone`."""
    return backbone.load_backbone(*_network(options))


def is_network_ready(options: BottleneckOptions) -> bool:
    """Whether it is fetched and converted already."""
    return backbone.is_converted(*_network(options))


def _network(options: BottleneckOptions) -> tuple[str, Path, str, int]:
    cache = cache_folder(options.cache_dir)
    return options.architecture, cache, options.weights, options.views


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
