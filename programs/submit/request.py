"""What is submitted: the compiled pipeline as a version, and the parameters of one run of it."""

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components import settings
from components.common.base.errors import InputError
from components.common.store import storage
from components.download import sources
from components.download.news import listing_hash
from components.download.options import DownloadOptions
from components.settings import ClusterOptions
from programs.compile import scheduling
from programs.run import options as run_options
from programs.submit import names

FILE_DIGITS = 10
LISTING_DIGITS = 16
# Files that steps read from gs:// or s3:// as well: these are uploaded. A ledger may be a folder.
UPLOADED = ("url_list", "decisions", "earlier_ledger")
ON_VOLUME = ("weights", "cache_dir", "checkpoint_path", "imagenet")  # of steps that have it
_NOT_SEEN = "no pod sees this machine's files"
_INSTEAD = {
    "weights": "the images hold the usual weights; put others on a volume "
    f"({settings.CACHE_MOUNT}/…, with --cache_claim)",
    "cache_dir": f"name a volume by --cache_claim: it is {settings.CACHE_MOUNT} there",
    "checkpoint_path": "give gs://… or s3://…, or leave it out",
    "publish_dir": "give gs://… or s3://…, or leave it out",
    "imagenet": "give the address of an archive or list",
}
_KINDS: Mapping[str, tuple[type, ...]] = {
    "STRING": (str,),
    "NUMBER_INTEGER": (int,),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
}

CompileOne = Callable[..., Path]


@dataclass(frozen=True)
class Compiled:
    """A compiled pipeline.

    Attributes:
        file: of two YAML documents.
        version: its name in KFP: what it is for, the revision and a hash of the content.
        description: of that version.
        parameters: what a run of it can be told: KFP's type and whether it may be left out.
    """

    file: Path
    version: str
    description: str
    parameters: Mapping[str, Mapping[str, Any]]


def check_arguments(options: argparse.Namespace, cluster: ClusterOptions) -> dict[str, Any]:
    """The options and classes of a run, checked as on this machine, and for what pods can see.

    Raises:
        InputError: an option makes no sense, or names a place on this machine that no pod sees.
    """
    checked = argparse.Namespace(**vars(options))
    own = scheduling.option_defaults(cluster, gpu=options.gpu)
    for name in {*settings.GPU_DEFAULTS, *own}:  # those that submit's parser leaves open
        if getattr(checked, name) in (None, ""):
            setattr(checked, name, own.get(name, run_options.DEFAULTS[name]))
    # What is on the volume cannot be looked at from here.
    on_volume = {name: getattr(checked, name) for name in ON_VOLUME if _is_on_volume(checked, name)}
    for name, value in on_volume.items():
        if not cluster.cache_claim:
            raise InputError(f"--{name} is {value}, a place on the volume: give --cache_claim too")
        setattr(checked, name, run_options.DEFAULTS[name])
    arguments = run_options.checked(checked) | on_volume
    for name, instead in _INSTEAD.items():
        if name not in on_volume and _is_local(arguments[name]):
            raise InputError(f"--{name} is {arguments[name]}: {_NOT_SEEN}; {instead}")
    if not arguments["publish_dir"]:
        raise InputError("--publish_dir: give the gs:// or s3:// place of published models")
    for name in UPLOADED:
        if _is_local(arguments[name]) and not options.upload_to:
            raise InputError(
                f"--{name} is {arguments[name]}: {_NOT_SEEN}; give --upload_to gs://… or s3://…, "
                "and it is uploaded there"
            )
    if not (options.continue_ or options.schedule):  # such a run looks for photos each time
        arguments["photos_as_of"] = _photos_as_of(DownloadOptions.of(arguments))
    return arguments


def _photos_as_of(asked: DownloadOptions) -> str:
    """Part of the cache's key: until when photos count as the same.

    Those of a service for a day, and those of a bucket as long as it holds the same.
    """
    named = set(sources.named(asked.source))
    words = []
    if named - {"sample", "storage"}:
        words.append(time.strftime("%Y-%m-%d", time.gmtime()))
    if "storage" in named and storage.is_uri(asked.image_dir):
        words.append(f"listing {listing_hash(asked.image_dir)[:LISTING_DIGITS]}")
    return ", ".join(words)


def local_photos(arguments: Mapping[str, Any]) -> Path | None:
    """The folder of photos on this machine that a run is to take; None where there is none."""
    if arguments["source"] != "folder":
        if "folder" in arguments["source"] or _is_local(arguments["image_dir"]):
            raise InputError(
                f"--source is {arguments['source']} and --image_dir a folder of this machine: a "
                "cluster takes such photos alone (leave --source out)"
            )
        return None
    return Path(arguments["image_dir"])


def compile_for(
    compile_one: CompileOne,
    folder: Path,
    *,
    gpu: bool,
    photos: str,
    parts: int,
    continued: bool,
    cluster: ClusterOptions,
    caching: bool,
) -> Compiled:
    """Compile the pipeline into a folder.

    Args:
        compile_one: of pipeline.py.
        folder: where to write.
        gpu: as `compile_one` takes it.
        photos: as `compile_one` takes it.
        parts: as `compile_one` takes it.
        continued: as `compile_one` takes it.
        cluster: as `compile_one` takes it.
        caching: without it, no task's result of an earlier run is used. KFP takes this from the
            file alone, once a version is uploaded.
    """
    about: dict[str, Any] = {"gpu": gpu, "photos": photos, "parts": parts, "continued": continued}
    file = compile_one(folder / "pipeline.yaml", **about, cluster=cluster)
    return as_version(
        file,
        lambda digest: names.version(**about, digest=digest),
        names.version_description(gpu=gpu, photos=photos),
        caching=caching,
    )


def as_version(
    file: Path, name: Callable[[str], str], description: str, *, caching: bool = True
) -> Compiled:
    """A compiled file as a version of its pipeline.

    Args:
        file: of two YAML documents.
        name: makes the version's name of a hash of its content.
        description: of the version.
        caching: as of `compile_for`.
    """
    documents = list(yaml.safe_load_all(file.read_text()))
    if not caching:
        _without_caching(documents[0])
        file.write_text(yaml.safe_dump_all(documents))
    # Not of the bytes: the comments that kfp writes are in another order each time.
    digest = hashlib.sha256(json.dumps(documents, sort_keys=True).encode()).hexdigest()
    parameters = documents[0]["root"].get("inputDefinitions", {}).get("parameters", {})
    return Compiled(file, name(digest[:FILE_DIGITS]), description, parameters)


def parameters_of(compiled: Compiled, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a run of this pipeline, each of the type that the file says.

    Args:
        compiled: the pipeline.
        arguments: what the run is told, by name; more than it takes does no harm.

    Raises:
        InputError: one is missing or of another type.
    """
    chosen = {name: arguments[name] for name in compiled.parameters if name in arguments}
    for name, about in compiled.parameters.items():
        if name not in chosen:
            if not about.get("isOptional") and "defaultValue" not in about:
                raise InputError(f"the pipeline needs the parameter {name}, which is missing")
            continue
        expected = _KINDS[about["parameterType"]]
        is_number = isinstance(chosen[name], bool) and bool not in expected
        if not isinstance(chosen[name], expected) or is_number:
            raise InputError(
                f"the parameter {name} is {chosen[name]!r}: expected {about['parameterType']}"
            )
    return chosen


def _is_local(place: str) -> bool:
    return bool(place) and "://" not in place


def _is_on_volume(options: argparse.Namespace, name: str) -> bool:
    value = str(getattr(options, name))
    return f"{value}/".startswith(f"{settings.CACHE_MOUNT}/")


def _without_caching(specification: Mapping[str, Any]) -> None:
    """Turn caching off in every task, also in loops and conditions."""
    parts = [specification["root"], *specification.get("components", {}).values()]
    for part in parts:
        for task in part.get("dag", {}).get("tasks", {}).values():
            task["cachingOptions"] = {}
