"""What a cluster is told of each task: resources, time, rights, volumes, secrets, and its GPU.

All of it lands in the compiled file, most in its second YAML document, the platform spec.
`kfp.kubernetes` is imported where it is used: it loads Kubernetes' client, which takes most of a
second, and a run on this machine has no use for it.
"""

import argparse
import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from kfp import dsl

from components import settings
from components.common.base import step
from components.common.base.errors import InputError
from components.settings import ClusterOptions
from components.tensorboard.tensorboard import SECRET_KEYS

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
# As Kubernetes writes them: a name in a URL, a label or resource with an optional prefix.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_KEY = re.compile(rf"({_NAME.pattern}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # also of a namespace's name
_SIZE = re.compile(r"[1-9]\d*(Ki|Mi|Gi|Ti|k|M|G|T)?")
_UNITS = {"m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_UNITS |= {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
_MOST_SECONDS = 2**31 - 1  # KFP keeps them in an int32

_HELP = {
    "image_pull_policy": "Always, IfNotPresent or Never",
    "image_pull_secrets": "secrets for a private registry, with commas",
    "cache_claim": "PersistentVolumeClaim for the cache and for checkpoints of fine-tuning; empty: "
    "each pod has its own, which goes with it",
    "store_secret": "secret with accesskey and secretkey for s3:// places; empty: the pod's own "
    "identity, as on AWS and GCP",
    "store_endpoint": "address of an S3 store that is not Amazon's; empty for Amazon's",
    "store_prefix": "s3:// or gs:// place for published models (publish_dir) and, without a cache "
    "claim, checkpoints (checkpoint_path); empty: each run must name them",
    "accelerator": "resource name of the GPUs",
    "gpus": "GPUs for retrain",
    "gpu_toleration": "key of the taint on GPU nodes; empty for none",
    "gpu_node_selector": "labels of the GPU's node, key=value with commas",
    "shm_size": "of /dev/shm for retrain on a GPU; part of its memory",
    "exit_summary": "end with a step that says how the run ended; off for KFP before 2.16",
    "deadline_s": "seconds after which a whole run is ended, waiting included",
    "ttl_s": "seconds that a run's pods and their logs are kept after its end",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what compiling fixes to a parser, for `compile` and `submit` alike."""
    group = parser.add_argument_group("cluster", "fixed by compiling; everything else is per run")
    defaults = dataclasses.asdict(ClusterOptions())
    step.add_options(
        group, *((name, _text(value), _HELP[name]) for name, value in defaults.items())
    )


def cluster_options(options: argparse.Namespace) -> ClusterOptions:
    """The cluster's options from a command line.

    Raises:
        InputError: one of them cannot be right.
    """
    values = {}
    for field in dataclasses.fields(ClusterOptions):
        value = getattr(options, field.name)
        if isinstance(field.default, tuple):
            value = tuple(part.strip() for part in value.split(",") if part.strip())
        values[field.name] = value
    cluster = ClusterOptions(**values)
    check(cluster)
    return cluster


def check_name(option: str, value: str) -> None:
    """Raise `InputError` unless an option is empty or a name as Kubernetes takes it."""
    if value and not _NAME.fullmatch(value):
        _refuse(option, value, "a name of Kubernetes: a-z, 0-9, - and .")


def check_label(option: str, value: str) -> None:
    """Raise `InputError` unless an option is the name of a namespace."""
    if not _LABEL.fullmatch(value):
        _refuse(option, value, "a name of Kubernetes: up to 63 of a-z, 0-9 and -")


def check(cluster: ClusterOptions) -> None:
    """Raise `InputError` where Kubernetes or KFP would refuse an option, or take it in silence."""
    if cluster.image_pull_policy not in PULL_POLICIES:
        _refuse("image_pull_policy", cluster.image_pull_policy, " or ".join(PULL_POLICIES))
    for name in ("cache_claim", "store_secret"):
        check_name(name, getattr(cluster, name))
    for secret in cluster.image_pull_secrets:
        if not _NAME.fullmatch(secret):
            _refuse("image_pull_secrets", secret, "names of Kubernetes: a-z, 0-9, - and .")
    if cluster.store_endpoint and not re.fullmatch(
        r"https?://[^\s/@]+(/[^\s@]*)?", cluster.store_endpoint
    ):
        _refuse("store_endpoint", cluster.store_endpoint, "http://host:port or https://host")
    if cluster.store_prefix and not re.fullmatch(
        r"(gs|s3)://[^\s/]+(/[^\s]*)?", cluster.store_prefix
    ):
        _refuse("store_prefix", cluster.store_prefix, "gs://bucket/folder or s3://bucket/folder")
    for name in ("accelerator", "gpu_toleration"):
        value = getattr(cluster, name)
        if (value or name == "accelerator") and not _KEY.fullmatch(value):
            _refuse(name, value, "a key such as nvidia.com/gpu")
    for label in cluster.gpu_node_selector:
        key, equals, value = label.partition("=")
        if not (equals and _KEY.fullmatch(key) and _LABEL_VALUE.fullmatch(value)):
            _refuse("gpu_node_selector", label, "key=value")
    memory = settings.RESOURCES["retrain"].memory
    if not _SIZE.fullmatch(cluster.shm_size) or amount(cluster.shm_size) > amount(memory):
        expected = f"a size such as 1Gi, part of the {memory} of retrain's memory"
        _refuse("shm_size", cluster.shm_size, expected)
    if cluster.gpus < 1:
        _refuse("gpus", cluster.gpus, "1 or more")
    for name in ("deadline_s", "ttl_s"):
        if not 1 <= (seconds := getattr(cluster, name)) <= _MOST_SECONDS:
            _refuse(name, seconds, f"1 to {_MOST_SECONDS} seconds")


def schedule(task: dsl.PipelineTask, cluster: ClusterOptions, *, gpu: bool) -> None:
    """Tell the cluster what a task needs and may do.

    KFP itself adds to every container: no privilege escalation, no capabilities, and the
    runtime's own seccomp profile.
    """
    from kfp import kubernetes

    resources = settings.RESOURCES[task.name]
    task.set_cpu_request(resources.cpu).set_cpu_limit(resources.cpu)
    task.set_memory_request(resources.memory).set_memory_limit(resources.memory)
    task.set_retry(
        resources.retries,
        backoff_duration=f"{settings.BACKOFF_S}s",
        backoff_factor=settings.BACKOFF_FACTOR,
        backoff_max_duration=f"{settings.BACKOFF_MAX_S}s",
    )
    kubernetes.set_timeout(task, resources.timeout_s)
    kubernetes.set_security_context(
        task, run_as_user=settings.USER, run_as_group=settings.USER, run_as_non_root=True
    )
    kubernetes.set_image_pull_policy(task, cluster.image_pull_policy)
    if cluster.image_pull_secrets:
        kubernetes.set_image_pull_secrets(task, list(cluster.image_pull_secrets))
    kubernetes.add_pod_label(task, *settings.PART_OF)
    kubernetes.add_pod_label(task, settings.COMPONENT_LABEL, task.name)
    if cluster.cache_claim and task.name in settings.CACHE_STEPS:
        kubernetes.mount_pvc(task, cluster.cache_claim, settings.CACHE_MOUNT)
        task.set_env_variable(settings.CACHE_VARIABLE, settings.CACHE_MOUNT)
    if task.name in settings.STORE_STEPS:
        _give_store(task, cluster)
    if gpu and resources.gpu:
        _give_gpu(task, cluster)


def amount(quantity: str) -> float:
    """The number that Kubernetes reads in a quantity such as 500m, 2G or 1Gi."""
    number = quantity.rstrip("mkKMGTi")
    return float(number) * _UNITS[quantity.removeprefix(number)]


def configuration(cluster: ClusterOptions | None) -> dsl.PipelineConfig | None:
    """What holds for a whole run: how long it may take, and how long its pods are kept."""
    if cluster is None:
        return None
    return dsl.PipelineConfig(
        ttl_seconds_after_finished=cluster.ttl_s, active_deadline_seconds=cluster.deadline_s
    )


def parameter_defaults(cluster: ClusterOptions | None, *, gpu: bool) -> dict[str, Any]:
    """Defaults of the pipeline's parameters that differ from those of a run on this machine."""
    defaults: dict[str, Any] = dict(settings.GPU_DEFAULTS) if gpu else {}
    if cluster and cluster.store_prefix:
        prefix = cluster.store_prefix.rstrip("/")
        defaults["publish_dir"] = f"{prefix}/published"
        if not cluster.cache_claim:
            defaults["checkpoint_path"] = f"{prefix}/checkpoints"
    return defaults


def viewer_store(cluster: ClusterOptions | None) -> Mapping[str, str]:
    """Where the run page's TensorBoard finds the store, as the step `tensorboard` takes it."""
    if cluster is None:
        return {"endpoint": "", "secret": ""}
    return {"endpoint": cluster.store_endpoint, "secret": cluster.store_secret}


def _give_store(task: dsl.PipelineTask, cluster: ClusterOptions) -> None:
    """Credentials by reference, never by value; a missing secret leaves the pod's own identity."""
    from kfp import kubernetes

    if cluster.store_secret:
        kubernetes.use_secret_as_env(task, cluster.store_secret, dict(SECRET_KEYS), optional=True)
    if cluster.store_endpoint:
        task.set_env_variable("AWS_ENDPOINT_URL", cluster.store_endpoint)


def _give_gpu(task: dsl.PipelineTask, cluster: ClusterOptions) -> None:
    from kfp import kubernetes

    # A limit without a type would compile silently and schedule no GPU.
    task.set_accelerator_type(cluster.accelerator)
    task.set_accelerator_limit(cluster.gpus)
    task.set_container_image(settings.TRAIN_CUDA_IMAGE)
    # Kubernetes gives a container 64 MB of it, too little for NCCL between GPUs.
    kubernetes.empty_dir_mount(
        task,
        "shm",
        mount_path=settings.SHARED_MEMORY,
        medium="Memory",
        size_limit=cluster.shm_size,
    )
    if cluster.gpu_toleration:
        kubernetes.add_toleration(
            task, key=cluster.gpu_toleration, operator="Exists", effect="NoSchedule"
        )
    for label in cluster.gpu_node_selector:
        key, _, value = label.partition("=")
        kubernetes.add_node_selector(task, key, value)


def _text(value: Any) -> Any:
    """A default as the command line takes it: several with commas."""
    return ",".join(value) if isinstance(value, tuple) else value


def _refuse(name: str, value: object, expected: str) -> None:
    raise InputError(f"--{name} is {value!r}: expected {expected}")
