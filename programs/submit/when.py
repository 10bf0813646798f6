"""When a schedule is due: a cron line as everybody writes it, or an interval."""

import re
from dataclasses import dataclass
from typing import Any

from components.common.base.errors import InputError
from components.common.base.wording import counted

LIST, PAUSE, RESUME, DELETE = ACTIONS = ("list", "pause", "resume", "delete")
_UNITS = {"m": ("minute", 60), "h": ("hour", 3600), "d": ("day", 86400), "w": ("week", 604800)}
_INTERVAL = re.compile(r"([1-9]\d{0,4})([mhdw])", re.ASCII)
_PART = re.compile(r"(?:(\*)|(\w+)(?:-(\w+))?)(?:/([1-9]\d?))?", re.ASCII)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
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
            InputError: it is no cron line of five fields and no interval, or it is never due.
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
        if not _comes(*fields[2:]):
            raise InputError(
                f"--schedule is {text!r}: it is never due, because none of its months has such a "
                "day; expected a day of the month that there is, such as 1 to 28"
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


def _comes(days: str, months: str, weekdays: str) -> bool:
    """Whether any month has one of the days; where weekdays are named too, either is enough.

    KFP's scheduler (robfig/cron) takes * for the weekday, also */2, as none that is named.
    """
    if not any(part.startswith("*") for part in weekdays.split(",")):
        return True
    first = min(day for part in days.split(",") for day in _values(part, 1, 31, ()))
    named = {month for part in months.split(",") for month in _values(part, 1, 12, _MONTHS)}
    return any(first <= _MONTH_DAYS[month - 1] for month in named)


def _is_part(text: str, least: int, most: int, words: tuple[str, ...]) -> bool:
    found = _PART.fullmatch(text)
    if not found:
        return False
    ends = [_number(end, least, words) for end in found.groups()[1:3] if end is not None]
    return all(least <= end <= most for end in ends) and ends == sorted(ends)


def _values(text: str, least: int, most: int, words: tuple[str, ...]) -> range:
    """What a part of a field stands for; a step after a single number goes on to the end."""
    star, low, high, step = _PART.fullmatch(text).groups()  # type: ignore[union-attr]
    first = least if star else _number(low, least, words)
    last = _number(high, least, words) if high else (most if star or step else first)
    return range(first, last + 1, int(step or 1))


def _number(text: str, least: int, words: tuple[str, ...]) -> int:
    if text in words:
        return words.index(text) + least
    return int(text) if text.isdecimal() and len(text) < 3 else -1
