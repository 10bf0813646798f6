"""Running the steps in their images on this machine: what each container may see and do."""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound, NotFound
from docker.types import Mount

from components import settings
from components.common.base.errors import InputError
from components.common.base.files import default_cache_dir
from components.common.base.options import DEFAULTS, OPTIONS, PREFIX
from components.common.base.step import EVENTS_VARIABLE
from components.common.base.worker_threads import cores
from components.common.store import storage
from components.download.sources import OFFLINE, named
from programs.run import run_log, tasks
from programs.run.forked_steps import step_of
from programs.run.options import PLACES, Request

NAME = "docker"  # of this runner, in the options
RUN_LABEL = "wild-mushrooms.run"
# What the object stores' clients and the fetcher go by; no file among them but the credentials.
_PASSED_ON = ("AWS_", "STORAGE_EMULATOR_HOST", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_GOOGLE_CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"
# In the command that kfp.local makes for a step; the one that fetches weights the image has not.
_INPUT, _FETCHES_WEIGHTS = "--executor_input", "bottleneck"
# What a step may take of this machine, whatever a stranger's file makes of it. Memory: as much as
# on a cluster, and no more than four fifths of what there is.
STEP_MEMORY_BYTES = 14 * 10**9
TMP_BYTES = 4 * 10**9  # counts as memory
PIDS = 1024


def check() -> None:
    """See that there is a Docker daemon, and that it has the images.

    Raises:
        InputError: there is none, or an image is missing; the message says what to do.
    """
    with _client() as client:
        for image in (settings.DATA_IMAGE, settings.TRAIN_IMAGE):
            try:
                client.images.get(image)
            except ImageNotFound:
                raise InputError(
                    f"the image {image} is not on this machine: build it with `make images`, then "
                    "`make run RUNNER=docker`"
                ) from None


def run_arguments(request: Request) -> dict[str, Any]:
    """Arguments of `docker run` for every step of a run, as kfp.local.DockerRunner takes them.

    A container sees the run's folder, the cache, and what the options name, each under its own
    path; it runs as whoever started the run, can write nowhere else, and has no network, but for
    what `use` gives single steps.
    """
    # Docker would make the folder as root.
    (request.run_dir / "artifacts").mkdir(exist_ok=True)
    with _client() as client:
        rootless = "name=rootless" in client.info().get("SecurityOptions", [])
    events = request.run_dir / "events.jsonl"
    return {
        "init": True,
        # A rootless daemon shows this user's own files as root's.
        "user": "0:0" if rootless else f"{os.getuid()}:{os.getgid()}",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "read_only": True,
        "tmpfs": {"/tmp": f"size={TMP_BYTES}"},  # noqa: S108 - the container's own
        "mem_limit": _memory_bytes(),
        "memswap_limit": _memory_bytes(),  # together with memory: no swap beside it
        "nano_cpus": cores() * 10**9,
        "pids_limit": PIDS,
        "network_mode": "none",
        "labels": {RUN_LABEL: str(request.run_dir)},
        "environment": {EVENTS_VARIABLE: str(events)},
        "mounts": _mounts(request),
    }


def use(request: Request) -> None:
    """Let kfp.local's DockerRunner give a network, and the stores' keys, to steps that need them.

    By itself it gives all steps the same. What it mounts itself is within the run's folder.
    """
    from kfp.local import docker_task_handler

    start = docker_task_handler.run_docker_container

    def run(*, command: Sequence[str], **arguments: Any) -> int:
        if needs_network(request, command):
            arguments |= {
                "network_mode": "bridge",
                "environment": {**arguments["environment"], **_stores()},
                "mounts": [*arguments["mounts"], *_credentials()],
            }
        # They would be written as "place:place:mode", and a place may hold a colon.
        arguments["volumes"] = {}
        return tasks.told(
            command,
            lambda: int(start(command=command, **arguments)),
            request.run_dir / run_log.FULL,
        )

    docker_task_handler.run_docker_container = run


def needs_network(request: Request, command: Sequence[str]) -> bool:
    """Whether a step reaches the internet or a store.

    Args:
        request: the run.
        command: of the step's container, as kfp.local makes it: the executor and what it is told.
    """
    if step_of(command) == _FETCHES_WEIGHTS and _is_online(request.arguments):
        return True
    told = json.loads(command[command.index(_INPUT) + 1])
    given = told.get("inputs", {}).get("parameterValues", {})
    # The first step of a run that goes on has the dictionaries of others, too.
    dictionaries = [value for name, value in given.items() if name.startswith(PREFIX)]
    own = {**given, **given.get(DEFAULTS, {}), **given.get(OPTIONS, {})}
    return any(map(_is_online, (own, *dictionaries)))


def _memory_bytes() -> int:
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(STEP_MEMORY_BYTES, there * 4 // 5)


def with_places(request: Request) -> Request:
    """The request with every default place written out: a container's user has another home."""
    arguments = request.arguments
    cache = arguments["cache_dir"] or str(default_cache_dir())
    return dataclasses.replace(request, arguments={**arguments, "cache_dir": cache})


def stop(request: Request) -> None:
    """End the containers of a run that go on after its process was ended."""
    with contextlib.suppress(InputError, DockerException), _client() as client:
        for container in client.containers.list(
            filters={"label": f"{RUN_LABEL}={request.run_dir}"}
        ):
            with contextlib.suppress(NotFound):
                container.stop(timeout=10)


@contextlib.contextmanager
def _client() -> Iterator["docker.DockerClient"]:
    try:
        client = docker.from_env()
        client.ping()
    except DockerException as error:
        place = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        raise InputError(
            f"no Docker daemon answers at {place}: start Docker, or run without --runner docker"
        ) from error
    with contextlib.closing(client):
        yield client


def _is_online(parameters: Mapping[str, Any]) -> bool:
    """Whether parameters, of a run or a step, name a service or a place in a store."""
    texts = (value for value in parameters.values() if isinstance(value, str))
    sources = named(parameters["source"]) if "source" in parameters else []
    return not OFFLINE.issuperset(sources) or any(map(storage.is_uri, texts))


def _stores() -> dict[str, str]:
    """The variables that the stores' clients and the fetcher go by."""
    names = (name for name in os.environ if name.upper().startswith(_PASSED_ON))
    passed = {name: os.environ[name] for name in names}
    if credentials := os.environ.get(_GOOGLE_CREDENTIALS):
        passed[_GOOGLE_CREDENTIALS] = credentials
    return passed


def _credentials() -> list[Mount]:
    file = os.environ.get(_GOOGLE_CREDENTIALS)
    return [Mount(file, file, type="bind", read_only=True)] if file else []


def _mounts(request: Request) -> list[Mount]:
    # What is read, if given: a file is mounted alone, a folder whole, of a pattern its folder.
    read = {_before_pattern(place) for place in _places(request, "read")}
    written = {str(request.run_dir), *_places(request, "written")}
    mounts = {}
    for place in sorted(written):
        Path(place).mkdir(parents=True, exist_ok=True)
        mounts[place] = Mount(place, place, type="bind")
    for place in sorted(read):
        mounts.setdefault(place, Mount(place, place, type="bind", read_only=True))
    return list(mounts.values())


def _places(request: Request, kind: str) -> list[str]:
    """Folders and files of this machine that steps read, or write."""
    named = [request.arguments[name] for name, of_kind in PLACES.items() if of_kind == kind]
    return [place for place in named if place and "://" not in place]


def _before_pattern(place: str) -> str:
    """The folder of names that hold a pattern, such as folder/{wordnet_id}.tar; else the place."""
    before, pattern, _ = place.partition("{")
    return before.rpartition("/")[0] if pattern and not Path(place).exists() else place
