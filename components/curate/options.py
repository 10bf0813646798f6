"""Options of the step `curate`: how many photos of a class are used, and in which parts."""

from dataclasses import dataclass

from components.common.base.errors import InputError
from components.common.base.options import Options, option
from components.common.dataset.class_facts import subject_option
from components.common.dataset.decisions import decisions_option


@dataclass(frozen=True)
class Division(Options):
    """How many photos to select per class, and how to divide those for retraining."""

    train_per_class: int = option(200, "photos per class for retraining", minimum=3)
    demo_per_class: int = option(50, "photos per class set aside for the demo", minimum=0)
    validation_percentage: int = option(
        10, "percentage of the photos for retraining used for validation", minimum=0, below=100
    )
    testing_percentage: int = option(
        10, "percentage of the photos for retraining used for testing", minimum=0, below=100
    )

    def check(self) -> None:
        """Raise `InputError` where a number makes no sense, or nothing is left to train on."""
        super().check()
        if self.validation_percentage + self.testing_percentage >= 100:
            raise InputError(
                "expected --validation_percentage and --testing_percentage that leave photos to "
                f"train on, received {self.validation_percentage} and {self.testing_percentage}"
            )


@dataclass(frozen=True)
class CurateOptions(Division):
    """The division, and what earlier runs and a person have decided."""

    earlier_ledger: str = option(
        "",
        "ledger of an earlier run (its folder ledger/): its photos keep their parts; a path, "
        "gs://… or s3://…; empty for none",
        place="read",
    )
    decisions: str = decisions_option()
    subject: str = subject_option()
