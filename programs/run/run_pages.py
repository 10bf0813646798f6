"""The pages in a run's folder: those of the steps, linked to one another, and index.html of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.dataset.reasons import FILE_NAME as REASONS
from components.common.dataset.vocabulary import PARTS
from components.common.model.description import ModelDescription
from components.common.model.model_place import version_of
from components.common.pages import page

INDEX = "index.html"
_REVIEW = "curate*/curation"  # below a run's folder of artifacts; `curate` or `curate-parts`
PAGES = {"report": "Report", "gallery": "Gallery", "curation": "Curation"}  # of steps


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


def index(outcome: Outcome) -> str:
    """index.html: how good the model is, and where everything else of the run is."""
    return page.render(
        __file__,
        outcome=outcome,
        version=version_of(outcome.model),
        photos_used=[
            (label, *(counts[part] for part in PARTS)) for label, counts in outcome.photos.items()
        ],
        parts=PARTS,
        reasons=REASONS,
    )


def keep_review(run_dir: Path) -> Path | None:
    """Put the review page of a run that did not come to its end into its folder.

    Returns:
        The page; None where `curate` had written none.
    """
    pages = sorted((run_dir / "artifacts").glob(f"*/{_REVIEW}"))
    if not pages:
        return None
    page = run_dir / "curation.html"
    page.write_bytes(pages[-1].read_bytes())  # without links: there are no other pages
    return page


def copy(source: Path, run_dir: Path, name: str) -> None:
    """Put a step's page, with its links, into the run's folder."""
    (run_dir / f"{name}.html").write_bytes(linked(source.read_bytes(), name))


def linked(content: bytes, name: str) -> bytes:
    """A page of a step with links to the run's others.

    The step cannot write them: in a cluster's artifact a page is alone. The links do not name the
    run, so that equal runs have equal pages.

    Args:
        content: the page as the step wrote it.
        name: one of `PAGES`.
    """
    titles = {f"{other}.html": title for other, title in PAGES.items()}
    return page.linked(content, {INDEX: "This run", **titles}, f"{name}.html")
