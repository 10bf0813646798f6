"""The page: a photo in, an answer out. One HTML file from our own origin, and nothing else."""

from functools import partial

from components.common.dataset.dangers import NAMED_FROM
from components.common.model.description import ModelDescription
from components.common.pages import danger_words, page
from programs.serve import upload
from programs.serve.answer import Measured
from programs.serve.options import Limits
from programs.serve.saving import Keeps

MAX_NAMED = 40  # classes that are named on the page


MOST_PHOTOS = 20  # at a time: a phone holds their pictures in memory
SCRIPTS = ("page_parts.js", "page_labels.js")  # before page.js


def render(
    description: ModelDescription,
    limits: Limits,
    measured: Measured | None = None,
    keeps: Keeps | None = None,
) -> str:
    """The page as HTML.

    Args:
        description: of the model that answers.
        limits: of a photo; files that are larger are not sent.
        measured: how good it is, where that is known.
        keeps: how long labelled photos are kept; None where none are.
    """
    return page.render(
        __file__,
        script=True,
        more_scripts=SCRIPTS,
        connect="'self'",
        model=description,
        limits=limits,
        megabytes=f"{limits.upload_bytes / 1024**2:.3g}",
        timeout_s=round(limits.upload_s + limits.answer_s + 5),
        kinds=upload.KINDS,
        learned_from=sum((description.learned or description.photos.get("training", {})).values()),
        most_named=MAX_NAMED,
        measured=measured,
        keeps=keeps,
        most_photos=MOST_PHOTOS,
        with_danger=partial(danger_words.with_danger, facts=description.facts),
        unstated=danger_words.unstated(description.classes, description.facts),
        named_from=NAMED_FROM,
    )


def policy(html: str) -> str:
    """The Content-Security-Policy for the page's header: its own, and that nobody frames it."""
    return f"{page.policy(html)}; frame-ancestors 'none'"
