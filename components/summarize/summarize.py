"""Step `summarize`: how a run on a cluster ended, on one page, also where it failed."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError, WorkError
from components.common.base.files import write_file
from components.common.base.step import step, warn
from components.common.pages import plain_text
from components.common.store import storage
from components.common.untrusted import sealed
from components.common.untrusted.sealed import Kind
from components.summarize import outcome

STEP = "summarize"
# What is read of the run's other artifacts, JSON of a few kilobytes each: step, artifact and kind.
FIGURES = ("evaluate", "metrics", sealed.METRICS)
DECISION = (*outcome.DECISION, sealed.DECISION)
METRICS = "metrics"  # field of a decision with the model's figures
MAX_BYTES = 4 * 1024 * 1024
UNNAMED = "wild-mushrooms"  # a run that ended before publish gave the model its name
MAX_TEXT = 2000  # characters of a reason
SUCCEEDED, DID_NOT_FINISH = "succeeded", "did not finish"
# Where no step's log can be read, KFP's word is all there is.
_WORDS = {"SUCCEEDED": SUCCEEDED, "FAILED": "failed", "CANCELED": "was cancelled"}


@dataclass(frozen=True)
class End:
    """How all steps together ended.

    Attributes:
        state: what KFP's metadata says: COMPLETE, FAILED or CANCELED, and often RUNNING.
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
        name: what the model is published as; empty: as publish decided.
        place: the summary's own place in the run's folder, gs://, s3:// or local; what the steps
            left is looked for beside it. An exit task cannot take it as inputs.
    """
    render = partial(
        plain_text.render, __file__, {"inline": plain_text.inline, "prose": _prose}, end=end
    )
    word = _WORDS.get(end.state, f"ended as {end.state or 'unknown'}")
    unknown: dict[str, Any] = {"ended": word, "failed": (), "nothing_new": ""}
    try:
        run, separator, _ = place.rpartition(f"/{STEP}/")
        listed = outcome.artifacts(run) if separator else []
        found = outcome.judge(listed)
        told = unknown
        if listed:
            said = found.nothing_new
            told = {"ended": _word(found), "failed": found.failed, "nothing_new": said}
        metrics, decision = _find(listed, *FIGURES), _find(listed, *DECISION)
        metrics = metrics or decision.get(METRICS) or {}  # of an evaluate that was cached
        name = name or str(decision.get("name", ""))
        text = render(**told, name=name or UNNAMED, metrics=metrics, decision=decision, problem="")
    except (InputError, WorkError, KeyError, TypeError, ValueError) as error:
        warn(f"the summary is without figures: {error}")
        text = render(**unknown, name=name or UNNAMED, metrics={}, decision={}, problem=str(error))
    write_file(output, text, what="the summary")


def _word(found: outcome.Outcome) -> str:
    if found.failed:
        return "failed"
    return SUCCEEDED if found.complete or found.nothing_new else DID_NOT_FINISH


def _find(listed: list[outcome.Artifact], task: str, name: str, kind: Kind) -> dict[str, Any]:
    """The JSON object in an artifact of another task of this run, empty if there is none."""
    places = [entry.place for entry in listed if (entry.task, entry.name) == (task, name)]
    if not places:
        return {}
    data = storage.read_place(places[-1], max_bytes=MAX_BYTES)
    return sealed.parse(data, places[-1], kind)


def _prose(text: str) -> str:
    """The text on one line, in which there is no link and no picture either."""
    return plain_text.inline(text[:MAX_TEXT]).replace("[", "\\[").replace("]", "\\]")
