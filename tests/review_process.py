"""`python -m programs.review` as a process of its own, at a free port of 127.0.0.1."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass
class ReviewProcess:
    """The program while it shows a page.

    Attributes:
        process: its process.
        url: of the page.
        port: that it listens at.
        token: the secret of its paths.
    """

    process: "subprocess.Popen[str]"
    url: str
    port: int
    token: str

    def end(self, signal_number: int = signal.SIGINT) -> tuple[int, str]:
        """Exit status after a signal, and all that it said since it was ready."""
        self.process.send_signal(signal_number)
        said, _ = self.process.communicate(timeout=30)
        return self.process.returncode, said


@contextmanager
def reviewing(run: Path, *options: str) -> Iterator[ReviewProcess]:
    """The program with a run's folder, until the block ends."""
    command = [sys.executable, "-m", "programs.review", str(run), *options]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:(\d+)/([-\w]+)/", first)
            assert found, first + process.stdout.read()
            process.stdout.readline()
            yield ReviewProcess(process, found[0], int(found[1]), found[2])
        finally:
            process.kill()
