"""Image names, resources and timeouts of the pipeline: the one place."""

import os
from dataclasses import dataclass

from components import __version__

# The images, by their Dockerfile and requirements: data, train, train-cuda, tensorboard.
# A tag is unique to its content: KFP's cache key holds the image's name, so a tag that moves would
# serve stale results. docker/images.py makes such tags and hands the names over in these variables;
# without it the names are those of a release.
NAME_VARIABLES = {
    "data": "MUSHROOM_DATA_IMAGE",
    "train": "MUSHROOM_TRAIN_IMAGE",
    "train-cuda": "MUSHROOM_TRAIN_CUDA_IMAGE",
    "tensorboard": "MUSHROOM_TENSORBOARD_IMAGE",
}
REPOSITORY = "wild-mushrooms"


def _image(kind: str) -> str:
    return os.environ.get(NAME_VARIABLES[kind]) or f"{REPOSITORY}/{kind}:{__version__}"


DATA_IMAGE = _image("data")
TRAIN_IMAGE = _image("train")
TRAIN_CUDA_IMAGE = _image("train-cuda")  # of the steps that the GPU pipeline gives a GPU
TENSORBOARD_IMAGE = _image("tensorboard")

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
