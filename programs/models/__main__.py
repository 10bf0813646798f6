"""Published models: which versions there are, going back to one, removing old ones."""

import argparse
from collections.abc import Sequence

from components.common.base import options
from components.common.base.command_line import CommandParser
from components.common.base.step import run_command
from components.common.base.wording import counted
from components.publish import versions
from components.publish.serving import FOLDER
from components.publish.versions import Pruned, Version
from programs.models.options import PruneOptions, RollbackOptions

LIST, ROLLBACK, PRUNE = "list", "rollback", "prune"
PLACE = "runs/published/mushrooms"
HEAD = ("version", "published (UTC)", "accuracy", FOLDER, "")
NOTES = """\
PLACE is where publish puts the versions of one model: a folder, gs:// or s3://.
"""


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m programs.models",
        description="List the published versions of a model, serve an earlier one again, or "
        "remove old ones.",
        examples=(
            f"list {PLACE}",
            f"rollback {PLACE} --dry_run",
            "rollback gs://bucket/mushrooms --to 12cd7715",
            f"prune {PLACE} --keep 5 --older_than 90d --dry_run",
        ),
        notes=NOTES,
    )
    commands = parser.add_subparsers(dest="command", required=True, prog=parser.prog)
    for name, text, kind, example in (
        (LIST, "the versions, oldest first", None, ""),
        (ROLLBACK, "serve an earlier version again", RollbackOptions, "--to 12cd7715"),
        (PRUNE, "remove old versions", PruneOptions, "--keep 5 --older_than 90d --dry_run"),
    ):
        description = f"{text[0].upper()}{text[1:]}."
        one = commands.add_parser(
            name, help=text, description=description, examples=(f"{PLACE} {example}".strip(),)
        )
        one.add_argument("place", metavar="PLACE", help="folder of one published model, or gs://…")
        if kind:
            options.add_to(one, kind)
    run_command("models", parser, _command)


def _command(arguments: argparse.Namespace) -> None:
    root = versions.root_at(arguments.place)
    if arguments.command == ROLLBACK:
        _roll_back(root, RollbackOptions.of(arguments))
    elif arguments.command == PRUNE:
        _prune(root, PruneOptions.of(arguments))
    else:
        print(listed(versions.versions(root), root))


def _roll_back(root: str, chosen: RollbackOptions) -> None:
    chosen.check()
    version, number = versions.roll_back(root, chosen.to, dry_run=chosen.dry_run)
    as_number = f", for TensorFlow Serving as {FOLDER}/{number}" if number else ""
    print(f"{'would serve' if chosen.dry_run else 'served now'}: {root}/{version}{as_number}")


def _prune(root: str, chosen: PruneOptions) -> None:
    chosen.check()
    pruned = versions.prune(root, keep=chosen.keep, older_than=chosen.age, dry_run=chosen.dry_run)
    print(told(pruned, root, dry_run=chosen.dry_run))


def told(pruned: Pruned, root: str, *, dry_run: bool) -> str:
    """What was removed, or would be."""
    removed = "would remove" if dry_run else "removed"
    lines = [f"{removed}: {root}/{version}" for version in pruned.versions]
    lines += [f"{removed}: {root}/{FOLDER}/{number}" for number in pruned.numbers]
    return "\n".join(lines) if lines else f"{root}: nothing to remove"


def listed(found: Sequence[Version], root: str) -> str:
    """The table of versions."""
    rows = [HEAD, *(_row(one) for one in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    served = [one.name for one in found if one.served]
    others = [one for one in found if one.newest and not one.served]
    if others and served:
        lines.append(
            f"TensorFlow Serving and KServe serve {others[0].name}: `rollback {root} --to "
            f"{served[0]}` gives {served[0]} the highest number again"
        )
    if not served:
        lines.append("the version that is served is missing: `rollback` with --to serves another")
    lines.append(f"{counted(len(found), 'version')}")
    return "\n".join(lines)


def _row(one: Version) -> tuple[str, ...]:
    state = "served" if one.served else ""
    return (
        one.name,
        one.published.strftime("%Y-%m-%d %H:%M") if one.published else "unknown",
        "unknown" if one.accuracy is None else f"{one.accuracy:.3f}",
        ", ".join(map(str, one.numbers)) or "none",
        state if one.whole else f"{state} incomplete".strip(),
    )


if __name__ == "__main__":
    main()
