"""The pages in a run's folder: those of the steps, linked to one another, and index.html of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.dataset.reasons import FILE_NAME as REASONS
from components.common.dataset.vocabulary import PARTS
from components.common.model.description import ModelDescription
from components.common.model.model_place import version_of
from components.common.pages import report
from components.common.pages.report import class_name, escape, percent

INDEX = "index.html"
# Pages of steps, by the name of the artifact: what they are called, and what they answer.
PAGES = {
    "report": ("Report", "How good is the model? Which classes does it mix up?"),
    "gallery": ("Gallery", "What does it say of each demo photo, and why?"),
    "curation": ("Curation", "Which photos are used, which are not, and why?"),
}
FILES = {
    "model/": "the model, in every form",
    "logs/": "the training's curves, for TensorBoard",
    REASONS: "which photos were left out, and why, for a spreadsheet",
    "training/ATTRIBUTION.md": "whose photos it learned from",
    "summary.json": "the figures of this page, for programs",
    "log.txt": "what the steps said",
}
CSS = """
.pages { grid-template-columns: repeat(auto-fit, minmax(min(15rem, 100%), 1fr)); }
.pages .card { flex-direction: column; gap: .2rem; padding: 1.1rem 1.25rem; font-size: 1rem; }
.pages a { font-size: 1.2rem; font-weight: 600; }
"""


@dataclass(frozen=True)
class Outcome:
    """What index.html tells of a run.

    Attributes:
        run: its name, that of its folder.
        model: the model that it trained.
        photos: photos used, by class and part.
        metrics: what evaluate measured.
        published: where the model was published; empty where it was held back.
        reason: why it was, or was not.
        warnings: of all steps.
    """

    run: str
    model: ModelDescription
    photos: Mapping[str, Mapping[str, int]]
    metrics: Mapping[str, Any]
    published: str
    reason: str
    warnings: Sequence[str]


def linked(page: bytes, name: str) -> bytes:
    """A page of a step with links to the run's others.

    The step cannot write them: in a cluster's artifact a page is alone. The links do not name the
    run, so that equal runs have equal pages.

    Args:
        page: the page as the step wrote it.
        name: one of `PAGES`.
    """
    links = [f'<a href="{INDEX}">This run</a>']
    for other, (title, _) in PAGES.items():
        links.append(
            f'<b aria-current="page">{title}</b>'
            if other == name
            else f'<a href="{other}.html">{title}</a>'
        )
    bar = f'<nav class="run" aria-label="Pages of this run">{" ".join(links)}</nav>'
    return page.replace(b"<body>\n", b"<body>\n" + bar.encode() + b"\n", 1)


def index(outcome: Outcome) -> str:
    """index.html: how good the model is, and where everything else of the run is."""
    model = outcome.model
    body = "\n".join(
        [
            report.notices(rendered=model.rendered),
            _headline(outcome),
            _links(),
            _photos(outcome.photos),
            _warnings(outcome.warnings),
            "<h2>Files</h2>",
            f"<ul>{''.join(_file(name, meaning) for name, meaning in FILES.items())}</ul>",
        ]
    )
    subtitle = f"{model.architecture}, {len(model.classes)} classes."
    return report.page(
        f"Run {outcome.run}",
        subtitle,
        body,
        css=CSS,
        identity=report.identity(version_of(model), model.manifest_sha256),
    )


def _headline(outcome: Outcome) -> str:
    metrics = outcome.metrics
    photos = metrics["held_out_photos"]
    sentence = "No held-out photos were measured."
    if photos:
        accuracy, low, high = (metrics[f"held_out_accuracy{end}"] for end in ("", "_low", "_high"))
        sentence = (
            f"<strong>{round(accuracy * photos)} of {photos} held-out photos right: "
            f'{percent(accuracy)}</strong>, <span class="whole">95 % interval {percent(low)} to '
            f"{percent(high)}</span>"
        )
    place = f"published at {escape(outcome.published)}" if outcome.published else "held back"
    return f"""<section class="panel hero" aria-label="Accuracy">
<p>{sentence}</p>
<p class="scale">The model was {place}: {escape(outcome.reason)}.</p>
</section>"""


def _links() -> str:
    cards = "".join(
        f'<li class="card"><a href="{name}.html">{title}</a><span>{meaning}</span></li>'
        for name, (title, meaning) in PAGES.items()
    )
    return f'<ul class="cards pages">{cards}</ul>'


def _photos(photos: Mapping[str, Mapping[str, int]]) -> str:
    rows = [
        (class_name(label), *(str(parts[part]) for part in PARTS))
        for label, parts in photos.items()
    ]
    caption = "Photos of each class by what they are used for"
    return f"<h2>Photos used</h2>{report.table(caption, ('Class', *PARTS), rows, css='four')}"


def _warnings(warnings: Sequence[str]) -> str:
    if not warnings:
        return ""
    said = "".join(f"<li>{class_name(warning)}</li>" for warning in warnings)
    return f"<h2>Warnings <small>{len(warnings)}</small></h2><ul>{said}</ul>"


def _file(name: str, meaning: str) -> str:
    return f'<li><a href="{name}">{name}</a>: {meaning}</li>'


def copy(source: Path, run_dir: Path, name: str) -> None:
    """Put a step's page, with its links, into the run's folder."""
    (run_dir / f"{name}.html").write_bytes(linked(source.read_bytes(), name))
