"""What a cluster is told of each task: resources, time, rights, volumes, secrets, and its GPU.

All of it lands in the compiled file, most in its second YAML document, the platform spec.
`kfp.kubernetes` is imported where it is used: it loads Kubernetes' client, which takes most of a
second, and a run on this machine has no use for it.
"""

import argparse
from collections.abc import Mapping
from typing import Any

from kfp import dsl

from components import settings
from components.common.base import options
from components.settings import ClusterOptions
from components.tensorboard.tensorboard import SECRET_KEYS


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what compiling fixes to a parser, for `compile` and `submit` alike."""
    group = parser.add_argument_group("cluster", "fixed by compiling; everything else is per run")
    options.add_to(group, ClusterOptions)


def cluster_options(arguments: argparse.Namespace) -> ClusterOptions:
    """The cluster's options from a command line.

    Raises:
        InputError: Kubernetes or KFP would refuse one of them, or take it in silence.
    """
    cluster = ClusterOptions.of(arguments)
    cluster.check()
    return cluster


def schedule(task: dsl.PipelineTask, cluster: ClusterOptions, *, gpu: bool) -> None:
    """Tell the cluster what a task needs and may do.

    KFP itself adds to every container: no privilege escalation, no capabilities, and the
    runtime's own seccomp profile.
    """
    from kfp import kubernetes

    resources = (settings.RESOURCES | settings.LABELLING)[task.name]
    task.set_cpu_request(resources.cpu)
    if cluster.cpu_limit:
        task.set_cpu_limit(cluster.cpu_limit)
    task.set_memory_request(resources.request(cluster.size))
    task.set_memory_limit(resources.limit(cluster.size))
    task.set_retry(
        resources.retries,
        backoff_duration=f"{settings.BACKOFF_S}s",
        backoff_factor=settings.BACKOFF_FACTOR,
        # Argo counts from the first try's start: a late loss is to be tried again, too.
        backoff_max_duration=f"{resources.retried_for_s}s",
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
    for key, value in cluster.of_pods(cluster.pod_labels, task.name).items():
        kubernetes.add_pod_label(task, key, value)
    for key, value in cluster.of_pods(cluster.pod_annotations, task.name).items():
        kubernetes.add_pod_annotation(task, key, value)
    if cluster.cache_claim and task.name in settings.CACHE_STEPS:
        kubernetes.mount_pvc(task, cluster.cache_claim, settings.CACHE_MOUNT)
        task.set_env_variable(settings.CACHE_VARIABLE, settings.CACHE_MOUNT)
    # KFP's launcher, which is in every pod, opens s3:// places with a region only.
    if region := cluster.store_region or (settings.LOCAL_REGION if cluster.store_endpoint else ""):
        task.set_env_variable("AWS_REGION", region)
    if task.name in settings.STORE_STEPS:
        _give_store(task, cluster)
    if gpu and resources.gpu:
        _give_gpu(task, cluster)


def configuration(cluster: ClusterOptions | None) -> dsl.PipelineConfig | None:
    """What holds for a whole run: how long it may take, and how long its pods are kept."""
    if cluster is None:
        return None
    return dsl.PipelineConfig(
        ttl_seconds_after_finished=cluster.ttl_s, active_deadline_seconds=cluster.deadline_s
    )


def option_defaults(cluster: ClusterOptions | None, *, gpu: bool) -> dict[str, Any]:
    """Defaults of the steps' options that differ from those of a run on this machine."""
    defaults: dict[str, Any] = dict(settings.GPU_DEFAULTS) if gpu else {}
    if cluster and cluster.store_prefix:
        prefix = cluster.store_prefix.rstrip("/")
        defaults["publish_dir"] = f"{prefix}/published"
        if not cluster.cache_claim:
            defaults["checkpoint_path"] = f"{prefix}/checkpoints"
            defaults["shared_cache"] = f"{prefix}/fetched"
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
