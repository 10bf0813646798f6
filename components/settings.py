"""Image names, resources, timeouts and cluster options of the pipeline: the one place."""

import os
import re
from dataclasses import dataclass

from components import __version__
from components.common.base.options import Options, option, refuse

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

USER = 65532  # whom the images run as, and group; a number, since Kubernetes can check only such
PART_OF = ("app.kubernetes.io/part-of", "wild-mushrooms")  # label of every pod of ours
COMPONENT_LABEL = "app.kubernetes.io/component"

MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds


@dataclass(frozen=True)
class Resources:
    """What one step asks of a cluster.

    Attributes:
        cpu: cores, request and limit alike, so that the pod is never the first to be evicted.
        memory: request and limit.
        timeout_s: after which its pod is ended; pulling the image counts.
        retries: after a failure. KFP cannot tell unusable input from a node that went away, and
            the former fails again within seconds: so few of them.
        gpu: gets the GPU in the GPU pipeline.
    """

    cpu: str
    memory: str
    timeout_s: int = HOUR
    retries: int = 1
    gpu: bool = False


RESOURCES = {
    # Services ask for pauses: 350 photos take minutes to an hour. What was fetched stays fetched
    # where there is a cache volume.
    "download": Resources("1", "1G", 4 * HOUR, retries=2),
    # For a photo of 100 megapixels with transparency.
    "clean": Resources("2", "4G", 4 * HOUR),
    # On LiteRT, which uses no GPU: 150 photos a second on two cores.
    "bottleneck": Resources("2", "4G", 4 * HOUR),
    "bottleneck-part": Resources("2", "4G", 4 * HOUR),
    "join-bottlenecks": Resources("1", "4G"),
    "curate": Resources("1", "2G"),
    # Fine-tuning goes on from its last checkpoint; GPU nodes are the ones that are taken away.
    "retrain": Resources("2", "6G", 12 * HOUR, retries=2, gpu=True),
    "evaluate": Resources("2", "2G"),
    "label-image": Resources("2", "2G"),
    "tensorboard": Resources("500m", "512M", 15 * MINUTE),
    "compare": Resources("2", "2G"),
    "decide": Resources("500m", "512M", 15 * MINUTE),
    "publish": Resources("500m", "1G"),
    "summarize": Resources("500m", "512M", 15 * MINUTE),
}
# Between two tries; KFP's own default is none.
BACKOFF_S, BACKOFF_FACTOR, BACKOFF_MAX_S = 30, 2.0, 600

# Steps that talk to the object store by themselves: photos, weights, decisions and ledgers may
# lie there, and logs, checkpoints and models go there while KFP looks after all other artifacts.
STORE_STEPS = ("download", "clean", "curate", "retrain", "compare", "publish", "summarize")
CACHE_STEPS = ("download", "bottleneck", "bottleneck-part", "retrain")
CACHE_MOUNT = "/cache"
CACHE_VARIABLE = "XDG_CACHE_HOME"  # below which a step's cache lies unless `cache_dir` says else
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - that is where programs look for it

# What the GPU pipeline's parameters start from: fine-tuning is what a GPU is for (the head takes a
# second on a processor), and a GPU that is not seen is to be told, not waited for on two cores.
GPU_DEFAULTS = {"fine_tune_steps": 200, "require_gpu": True}


# As Kubernetes writes them: a name in a URL, a label or resource with an optional prefix.
NAME = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_KEY = rf"({NAME}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?"
_LABEL_VALUE = r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
NAME_FORM = "a name of Kubernetes: a-z, 0-9, - and ."
_SIZE = re.compile(r"[1-9]\d*(Ki|Mi|Gi|Ti|k|M|G|T)?")
_UNITS = {"m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_UNITS |= {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
_MOST_SECONDS = 2**31 - 1  # KFP keeps them in an int32


def amount(quantity: str) -> float:
    """The number that Kubernetes reads in a quantity such as 500m, 2G or 1Gi."""
    number = quantity.rstrip("mkKMGTi")
    return float(number) * _UNITS[quantity.removeprefix(number)]


@dataclass(frozen=True)
class ClusterOptions(Options):
    """What compiling fixes: KFP takes none of these from a run's parameters.

    The defaults of the store are those of standalone KFP; gs:// takes no notice of its address.
    """

    # IfNotPresent fits tags that never move, and images loaded into kind.
    image_pull_policy: str = option(
        "IfNotPresent",
        "when images are pulled",
        choices=("Always", "IfNotPresent", "Never"),
    )
    image_pull_secrets: tuple[str, ...] = option(
        (),
        "secrets for a private registry, with commas",
        pattern=NAME,
        form="names of Kubernetes: a-z, 0-9, - and .",
    )
    cache_claim: str = option(
        "",
        "PersistentVolumeClaim for the cache and for checkpoints of fine-tuning; empty: each pod "
        "has its own, which goes with it",
        pattern=f"({NAME})?",
        form=NAME_FORM,
    )
    # Where it is missing, the pod's own identity counts too.
    store_secret: str = option(
        "mlpipeline-minio-artifact",
        "secret with accesskey and secretkey for s3:// places; empty: the pod's own identity, as "
        "on AWS and GCP",
        pattern=f"({NAME})?",
        form=NAME_FORM,
    )
    store_endpoint: str = option(
        "http://seaweedfs.kubeflow:9000",
        "address of an S3 store that is not Amazon's; empty for Amazon's",
        pattern=r"(https?://[^\s/@]+(/[^\s@]*)?)?",
        form="http://host:port or https://host",
    )
    store_prefix: str = option(
        "s3://mlpipeline/mushrooms",
        "s3:// or gs:// place for published models (publish_dir) and, without a cache claim, "
        "checkpoints (checkpoint_path); empty: each run must name them",
        pattern=r"((gs|s3)://[^\s/]+(/[^\s]*)?)?",
        form="gs://bucket/folder or s3://bucket/folder",
    )
    accelerator: str = option(
        "nvidia.com/gpu",
        "resource name of the GPUs",
        pattern=_KEY,
        form="a key such as nvidia.com/gpu",
    )
    gpus: int = option(1, "GPUs for retrain", minimum=1)
    gpu_toleration: str = option(
        "nvidia.com/gpu",
        "key of the taint on GPU nodes; empty for none",
        pattern=f"({_KEY})?",
        form="a key such as nvidia.com/gpu",
    )
    gpu_node_selector: tuple[str, ...] = option(
        (),
        "labels of the GPU's node, key=value with commas",
        pattern=f"{_KEY}={_LABEL_VALUE}",
        form="key=value",
    )
    shm_size: str = option("1Gi", "size of /dev/shm for retrain on a GPU; part of its memory")
    # Before KFP 2.16 a loop inside an exit handler fails (kubeflow/pipelines issue 12390).
    exit_summary: bool = option(
        True, "end with a step that says how the run ended; off for KFP before 2.16"
    )
    deadline_s: int = option(
        2 * DAY,
        "seconds after which a whole run is ended, waiting for a node included",
        minimum=1,
        maximum=_MOST_SECONDS,
    )
    # The run, its artifacts and figures stay in KFP.
    ttl_s: int = option(
        7 * DAY,
        "seconds that a run's pods and their logs are kept after its end",
        minimum=1,
        maximum=_MOST_SECONDS,
    )

    def check(self) -> None:
        """Raise `InputError` for what Kubernetes or KFP would refuse, or take in silence."""
        super().check()
        memory = RESOURCES["retrain"].memory
        if not _SIZE.fullmatch(self.shm_size) or amount(self.shm_size) > amount(memory):
            expected = f"a size such as 1Gi, part of the {memory} of retrain's memory"
            refuse("shm_size", self.shm_size, expected)
