"""label.html: the chosen photos, for a person to say what each of them shows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from components.common.pages import page
from components.common.photos import images, thumbnails
from components.common.photos.images import BadPhoto
from programs.select.answers import Answers

if TYPE_CHECKING:
    from programs.select.selection import Selection

THUMBNAIL_SIDE = 400  # pixels: more than on the review page, since nobody has seen these photos
MAX_THUMBNAIL_BYTES = 8_000_000  # of all together; 50 photos have 1 to 2 MB


def render(selection: "Selection", contents: Sequence[bytes]) -> str:
    """The page.

    Args:
        selection: what was chosen.
        contents: the photos, in the same order.
    """
    small = thumbnails.fit(list(map(_thumbnail, contents)), MAX_THUMBNAIL_BYTES)
    return page.render(
        __file__,
        script=True,
        selection=selection,
        facts=selection.facts,
        cards=list(zip(selection.photos, small, strict=True)),
        labels=list(selection.classes),
        earlier=Answers().to_json(),
    )


def _thumbnail(data: bytes) -> bytes:
    try:
        return images.thumbnail(data, THUMBNAIL_SIDE)
    except BadPhoto:
        return b""
