"""LICENSE.md: under which terms the photos, the pretrained weights and the program are.

The Hub's front matter can name no other file for a licence that is not one of its list.
"""

from collections.abc import Sequence

from components.common.dataset.attribution import FILE_NAME as ATTRIBUTION
from components.common.model import layout
from components.common.pages import plain_text

FILE_NAME = "LICENSE.md"


def render(
    licences: Sequence[tuple[str, int]], *, photos: int, non_commercial: int, weights: str
) -> str:
    """The file.

    Args:
        licences: of the photos, as Markdown, with how many photos are under each.
        photos: number of photos that the model was made of.
        non_commercial: how many of them may be used for non-commercial purposes only.
        weights: licence of the pretrained weights, as Markdown; empty where it is not known.
    """
    return plain_text.render(
        __file__,
        attribution=ATTRIBUTION,
        references=layout.REFERENCES,
        licences=licences,
        photos=photos,
        non_commercial=non_commercial,
        weights=weights,
    )
