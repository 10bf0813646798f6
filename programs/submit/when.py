"""When a schedule is due: a cron line as everybody writes it, or an interval."""

import re
from dataclasses import dataclass
from typing import Any

from components.common.base.errors import InputError
from components.common.base.wording import counted

LIST, PAUSE, RESUME, DELETE = ACTIONS = ("list", "pause", "resume", "delete")
_UNITS = {"m": ("minute", 60), "h": ("hour", 3600), "d": ("day", 86400), "w": ("week", 604800)}
_INTERVAL = re.compile(r"([1-9]\d{0,4})([mhdw])")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# Minute, hour, day of the month, month, day of the week (0 is Sunday): least, most, and names.
_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 6, _DAYS),
)
FORM = (
    "a cron line such as '0 3 * * 0' (minute, hour, day, month, day of the week), an interval such "
    f"as 30m, 12h, 1d or 2w, or {', '.join(ACTIONS[:-1])} or {ACTIONS[-1]}"
)


@dataclass(frozen=True)
class When:
    """A cron line of five fields, or seconds between two runs.

    Attributes:
        text: as it was given.
        cron: the line; empty for an interval.
        every_s: seconds; 0 for a cron line.
    """

    text: str
    cron: str = ""
    every_s: int = 0

    @classmethod
    def parse(cls, text: str) -> "When":
        """What `--schedule` says.

        Raises:
            InputError: it is no cron line of five fields, and no interval.
        """
        plain = " ".join(text.split())
        if found := _INTERVAL.fullmatch(plain):
            return cls(plain, every_s=int(found[1]) * _UNITS[found[2]][1])
        fields = plain.lower().split(" ")
        if len(fields) != len(_FIELDS):
            raise InputError(f"--schedule is {text!r}: expected {FORM}")
        for (name, least, most, words), field in zip(_FIELDS, fields, strict=True):
            if not all(_is_part(part, least, most, words) for part in field.split(",")):
                raise InputError(
                    f"--schedule is {text!r}: the {name} is {field!r}, expected {least} to {most}, "
                    f"*, a range such as {least}-{least + 1} or a step such as */2"
                )
        return cls(plain, cron=" ".join(fields))

    def trigger(self) -> Any:
        """As KFP's API takes it; its cron lines begin with seconds."""
        from kfp_server_api import V2beta1CronSchedule, V2beta1PeriodicSchedule, V2beta1Trigger

        if self.cron:
            return V2beta1Trigger(cron_schedule=V2beta1CronSchedule(cron=f"0 {self.cron}"))
        # An int64, which JSON has as a text.
        every = V2beta1PeriodicSchedule(interval_second=str(self.every_s))
        return V2beta1Trigger(periodic_schedule=every)

    def in_words(self) -> str:
        """For people."""
        return f"cron {self.cron}" if self.cron else f"every {_interval(self.every_s)}"


def of_trigger(trigger: Any) -> str:
    """When a schedule that KFP tells of is due, in words."""
    if trigger and trigger.cron_schedule:
        seconds, _, cron = str(trigger.cron_schedule.cron).partition(" ")
        return f"cron {cron}" if seconds == "0" else f"cron with seconds {seconds} {cron}"
    if trigger and trigger.periodic_schedule:
        return f"every {_interval(int(trigger.periodic_schedule.interval_second))}"
    return "never"


def _interval(seconds: int) -> str:
    fitting = [entry for entry in _UNITS.values() if seconds % entry[1] == 0]
    name, size = fitting[-1] if fitting else ("second", 1)
    return name if seconds == size else counted(seconds // size, name)


def _is_part(text: str, least: int, most: int, words: tuple[str, ...]) -> bool:
    found = re.fullmatch(r"(?:\*|(\w+)(?:-(\w+))?)(?:/([1-9]\d?))?", text)
    if not found:
        return False
    ends = [_number(end, least, words) for end in found.groups()[:2] if end is not None]
    return all(least <= end <= most for end in ends) and ends == sorted(ends)


def _number(text: str, least: int, words: tuple[str, ...]) -> int:
    if text in words:
        return words.index(text) + least
    return int(text) if text.isdecimal() and len(text) < 3 else -1
