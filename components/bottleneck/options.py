"""Options of the step `bottleneck`: the network that computes the features."""

from dataclasses import dataclass

from components.common.base.options import Options, cache_dir_option, option
from components.common.network.architecture import (
    PIPELINE_ARCHITECTURE,
    architecture_option,
    weights_option,
)
from components.common.network.views import views_option


@dataclass(frozen=True)
class BottleneckOptions(Options):
    """The pretrained network, and where it is kept."""

    architecture: str = architecture_option(in_form=True)
    views: int = views_option()
    weights: str = weights_option()
    # It makes KFP's cache know the content of that file.
    weights_sha256: str = option("", "SHA-256 of the weights file; any other file is refused")
    cache_dir: str = cache_dir_option()


PIPELINE = BottleneckOptions(architecture=PIPELINE_ARCHITECTURE)
