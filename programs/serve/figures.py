"""How good the model is, for the page: figures of the step evaluate."""

from pathlib import Path

from components.common.base.errors import InputError
from components.common.model.model_place import CROSS_VALIDATED
from components.common.untrusted import sealed
from programs.serve.answer import Measured

SHARES = ("accuracy", "accuracy_low", "accuracy_high")


def read(path: Path, head_sha256: str) -> Measured:
    """Read `metrics.json`.

    Raises:
        InputError: it is missing, no such file, damaged, or of another model than the one with
            this head.
    """
    content = sealed.read(path, sealed.METRICS)
    try:
        accuracy, low, high = (float(content[name]) for name in SHARES)
        photos = int(content.get("photos") or content["held_out_photos"])
        if not (0 <= low <= accuracy <= high <= 1 and photos > 0):
            raise ValueError("its figures make no sense")
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise InputError(f"{path} is not a metrics file of the step evaluate: {error}") from error
    if content.get("head_sha256") != head_sha256:
        raise InputError(f"{path} holds the figures of another model")
    return Measured(
        accuracy=accuracy,
        accuracy_low=low,
        accuracy_high=high,
        photos=photos,
        cross_validated=content.get("basis") == CROSS_VALIDATED,
    )
