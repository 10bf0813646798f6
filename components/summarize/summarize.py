"""Step `summarize`: how a run on a cluster ended, on one page, also where it failed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError, WorkError
from components.common.base.files import write_file
from components.common.base.step import step, warn
from components.common.model.model_place import METRICS_KIND
from components.common.store import storage
from components.common.untrusted import sealed
from components.common.untrusted.sealed import Kind

STEP = "summarize"
# What is read of the run's other artifacts, JSON of a few kilobytes each: step, artifact and kind.
FIGURES = ("evaluate", "metrics", METRICS_KIND)
DECISION = ("compare", "comparison", sealed.DECISION)
MAX_BYTES = 1024 * 1024
MAX_TEXT = 2000  # characters of a reason
SUCCEEDED = "SUCCEEDED"
_WORDS = {SUCCEEDED: "succeeded", "FAILED": "failed", "CANCELED": "was canceled"}


@dataclass(frozen=True)
class End:
    """How all steps together ended.

    Attributes:
        state: as KFP names it: SUCCEEDED, FAILED, CANCELED.
        error: KFP's message; it may be empty although something failed.
        run: KFP's name of the run.
    """

    state: str
    error: str = ""
    run: str = ""


@step(STEP)
def summarize(end: End, output: Path, *, name: str, place: str = "") -> None:
    """Write the summary as Markdown.

    It never fails for what it cannot find: a summary that fails would hide why the run did.

    Args:
        end: how the run ended.
        output: file to write.
        name: what the model is published as.
        place: the summary's own place in the run's folder, gs://, s3:// or local; the figures are
            looked for beside it. An exit task cannot take them as inputs.
    """
    ended = _WORDS.get(end.state) or f"ended as {end.state or 'unknown'}"
    lines = [f"# {name}: the run {ended}", ""]
    if end.run:
        lines += [f"Run `{_inline(end.run)}`.", ""]
    if end.error:
        lines += [
            "What Kubeflow says of it:",
            "",
            *(f"    {line}" for line in _lines(end.error)),
            "",
        ]
    if end.state != SUCCEEDED:
        lines += [
            "The failed step's own message is at the end of its log: open the red step in the "
            "graph, then Logs. Run again with the same parameters: finished steps are taken from "
            "the cache.",
            "",
        ]
    try:
        lines += [*_figures(_find(place, *FIGURES)), *_decision(_find(place, *DECISION))]
    except (InputError, WorkError, KeyError, TypeError, ValueError) as error:
        warn(f"the summary is without figures: {error}")
        lines += [f"The figures are not here, since {_prose(str(error))}", ""]
    write_file(output, "\n".join(lines).rstrip() + "\n", what="the summary")


def _figures(metrics: dict[str, Any]) -> Iterator[str]:
    """A table of accuracies, nothing where the run did not come so far."""
    if not metrics.get("held_out_photos"):
        return
    yield from ("| measured on | photos | accuracy | 95 % interval |", "|---|---|---|---|")
    for part, meaning in (("held_out", "all held-out photos"), ("test", "test"), ("demo", "demo")):
        if not metrics.get(f"{part}_photos"):
            continue
        middle, low, high = (
            f"{metrics[f'{part}_accuracy{end}']:.3f}" for end in ("", "_low", "_high")
        )
        yield f"| {meaning} | {metrics[f'{part}_photos']} | {middle} | {low} to {high} |"
    yield ""


def _decision(decision: dict[str, Any]) -> Iterator[str]:
    """What became of the model, nothing where nothing was decided."""
    if decision.get("decision"):
        done = "to be published" if decision["decision"] == "publish" else "held back"
        yield f"**The model is {done}**: {_prose(str(decision.get('reason', '')))}."
        yield ""


def _find(place: str, task: str, artifact: str, kind: Kind) -> dict[str, Any]:
    """The JSON object in an artifact of another task of this run, empty if there is none.

    KFP's places are <root>/<pipeline>/<run>/<task>/<execution>/<artifact>; on this machine they
    lack the execution.
    """
    run, separator, _ = place.rpartition(f"/{STEP}/")
    if not separator:
        return {}
    if storage.is_uri(place):
        below = [entry.uri for entry in storage.list_objects(f"{run}/{task}")]
    elif "://" in place:
        raise InputError(f"{place} is neither gs:// nor s3://")
    else:
        below = sorted(str(path) for path in Path(run, task).rglob(artifact))
    files = [uri for uri in below if uri.rpartition("/")[2] == artifact]
    if not files:
        return {}
    data = storage.read_place(files[-1], max_bytes=MAX_BYTES)
    return sealed.parse(data, files[-1], kind)


def _lines(text: str) -> list[str]:
    return text.strip().splitlines()


def _inline(text: str) -> str:
    """The text on one line, with nothing that Markdown or HTML would take for markup."""
    plain = " ".join(text.split())
    for character, written in (("&", "&amp;"), ("<", "&lt;"), ("`", "'"), ("|", "\\|")):
        plain = plain.replace(character, written)
    return plain


def _prose(text: str) -> str:
    """The text on one line, in which there is no link and no picture either."""
    return _inline(text[:MAX_TEXT]).replace("[", "\\[").replace("]", "\\]")
