"""Options of `mushrooms models`: which version is meant, and which may go."""

from dataclasses import dataclass
from datetime import timedelta

from components.common.base.errors import InputError
from components.common.base.options import Options, option

UNITS = {"h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True)
class RollbackOptions(Options):
    """Which version is served again."""

    to: str = option(
        "",
        "the version, or how its name begins (default: the one that was published before the one "
        "that is served)",
        pattern="[A-Za-z0-9]*",
        form="letters and digits",
    )
    dry_run: bool = option(False, "change nothing, only say what would be done")


@dataclass(frozen=True)
class PruneOptions(Options):
    """Which versions may go: those that every rule lets go; never the one that is served."""

    keep: int = option(0, "so many stay, the newest; 0: this is no rule", minimum=0)
    older_than: str = option(
        "",
        "those stay that were published within this time, such as 90d, 12w or 36h",
        pattern=r"([0-9]{1,5}[hdw])?",
        form="a number with h, d or w: hours, days or weeks",
    )
    dry_run: bool = option(False, "remove nothing, only say what would be removed")

    def check(self) -> None:
        """Raise `InputError` where an option is out of its bounds, or no rule is given."""
        super().check()
        if not self.keep and not self.older_than:
            raise InputError("no rule says what may go: give --keep, --older_than or both")

    @property
    def age(self) -> timedelta | None:
        """Of `older_than`; None without that rule."""
        if not self.older_than:
            return None
        return timedelta(**{UNITS[self.older_than[-1]]: int(self.older_than[:-1])})
