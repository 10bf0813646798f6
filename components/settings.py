"""Image names, resources, timeouts and cluster options of the pipeline: the one place."""

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


@dataclass(frozen=True)
class ClusterOptions:
    """What compiling fixes: KFP takes none of these from a run's parameters.

    Attributes:
        image_pull_policy: IfNotPresent fits tags that never move, and images loaded into kind.
        image_pull_secrets: names of secrets for a private registry.
        cache_claim: PersistentVolumeClaim of the cache and of checkpoints, at /cache in download,
            bottleneck and retrain. Empty: every pod has a cache of its own that goes with it.
        store_secret: secret with `accesskey` and `secretkey` for s3://; where it is missing, or
            this is empty, the pod's own identity counts (a role on AWS, Workload Identity on GCP).
        store_endpoint: of an S3 store that is not Amazon's; empty for Amazon's. The defaults are
            those of standalone KFP; gs:// takes no notice of either.
        store_prefix: s3:// or gs:// place that the parameters `publish_dir` and, without a cache
            claim, `checkpoint_path` start from; a run may name others. Empty: a run must.
        accelerator: resource name of the GPU.
        gpus: how many retrain gets.
        gpu_toleration: key of the taint on GPU nodes; empty for none.
        gpu_node_selector: "key=value" labels that the GPU's node must have.
        shm_size: of /dev/shm for retrain on a GPU; counts towards its memory.
        exit_summary: end with `summarize`. Before KFP 2.16 a loop inside an exit handler fails
            (github.com/kubeflow/pipelines/issues/12390): off for such.
        deadline_s: after which a whole run is ended, also one whose pod waits for a node.
        ttl_s: after its end, how long a run's pods and their logs stay; the run, its artifacts and
            figures stay in KFP.
    """

    image_pull_policy: str = "IfNotPresent"
    image_pull_secrets: tuple[str, ...] = ()
    cache_claim: str = ""
    store_secret: str = "mlpipeline-minio-artifact"  # noqa: S105 - a name
    store_endpoint: str = "http://seaweedfs.kubeflow:9000"
    store_prefix: str = "s3://mlpipeline/mushrooms"
    accelerator: str = "nvidia.com/gpu"
    gpus: int = 1
    gpu_toleration: str = "nvidia.com/gpu"
    gpu_node_selector: tuple[str, ...] = ()
    shm_size: str = "1Gi"
    exit_summary: bool = True
    deadline_s: int = 2 * DAY
    ttl_s: int = 7 * DAY
