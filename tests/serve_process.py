"""`python -m programs.serve` as a process of its own, at a free port of 127.0.0.1."""

import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
START_TIMEOUT_S = 60


@dataclass
class ServeProcess:
    """A service that is ready.

    Attributes:
        process: its process.
        port: that it listens at.
        lines: what it wrote to standard error so far.
    """

    process: "subprocess.Popen[str]"
    port: int
    lines: list[str] = field(default_factory=list)
    reader: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def end(self, signal_number: int) -> tuple[int, float]:
        """Exit status after a signal, and the seconds that it took."""
        started = time.monotonic()
        self.process.send_signal(signal_number)
        status = self.process.wait(timeout=30)
        assert self.reader is not None
        self.reader.join(timeout=10)
        return status, time.monotonic() - started


@contextmanager
def serving(model_dir: Path, *options: str) -> Iterator[ServeProcess]:
    command = [sys.executable, "-m", "programs.serve", "--model_dir", str(model_dir)]
    with subprocess.Popen(
        [*command, "--port", "0", *options], cwd=ROOT, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            first = process.stderr.readline()
            found = re.search(r"http://127\.0\.0\.1:(\d+)/", first)
            assert found, first + process.stderr.read()
            service = ServeProcess(process, int(found[1]), [first])
            service.reader = threading.Thread(target=_read, args=(service,), daemon=True)
            service.reader.start()
            _wait(service.url + "readyz")
            yield service
        finally:
            process.kill()


def _read(service: ServeProcess) -> None:
    assert service.process.stderr is not None
    service.lines.extend(service.process.stderr)


def _wait(url: str) -> None:
    until = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10):
                return
        except urllib.error.HTTPError:
            assert time.monotonic() < until, "the service did not become ready"
            time.sleep(0.1)
