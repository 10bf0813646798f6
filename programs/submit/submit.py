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
from components.common.base import options
from components.common.base.errors import InputError
from components.common.base.options import Options, option
from components.common.base.step import warn
from components.common.base.wording import counted, joined
from components.common.dataset.class_facts import ClassFacts
from components.common.store import storage
from components.download import stated
from components.download.download import expected_photos
from components.download.options import DownloadOptions
from components.settings import ClusterOptions
from programs.compile import scheduling
from programs.compile.graph import DATASET, DOWNLOAD, PIPELINE_NAME
from programs.run import options as run_options
from programs.run import parameters as run_parameters
from programs.submit import (
    follow,
    names,
    needs,
    pods,
    request,
    schedules,
    server,
    target,
    upload,
    when,
)
from programs.submit.connection import Connection
from programs.submit.request import CompileOne
from programs.submit.start import Start
from programs.submit.when import When

LONGEST_S = 86400.0  # of a pause
_PLACE, _PLACE_FORM = f"({storage.ANY_SCHEME}.+)?", "gs://, s3:// or minio://bucket/…"


@dataclass(frozen=True)
class SubmitOptions(Options):
    """How a run is started and followed."""

    gpu: bool = option(False, "the pipeline with a GPU for retrain")
    experiment: str = option(
        "",
        f"experiment that the run belongs to (default: {PIPELINE_NAME}- and --name)",
        pattern=r"(?s)(.*\S.*)?",
        form="a name",
    )
    upload_to: str = option(
        "",
        "gs://, s3:// or minio:// place for photos and files of this machine; pods read them there",
        pattern=_PLACE,
        form=_PLACE_FORM,
    )
    parts: int = option(
        1,
        "parts of the photos of this machine, each cleaned and given bottlenecks in pods of its "
        "own, at the same time",
        minimum=1,
    )
    pipeline_root: str = option(
        "",
        "gs://, s3:// or minio:// place of the artifacts; empty: the installation's",
        pattern=_PLACE,
        form=_PLACE_FORM,
    )
    service_account: str = option(
        "",
        "account that the pods run as; empty: the installation's",
        pattern=f"({settings.NAME})?",
        form=settings.NAME_FORM,
    )
    continue_: str = options.continue_option()
    schedule: str = option(
        "",
        "when to run again and again: a cron line such as '0 3 * * 0' (UTC unless the installation "
        "says otherwise) or an interval such as 12h or 7d; each run goes on as with --continue. Or "
        f"what to do with the schedules of --name that there are: {joined(when.ACTIONS, 'or')}",
    )
    catch_up: bool = option(
        False, "make up for each run that a schedule missed; without it, for the last one alone"
    )
    caching: bool = option(True, "reuse results of earlier runs with the same inputs")
    wait: bool = option(False, "wait until the run has ended; exit status 0: it succeeded")
    poll_s: float = option(
        follow.POLL_S, "seconds between two status checks while waiting", above=0, maximum=LONGEST_S
    )
    lost_s: float = option(
        follow.LOST_S,
        "seconds for which the server may be out of reach while waiting",
        above=0,
        maximum=LONGEST_S,
    )
    dry_run: bool = option(False, "print the request as JSON and send nothing")


# What people change first, in the order of the help.
FIRST = (
    *("host", "image_dir", "upload_to", "source", "species", "gpu", "name", "architecture"),
    *("min_accuracy", "continue_", "schedule", "wait", "dry_run"),
)
EXAMPLES = (
    "--host http://localhost:8080 --wait",
    "--host http://localhost:8080 --image_dir ~/photos --upload_to s3://bucket/photos --gpu",
    "--host http://localhost:8080 --image_dir s3://bucket/photos --schedule '0 3 * * 0'",
    "--host http://localhost:8080 --name mushrooms --schedule pause",
)


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the options of `submit` to a parser."""
    run_options.add_parameters(parser, cluster=True)
    # None: the pipeline's own default, which a GPU changes.
    parser.set_defaults(**dict.fromkeys(settings.GPU_DEFAULTS))
    target.add_to(parser)
    options.add_to(parser.add_argument_group("submission"), SubmitOptions)
    scheduling.add_options(parser)


@dataclass(frozen=True)
class Submission:
    """What is to be submitted, checked as far as can be before anything is sent.

    Attributes:
        start: the run.
        image_dir: folder of this machine that is packed as the dataset; None where there is none.
        photos: of that folder, with their classes.
        dataset_uri: where it is uploaded, as --upload_to says; empty where there is none.
        facts: what is known of its classes.
        inputs: files of this machine by the parameter that names them, with their addresses.
        cluster: what the pipeline was compiled with.
        needs: lines on what the run needs.
    """

    start: Start
    image_dir: Path | None
    photos: list[tuple[str, Path]]
    dataset_uri: str
    facts: ClassFacts
    inputs: dict[str, tuple[Path, str]]
    cluster: ClusterOptions
    needs: list[str]


def submit(arguments: argparse.Namespace, compile_one: CompileOne) -> int:
    """Submit a run, and wait for it if that is wanted.

    Args:
        arguments: from a parser with `add_to`'s arguments.
        compile_one: of pipeline.py.

    Returns:
        0: the run was started, or with `wait`, succeeded.

    Raises:
        InputError: an option makes no sense, or the server refuses us.
        WorkError: the server cannot be reached, or the run did not succeed.
    """
    place = target.place_of(arguments)
    SubmitOptions.of(arguments).check()
    if arguments.schedule in when.ACTIONS:
        return schedules.act(arguments)
    if arguments.gpus != ClusterOptions.gpus and not arguments.gpu:
        raise InputError(f"--gpus is {arguments.gpus}, but --gpu is missing: give both")
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory() as folder:
        submission = _prepare(arguments, compile_one, Path(folder))
        if arguments.dry_run:
            if arguments.host:
                warn_of_images(arguments.host, gpu=arguments.gpu)
            # Not through rich: it would break long lines.
            sys.stdout.write(json.dumps(_request(arguments, submission), indent=2) + "\n")
            return 0
        connection = Connection(place)
        warn_of_images(connection.address, gpu=arguments.gpu)
        if pods.retries_failures(connection) is False:
            warn(
                "this KFP retries a step whose pod is lost, not one that fails: "
                "k8s/workflow-defaults.yaml changes that (docs/cluster.md)"
            )
        for line in submission.needs:
            console.print(line, markup=False, soft_wrap=True)
        identifier = _send(connection, submission, console)
    if submission.start.when:
        return 0
    follow.show(
        connection, identifier, submission.start.name, console, arguments, parts=arguments.parts
    )
    return 0


def _schedule(arguments: argparse.Namespace) -> When | None:
    """When the runs are due; None for one run, now.

    Raises:
        InputError: it is no time, or the runs could not learn anything new.
    """
    if not arguments.schedule:
        if arguments.catch_up:
            raise InputError("--catch_up is for --schedule, which is missing")
        return None
    due = When.parse(arguments.schedule)
    if arguments.decisions:
        raise InputError(
            f"--decisions is {arguments.decisions}: a schedule would heed it for ever, whatever is "
            "decided later; run once with --continue and --decisions, and the schedule finds them"
        )
    return due


def _prepare(arguments: argparse.Namespace, compile_one: CompileOne, folder: Path) -> Submission:
    """Check everything, compile, and give what is of this machine its address."""
    due = _schedule(arguments)
    cluster = scheduling.cluster_options(arguments)
    if arguments.gpu:
        cluster.check_gpu()
    told = request.check_arguments(arguments, cluster)
    image_dir = request.local_photos(told)
    if arguments.parts > 1 and not image_dir:
        raise InputError(
            f"--parts is {arguments.parts}: only a folder that is uploaded has parts (--image_dir)"
        )
    if image_dir and due:
        raise InputError(
            f"--image_dir is {image_dir}: a schedule cannot see what is new on this machine; put "
            "the photos into a bucket (--image_dir gs://… or s3://…)"
        )
    if image_dir and not arguments.upload_to:
        raise InputError(
            f"--image_dir is {image_dir}: no pod sees this machine's files; give --upload_to "
            "gs://… or s3://…, and the photos are packed and uploaded there"
        )
    photos = upload.list_photos(image_dir, told["per_class"]) if image_dir else []
    asked = DownloadOptions.of(told)
    count = len(photos) or expected_photos(told["classes"], asked)
    facts = stated.facts(told["classes"], told["species"], asked)
    inputs = upload.local_inputs(told, arguments.upload_to)
    if image_dir or inputs:
        upload.check_store(arguments.upload_to, cluster)
    told |= {name: uri for name, (_, uri) in inputs.items()}
    uri = ""
    if image_dir:
        if arguments.parts > len(photos):
            there = counted(len(photos), "photo")
            raise InputError(f"--parts is {arguments.parts}: there are only {there}")
        uri = upload.dataset_uri(photos, arguments.upload_to, facts)
        told["dataset_uri"] = upload.as_kfp_reads(uri, cluster)
    cluster = cluster.fitting(count)
    compiled = request.compile_for(
        compile_one,
        folder,
        caching=arguments.caching,
        gpu=arguments.gpu,
        photos=DATASET if image_dir else DOWNLOAD,
        parts=arguments.parts,
        continued=bool(due or arguments.continue_),
        cluster=cluster,
    )
    words = names.told(told, gpu=arguments.gpu, photos=len(photos))
    start = Start(
        PIPELINE_NAME,
        compiled,
        arguments.experiment or words.experiment(),
        words.run(),
        words.description() + (f" Schedule: {due.in_words()}." if due else ""),
        request.parameters_of(compiled, {**told, **run_parameters.of_run(told)}),
        arguments.pipeline_root,
        arguments.service_account,
        due,
        arguments.catch_up,
    )
    return Submission(
        start,
        image_dir,
        photos,
        uri,
        facts,
        inputs,
        cluster,
        needs.describe(
            told,
            cluster,
            gpu=arguments.gpu,
            count=count,
            is_known=bool(photos),
            parts=arguments.parts,
            continued=bool(due or arguments.continue_),
        ),
    )


def _send(connection: Connection, submission: Submission, console: Console) -> str:
    """Upload, and start or schedule the run; the identifier of either."""
    for path, uri in submission.inputs.values():
        storage.upload_files({path.name: path}, uri.rpartition("/")[0])
    if submission.image_dir:
        uri = submission.dataset_uri
        uploaded = upload.upload_photos(submission.photos, uri, submission.facts)
        done = "uploaded" if uploaded else "there already"
        console.print(f"photos  {uri}, {done}", markup=False, soft_wrap=True)
    start = submission.start
    if start.when is None:
        return start.send(connection)
    pipeline = server.pipeline(connection, start.pipeline)
    name = start.name.partition(": ")[0]
    earlier = schedules.of_name(connection, str(pipeline.pipeline_id), name)
    identifier = start.send(connection)
    where = schedules.link(connection, identifier)
    told = f"schedule  {start.name}: {start.when.in_words()}\n  {where}"
    console.print(told, markup=False, soft_wrap=True)
    schedules.replace(connection, earlier, console)
    return identifier


def _request(arguments: argparse.Namespace, submission: Submission) -> dict[str, Any]:
    """All that would be sent; identifiers are the server's to give."""
    uploads = [(path, uri, uri) for path, uri in submission.inputs.values()]
    if submission.image_dir:
        read_as = submission.start.parameters["dataset_uri"]
        uploads.append((submission.image_dir, submission.dataset_uri, read_as))
    return {
        "host": arguments.host or "this cluster, or kubeconfig",
        "namespace": arguments.namespace,
        "uploads": [
            {
                "from": str(path),
                "to": uri,
                "by": upload.endpoint_of(uri),
                "read_by_pods_as": read_as,
            }
            for path, uri, read_as in uploads
        ],
        "images": needs.images(gpu=arguments.gpu),
        "cluster": dataclasses.asdict(submission.cluster),
        **submission.start.request(),
        "needs": submission.needs,
    }


def warn_of_images(address: str, *, gpu: bool) -> None:
    """Warn of names without a registry; into a cluster of this machine such are loaded by hand."""
    lost = needs.without_registry(gpu=gpu)
    if lost and not target.is_local(address):
        warn(
            f"no registry is named for {lost[0]}: a cluster would pull it from Docker's public "
            "registry, where anybody may own that name: make push REGISTRY=…, then make submit "
            "REGISTRY=…"
        )
