"""How good the model is, for the page: figures of the step evaluate."""

from dataclasses import dataclass
from pathlib import Path

from components.common.base.errors import InputError
from components.common.model.model_place import METRICS_KIND
from components.common.untrusted import sealed


@dataclass(frozen=True)
class Figures:
    """Accuracy on photos that the model never saw.

    Attributes:
        accuracy: share of right answers, 0 to 1.
        low: lower end of its 95 % interval.
        high: upper end.
        photos: how many it was measured on.
    """

    accuracy: float
    low: float
    high: float
    photos: int


def read(path: Path, head_sha256: str) -> Figures:
    """Read `metrics.json`.

    Raises:
        InputError: it is missing, no such file, damaged, or of another model than the one with
            this head.
    """
    content = sealed.read(path, METRICS_KIND)
    try:
        names = ("accuracy", "accuracy_low", "accuracy_high")
        accuracy, low, high = (float(content[name]) for name in names)
        photos = int(content["held_out_photos"])
        if not (0 <= low <= accuracy <= high <= 1 and photos > 0):
            raise ValueError("its figures make no sense")
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise InputError(f"{path} is no metrics file of the step evaluate: {error}") from error
    if content.get("head_sha256") != head_sha256:
        raise InputError(f"the figures in {path} are of another model")
    return Figures(accuracy, low, high, photos)
