"""Does the service stay up, quick and small under load? `python -m benchmarks.serve_load MODEL`.

Sixteen clients at once ask a server on 127.0.0.1, a process of its own, for everything that the
page shows, one photo after another. Reported are the answers by status, photos per second, how long
they took, and the server's memory. Exit status 1 where an answer was neither 200 nor 503, or where
memory grew by more than a tenth. Clients and server share the machine's cores.
"""

import argparse
import collections
import http.client
import itertools
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.download import read_photos
from components.common.base.errors import WorkError
from components.common.base.step import run_command

CLIENTS = 16
SECONDS = 30.0
# Buffers and memory pools fill within this time; what comes later is a leak.
SETTLING_S = 5.0
MAX_GROWTH = 0.1
PATH = "/v1/predict?activation=true&similar=6"
STATUSES = {200, 503}
START_TIMEOUT_S = 60.0


@dataclass
class Tally:
    """What the clients saw."""

    statuses: collections.Counter[str] = field(default_factory=collections.Counter)
    seconds: list[float] = field(default_factory=list)  # of answers with status 200
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, status: str, seconds: float) -> None:
        """Count one answer."""
        with self.lock:
            self.statuses[status] += 1
            if status == "200":
                self.seconds.append(seconds)


@contextmanager
def server(model_dir: str, workers: int) -> Iterator[tuple[int, int]]:
    """A server that is ready; yields its port and its process id."""
    command = [sys.executable, "-m", "programs.serve", "--model_dir", model_dir, "--port", "0"]
    command += ["--workers", str(workers), "--no-access_log"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            found = re.search(r"http://127\.0\.0\.1:(\d+)/", said)
            if not found:
                raise WorkError(f"the server did not start: {said}{process.stderr.read()}")
            threading.Thread(target=process.stderr.read, daemon=True).start()
            port = int(found[1])
            wait_until_ready(port)
            yield port, process.pid
        finally:
            process.terminate()


def wait_until_ready(port: int) -> None:
    """Return once /readyz says 200."""
    for _ in range(int(START_TIMEOUT_S / 0.1)):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", "/readyz")
        if connection.getresponse().status == 200:
            return
        time.sleep(0.1)
    raise WorkError(f"the server was not ready within {START_TIMEOUT_S:.0f} s")


def ask(port: int, photos: Iterator[bytes], until: float, tally: Tally) -> None:
    """One client: one photo after another over one connection, until the time is over."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while time.monotonic() < until:
        started = time.monotonic()
        try:
            connection.request("POST", PATH, next(photos), {"Content-Type": "image/jpeg"})
            response = connection.getresponse()
            response.read()
            status = str(response.status)
        except (OSError, http.client.HTTPException) as error:
            status = type(error).__name__
            connection.close()
        tally.add(status, time.monotonic() - started)


def resident_mb(process: int) -> float:
    """Memory of a process, in MB of 1024 x 1024 bytes."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1024


def measure(options: argparse.Namespace) -> int:
    """Run it, print what came out, and return the exit status."""
    photos = read_photos(options.images)
    tally = Tally()
    memory: dict[str, float] = {}
    with server(options.model_dir, options.workers) as (port, process):
        memory["idle"] = resident_mb(process)
        started = time.monotonic()
        until = started + options.seconds
        clients = [
            # Each begins with another photo.
            threading.Thread(
                target=ask, args=(port, itertools.cycle(photos[n:] + photos[:n]), until, tally)
            )
            for n in range(options.clients)
        ]
        for client in clients:
            client.start()
        settling = min(SETTLING_S, options.seconds / 3)
        for name, after in (("start", settling), ("middle", options.seconds / 2)):
            time.sleep(max(0.0, started + after - time.monotonic()))
            memory[name] = resident_mb(process)
        for client in clients:
            client.join()
        passed = time.monotonic() - started
        memory["end"] = resident_mb(process)
    return report(options, tally, memory, passed)


def report(
    options: argparse.Namespace, tally: Tally, memory: dict[str, float], passed: float
) -> int:
    """Print the figures; 1 where one of them is not as it should be."""
    print(f"{options.clients} clients, {passed:.0f} s, {options.workers} workers")
    print("answers   " + ", ".join(f"{n} x {name}" for name, n in sorted(tally.statuses.items())))
    if tally.seconds:
        middle, high, most = (1000 * np.quantile(tally.seconds, q) for q in (0.5, 0.99, 1))
        print(f"rate      {len(tally.seconds) / passed:.0f} photos/s")
        print(f"duration  p50 {middle:.0f} ms, p99 {high:.0f} ms, longest {most:.0f} ms")
    print("memory    " + ", ".join(f"{name} {value:.0f} MB" for name, value in memory.items()))
    growth = memory["end"] / memory["start"] - 1
    print(f"growth    {100 * growth:+.1f} % from start to end")
    wrong = {status for status in tally.statuses if status not in map(str, STATUSES)}
    if wrong or not tally.seconds:
        print(f"failed: answers other than 200 and 503: {', '.join(sorted(wrong)) or 'no 200'}")
    if growth > MAX_GROWTH:
        print(f"failed: memory grew by more than {100 * MAX_GROWTH:.0f} %")
    return int(bool(wrong) or not tally.seconds or growth > MAX_GROWTH)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve_load", description=__doc__)
    parser.add_argument("model_dir", help="the model")
    parser.add_argument("--images", type=Path, help="folder of class folders (default: rendered)")
    parser.add_argument("--clients", type=int, default=CLIENTS, help="clients that ask at once")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long they ask")
    parser.add_argument("--workers", type=int, default=2, help="workers of the server")
    run_command("serve_load", parser, measure)


if __name__ == "__main__":
    main()
