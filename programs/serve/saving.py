"""Who may leave a labelled photo, and what is kept of it."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request

from components.common.base.errors import DiskFull, InputError
from components.common.base.step import log
from components.common.model.description import ModelDescription
from components.common.photos import images
from components.common.photos.images import BadPhoto
from programs.serve import upload
from programs.serve.answer import Answer, Kept
from programs.serve.corrections import PER_MINUTE, Corrections, TooMany
from programs.serve.origin import is_own_page
from programs.serve.upload import Refused

PRUNE_S = 3600.0


@dataclass(frozen=True)
class Keeps:
    """How long labelled photos are kept, for the page."""

    most: int
    days: float


class Keeper(Protocol):
    """What is needed of the service."""

    description: ModelDescription
    corrections: Corrections | None


def kept_for(corrections: Corrections | None) -> Keeps | None:
    """How long photos are kept; None where none are."""
    return Keeps(corrections.most, corrections.days) if corrections else None


def check(
    request: Request, keeper: Keeper, said: str | None, *, consent: bool, hosts: Collection[str]
) -> None:
    """See to it that a photo may be kept, before it is read.

    Args:
        request: that brings it.
        keeper: with the model's classes.
        said: the class that the visitor names; None to remove the photo.
        consent: whether the visitor agrees.
        hosts: names that the service goes by.

    Raises:
        Refused: another site asks, nobody agreed, there is no such class, or there were too many.
    """
    if not is_own_page(request, hosts):
        raise Refused(403, "other_site", "Photos are kept only from this service's own page.")
    if said is not None and not consent:
        raise Refused(403, "no_consent", "A photo is kept only if whoever sends it agrees.")
    if said is not None and said not in keeper.description.classes:
        raise Refused(422, "no_such_class", "The model has no class of that name.")
    assert keeper.corrections is not None
    try:
        keeper.corrections.admit()
    except TooMany:
        raise Refused(
            429,
            "too_many",
            f"At most {PER_MINUTE} labelled photos are taken in one minute: try again in a minute.",
        ) from None


def keep(corrections: Corrections | None, sent: bytes, said: str | None, found: Answer) -> Kept:
    """Keep a photo under what was said of it, or remove it.

    Args:
        corrections: where.
        sent: the photo as it was sent.
        said: one of the model's classes; None to remove it.
        found: the model's answer.

    Raises:
        Refused: it is too damaged or small to learn from, or the disk is full.
    """
    assert corrections is not None
    try:
        photo = images.to_clean_jpeg(sent).data
    except BadPhoto as bad:
        if bad.reason == "too_few_pixels":
            message = "The photo is too small to learn from: it was not kept."
            raise Refused(400, bad.reason, message) from bad
        raise upload.refused_photo(bad) from bad
    try:
        if said is None:
            corrections.forget(photo)
        else:
            corrections.keep(
                photo,
                said,
                answered=found.predicted,
                probability=round(found.probabilities[0].probability, 6),
                learned_from=found.learned_from,
                head_sha256=found.model.head_sha256,
                version=found.model.version,
            )
    except DiskFull as error:
        log.error(str(error))
        message = "There is no room left on the service's disk: the photo was not kept."
        raise Refused(507, "disk_full", message) from error
    except (InputError, OSError) as error:
        log.error(f"a labelled photo was not kept: {error}")
        message = "The photo could not be kept. Whoever runs this service finds why in its log."
        raise Refused(500, "not_kept", message) from error
    return Kept(kept=said is not None, predicted=found.predicted)


async def prune_hourly(corrections: Corrections | None) -> None:
    """Remove photos when their time has come, also while nobody comes."""
    while corrections is not None:
        await asyncio.sleep(PRUNE_S)
        try:
            await asyncio.to_thread(corrections.prune)
        except Exception as error:  # the service goes on; the next hour tries again
            log.error(f"old labelled photos could not be removed: {error}")
