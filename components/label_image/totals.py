"""What a labelled bucket holds, on one page in Markdown, as Kubeflow shows it."""

from components.common.base.wording import as_text
from components.common.pages import plain_text
from components.label_image.job import Job
from components.label_image.parts import Counts

MOST_CLASSES = 100  # rows of the table


def render(job: Job, place: str, counts: Counts) -> str:
    """The page.

    Args:
        job: what was labelled.
        place: of the answers.
        counts: of all parts together.
    """
    return plain_text.render(
        __file__,
        {"inline": plain_text.inline},
        job=job,
        photos=as_text(job.photos),
        place=as_text(place),
        counts=counts,
        classes=counts.classes.most_common(MOST_CLASSES),
        more=max(0, len(counts.classes) - MOST_CLASSES),
    )
