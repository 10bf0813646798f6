"""Counts of a model's answers: of the demo photos, and of any batch that is compared with them.

They are numbers only: how familiar the photos looked, in hundredths, and how many were taken for
each class. `evaluate` puts those of the demo photos into metrics.json, which goes wherever the
model is published; `label_image` keeps those of a batch beside its answers.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from components.common.base.errors import InputError

FIELD = "demo_answers"  # of metrics.json
VERSION = 1
STEPS = 101  # familiarity is told in hundredths, 0 to 100
MAX_CLASSES = 100_000
# Of a batch: numpy shuffles fewer than 10**9 photos, those of two batches together.
MAX_PHOTOS = 400_000_000


@dataclass
class AnswerCounts:
    """Answers to photos that the model did not learn from, counted.

    Attributes:
        familiarity: photos by the share of known photos that look stranger, of 0, 0.01, … 1.
        classes: photos by the class that they were taken for.
        none: photos that were taken for none of the classes.
        unjudged: photos of whose familiarity nothing is known: the model has no rule for it.
    """

    familiarity: list[int] = field(default_factory=lambda: [0] * STEPS)
    classes: Counter[str] = field(default_factory=Counter)
    none: int = 0
    unjudged: int = 0

    def add(self, predicted: str | None, familiarity: float | None) -> None:
        """Count one answer.

        Args:
            predicted: the likeliest class; None for none of them.
            familiarity: 0 to 1; None where it is not known.
        """
        if familiarity is None:
            self.unjudged += 1
        else:
            self.familiarity[round(100 * familiarity)] += 1
        if predicted is None:
            self.none += 1
        else:
            self.classes[predicted] += 1

    def join(self, other: "AnswerCounts") -> None:
        """Add those of another part."""
        pairs = zip(self.familiarity, other.familiarity, strict=True)
        self.familiarity = [one + two for one, two in pairs]
        self.classes += other.classes
        self.none += other.none
        self.unjudged += other.unjudged

    @property
    def photos(self) -> int:
        """How many answers there are."""
        return self.none + self.classes.total()

    def check(self, name: str) -> None:
        """Raise `InputError` where there are more photos than can be compared.

        Args:
            name: of the file or place, for the message.
        """
        if self.photos > MAX_PHOTOS:
            raise InputError(
                f"{name} has answers to {self.photos:,} photos; at most {MAX_PHOTOS:,} can be "
                "compared: name a smaller batch"
            )

    def to_json(self) -> dict[str, Any]:
        """The fields of a file."""
        return {
            "version": VERSION,
            "familiarity": self.familiarity,
            "classes": dict(self.classes.most_common()),
            "none_of_these": self.none,
            "unjudged": self.unjudged,
        }

    @classmethod
    def parse(
        cls, content: object, name: str, again: str = "label again with this version"
    ) -> "AnswerCounts":
        """What `to_json` gave.

        Args:
            content: of the file.
            name: of the file, for messages.
            again: what to do about counts of another version.

        Raises:
            InputError: it is damaged, of a version that is not read, or of more photos than can be
                compared.
        """
        version = content.get("version") if isinstance(content, Mapping) else VERSION
        if type(version) is not int or version != VERSION:
            newer = "a newer version of this program wrote them: use that version, or "
            raise InputError(
                f"{name} has counts of answers of version {version!r:.20}; this program reads "
                f"{VERSION}: {newer if type(version) is int and version > VERSION else ''}{again}"
            )
        try:
            classes = content["classes"]  # type: ignore[index]
            if len(classes) > MAX_CLASSES:
                raise ValueError("too many classes")
            found = cls(
                [_count(one) for one in content["familiarity"]],  # type: ignore[index]
                Counter({str(label): _count(one) for label, one in classes.items()}),
                _count(content["none_of_these"]),  # type: ignore[index]
                _count(content["unjudged"]),  # type: ignore[index]
            )
            if len(found.familiarity) != STEPS:
                raise ValueError(f"familiarity has {len(found.familiarity)} steps, not {STEPS}")
            if sum(found.familiarity) + found.unjudged != found.photos:
                raise ValueError("its counts do not belong together")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{name} has damaged counts of answers: {error}") from error
        found.check(name)
        return found


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < 10**12:
        raise ValueError(f"{value!r:.40} is no count")
    return value
