"""`pipeline.py submit --pipeline label`: the photos of a bucket labelled on a cluster."""

import argparse
import dataclasses
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console

from components import settings
from components.common.base import options
from components.common.base.wording import counted
from components.label_image.options import LabelOptions
from components.settings import ClusterOptions
from programs.compile import scheduling
from programs.compile.label_graph import LABEL_PIPELINE_NAME
from programs.submit import follow, names, request, target, upload
from programs.submit.connection import Connection
from programs.submit.request import Compiled
from programs.submit.start import Start
from programs.submit.submit import SubmitOptions, warn_of_images

CompileLabel = Callable[[Path, ClusterOptions], Path]
# Of the options of `submit`: no photo of this machine is sent, no task has a GPU, and a job that
# was done once has nothing left to do, cache or not.
_NOT_FOR_LABELS = ("gpu", "upload_to", "parts", "caching", "continue_", "schedule", "catch_up")
_EXPERIMENT = "experiment"
MAX_PLACE = 100  # characters of the bucket in a run's name, of KFP's 191
FIRST = ("host", "model", "photos", "output", "parts", "format", "wait", "dry_run")
EXAMPLES = (
    "--pipeline label --host http://localhost:8080 --model gs://bucket/models/mushrooms "
    "--photos gs://bucket/photos --output gs://bucket/answers --wait",
)
_DESCRIPTION = (
    "Labels every photo of a bucket with a published model. The answers are files at output; a "
    "second run with the same parameters goes on where the first ended. docs/models.md says what "
    "the files hold."
)


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options of `submit --pipeline label` to a parser."""
    options.add_to(parser.add_argument_group("labels"), LabelOptions)
    target.add_to(parser)
    options.add_to(parser.add_argument_group("submission"), SubmitOptions, without=_NOT_FOR_LABELS)
    scheduling.add_options(parser)
    parser.set_defaults(**{_EXPERIMENT: LABEL_PIPELINE_NAME})


def submit(arguments: argparse.Namespace, compile_label: CompileLabel) -> int:
    """Submit a run, and wait for it if that is wanted.

    Args:
        arguments: from a parser with `add_to`'s arguments.
        compile_label: of pipeline.py.

    Returns:
        0: the run was started, or with `wait`, succeeded.

    Raises:
        InputError: an option makes no sense, or the server refuses us.
        WorkError: the server cannot be reached, or the run did not succeed.
    """
    place = target.place_of(arguments)
    chosen = LabelOptions.of(arguments)
    chosen.check()
    SubmitOptions.of(arguments).check()
    cluster = scheduling.cluster_options(arguments)
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        compiled = _compiled(compile_label, Path(folder), cluster)
        start = Start(
            LABEL_PIPELINE_NAME,
            compiled,
            arguments.experiment,
            _run_name(chosen),
            _DESCRIPTION,
            request.parameters_of(compiled, _parameters(chosen, cluster)),
            arguments.pipeline_root,
            arguments.service_account,
        )
        needed = _needs(chosen)
        if arguments.dry_run:
            if arguments.host:
                warn_of_images(arguments.host, gpu=False)
            told = {
                "host": arguments.host or "this cluster, or kubeconfig",
                "namespace": arguments.namespace,
                "images": {"data": settings.DATA_IMAGE},
                "cluster": dataclasses.asdict(cluster),
                **start.request(),
                "needs": needed,
            }
            # Not through rich: it would break long lines.
            sys.stdout.write(json.dumps(told, indent=2) + "\n")
            return 0
        connection = Connection(place)
        warn_of_images(connection.address, gpu=False)
        for line in needed:
            console.print(line, markup=False, soft_wrap=True)
        run_id = start.send(connection)
    follow.show(connection, run_id, start.name, console, arguments, parts=1)
    return 0


def _compiled(compile_label: CompileLabel, folder: Path, cluster: ClusterOptions) -> Compiled:
    file = compile_label(folder / "pipeline.yaml", cluster)
    return request.as_version(
        file, lambda digest: f"label-{names.working_tree_revision()}-{digest}", _DESCRIPTION
    )


def _parameters(chosen: LabelOptions, cluster: ClusterOptions) -> dict[str, Any]:
    """The pipeline's parameters; the answers become an artifact, which KFP is to find."""
    return dataclasses.asdict(chosen) | {"output": upload.as_kfp_reads(chosen.output, cluster)}


def _run_name(chosen: LabelOptions) -> str:
    """A name that no other run has, so that a run can be found again by it."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    photos = chosen.photos[:MAX_PLACE]
    revision = names.working_tree_revision()
    return f"labels of {photos}, {revision}, {moment} {secrets.token_hex(4)}"


def _needs(chosen: LabelOptions) -> list[str]:
    """What the run needs of a cluster, in lines for a person."""
    resources = settings.LABELLING["label-part"]
    pods = counted(chosen.parts, "pod")
    return [
        f"needs   nodes with room for {pods} of {resources.cpu} CPU and {resources.request('')} "
        "of memory at the same time, no GPU",
        f"images  {settings.DATA_IMAGE}",
    ]
