"""The end of a run: how good it is, where to look, what to check, what went in, what is next."""

import collections
import csv
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.common.base.wording import counted, folded, mean_amount, named
from components.common.dataset.attribution import FILE_NAME as ATTRIBUTION
from components.common.dataset.class_facts import FUNGI
from components.common.dataset.dataset import Dataset
from components.common.dataset.reasons import FILE_NAME as REASONS
from components.common.dataset.vocabulary import PARTS
from components.common.model import published
from components.common.model.description import ModelDescription, read_description
from components.common.pages import danger_words, plain_text
from components.common.store import storage
from components.common.untrusted import sealed
from components.curate.facts import SUMMARY as CURATION
from components.evaluate.report import FEW_PHOTOS
from components.publish.compare import why_no_changes
from components.publish.decision import PUBLISH, Decision, comparison_figures
from programs.run import next_steps, run_pages, run_photos
from programs.run.notices import Notices, gathered
from programs.run.options import Request
from programs.run.run_pages import Outcome

FILE_NAME = "summary.json"
MAX_NOTICES = 12
MAX_CLASSES = 20  # in the table on the terminal
MAX_NAMED = 8  # classes in a remark
_INTERVAL = re.compile(r"\(95 % [^()]*\)")
_HARD = "\0"  # a blank that no line ends at
NAME_WIDTH = 11  # columns of what a line of the summary is about


def show(
    request: Request,
    outputs: Mapping[str, str],
    warned: Sequence[Mapping[str, Any]],
    seconds: float,
    console: Console,
) -> None:
    """Print the summary and keep it as `index.html` and `summary.json` in the run's folder.

    Args:
        request: what was run.
        outputs: places of its artifacts, by name.
        warned: events of the steps' warnings.
        seconds: that it took.
        console: to print on.
    """
    metrics = sealed.read(Path(outputs["metrics"]), sealed.METRICS)
    decided = Decision.read(Path(outputs["comparison"]))
    content: dict[str, Any] = {
        "seconds": round(seconds, 1),
        "photos": _count(outputs),
        "metrics": metrics,
        "decision": decided.decision,
        "reason": decided.reason,
        "comparison": comparison_figures(decided.comparison) if decided.comparison else None,
        "published": _published(request, decided),
        "warnings": [event["message"] for event in warned],
    }
    notices = gathered(warned)
    description = read_description(Path(outputs["model"]))
    warnings = [*notices.to_check, *notices.facts]
    if silent := _without_edibility(description):
        notices.to_check.append(silent)
    outcome = Outcome(
        request.run_dir.name,
        description,
        content["photos"],
        metrics,
        short(content["published"]) if content["published"] else "",
        decided.reason,
        warnings,
        name=request.arguments["name"],
        photos_answered=run_photos.answered(
            Path(outputs["demo"]), Path(outputs["gallery"]).with_name("predictions")
        ),
        curves=run_pages.curves(Path(outputs["model"]), description),
        doubtful=_doubtful(Path(outputs["facts"])),
        unstated=silent,
        next_steps=tuple(_next_steps(request, content, later=True)),
        unchanged=why_no_changes(decided),
    )
    index = request.run_dir / run_pages.INDEX
    index.write_text(run_pages.index(outcome), encoding="utf-8")
    (request.run_dir / FILE_NAME).write_text(json.dumps(content, indent=2) + "\n")
    tell(request, content, description.facts.subject, notices, console)


def _without_edibility(description: ModelDescription) -> str:
    """A remark where danger is stated of some classes only: the others would look harmless."""
    silent = danger_words.unstated(description.classes, description.facts)
    if description.rendered or not silent:
        return ""
    return (
        f"{len(silent)} of {len(description.classes)} classes have no stated edibility, so no "
        f"answer warns of them: {named(silent, most=MAX_NAMED, longest=40)}; state it in a "
        "species.yaml beside the photos"
    )


def _doubtful(facts: Path) -> int:
    """Photos that are used and that a person should look at, as the review page counts them."""
    content = json.loads((facts / CURATION).read_text(encoding="utf-8"))
    return int(content.get("doubtful", {}).get("photos", 0))


def tell(
    request: Request, content: Mapping[str, Any], subject: str, notices: Notices, console: Console
) -> None:
    """Print the summary: the result, what a person should check, counts, and what to try next.

    Args:
        request: what was run.
        content: of summary.json.
        subject: of the classes.
        notices: what was warned of.
        console: to print on; on a terminal lines are folded between words, else left whole.
    """
    console.print()
    _print_result(request, content, subject, console)
    if notices.to_check:
        console.print()
        _line(console, f"To check ({counted(len(notices.to_check), 'remark')}):", "yellow")
        for line in notices.to_check[:MAX_NOTICES]:
            _line(console, f"  {line}")
        if len(notices.to_check) > MAX_NOTICES:
            _line(console, f"  … and {len(notices.to_check) - MAX_NOTICES} more in the log")
    console.print()
    console.print(_photo_table(content["photos"]))
    for line in notices.facts[:MAX_NOTICES]:
        _line(console, f"  {line}")
    console.print()
    _line(console, "Next:", "bold")
    for command, meaning in _next_steps(request, content):
        _line(console, f"  {command}", end=" \\")
        _line(console, f"      {meaning}", "dim")
    console.print()
    _line(console, f"Open in a browser: {short(request.run_dir / run_pages.INDEX)}")


def _next_steps(
    request: Request, content: Mapping[str, Any], *, later: bool = False
) -> Iterator[tuple[str, str]]:
    few = content["metrics"].get("photos", 0) < FEW_PHOTOS
    return next_steps.steps(request, published=bool(content["published"]), few=few, later=later)


def _count(outputs: Mapping[str, str]) -> dict[str, dict[str, int]]:
    """Photos used, by class and part."""
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for name in ("training", "demo"):
        for photo in Dataset(outputs[name]).photos:
            counts[photo.label][photo.split] += 1
    return {label: {part: counts[label][part] for part in PARTS} for label in sorted(counts)}


def _published(request: Request, decided: Decision) -> str:
    """The place of the published version, empty if the model was held back."""
    if decided.decision != PUBLISH:
        return ""
    root = published.root_of(request.arguments["publish_dir"], request.arguments["name"])
    return f"{root}/{decided.version}"


def _photo_table(counts: Mapping[str, Mapping[str, int]]) -> Table:
    """Photos by class and part; of very many classes the first, and all of them together."""
    table = Table(title="Photos used", title_justify="left", box=None, header_style="dim")
    table.add_column("class", overflow="ellipsis", no_wrap=True)
    for part in PARTS:
        table.add_column(part, justify="right", no_wrap=True)
    for label in list(counts)[:MAX_CLASSES]:
        # Text: a class name in square brackets is no markup.
        table.add_row(Text(label), *(str(counts[label][part]) for part in PARTS))
    if len(counts) > MAX_CLASSES:
        table.add_row(Text(f"… and {len(counts) - MAX_CLASSES} more classes"))
    totals = [str(sum(parts[part] for parts in counts.values())) for part in PARTS]
    table.add_row("together", *totals, style="dim")
    return table


def _print_result(
    request: Request, content: Mapping[str, Any], subject: str, console: Console
) -> None:
    """Print the figures, whether the model was published, and where everything is."""
    metrics = content["metrics"]
    told = plain_text.render(
        __file__,
        {"short": short, "amount": mean_amount},
        sample=request.arguments["source"] == "sample",
        metrics=metrics,
        published=content["published"],
        reason=content["reason"],
        not_stated=danger_words.NOT_STATED if subject == FUNGI else "",
        run=request.run_dir,
        left_out=_has_rows(request.run_dir / REASONS),
        changed=(request.run_dir / "change.html").is_file(),
        reasons=REASONS,
        attribution=ATTRIBUTION,
        seconds=content["seconds"],
    )
    for line in told.removesuffix("\n").split("\n"):
        own = len(line) - len(line.lstrip(" "))
        _line(console, line, indent=" " * (NAME_WIDTH - own))


def _has_rows(path: Path) -> bool:
    """True for a table with more than its header."""
    if not path.is_file():
        return False
    with open(path, encoding="utf-8-sig", newline="") as file:
        return sum(1 for _, _ in zip(csv.reader(file), range(2), strict=False)) > 1


def _line(
    console: Console, text: str, style: str | None = None, *, indent: str = "  ", end: str = ""
) -> None:
    """Print a line; on a terminal in as many as it takes to break no word.

    Args:
        console: to print on.
        text: one line.
        style: of rich.
        indent: what the lines that go on begin with, beside the first one's own blanks.
        end: of each line that another one goes on from.
    """
    if console.is_terminal:
        # An interval stays in one line.
        kept = _INTERVAL.sub(lambda found: found[0].replace(" ", _HARD), text)
        lines = folded(kept, console.width - len(end), indent=indent)
        text = lines.replace(_HARD, " ").replace("\n", f"{end}\n")
    console.print(text, markup=False, soft_wrap=True, style=style)


def short(path: Path | str) -> str:
    """The path as seen from here, if that is shorter; an address in object storage as it is."""
    if isinstance(path, str) and storage.is_uri(path):
        return path
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)
