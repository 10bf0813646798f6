"""KFP interfaces of the step `bottleneck`: of one dataset, and to join those of its parts."""

from typing import Any, Dict, List

from kfp import dsl

from components.bottleneck.options import BottleneckOptions
from components.common.base.options import described
from components.settings import DATA_IMAGE, TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
@described(BottleneckOptions)
def bottleneck(
    images: dsl.Input[dsl.Dataset],
    architecture: str,
    options: Dict[str, Any],
    defaults: Dict[str, Any],
    bottlenecks: dsl.Output[dsl.Artifact],
) -> None:
    """Compute one feature vector and the ImageNet scores per photo.

    Args:
        images: Clean photos.
        bottlenecks: Vectors and scores, keyed by content.
    """
    inputs = dict(locals())

    from pathlib import Path

    from components.bottleneck.bottleneck import bottleneck
    from components.bottleneck.options import BottleneckOptions
    from components.common.base.step_options import given
    from components.common.model.artifact_metadata import of_bottlenecks

    told = BottleneckOptions.of(given("bottleneck", (BottleneckOptions,), inputs))
    bottleneck([Path(images.path)], Path(bottlenecks.path), told)
    bottlenecks.metadata.update(of_bottlenecks(Path(bottlenecks.path)))


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def join_bottlenecks(
    parts: dsl.Input[List[dsl.Artifact]], bottlenecks: dsl.Output[dsl.Artifact]
) -> None:
    """Put the bottlenecks of all parts together.

    Args:
        parts: Bottlenecks of one network.
        bottlenecks: Vectors and scores, keyed by content.
    """
    from pathlib import Path

    from components.bottleneck.bottleneck import join
    from components.common.model.artifact_metadata import of_bottlenecks

    join([Path(part.path) for part in parts], Path(bottlenecks.path))
    bottlenecks.metadata.update(of_bottlenecks(Path(bottlenecks.path)))
