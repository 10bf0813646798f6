"""Image names, resources and timeouts of the pipeline: the one place."""

from dataclasses import dataclass

from components import __version__

# An image tag is unique to its content: KFP's cache key holds the image's name, so a tag that
# moves would serve stale results.
DATA_IMAGE = f"wild-mushrooms/data:{__version__}"
TRAIN_IMAGE = f"wild-mushrooms/train:{__version__}"
TENSORBOARD_IMAGE = f"wild-mushrooms/tensorboard:{__version__}"

ACCELERATOR = "nvidia.com/gpu"


@dataclass(frozen=True)
class Resources:
    """What one step asks of a cluster."""

    cpu: str
    memory: str
    gpus: int = 0  # of ACCELERATOR, in the GPU pipeline only


RESOURCES = {
    "download": Resources("1", "1G"),
    "clean": Resources("2", "2G"),
    "bottleneck": Resources("2", "4G", gpus=1),
    "curate": Resources("1", "2G"),
    "retrain": Resources("2", "6G", gpus=1),
    "evaluate": Resources("2", "2G"),
    "label-image": Resources("2", "2G"),
    "tensorboard": Resources("500m", "512M"),
    "compare": Resources("2", "2G"),
    "decide": Resources("500m", "512M"),
    "publish": Resources("500m", "1G"),
}
