"""What a person sees while a run goes on: steps in a pipe have no terminal, so the parent draws.

Steps append events to a file (components/common/base/step.py); this reads it as it grows.
"""

import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

STEPS_OF_PARTS = ("clean", "bottleneck")  # once for each part of the photos
STEPS = (
    "download",
    *STEPS_OF_PARTS,
    "curate",
    "retrain",
    "tensorboard",
    "evaluate",
    "label_image",
    "publish",
)
HEARTBEAT_S = 30.0
BAR = 20  # columns; of the 80 of a terminal 36 are left to say what a step does


class EventReader:
    """Yields the events that were appended to a file since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._rest = b""

    def read(self) -> Iterator[dict[str, Any]]:
        """New events; a line that is not complete yet waits for the next look."""
        try:
            with open(self._path, "rb") as file:
                file.seek(self._position)
                data = file.read()
        except FileNotFoundError:
            return
        self._position += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield json.loads(line)


class Display(AbstractContextManager["Display"]):
    """A bar per step on a terminal, else a line for each finished step and every 30 s.

    Attributes:
        warned: events of warnings, in order, each message once: of a folder every class's step may
            say the same.
        failure: the event of the first step that failed, if one did.
        nothing_new: why the run is to end early; empty where it is not.
    """

    def __init__(self, console: Console, *, parts: int = 1) -> None:
        self.warned: list[dict[str, Any]] = []
        self.failure: dict[str, Any] | None = None
        self.nothing_new = ""
        self._console = console
        self._totals = {step: parts if step in STEPS_OF_PARTS else 1 for step in STEPS}
        self._done = dict.fromkeys(STEPS, 0)
        self._started = self._last_line = time.monotonic()
        self._detail = ""
        self._bars: dict[str, TaskID] = {}
        self._steps: dict[tuple[str, int], str] = {}  # by the process that runs them
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]\N{CHECK MARK}"),
            TextColumn("{task.description:<12}"),
            BarColumn(bar_width=BAR),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}", style="dim", markup=False),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> "Display":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, event: dict[str, Any]) -> None:
        """Take one event into account."""
        kind, step = event["event"], event.get("step", "")
        if kind == "started" and step in self._totals:
            self._bar(step)
            self._steps[_process(event)] = self._detail = step
        elif kind == "finished" and step in self._totals:
            self._steps.pop(_process(event), None)
            self._finish(step)
        elif kind == "part" and step in self._bars:
            done, total = event["done"], event["total"]
            self._progress.update(self._bars[step], total=total, completed=done)
        elif kind == "progress":
            self._detail = f"{event['what']}: {event['said']}" if event["said"] else event["what"]
            working = self._steps.get(_process(event), step)
            if working in self._totals:  # a step that has not begun yet names itself
                self._bar(working)
                self._progress.update(self._bars[working], detail=self._detail)
        elif kind == "warning" and event["message"] not in self.warnings:
            self.warned.append(event)
        elif kind == "nothing_new":
            self.nothing_new = event["message"]
        elif kind == "failed" and self.failure is None:
            self.failure = event

    @property
    def warnings(self) -> list[str]:
        """The messages of all warnings."""
        return [event["message"] for event in self.warned]

    def finished(self) -> list[str]:
        """Steps that are done."""
        return [step for step in STEPS if self._done[step] >= self._totals[step]]

    def running(self) -> list[str]:
        """Steps that have started and not ended."""
        return sorted(set(self._steps.values()))

    def unfinished(self) -> list[str]:
        """Steps that did not finish."""
        return [step for step in STEPS if self._done[step] < self._totals[step]]

    def tick(self) -> None:
        """Say that the run is alive, where there is no terminal."""
        now = time.monotonic()
        if not self._console.is_terminal and now - self._last_line >= HEARTBEAT_S:
            self._last_line = now
            self._console.print(f"  … {now - self._started:.0f} s, {self._detail}", markup=False)

    def _bar(self, step: str) -> None:
        if step not in self._bars:
            self._bars[step] = self._progress.add_task(step, total=self._totals[step], detail="")

    def _finish(self, step: str) -> None:
        self._bar(step)
        self._done[step] += 1
        done, total = self._done[step], self._totals[step]
        self._progress.update(self._bars[step], completed=done, total=total)
        if self._done[step] == self._totals[step]:
            self._progress.update(self._bars[step], detail="")
            if not self._console.is_terminal:
                self._last_line = time.monotonic()
                elapsed = self._last_line - self._started
                self._console.print(f"  {step:<12} done after {elapsed:5.1f} s", markup=False)


def _process(event: dict[str, Any]) -> tuple[str, int]:
    """The process that an event is of: in containers, many have the same number."""
    return event.get("host", ""), event.get("pid", 0)
