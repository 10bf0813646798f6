"""What a run needs of a cluster and about how long it takes, said before it is submitted."""

import re
from collections.abc import Mapping
from typing import Any

from components import settings
from components.common.pages import plain_text
from components.download.sources import OWN, named
from components.settings import ClusterOptions

# Measured on two cores (README.md, docs/training.md): photos of 240 to 1,024 pixels from files to
# vectors, a step of fine-tuning on 32 photos, and all that TensorFlow starts, trains and exports.
PHOTOS_PER_S = (77, 126)
FINE_TUNING_STEP_S = 0.7
FINE_TUNING_BATCH = 32
FIXED_S = 60.0
DIGEST_DIGITS = 12
# Those pods that wait for each other take so long to start on a stock Kubeflow Pipelines.
STARTS_S = 180.0


def describe(
    arguments: Mapping[str, Any],
    cluster: ClusterOptions,
    *,
    gpu: bool,
    count: int,
    is_known: bool,
    parts: int = 1,
    continued: bool = False,
) -> list[str]:
    """Lines for a person.

    Args:
        arguments: of the pipeline.
        cluster: what the tasks are told.
        gpu: the pipeline has a GPU.
        count: of the photos.
        is_known: it is that, and no guess: photos of this machine.
        parts: of them that are cleaned at the same time.
        continued: the run goes on with what is kept, and may end early.
    """
    sizes = [resources.request(cluster.size) for resources in settings.RESOURCES.values()]
    steps = arguments["fine_tune_steps"]
    fine_tuning_s = steps * FINE_TUNING_STEP_S * arguments["fine_tune_batch_size"]
    fine_tuning_s /= FINE_TUNING_BATCH
    on_cores_s = 0.0 if gpu else fine_tuning_s
    told = plain_text.render(
        __file__,
        {"duration": _time},
        cpu=max(settings.amount(resources.cpu) for resources in settings.RESOURCES.values()),
        memory=max(sizes, key=settings.amount),
        pods=count_pods(is_own=is_known, parts=parts, continued=continued),
        starts_s=STARTS_S,
        cluster=cluster,
        gpu=gpu,
        images=[_without_long_digest(name) for name in images(gpu=gpu).values()],
        seconds=[FIXED_S + count / speed + on_cores_s for speed in reversed(PHOTOS_PER_S)],
        count=count,
        is_known=is_known,
        steps=steps,
        fine_tuning_s=fine_tuning_s,
        downloads=not OWN.issuperset(named(arguments["source"])),
    )
    return told.splitlines()


def count_pods(*, is_own: bool, parts: int, continued: bool = False) -> int:
    """The pods of a run, as they were counted on a Kubeflow Pipelines 2.17 (docs/cluster.md).

    A step is a pod of KFP's driver and one of ours, and two more begin the run. Own photos are
    imported by one pod, or fetched in parts by who cleans them. A loop has a driver, and each part
    one and the two steps in it. A condition has a driver, and a step compares own photos.
    """
    more = (3 if is_own else 1) if continued else 0
    if not is_own:
        return 22 + more
    return (21 if parts == 1 else 17 + 5 * parts) + more


def images(*, gpu: bool) -> dict[str, str]:
    """The images that a cluster pulls for the pods of a run, by kind."""
    names = {"data": settings.DATA_IMAGE, "train": settings.TRAIN_IMAGE}
    return names | ({"train-cuda": settings.TRAIN_CUDA_IMAGE} if gpu else {})


def without_registry(*, gpu: bool) -> list[str]:
    """Names of images that a cluster would look for in the public registry of Docker."""
    # As container runtimes read names: a host has a dot or a port, or is localhost.
    with_host = re.compile(r"(localhost|[^/]*[.:][^/]*)/.*")
    return [name for name in images(gpu=gpu).values() if not with_host.fullmatch(name)]


def _without_long_digest(name: str) -> str:
    repository, at, digest = name.partition("@sha256:")
    return repository + at + digest[:DIGEST_DIGITS]


def _time(seconds: float) -> str:
    if seconds < 5400:
        return f"{max(round(seconds / 60), 1)} min"
    return f"{seconds / 3600:.1f} h"
