"""The source `sample`: rendered pictures of five species, for whoever has no photos yet."""

import threading
from collections.abc import Iterator
from functools import partial

from components.common.base.errors import InputError
from components.common.base.worker_threads import cores
from components.common.dataset.vocabulary import RENDERED
from components.download.candidate import SAMPLES_PER_CLASS, Candidate, Query
from components.download.sample.render import LABELS as LABELS
from components.download.sample.render import RenderedPhoto, render_class

# More threads than cores would take Python's lock from one another.
_drawing = threading.BoundedSemaphore(cores())


def candidates(query: Query) -> Iterator[Candidate]:
    """Renderings of the class, with planted faults on top of the number asked for."""
    label, options = query.species.label, query.options
    if label not in LABELS:
        raise InputError(
            f"the sample has no class {label!r}: it renders {', '.join(LABELS)}; for other "
            "classes use your own photos (IMAGES=folder)"
        )
    for picture in render_class(label, options.per_class or SAMPLES_PER_CLASS, seed=options.seed):
        yield Candidate(
            url=f"sample:{label}/{picture.name}",
            author="wild-mushrooms (rendered)",
            licence="CC0-1.0",
            flags=(RENDERED,),
            read=partial(_drawn, picture),
        )


def _drawn(picture: RenderedPhoto) -> bytes:
    with _drawing:
        return picture.render()
