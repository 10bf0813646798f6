"""The commands of the documents: which they are, what they need, and whether they are understood.

A reader sees what a command needs that does not simply run: a comment that holds "needs the
internet", "needs a bucket", "needs Docker" and the like, "takes minutes", or "stays open". A
document whose commands all need the same says so once, in a sentence that begins with
"Every command on this page needs".
"""

import functools
import os
import re
import shlex
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path

MARKS = re.compile(r"\bneeds (the internet|a bucket|a cluster|a registry|Docker|root|the page)")
STAYS = "stays open"
LONG = "takes minutes"
WHOLE_PAGE = re.compile(r"^Every command on this page needs .+", re.MULTILINE)
FENCE = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
PYTHON = ".venv/bin/python"
SHELLS = ("sh", "bash", "shell", "console")

# What a command needs, seen from the command itself: each of these must be marked.
_NEEDS = (
    (r"\b(kubectl|kind-\w+|minikube-\w+|test-cluster|submit|KUBECONFIG|KFP)\b", "a cluster"),
    (r"\bmake (images|push|release|test-containers)\b|RUNNER=docker|^docker\b", "Docker"),
    (r"\b(gs|s3)://", "a bucket"),
    (r"SOURCE=(?!sample)|--source (?!sample)|check-sources|URLS=", "the internet"),
    (r"\bcurl\b", "the page"),
)
_STAYS = r"\b(make (serve|tensorboard|review)|mushrooms (serve|review))\b"
_PROGRAMS = {"cd", "curl", "docker", "export", "for", "git"}
_PROGRAMS |= {"kubectl", "ls", "make", "mkdir", "tar"}


@dataclass(frozen=True)
class Command:
    """One command of a document, with its comment, and the line that it stands in."""

    document: str
    line: int
    text: str
    comment: str
    page_says: bool

    @property
    def needs(self) -> str:
        """What it cannot run without, by the command itself."""
        found = [need for pattern, need in _NEEDS if re.search(pattern, self.text)]
        return " and ".join(found)

    @property
    def marked(self) -> bool:
        """Whether a reader is told that it needs something, or takes long."""
        return self.page_says or bool(MARKS.search(self.comment)) or LONG in self.comment

    @property
    def stays(self) -> bool:
        """Whether it runs until it is stopped."""
        return bool(re.search(_STAYS, self.text))

    def __str__(self) -> str:
        return f"{self.document}:{self.line}: {self.text}"


def commands(path: Path, root: Path) -> list[Command]:
    """The commands of a document, in order."""
    text = path.read_text()
    says = bool(WHOLE_PAGE.search(text))
    found = []
    for block in FENCE.finditer(text):
        if block[2] not in SHELLS:
            continue
        number = text[: block.start(3)].count("\n") + 1
        pending = ""
        for line in textwrap.dedent(block[3]).splitlines():
            pending += line
            if pending.endswith("\\"):
                pending = pending[:-1]
            else:
                command, comment = without_comment(pending)
                if command:
                    name = str(path.relative_to(root))
                    found.append(Command(name, number, command, comment, says))
                pending = ""
            number += 1
    return found


def without_comment(line: str) -> tuple[str, str]:
    """A command and its trailing comment."""
    quote = ""
    for place, character in enumerate(line):
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character == "#" and (not place or line[place - 1].isspace()):
            return line[:place].strip(), line[place + 1 :].strip()
    return line.strip(), ""


def problem(command: Command, root: Path, environment: dict[str, str]) -> str:
    """Why a command could not be understood: no such target, variable, program or option."""
    words = shlex.split(command.text)
    while words and re.fullmatch(r"\w+=.*", words[0], re.DOTALL):
        words = words[1:]  # of the environment
    if not words:
        return ""
    program = Path(words[0]).name
    if program.startswith("python"):
        return _python_problem(words, root, environment)
    if program == "mushrooms":
        return _python_problem([PYTHON, "-m", "programs.command", *words[1:]], root, environment)
    if program not in _PROGRAMS:
        return f"what is {program}?"
    return _make_problem(words[1:], root, environment) if program == "make" else ""


def _make_problem(words: list[str], root: Path, environment: dict[str, str]) -> str:
    makefile = (root / "Makefile").read_text().replace("\\\n", " ")
    lists = re.findall(r"^(?:VALUES|WORDS) := (.*)", makefile, re.MULTILINE)
    known = set(" ".join(lists).split())
    for word in words:
        name, is_variable, _ = word.partition("=")
        if is_variable and name not in known:
            return f"the Makefile knows no {name}"
    done = subprocess.run(
        ["make", "-n", *words],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return done.stderr.strip()
    for line in done.stdout.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|\||;", line):
            try:
                printed = shlex.split(part)
            except ValueError:  # a part of a longer shell command
                continue
            while printed and re.fullmatch(r"\w+=.*", printed[0]):
                printed = printed[1:]
            if "with-names" in printed:  # docker/images.py with-names COMMAND
                printed = printed[len(printed) - printed[::-1].index(PYTHON) - 1 :]
            is_ours = bool(printed) and printed[0] == PYTHON
            if is_ours and (found := _python_problem(printed, root, environment)):
                return found
    return ""


def _python_problem(words: list[str], root: Path, environment: dict[str, str]) -> str:
    """An option that the help of a script or module does not name."""
    if words[1] == "-c" or words[1:3] == ["-m", "venv"]:
        return ""
    start = words[1:3] if words[1] == "-m" else words[1:2]
    rest = words[1 + len(start) :]
    if start == ["-m", "pytest"]:
        return ""
    if start == ["-m", "programs.command"] and rest[0].startswith("--"):
        return "" if rest[0] in ("--help", "--version") else f"mushrooms has no {rest[0]}"
    if start in (["pipeline.py"], ["docker/images.py"], ["-m", "programs.command"]):
        start, rest = [*start, rest[0]], rest[1:]
    if "--pipeline" in rest[:-1]:  # each has options of its own
        start = [*start, "--pipeline", rest[rest.index("--pipeline") + 1]]
    rest = rest[: rest.index("--")] if "--" in rest else rest
    named = [word.partition("=")[0] for word in rest if re.match(r"--\w", word)]
    text = _help(tuple(start), root, tuple(sorted(environment.items())))
    text = re.sub(r"(?<=\w)-(?=\w)", "_", text)  # dashes and underscores are the same
    spelt = {name: "--" + name[2:].replace("-", "_") for name in named}
    missing = [name for name in named if not re.search(rf"{spelt[name]}\b", text)]
    return f"{' '.join(start)} has no {missing[0]}" if missing else ""


@functools.cache
def _help(start: tuple[str, ...], root: Path, environment: tuple[tuple[str, str], ...]) -> str:
    # The help of these shows what people change first.
    option = "--help-all" if {"run", "submit"} & set(start) else "--help"
    done = subprocess.run(
        [PYTHON, *start, option],
        cwd=root,
        env={**dict(environment), "COLUMNS": os.environ.get("COLUMNS", "200")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
