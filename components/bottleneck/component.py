"""KFP interface of the step `bottleneck`."""

from typing import Any, Dict

from kfp import dsl

from components.bottleneck.options import BottleneckOptions
from components.common.base.options import described
from components.settings import TRAIN_IMAGE


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
