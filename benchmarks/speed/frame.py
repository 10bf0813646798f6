"""What every row of the speed benchmark is made of: ways of doing one piece of work, in turns.

A way is ours, a peer's (what a user would pick instead) or a limit (what cannot be beaten). All
ways of a row do the same work in the same run and take turns, so that a machine that is busy
slows each of them down; what counts is the median over the rounds of the ratio within a round.
"""

import contextlib
import json
import os
import platform
import re
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

OURS, PEER, LIMIT = "ours", "peer", "limit"
MET, MISSED = "met", "MISSED"
LOOK_EVERY_S = 0.02
MAKEFILE = Path(__file__).parents[2] / "Makefile"
# Of make (MAKEFLAGS brings the variables of its command line along), and of this project.
_CALLERS = re.compile(r"MAKE.*|MFLAGS|GNUMAKEFLAGS|MUSHROOM_.*")


@dataclass(frozen=True)
class Way:
    """One way to do the work of a row.

    Attributes:
        name: as the table shows it.
        run: does the work once; returns the seconds that count.
        role: `OURS`, `PEER` or `LIMIT`.
        least: our speed divided by this way's must reach it; None where there is no target.
        rounds: it is run at most so often; None for as often as ours.
    """

    name: str
    run: Callable[[], float]
    role: str = PEER
    least: float | None = None
    rounds: int | None = None


@dataclass(frozen=True)
class Series:
    """What was measured of one way: its seconds, and how many times as fast ours is (`ratio`)."""

    name: str
    role: str
    seconds: tuple[float, ...]
    least: float | None = None
    ratio: float | None = None

    @property
    def met(self) -> bool | None:
        """True or False; None where nothing was asked of it."""
        return None if self.least is None or self.ratio is None else self.ratio >= self.least


@dataclass(frozen=True)
class Check:
    """A target that is no ratio of two ways: `value` must be at most, or at least, `bound`."""

    name: str
    value: float
    bound: float
    unit: str = ""
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclass(frozen=True)
class Row:
    """One line of work with everything that was measured of it.

    Attributes:
        work: what was done, and on how much.
        amount: photos (or whatever `unit` counts) in one run; 0 shows seconds instead of a rate.
        unit: of the rate, such as "photos/s".
        series: ours first.
        checks: further targets.
        notes: what a reader must know.
        load: the machine's load average before and after.
    """

    work: str
    amount: float = 0
    unit: str = "s"
    series: tuple[Series, ...] = ()
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    load: tuple[float, float] = (0.0, 0.0)

    @property
    def missed(self) -> list[str]:
        """What missed its target."""
        late = [f"{self.work}: {one.name}" for one in self.series if one.met is False]
        return late + [f"{self.work}: {check.name}" for check in self.checks if not check.met]


@dataclass
class Turns:
    """Takes the ways of a row in turns.

    Attributes:
        rounds: how often each way is run.
    """

    rounds: int
    before: float = field(default_factory=lambda: os.getloadavg()[0])

    def measure(self, ways: Sequence[Way], *, warm_up: bool = False) -> tuple[Series, ...]:
        """Run every way, each round in another order; a round to warm up does not count."""
        seconds: dict[str, list[float]] = {way.name: [] for way in ways}
        if warm_up:
            for way in ways:
                way.run()
        for turn in range(self.rounds):
            start = turn % len(ways)
            for way in (*ways[start:], *ways[:start]):
                if way.rounds is None or turn < way.rounds:
                    seconds[way.name].append(way.run())
        ours = next(seconds[way.name] for way in ways if way.role == OURS)
        return tuple(_series(way, seconds[way.name], ours) for way in ways)

    def load(self) -> tuple[float, float]:
        """The machine's load average when the row began, and now."""
        return self.before, os.getloadavg()[0]


def _series(way: Way, seconds: Sequence[float], ours: Sequence[float]) -> Series:
    ratio = None
    if way.role != OURS:
        ratio = statistics.median(b / a for a, b in zip(ours, seconds, strict=False))
    return Series(way.name, way.role, tuple(seconds), way.least, ratio)


@dataclass(frozen=True)
class Ran:
    """A process that has ended: wall-clock seconds, peak memory in MB, what it printed."""

    seconds: float
    peak_mb: int
    output: str


def run(
    *command: str | Path, folder: Path | None = None, variables: Mapping[str, str] | None = None
) -> Ran:
    """Run a command to its end, without a GPU, and without what a person told this benchmark.

    Raises:
        RuntimeError: it failed; the message is the end of what it printed.
    """
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    environment = {**environment_of_rows(), **quiet, **(variables or {})}
    # What is installed is bytecode already; ours may become it at its first run.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    # Ours sets this for itself (components/__init__.py); peers do as they like.
    environment.pop("OPENBLAS_NUM_THREADS", None)
    with _temporary_file() as printed:
        started = time.perf_counter()
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment,
        )
        with _peak_memory(child.pid) as peak:
            child.wait()
            seconds = time.perf_counter() - started
        printed.seek(0)
        output = printed.read().decode(errors="replace")
    if child.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{output[-3000:]}")
    return Ran(seconds, max(peak), output)


def environment_of_rows() -> dict[str, str]:
    """This process's environment without the variables that `make bench IMAGES=…` was told.

    A `make` that a row starts would take them for its own: the folder is nowhere in its clone.
    """
    text = MAKEFILE.read_text().replace("\\\n", " ")
    lists = re.findall(r"^(?:VALUES|WORDS) := (.*)$", text, re.MULTILINE)
    told = set(" ".join(lists).split())
    return {
        name: value
        for name, value in os.environ.items()
        if name not in told and not _CALLERS.fullmatch(name)
    }


@contextlib.contextmanager
def _peak_memory(process: int) -> Iterator[list[int]]:
    """Megabytes that a process had at most (VmHWM), looked at again and again until it ends.

    What the system tells of a process that has ended (ru_maxrss) counts this one's memory too, of
    which every new process begins as a copy.
    """
    seen, ended = [0], threading.Event()

    def look() -> None:
        while not ended.wait(LOOK_EVERY_S):
            with contextlib.suppress(OSError):
                status = Path(f"/proc/{process}/status").read_text()
                if found := re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE):
                    seen.append(int(found[1]) // 1024)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        ended.set()
        looking.join()


def _temporary_file() -> Any:
    import tempfile

    return tempfile.TemporaryFile()


def last_json(output: str) -> Any:
    """The JSON of the last line."""
    return json.loads(output.strip().splitlines()[-1])


def timed(work: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    if (cpuinfo := Path("/proc/cpuinfo")).is_file():
        named = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = named[0].partition(":")[2].strip() if named else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {"processor": model, "cores": os.cpu_count(), "memory_gb": round(memory, 1)}


COLUMNS = (("", 52), ("median", 17), ("least – most", 20), ("ours is", 10), ("target", 12))


def header() -> str:
    """The titles of the table."""
    return "".join(f"{title:<{width}}" for title, width in COLUMNS).rstrip()


def table(row: Row) -> Iterator[str]:
    """The lines of one row."""
    yield ""
    yield f"{row.work}   [load {row.load[0]:.1f} → {row.load[1]:.1f}]"
    for one in row.series:
        low, middle, high = _shown(row, one.seconds)
        cells = [
            f"  {one.name}",
            f"{_number(middle)} {row.unit}",
            f"{_number(low)} – {_number(high)} ({len(one.seconds)})",
            "" if one.ratio is None else f"{one.ratio:.2f} ×",
            "" if one.least is None else f"≥ {one.least:g} ×",
            "" if one.met is None else MET if one.met else MISSED,
        ]
        yield _line(cells)
    for check in row.checks:
        sign = "≥" if check.at_least else "≤"
        cells = [
            f"  {check.name}",
            f"{_number(check.value)} {check.unit}",
            "",
            "",
            f"{sign} {check.bound:g} {check.unit}".rstrip(),
            MET if check.met else MISSED,
        ]
        yield _line(cells)
    for note in row.notes:
        yield f"    {note}"


def _line(cells: Sequence[str]) -> str:
    widths = [width for _, width in COLUMNS]
    padded = [f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=False)]
    return "".join([*padded, cells[-1]]).rstrip()


def _shown(row: Row, seconds: Sequence[float]) -> tuple[float, float, float]:
    """Least, median and most, as rates where the row has them."""
    values = [row.amount / one for one in seconds] if row.amount else list(seconds)
    return min(values), statistics.median(values), max(values)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def as_json(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows for a program."""
    return [
        {
            **asdict(row),
            "series": [{**asdict(one), "met": one.met} for one in row.series],
            "checks": [{**asdict(check), "met": check.met} for check in row.checks],
        }
        for row in rows
    ]
