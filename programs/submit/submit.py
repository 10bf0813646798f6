"""`pipeline.py submit`: the pipeline on a cluster, from options to a run, and to its end."""

import argparse
import dataclasses
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from components import settings
from components.common.base.errors import InputError
from components.common.base.step import warn
from components.common.base.wording import counted
from components.common.store import storage
from components.settings import ClusterOptions
from programs.compile import scheduling
from programs.compile.graph import DATASET, DOWNLOAD, PIPELINE_NAME
from programs.run import options as run_options
from programs.submit import follow, needs, request, server, target, upload
from programs.submit.connection import Connection
from programs.submit.request import Compiled, CompileOne

DEFAULT_EXPERIMENT = "wild-mushrooms"
LONGEST_S = 86400.0  # of a pause
_OWN_HELP = {
    "image_dir": "folder of class folders: packed, uploaded (--upload_to) and imported; or gs://…, "
    "s3://…",
    "publish_dir": "gs:// or s3:// place of published models (default: published below "
    "--store_prefix)",
    "checkpoint_path": "gs:// or s3:// place for checkpoints of fine-tuning (default: on the cache "
    "claim, else below --store_prefix)",
    "cache_dir": "folder on the volume of --cache_claim (default: there, if there is one)",
    "weights": "a pretrained weights file on the volume of --cache_claim; that of the images by "
    "default",
}


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options of `submit` to a parser."""
    run_options.add_parameters(parser, _OWN_HELP)
    # None: the pipeline's own default, which a GPU changes.
    parser.set_defaults(**dict.fromkeys(settings.GPU_DEFAULTS))
    target.add_to(parser)
    group = parser.add_argument_group("submission")
    group.add_argument("--gpu", action="store_true", help="the pipeline with a GPU for retrain")
    group.add_argument(
        "--experiment", default=DEFAULT_EXPERIMENT, help=f"(default: {DEFAULT_EXPERIMENT})"
    )
    group.add_argument(
        "--upload_to",
        default="",
        help="gs://, s3:// or minio:// place for photos and files of this machine; pods read them "
        "there",
    )
    group.add_argument(
        "--parts",
        type=int,
        default=1,
        help="of photos of this machine that are cleaned, and their bottlenecks computed, at the "
        "same time, each in pods of its own (default: 1)",
    )
    group.add_argument(
        "--pipeline_root", default="", help="where artifacts go (default: the installation's place)"
    )
    group.add_argument(
        "--service_account", default="", help="whom the pods run as (default: the installation's)"
    )
    group.add_argument(
        "--caching",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="take results of earlier runs whose inputs are the same",
    )
    group.add_argument(
        "--wait", action="store_true", help="until the run has ended; 0: it succeeded"
    )
    group.add_argument(
        "--poll_s",
        type=float,
        default=follow.POLL_S,
        help=f"seconds between two looks while waiting (default: {follow.POLL_S:g})",
    )
    group.add_argument(
        "--lost_s",
        type=float,
        default=follow.LOST_S,
        help="seconds for which the server may be out of reach while waiting "
        f"(default: {follow.LOST_S:g})",
    )
    group.add_argument(
        "--dry_run", action="store_true", help="print the request as JSON and send nothing"
    )
    scheduling.add_options(parser)


@dataclass(frozen=True)
class Submission:
    """What is to be submitted, checked as far as can be before anything is sent.

    Attributes:
        name: of the run; no other has it.
        compiled: the pipeline.
        parameters: of the run.
        image_dir: folder of this machine that is packed as the dataset; None where there is none.
        photos: of that folder, with their classes.
        dataset_uri: where it is uploaded, as --upload_to says; empty where there is none.
        inputs: files of this machine by the parameter that names them, with their addresses.
        cluster: what the pipeline was compiled with.
        needs: lines on what the run needs.
    """

    name: str
    compiled: Compiled
    parameters: dict[str, Any]
    image_dir: Path | None
    photos: list[tuple[str, Path]]
    dataset_uri: str
    inputs: dict[str, tuple[Path, str]]
    cluster: ClusterOptions
    needs: list[str]


def submit(options: argparse.Namespace, compile_one: CompileOne) -> int:
    """Submit a run, and wait for it if that is wanted.

    Args:
        options: from a parser with `add_to`'s options.
        compile_one: of pipeline.py.

    Returns:
        0: the run was started, or with `wait`, succeeded.

    Raises:
        InputError: an option makes no sense, or the server refuses us.
        WorkError: the server cannot be reached, or the run did not succeed.
    """
    place = target.place_of(options)
    scheduling.check_name("service_account", options.service_account)
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        submission = _prepare(options, compile_one, Path(folder))
        if options.dry_run:
            if options.host:
                _warn_of_images(options.host, gpu=options.gpu)
            # Not through rich: it would break long lines.
            sys.stdout.write(json.dumps(_request(options, submission), indent=2) + "\n")
            return 0
        connection = Connection(place)
        _warn_of_images(connection.address, gpu=options.gpu)
        for line in submission.needs:
            console.print(line, markup=False, soft_wrap=True)
        run_id = _send(connection, options, submission, console)
    link = follow.link(connection, run_id)
    console.print(f"run     {submission.name}: {link}", markup=False, soft_wrap=True)
    if options.wait:
        follow.wait(
            connection,
            run_id,
            console,
            classes=len(submission.parameters.get("classes", [""])),
            poll_s=options.poll_s,
            lost_s=options.lost_s,
        )
    return 0


def _prepare(options: argparse.Namespace, compile_one: CompileOne, folder: Path) -> Submission:
    """Check everything, compile, and give what is of this machine its address."""
    upload.check_place(options.upload_to)
    _check_numbers(options)
    cluster = scheduling.cluster_options(options)
    arguments = request.check_arguments(options, cluster)
    image_dir = request.local_photos(arguments)
    if options.parts > 1 and not image_dir:
        raise InputError(
            f"--parts is {options.parts}: photos that are downloaded go class by class; parts are "
            "of a folder that is uploaded (--image_dir)"
        )
    if image_dir and not options.upload_to:
        raise InputError(
            f"--image_dir is {image_dir}: no pod sees this machine's files; give --upload_to "
            "gs://… or s3://…, and the photos are packed and uploaded there"
        )
    inputs = upload.local_inputs(arguments, options.upload_to)
    if image_dir or inputs:
        upload.check_store(options.upload_to, cluster)
    arguments |= {name: uri for name, (_, uri) in inputs.items()}
    photos: list[tuple[str, Path]] = []
    uri = ""
    if image_dir:
        photos = upload.list_photos(image_dir, arguments["per_class"])
        if options.parts > len(photos):
            there = counted(len(photos), "photo")
            raise InputError(f"--parts is {options.parts}: there is no more than {there}")
        uri = upload.dataset_uri(photos, options.upload_to)
        arguments["dataset_uri"] = upload.as_kfp_reads(uri, cluster)
    compiled = request.compile_for(
        compile_one,
        folder,
        caching=options.caching,
        gpu=options.gpu,
        photos=DATASET if image_dir else DOWNLOAD,
        parts=options.parts,
        cluster=cluster,
    )
    return Submission(
        request.run_name(),
        compiled,
        request.parameters_of(compiled, arguments),
        image_dir,
        photos,
        uri,
        inputs,
        cluster,
        needs.describe(arguments, cluster, gpu=options.gpu, photos=len(photos)),
    )


def _send(
    connection: Connection, options: argparse.Namespace, submission: Submission, console: Console
) -> str:
    """Upload, make what the run belongs to, and start it; its identifier."""
    upload.upload_inputs(submission.inputs)
    if submission.image_dir:
        uri = submission.dataset_uri
        uploaded = upload.upload_photos(submission.photos, uri)
        done = "uploaded" if uploaded else "there already"
        console.print(f"photos  {uri}, {done}", markup=False, soft_wrap=True)
    experiment = server.experiment(connection, options.experiment)
    pipeline = server.pipeline(connection, PIPELINE_NAME)
    version = server.version(
        connection, pipeline.pipeline_id, submission.compiled.version, submission.compiled.file
    )
    run = server.run(
        connection,
        submission.name,
        experiment_id=experiment.experiment_id,
        reference=version,
        parameters=submission.parameters,
        pipeline_root=options.pipeline_root,
        service_account=options.service_account,
    )
    return str(run.run_id)


def _request(options: argparse.Namespace, submission: Submission) -> dict[str, Any]:
    """All that would be sent; identifiers are the server's to give."""
    version = submission.compiled.version
    uploads = {name: (path, uri) for name, (path, uri) in submission.inputs.items()}
    if submission.image_dir:
        uploads["dataset_uri"] = (submission.image_dir, submission.dataset_uri)
    return {
        "host": options.host or "this cluster, or kubeconfig",
        "namespace": options.namespace,
        "uploads": [
            {
                "from": str(path),
                "to": uri,
                "by": upload.endpoint_of(uri),
                "read_by_pods_as": submission.parameters[name],
            }
            for name, (path, uri) in uploads.items()
        ],
        "images": needs.images(gpu=options.gpu),
        "cluster": dataclasses.asdict(submission.cluster),
        "experiment": {"display_name": options.experiment},
        "pipeline": {"display_name": PIPELINE_NAME},
        "pipeline_version": {"display_name": version},
        "run": {
            "display_name": submission.name,
            "runtime_config": {
                "parameters": submission.parameters,
                "pipeline_root": options.pipeline_root or None,
            },
            "service_account": options.service_account or None,
        },
        "needs": submission.needs,
    }


def _warn_of_images(address: str, *, gpu: bool) -> None:
    """Warn of names without a registry; into a cluster of this machine such are loaded by hand."""
    lost = needs.without_registry(gpu=gpu)
    if lost and not target.is_local(address):
        warn(
            f"no registry is named for {lost[0]}: a cluster would pull it from Docker's public "
            "one, where it may be anybody's: make push REGISTRY=…, then make submit REGISTRY=…"
        )


def _check_numbers(options: argparse.Namespace) -> None:
    for name in ("poll_s", "lost_s"):
        if not 0 < getattr(options, name) <= LONGEST_S:
            raise InputError(f"--{name} is {getattr(options, name)}: expected 0 to {LONGEST_S:g}")
    if options.gpus != ClusterOptions.gpus and not options.gpu:
        raise InputError(f"--gpus is {options.gpus}, and there is no --gpu: give both")
    if options.parts < 1:
        raise InputError(f"--parts is {options.parts}: expected 1 or more")
    if not options.experiment.strip():
        raise InputError("--experiment is empty: expected a name")
    if options.pipeline_root and not storage.is_uri(options.pipeline_root):
        raise InputError(
            f"--pipeline_root is {options.pipeline_root}: expected gs://, s3:// or minio://bucket/…"
        )
