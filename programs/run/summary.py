"""The end of a run: what came out, how good it is, where to look, and what to try next."""

import collections
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.common.base.wording import amount, counted
from components.common.dataset.attribution import FILE_NAME as ATTRIBUTION
from components.common.dataset.class_facts import FUNGI, ClassFacts
from components.common.dataset.dataset import Dataset
from components.common.dataset.reasons import FILE_NAME as REASONS
from components.common.dataset.vocabulary import PARTS
from components.common.model.description import read_description
from components.common.model.model_place import METRICS_KIND
from components.common.pages import danger_words, plain_text
from components.common.store import storage
from components.common.untrusted import sealed
from components.publish import places
from components.publish.decision import PUBLISH, Decision, comparison_figures
from programs.run import run_pages
from programs.run.options import Request
from programs.run.run_pages import Outcome

MAX_WARNINGS = 12


def show(
    request: Request,
    outputs: Mapping[str, str],
    warnings: Sequence[str],
    seconds: float,
    console: Console,
) -> None:
    """Print the summary and keep it as `index.html` and `summary.json` in the run's folder."""
    metrics = sealed.read(Path(outputs["metrics"]), METRICS_KIND)
    counts = _count(outputs)
    decided = Decision.read(Path(outputs["comparison"]))
    published = _published(request, decided)
    content = {
        "seconds": round(seconds, 1),
        "photos": counts,
        "metrics": metrics,
        "decision": decided.decision,
        "reason": decided.reason,
        "comparison": comparison_figures(decided.comparison) if decided.comparison else None,
        "published": published,
        "warnings": list(warnings),
    }
    description = read_description(Path(outputs["model"]))
    outcome = Outcome(
        request.run_dir.name,
        description,
        counts,
        metrics,
        _short(published) if published else "",
        decided.reason,
        warnings,
    )
    index = request.run_dir / run_pages.INDEX
    index.write_text(run_pages.index(outcome), encoding="utf-8")
    (request.run_dir / "summary.json").write_text(json.dumps(content, indent=2) + "\n")
    console.print()
    console.print(_photo_table(counts))
    _print_warnings(warnings, console)
    _tell(request, metrics, description.facts, decided, published, seconds, console)


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
    root = places.root_of(request.arguments["publish_dir"], request.arguments["name"])
    return f"{root}/{decided.version}"


def _photo_table(counts: Mapping[str, Mapping[str, int]]) -> Table:
    table = Table(title="Photos used", title_justify="left", box=None, header_style="dim")
    table.add_column("class")
    for part in PARTS:
        table.add_column(part, justify="right")
    for label, parts in counts.items():
        # Text: a class name in square brackets is no markup.
        table.add_row(Text(label), *(str(parts[part]) for part in PARTS))
    return table


def _print_warnings(warnings: Sequence[str], console: Console) -> None:
    if not warnings:
        return
    console.print()
    console.print(f"{counted(len(warnings), 'warning')}:", style="yellow")
    for warning in warnings[:MAX_WARNINGS]:
        console.print(f"  {warning}", markup=False, soft_wrap=True)
    if len(warnings) > MAX_WARNINGS:
        console.print(f"  … and {len(warnings) - MAX_WARNINGS} more in the log", markup=False)
    console.print()


def _tell(
    request: Request,
    metrics: Mapping[str, Any],
    facts: ClassFacts,
    decided: Decision,
    published: str,
    seconds: float,
    console: Console,
) -> None:
    """Print the figures, where everything is, and what to try next."""
    told = plain_text.render(
        __file__,
        {"short": _short, "quoted": shlex.quote, "amount": amount},
        sample=request.arguments["source"] == "sample",
        metrics=metrics,
        published=published,
        reason=decided.reason,
        not_stated=danger_words.NOT_STATED if facts.subject == FUNGI else "",
        run=request.run_dir,
        reasons=REASONS,
        attribution=ATTRIBUTION,
        index=run_pages.INDEX,
        seconds=seconds,
    )
    for line in told.removesuffix("\n").split("\n"):
        style = "bold" if line == "Next:" else "dim" if line.startswith("      ") else None
        console.print(line, markup=False, soft_wrap=True, style=style)


def _short(path: Path | str) -> str:
    """The path as seen from here, if that is shorter; an address in object storage as it is."""
    if isinstance(path, str) and storage.is_uri(path):
        return path
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)
