"""Image names, resources, timeouts and cluster options of the pipeline: the one place."""

import os
import re
from dataclasses import dataclass, replace

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


# Photos of a run, of all classes together, up to which a size suffices: `submit` chooses by them.
SIZES = {"small": 2_000, "medium": 20_000, "large": 200_000}


@dataclass(frozen=True)
class Resources:
    """What one step asks of a cluster.

    Attributes:
        memory: requests for the sizes of `SIZES`: half as much again as docs/operations.md's
            formula gives for their photos.
        most: limit, where it is above that: for single photos of 100 megapixels, or fine-tuning.
        cpu: request, in cores. Without a limit a step takes what the node has left.
        timeout_s: after which its pod is ended; pulling the image counts.
        retries: after a failure. KFP cannot tell unusable input from a node that went away, and
            the former fails again within seconds: so few of them.
        gpu: gets the GPU in the GPU pipeline.
    """

    memory: tuple[str, str, str]
    most: str = "2G"
    cpu: str = "250m"
    timeout_s: int = HOUR
    retries: int = 1
    gpu: bool = False

    def request(self, size: str) -> str:
        """Memory that is asked for."""
        return self.memory[list(SIZES).index(size) if size else 0]

    @property
    def retried_for_s(self) -> int:
        """Seconds after which a failure is not tried again: all tries take no longer."""
        pauses = sum(int(BACKOFF_S * BACKOFF_FACTOR**number) for number in range(self.retries))
        return (self.retries + 1) * self.timeout_s + pauses

    def limit(self, size: str) -> str:
        """Memory beyond which the step is killed."""
        return max(self.request(size), self.most, key=amount)


_LITTLE = ("128M", "128M", "128M")
RESOURCES = {
    # Services ask for pauses: 350 photos take minutes to an hour. What was fetched stays fetched
    # where there is a cache volume.
    "download": Resources(("256M", "1G", "7G"), timeout_s=12 * HOUR, retries=2),
    "download-if-new": Resources(("256M", "1G", "7G"), timeout_s=12 * HOUR, retries=2),
    "compare-photos": Resources(("256M", "1G", "7G")),
    "clean": Resources(("512M", "1G", "4G"), "4G", "500m", 4 * HOUR),
    "clean-part": Resources(("512M", "1G", "4G"), "4G", "500m", 4 * HOUR),
    # On LiteRT, which uses no GPU: 150 photos a second on two cores.
    "bottleneck": Resources(("512M", "2G", "7G"), "4G", "500m", 4 * HOUR),
    "curate": Resources(("512M", "2G", "14G")),
    "curate-parts": Resources(("512M", "2G", "14G")),
    # Fine-tuning goes on from its last checkpoint; GPU nodes are the ones that are taken away.
    "retrain": Resources(("2G", "3G", "8G"), "6G", "500m", 12 * HOUR, retries=2, gpu=True),
    "evaluate": Resources(("1G", "2G", "7G"), cpu="500m"),
    "label-image": Resources(("1G", "2G", "10G"), cpu="500m"),
    "tensorboard": Resources(_LITTLE, "512M", "100m", 15 * MINUTE),
    "publish": Resources(("512M", "1G", "4G"), cpu="500m"),
    "summarize": Resources(_LITTLE, "512M", "100m", 15 * MINUTE),
}
# Of the pipeline that labels a bucket. It holds a few dozen photos at a time, however many there
# are. A second try goes on from the answers that are there: a lost node costs one part of them.
LABELLING = {
    "list-photos": Resources(("512M", "512M", "512M"), "1G", timeout_s=4 * HOUR),
    "label-part": Resources(("1G", "1G", "1G"), "4G", "500m", 24 * HOUR, retries=2),
    "sum-answers": Resources(("256M", "256M", "256M"), "1G", timeout_s=HOUR),
    "watch-answers": Resources(("512M", "512M", "512M"), "1G", timeout_s=HOUR),
}
# Between two tries; KFP's own default is none.
BACKOFF_S, BACKOFF_FACTOR = 30, 2.0
LOCAL_REGION = "us-east-1"  # for a store that is not Amazon's: any will do, and none is refused

# Steps that talk to the object store by themselves: photos, weights, decisions and ledgers may
# lie there, and logs, checkpoints and models go there while KFP looks after all other artifacts.
STORE_STEPS = (
    *("download", "download-if-new", "compare-photos", "clean", "clean-part"),
    *("curate", "curate-parts"),
    *("retrain", "publish", "summarize"),
    *LABELLING,
)
CACHE_STEPS = ("download", "download-if-new", "bottleneck", "retrain")
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
_FOR = "retrain:"  # before a label or annotation of that step's pods alone
_SIZE = re.compile(r"[1-9]\d*(Ki|Mi|Gi|Ti|k|M|G|T)?")
_UNITS = {"m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_UNITS |= {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
_KFP_KEYS = ("pipelines.kubeflow.org/", "pipeline/", "workflows.argoproj.io/")
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
    store_region: str = option(
        "",
        "region of s3:// places; empty: of Amazon's store what the pod is told by its cluster, of "
        f"another one {LOCAL_REGION}",
        pattern=r"([a-z0-9][-a-z0-9]{1,62})?",
        form="a region such as eu-central-1",
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
    size: str = option(
        "",
        "memory of the steps: small for up to 2,000 photos of all classes together, medium for "
        "20,000, large for 200,000; a step that was killed for memory needs the next one; empty: "
        "submit goes by the number of photos, and compile takes small",
        choices=("", *SIZES),
    )
    cpu_limit: str = option(
        "",
        "cores that a step may use, where the namespace's quota wants a limit; empty: all that "
        "its node has left",
        pattern=r"([1-9]\d*m?|0?\.\d+|[1-9]\d*\.\d+)?",
        form="cores such as 2 or 1500m",
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
    pod_labels: tuple[str, ...] = option(
        (),
        "further labels of the steps' pods, key=value with commas, such as Kueue's "
        "kueue.x-k8s.io/queue-name=mushrooms; retrain:key=value for retrain alone",
        pattern=f"({_FOR})?{_KEY}={_LABEL_VALUE}",
        form="key=value or retrain:key=value",
    )
    pod_annotations: tuple[str, ...] = option(
        (),
        "further annotations of the steps' pods, in the same form",
        pattern=f"({_FOR})?{_KEY}=[^,\\x00-\\x1f]*",
        form="key=value or retrain:key=value",
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
        if not _SIZE.fullmatch(self.shm_size):
            refuse("shm_size", self.shm_size, "a size such as 1Gi")
        for name in ("pod_labels", "pod_annotations"):
            for entry in getattr(self, name):
                key = entry.removeprefix(_FOR).partition("=")[0]
                if key in (PART_OF[0], COMPONENT_LABEL) or key.startswith(_KFP_KEYS):
                    refuse(name, entry, f"another key: {key} is set by this pipeline or by KFP")

    def of_pods(self, entries: tuple[str, ...], step: str) -> dict[str, str]:
        """The labels or annotations that a step's pods get; of the step alone counts more."""
        own = [entry.removeprefix(_FOR) for entry in entries if entry.startswith(_FOR)]
        of_all = [entry for entry in entries if not entry.startswith(_FOR)]
        chosen = [*of_all, *(own if f"{step}:" == _FOR else [])]
        return {key: value for key, _, value in (entry.partition("=") for entry in chosen)}

    def fitting(self, photos: int) -> "ClusterOptions":
        """With the size for so many photos, unless one is named."""
        enough = (size for size, most in SIZES.items() if photos <= most)
        return replace(self, size=self.size or next(enough, list(SIZES)[-1]))

    def check_gpu(self) -> None:
        """Raise `InputError` for what retrain on a GPU could not be given."""
        memory = RESOURCES["retrain"].limit(self.size)
        if amount(self.shm_size) > amount(memory):
            expected = f"a size such as 1Gi, part of the {memory} of retrain's memory"
            refuse("shm_size", self.shm_size, expected)
