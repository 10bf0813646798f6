"""Step `bottleneck`: one feature vector and the ImageNet scores per photo, computed once."""

from collections.abc import Sequence
from pathlib import Path

from components.bottleneck.options import BottleneckOptions
from components.common.base.cache_place import cache_folder
from components.common.base.errors import InputError
from components.common.base.files import hash_file
from components.common.base.step import doing, emit, step
from components.common.dataset.dataset import Dataset, stream_all
from components.common.network import backbone, bottlenecks
from components.common.network.architecture import parse_architecture

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
    _check(options)
    datasets = [Dataset(source) for source in sources]
    doing(LOADING)
    cache = cache_folder(options.cache_dir)
    network = backbone.load_backbone(options.architecture, cache, options.weights, options.views)
    result = bottlenecks.compute(network, stream_all(datasets), cache / bottlenecks.CACHE_FOLDER)
    labels = {photo.sha256: photo.label for dataset in datasets for photo in dataset.photos}
    bottlenecks.save(result, output, [labels[sha256] for sha256 in result.sha256])


def prepare(options: BottleneckOptions) -> None:
    """Fetch and convert the network where that was not done yet, before the step has photos.

    The step begins later, and may have to wait for this: so its bar says what is done.

    Raises:
        InputError, WorkError: as the step does.
    """
    _check(options)
    cache = cache_folder(options.cache_dir)
    wanted = options.architecture, cache, options.weights, options.views
    if not backbone.is_converted(*wanted):
        emit("progress", step="bottleneck", what=LOADING, said="")
        backbone.load_backbone(*wanted)


def _check(options: BottleneckOptions) -> None:
    options.check()
    parse_architecture(options.architecture)
    _check_weights(options.weights, options.weights_sha256)


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
