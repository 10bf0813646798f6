"""KFP interfaces of the step `bottleneck`: all photos at once, or part by part."""

from typing import List

from kfp import dsl

from components.settings import DATA_IMAGE, TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def bottleneck(
    images: dsl.Input[List[dsl.Dataset]],
    architecture: str,
    weights: str,
    weights_sha256: str,
    cache_dir: str,
    bottlenecks: dsl.Output[dsl.Artifact],
) -> None:
    """Compute one feature vector and the ImageNet scores per photo.

    Args:
        images: Datasets of clean photos.
        architecture: Of the network, such as mobilenet_1.0_224.
        weights: Weights file; empty to look for the pretrained ones.
        weights_sha256: Of that file; another one is refused. It makes KFP's cache know the content.
        cache_dir: Where networks and earlier vectors are kept; empty for the user's cache folder.
        bottlenecks: Vectors and scores, keyed by content.
    """
    from pathlib import Path

    from components.bottleneck.bottleneck import bottleneck

    bottleneck(
        [Path(dataset.path) for dataset in images],
        Path(bottlenecks.path),
        architecture=architecture,
        weights=weights,
        weights_sha256=weights_sha256,
        cache_dir=cache_dir,
    )


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
def bottleneck_part(
    images: dsl.Input[dsl.Dataset],
    architecture: str,
    weights: str,
    weights_sha256: str,
    cache_dir: str,
    bottlenecks: dsl.Output[dsl.Artifact],
) -> None:
    """Compute the bottlenecks of one part of the photos, in a loop over the parts.

    Args:
        images: Clean photos.
        architecture: Of the network, such as mobilenet_1.0_224.
        weights: Weights file; empty to look for the pretrained ones.
        weights_sha256: Of that file; another one is refused.
        cache_dir: Where networks and earlier vectors are kept; empty for the user's cache folder.
        bottlenecks: Vectors and scores, keyed by content.
    """
    from pathlib import Path

    from components.bottleneck.bottleneck import bottleneck

    bottleneck(
        [Path(images.path)],
        Path(bottlenecks.path),
        architecture=architecture,
        weights=weights,
        weights_sha256=weights_sha256,
        cache_dir=cache_dir,
    )


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def join_bottlenecks(
    parts: dsl.Input[List[dsl.Artifact]], bottlenecks: dsl.Output[dsl.Artifact]
) -> None:
    """Put the bottlenecks of all parts together.

    Args:
        parts: Of one network.
        bottlenecks: Vectors and scores, keyed by content.
    """
    from pathlib import Path

    from components.bottleneck.bottleneck import join

    join([Path(part.path) for part in parts], Path(bottlenecks.path))
