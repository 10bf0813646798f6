"""One graph function for several pipelines: which parameters each has, and which outputs."""

import functools
import hashlib
import inspect
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from kfp import dsl

import components
from components.common.base.files import hash_file

PIPELINE_NAME = "wild-mushrooms"
# Where the photos come from is chosen when the graph is built.
DOWNLOAD, DATASET = "download", "dataset"
_KEYWORDS = inspect.Parameter.VAR_KEYWORD


class Outputs(NamedTuple):
    """What a run hands out, by the names that its summary links."""

    training: dsl.Dataset
    demo: dsl.Dataset
    ledger: dsl.Artifact
    facts: dsl.Artifact
    curation: dsl.HTML
    model: dsl.Model
    logs: dsl.Artifact
    metrics: dsl.Metrics
    report: dsl.HTML
    gallery: dsl.HTML
    comparison: dsl.Metrics
    change: dsl.HTML


def code_hash() -> str:
    """Hash of all files of the steps, which run on this machine as they lie there."""
    folder = Path(components.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            name = path.relative_to(folder).as_posix()
            digest.update(f"{name} {hash_file(path)}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def now() -> str:
    """The time as KFP writes that of a schedule."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def shaped(
    *,
    options: Mapping[str, Any],
    without: Collection[str],
    outputs: bool,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a pipeline function the parameters that KFP is to see, and with or without outputs.

    A parameter that changes nothing in a pipeline should not be there to be filled in.

    Args:
        options: defaults of the options that the function takes as keyword arguments.
        without: names of parameters to leave out; the function gets None for them.
        outputs: whether the function's return annotation stays.
    """

    def shape(function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function)
        written = [entry for entry in signature.parameters.values() if entry.kind is not _KEYWORDS]
        declared = [
            inspect.Parameter(name, written[0].kind, default=default, annotation=type(default))
            for name, default in options.items()
        ]
        parameters = [entry for entry in (*written, *declared) if entry.name not in without]

        @functools.wraps(function)
        def graph(*channels: Any) -> Any:
            by_name = zip((entry.name for entry in parameters), channels, strict=True)
            return function(**dict.fromkeys(without), **dict(by_name))

        # KFP reads this, and hands the parameters over in its order.
        graph.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=parameters,
            return_annotation=signature.return_annotation if outputs else inspect.Signature.empty,
        )
        return graph

    return shape
