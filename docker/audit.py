"""Known vulnerabilities of locked packages, by a file: `make audit DATABASE=all.zip`.

The file is what OSV (https://google.github.io/osv.dev/data/#data-dumps) hands out for PyPI: an
archive with one JSON record an advisory. It is for machines without the internet, and for answers
that must not change. Without one, `make audit` asks PyPI.
"""

import argparse
import json
import re
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from components.common.base.errors import InputError
from components.common.base.step import run_command

ECOSYSTEM = "PyPI"
MAX_RECORD_BYTES = 4 * 1024 * 1024
MAX_RECORDS = 500_000
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
SUMMARY_MAX = 100  # characters


def locked(lock: Path) -> dict[str, Version]:
    """The versions that a lock file names, by normalized name.

    Raises:
        InputError: there is no such file, or it locks nothing.
    """
    try:
        found = LOCKED.findall(lock.read_text())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the lock {lock} cannot be read: {error}") from error
    if not found:
        raise InputError(f"{lock} locks no package: expected lines of the form name==version")
    return {canonicalize_name(name): Version(version) for name, version in found}


def advisories(database: Path) -> Iterator[Mapping[str, Any]]:
    """The records of a database.

    Raises:
        InputError: it is no archive of such records, or a record is too large.
    """
    try:
        with zipfile.ZipFile(database) as archive:
            entries = [entry for entry in archive.infolist() if entry.filename.endswith(".json")]
            if not 0 < len(entries) <= MAX_RECORDS:
                raise InputError(
                    f"{database} holds {len(entries)} records: expected 1 to {MAX_RECORDS} (OSV's "
                    "all.zip of the ecosystem PyPI)"
                )
            for entry in entries:
                with archive.open(entry) as content:
                    data = content.read(MAX_RECORD_BYTES + 1)
                record = json.loads(data) if len(data) <= MAX_RECORD_BYTES else None
                if not isinstance(record, dict) or not isinstance(record.get("id"), str):
                    raise InputError(f"{database}: {entry.filename!r:.80} is no record of OSV")
                yield record
    except (OSError, zipfile.BadZipFile, ValueError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise InputError(
            f"the database {database} cannot be read: {reason}; expected OSV's all.zip of the "
            "ecosystem PyPI (https://google.github.io/osv.dev/data/#data-dumps)"
        ) from error


def concerns(record: Mapping[str, Any], packages: Mapping[str, Version]) -> Iterator[str]:
    """Names of the packages whose locked version an advisory is about."""
    if record.get("withdrawn"):
        return
    for affected in record.get("affected", ()):
        package = affected.get("package", {})
        name = canonicalize_name(str(package.get("name", "")))
        ours = package.get("ecosystem") == ECOSYSTEM and name in packages
        if ours and is_affected(affected, packages[name]):
            yield name


def is_affected(affected: Mapping[str, Any], version: Version) -> bool:
    """Whether a version is listed, or lies in a range (OSV schema 1.6, `affected`)."""
    if any(_version(listed) == version for listed in affected.get("versions", ())):
        return True
    ranges = (one for one in affected.get("ranges", ()) if one.get("type") == "ECOSYSTEM")
    return any(_in_range(one.get("events", ()), version) for one in ranges)


def _in_range(events: Any, version: Version) -> bool:
    """The last event at or before the version decides; `last_affected` ends after itself."""
    inside = False
    limits = []
    for event in events:
        for kind, text in event.items():
            limit = Version("0") if text == "0" else _version(text)
            if limit is not None:
                limits.append((limit, kind))
    for limit, kind in sorted(limits):
        if kind == "introduced" and limit <= version:
            inside = True
        elif (kind == "fixed" and limit <= version) or (
            kind == "last_affected" and limit < version
        ):
            inside = False
    return inside


def _version(text: Any) -> Version | None:
    try:
        return Version(str(text))
    except InvalidVersion:  # old ones, which no lock names
        return None


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="docker/audit.py", description=__doc__)
    parser.add_argument("--database", type=Path, required=True, help="OSV's archive for PyPI")
    parser.add_argument("locks", nargs="+", type=Path, help="lock files")
    run_command("docker/audit.py", parser, _audit)


def _audit(arguments: argparse.Namespace) -> int:
    packages = {lock: locked(lock) for lock in arguments.locks}
    found: dict[Path, list[str]] = {lock: [] for lock in packages}
    count = 0
    for record in advisories(arguments.database):
        count += 1
        for lock, versions in packages.items():
            for name in concerns(record, versions):
                summary = str(record.get("summary") or record.get("details") or "")
                short = "".join(c if c.isprintable() else " " for c in summary)[:SUMMARY_MAX]
                found[lock].append(f"  {name} {versions[name]}: {record['id']} {short}".rstrip())
    for lock, lines in found.items():
        told = f"{len(lines)} known vulnerabilities" if lines else "no known vulnerability"
        sys.stdout.write("\n".join([f"{lock}: {told}", *sorted(lines)]) + "\n")
    sys.stdout.write(f"by {count} advisories of {arguments.database}\n")
    return 1 if any(found.values()) else 0


if __name__ == "__main__":
    main()
