"""What may be deleted, and when: told for a place, and with --yes done."""

import argparse
import textwrap
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from components.common.base import options
from components.common.base.command_line import CommandParser
from components.common.base.errors import InputError, WorkError
from components.common.base.step import run_command
from components.common.base.wording import counted
from components.common.store import storage
from components.publish import places
from programs.tidy import roots
from programs.tidy.entries import Judged, judge
from programs.tidy.kinds import KINDS, Kind, kind_of
from programs.tidy.options import TidyOptions

WIDTH = 44  # of names
MOST_LINES = 20  # of one group, one by one; more are told together
UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "KB"))


def main() -> None:
    """The command line."""
    notes = "".join(
        textwrap.fill(f"{kind.what}: {kind.goes}. Never: {kind.stays}.", 79, subsequent_indent="  ")
        + "\n"
        for kind in KINDS
    )
    parser = CommandParser(
        prog="python -m programs.tidy",
        description="Say what a place holds, how old it is, and what may be deleted; delete it "
        "with --yes.",
        examples=(
            "runs",
            "runs --older_than 90d --keep 5 --yes",
            "runs/published/mushrooms",
            "~/.cache/wild-mushrooms --older_than 60d",
            "s3://mlpipeline/v2/artifacts --rule > rule.json",
        ),
        notes=f"what may go, and what never does:\n{notes}",
    )
    parser.add_argument("place", metavar="PLACE", help="a folder, gs://… or s3://…")
    options.add_to(parser, TidyOptions)
    run_command("tidy", parser, _command)


def _command(arguments: argparse.Namespace) -> None:
    chosen = TidyOptions.of(arguments)
    chosen.check()
    places.check_place(arguments.place, "the place")
    place = storage.plain(arguments.place)
    if chosen.rule:
        print(roots.rule(place, chosen.age))
        return
    kind = kind_of(place)
    if chosen.yes and kind.remove is roots.remove:
        raise InputError(f"{place} is {kind.what}: nothing is deleted there. {roots.STAYS}")
    found = judge(kind.entries(place), chosen.age, chosen.keep, datetime.now(UTC), kind.youngest)
    print(f"{place}: {kind.what}")
    print("\n".join(_told(found)))
    doomed = [one for one in found if not one.stays]
    if chosen.yes:
        _remove(kind, place, doomed)
    else:
        size = shown(sum(one.entry.size for one in doomed))
        print(f"{len(doomed)} of {len(found)} may go: {size}{'; --yes deletes' if doomed else ''}")


def _remove(kind: Kind, place: str, doomed: Sequence[Judged]) -> None:
    """Delete, looking once more before each."""
    size, left = 0, []
    for one in doomed:
        if why := kind.remove(place, one.entry):
            left.append(f"{one.entry.name}: {why}")
        else:
            size += one.entry.size
    print(f"deleted {len(doomed) - len(left)} of {len(doomed)}: {shown(size)}")
    if left:
        raise WorkError(f"{counted(len(left), 'other')} stayed: " + "; ".join(left[:MOST_LINES]))


def _told(found: Sequence[Judged]) -> Iterator[str]:
    """The table: one line each, or one for many of a group with the same fate."""
    now = datetime.now(UTC)
    for group in dict.fromkeys(one.entry.group for one in found):
        mine = [one for one in found if one.entry.group == group]
        if len(mine) <= MOST_LINES:
            for one in mine:
                since = one.entry.since
                age = f"{(now - since).days} d" if since else "?"
                yield _line(one.entry.name, one.entry.size, age, one.stays)
            continue
        for fate in dict.fromkeys(one.stays for one in mine):
            same = [one for one in mine if one.stays == fate]
            yield _line(f"{len(same):,} of {group}", sum(one.entry.size for one in same), "", fate)


def _line(name: str, size: int, age: str, stays: str) -> str:
    fate = f"stays: {stays}" if stays else "may go"
    if len(name) > WIDTH:
        name = f"{name[: WIDTH // 2]}…{name[-(WIDTH // 2 - 1) :]}"
    return f"  {name:<{WIDTH}} {shown(size):>8} {age:>6}  {fate}"


def shown(size: int) -> str:
    """Bytes in words."""
    for unit, name in UNITS:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"


if __name__ == "__main__":
    main()
