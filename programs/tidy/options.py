"""Options of `mushrooms tidy`: what may go."""

from dataclasses import dataclass
from datetime import timedelta

from components.common.base.options import Options, option
from programs.models.options import UNITS


@dataclass(frozen=True)
class TidyOptions(Options):
    """What may go: what both rules let go, and nothing depends on."""

    older_than: str = option(
        "30d",
        "what was changed or used within this time stays, such as 90d, 12w or 36h",
        pattern=r"[0-9]{1,5}[hdw]",
        form="a number with h, d or w: hours, days or weeks",
    )
    keep: int = option(0, "so many stay of each kind, the newest; 0: this is no rule", minimum=0)
    yes: bool = option(False, "delete; without it nothing is changed, only said")
    rule: bool = option(
        False,
        "only print the lifecycle rule of a bucket that would delete what is old (for a pipeline "
        "root of Kubeflow)",
    )

    @property
    def age(self) -> timedelta:
        """Of `older_than`."""
        return timedelta(**{UNITS[self.older_than[-1]]: int(self.older_than[:-1])})
