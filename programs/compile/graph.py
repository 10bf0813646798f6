"""One graph function for several pipelines: which parameters each has, and which outputs."""

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from kfp import dsl

PIPELINE_NAME = "wild-mushrooms"
# Where the photos come from is chosen when the graph is built.
DOWNLOAD, DATASET = "download", "dataset"


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
    decision: str


def shaped(
    *, without: Collection[str], outputs: bool
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Leave parameters, or the outputs, out of a pipeline function, as KFP sees it.

    A parameter that changes nothing in a pipeline should not be there to be filled in.

    Args:
        without: names of parameters to leave out; the function gets None for them.
        outputs: whether the function's return annotation stays.
    """

    def shape(function: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(function)
        kept = [entry for name, entry in signature.parameters.items() if name not in without]

        @functools.wraps(function)
        def graph(*channels: Any) -> Any:
            given = dict(zip((entry.name for entry in kept), channels, strict=True))
            return function(**dict.fromkeys(without), **given)

        # KFP reads this, and hands the parameters over in its order.
        graph.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=kept,
            return_annotation=signature.return_annotation if outputs else inspect.Signature.empty,
        )
        return graph

    return shape
