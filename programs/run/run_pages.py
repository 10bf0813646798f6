"""The pages in a run's folder: those of the steps, linked to one another, and index.html of all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.common.base.errors import InputError
from components.common.base.shares import Share
from components.common.base.wording import named
from components.common.dataset.reasons import FILE_NAME as REASONS
from components.common.dataset.vocabulary import DEMO, PARTS, TEST
from components.common.model.description import ModelDescription
from components.common.model.model_place import CROSS_VALIDATED, version_of
from components.common.pages import page, training_curves
from components.common.pages.training_curves import Phase
from components.common.untrusted import sealed
from components.evaluate.evaluation import HELD_OUT
from programs.run.run_photos import Answered

INDEX = "index.html"
TITLE_CLASSES, MAX_LABEL = 3, 60  # classes in the title, and characters of each
_REVIEW = "curate*/curation"  # below a run's folder of artifacts; `curate` or `curate-parts`
PAGES = {"report": "Report", "gallery": "Gallery", "curation": "Curation"}  # of steps
CHANGE = {"change": "What changed"}  # of `publish`, where a model was published before


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
        name: what the model is published as.
        photos_answered: a few demo photos with the model's answers.
        curves: of the training.
        doubtful: photos that are used, and that a person should look at.
        unstated: a remark on classes of which no danger is stated, where one is of others.
        next_steps: commands to try, and what each is for.
        unchanged: why there is no page of what has changed; empty where there is.
    """

    run: str
    model: ModelDescription
    photos: Mapping[str, Mapping[str, int]]
    metrics: Mapping[str, Any]
    published: str
    reason: str
    warnings: Sequence[str]
    name: str = ""
    photos_answered: Sequence[Answered] = ()
    curves: Sequence[Phase] = ()
    doubtful: int = 0
    unstated: str = ""
    next_steps: Sequence[tuple[str, str]] = ()
    unchanged: str = ""


@dataclass(frozen=True)
class Part:
    """What was measured on some of the photos."""

    name: str
    right: Share


def index(outcome: Outcome) -> str:
    """index.html: how good the model is, and where everything else of the run is."""
    metrics, classes = outcome.metrics, outcome.model.classes
    basis = metrics.get("basis", HELD_OUT)
    measured = {name: _share(metrics, name) for name in (basis, TEST, DEMO)}
    return page.render(
        __file__,
        outcome=outcome,
        version=version_of(outcome.model),
        title=named(classes, most=TITLE_CLASSES, longest=MAX_LABEL),
        accuracy=measured[basis],
        parts=[Part(name, share) for name, share in measured.items() if name != basis and share],
        by_recipe=basis == CROSS_VALIDATED,
        doubtful=outcome.doubtful,
        photos_used=[
            (label, *(counts[part] for part in PARTS)) for label, counts in outcome.photos.items()
        ],
        of_demo=sum(counts[DEMO] for counts in outcome.photos.values()),
        names=PARTS,
        reasons=REASONS,
    )


def _share(metrics: Mapping[str, Any], part: str) -> Share | None:
    """The accuracy of a part; None where none of its photos were measured on."""
    key = part.replace(" ", "_").replace("-", "_")
    photos = metrics.get(f"{key}_photos")
    if not photos:
        return None
    value, low, high = (metrics[f"{key}_accuracy{end}"] for end in ("", "_low", "_high"))
    return Share(value * photos, photos, low, high, photos)


def curves(model: Path, description: ModelDescription) -> tuple[Phase, ...]:
    """The training's curves that a model holds; empty where it has none.

    Raises:
        InputError: the file is damaged or holds what no training writes.
    """
    if sealed.CURVES_FILE not in description.files:
        return ()
    path = description.check_file(model, sealed.CURVES_FILE)
    try:
        return tuple(training_curves.phases(sealed.read(path, sealed.CURVES)))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} was not written by a training: {error}") from error


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


def copy(places: Mapping[str, str], run_dir: Path, *, changed: bool) -> None:
    """Put the steps' pages, with their links, into the run's folder.

    Args:
        places: of the run's artifacts, by name.
        run_dir: the run's folder.
        changed: whether there is a page of what has changed.
    """
    pages = PAGES | (CHANGE if changed else {})
    for name in pages:
        content = linked(Path(places[name]).read_bytes(), name, pages)
        (run_dir / f"{name}.html").write_bytes(content)


def linked(content: bytes, name: str, pages: Mapping[str, str] = PAGES) -> bytes:
    """A page of a step with links to the run's others.

    The step cannot write them: in a cluster's artifact a page is alone. The links do not name the
    run, so that equal runs have equal pages.

    Args:
        content: the page as the step wrote it.
        name: one of `pages`.
        pages: titles of the run's pages, by name.
    """
    titles = {f"{other}.html": title for other, title in pages.items()}
    return page.linked(content, {INDEX: "This run", **titles}, f"{name}.html")
