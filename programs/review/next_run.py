"""The command that runs again what a run has done, with decisions."""

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from components.common.base.command_line import started_as
from components.common.base.errors import InputError
from components.common.dataset.decisions import Decisions
from components.common.store import storage

REQUEST = "request.json"  # in a run's folder: what it was asked for
MAX_BYTES = 1024**2
# Variables of the Makefile, by the options that they stand for.
VARIABLES = {
    "source": "SOURCE",
    "image_dir": "IMAGES",
    "url_list": "URLS",
    "architecture": "ARCHITECTURE",
    "weights": "WEIGHTS",
    "species": "SPECIES",
    "runner": "RUNNER",
    "earlier_ledger": "LEDGER",
    "decisions": "DECISIONS",
}
UNKNOWN = "…"
OWN_PHOTOS = ("folder", "storage", "urls")  # sources that follow from IMAGES or URLS
# What follows from the others, or is of the run that was.
DERIVED = ("source", "classes", "species", "decisions", "earlier_ledger", "publish_dir", "name")


def command(run_dir: Path, decisions_file: Path, by_hand: Decisions) -> str:
    """What to type, in the folder in which this program was started.

    Args:
        run_dir: the run whose photos were decided on.
        decisions_file: where the decisions are.
        by_hand: the decisions. Where photos were moved, or the run had a ledger, the run's ledger
            is handed over too, so that no other photo changes its part.
    """
    asked = _read_request(run_dir / REQUEST)
    given = list(_given(asked))
    if not asked:
        given.append(("image_dir", UNKNOWN))  # of a run on a cluster, or of an earlier version
    if asked.get("continued"):
        pass  # the ledger is found by the name
    elif by_hand.targets or asked.get("earlier_ledger"):
        ledger = run_dir / "ledger"
        if ledger.is_dir():
            given.append(("earlier_ledger", near(ledger)))
        elif asked.get("earlier_ledger"):
            given.append(("earlier_ledger", str(asked["earlier_ledger"])))
    given.append(("decisions", near(decisions_file)))
    others = list(_others(asked, run_dir))
    if started_as():  # where it is installed, there is no Makefile
        words = [f"--{option} {_quoted(value)}" for option, value in given]
        return " ".join(["mushrooms run", *words, *map(shlex.quote, others)])
    words = [f"{VARIABLES[option]}={_quoted(value)}" for option, value in given]
    if others:
        words.append(f"ARGS={shlex.quote(shlex.join(others))}")
    return f"make run {' '.join(words)}"


def near(path: Path) -> str:
    """A path as it is named from here: relative, where it lies below this folder."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative


def _quoted(value: str) -> str:
    """A value for a shell, with quotes only where it needs some."""
    return value if value == UNKNOWN else shlex.quote(value)


def _read_request(path: Path) -> dict[str, Any]:
    """The arguments of a run and its runner, by name; empty where they are not known."""
    try:
        content = json.loads(storage.find_place(str(path), max_bytes=MAX_BYTES) or b"{}")
        arguments = content["arguments"]
        others = {name: str(content.get(name, "")) for name in ("runner", "species_file")}
        others["continued"] = "yes" if content.get("continued") is True else ""
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, InputError):
        return {}
    return {**arguments, **others} if isinstance(arguments, dict) else {}


def _given(asked: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The options with a variable in the Makefile that say what the run was asked for."""
    from programs.run.options import DEFAULTS

    source = asked.get("source", "")
    if source not in ("", *OWN_PHOTOS, DEFAULTS["source"]):
        yield "source", str(source)
    for name in ("image_dir", "url_list", "architecture", "weights"):
        if asked.get(name, DEFAULTS[name]) != DEFAULTS[name]:
            yield name, str(asked[name])
    if asked.get("species_file"):
        yield "species", near(Path(asked["species_file"]))
    if asked.get("runner") == "docker":
        yield "runner", "docker"


def _others(asked: Mapping[str, Any], run_dir: Path) -> Iterator[str]:
    """Its other options, as words of a command line: those that are not at their defaults."""
    from components.publish.options import NAME, SAMPLE_NAME
    from programs.run.options import DEFAULTS

    if not asked:
        return
    for name, default in DEFAULTS.items():
        value = asked.get(name, default)
        if value == default or name in (*VARIABLES, *DERIVED):
            continue
        if isinstance(default, bool):
            yield f"--{name}" if value else f"--no-{name}"
        else:
            yield from (f"--{name}", str(value))
    if asked.get("continued"):
        yield from ("--continue", str(asked["name"]))
    elif asked.get("name") not in (None, "", NAME, SAMPLE_NAME):
        yield from ("--name", str(asked["name"]))
    if asked.get("publish_dir") not in (None, "", str(run_dir.parent / "published")):
        yield from ("--publish_dir", str(asked["publish_dir"]))
    if run_dir.parent != Path("runs").resolve():
        yield from ("--runs_dir", str(run_dir.parent))
