"""Step `summarize`: how a run on a cluster ended, on one page, also where it failed."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError, WorkError
from components.common.base.files import write_file
from components.common.base.step import step, warn
from components.common.model.model_place import METRICS_KIND
from components.common.pages import plain_text
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
    told = {"name": name, "end": end, "succeeded": end.state == SUCCEEDED}
    told["ended"] = _WORDS.get(end.state) or f"ended as {end.state or 'unknown'}"
    render = partial(plain_text.render, __file__, {"inline": _inline, "prose": _prose}, **told)
    try:
        found = {"metrics": _find(place, *FIGURES), "decision": _find(place, *DECISION)}
        text = render(**found, problem="")
    except (InputError, WorkError, KeyError, TypeError, ValueError) as error:
        warn(f"the summary is without figures: {error}")
        text = render(metrics={}, decision={}, problem=str(error))
    write_file(output, text, what="the summary")


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


def _inline(text: str) -> str:
    """The text on one line, with nothing that Markdown or HTML would take for markup."""
    plain = " ".join(text.split())
    for character, written in (("&", "&amp;"), ("<", "&lt;"), ("`", "'"), ("|", "\\|")):
        plain = plain.replace(character, written)
    return plain


def _prose(text: str) -> str:
    """The text on one line, in which there is no link and no picture either."""
    return _inline(text[:MAX_TEXT]).replace("[", "\\[").replace("]", "\\]")
