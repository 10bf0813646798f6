"""How fast, and how reliable, is `download` beside img2dataset? `make bench-download`.

Both fetch the same 2,000 photos from the same server on 127.0.0.1, with the same number of workers
and without resizing, in whole processes that take turns. The server is a process of its own. Then a
fifth of the requests fail in passing, and what counts is how many photos each brings home.
"""

import argparse
import asyncio
import collections
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from components.common.base.step import run_command
from components.common.dataset.class_folders import class_files, list_classes
from components.common.dataset.dataset import Dataset
from components.download.sample.render import render_class

PHOTOS = 2000
WORKERS = 16
ROUNDS = 3
ERRORS = (b"500 X", b"503 X", b"429 X")


@dataclass(frozen=True)
class Case:
    """What the server does: wait before each answer, fail a share of the requests."""

    name: str
    latency_s: float = 0.0
    errors: float = 0.0


CASES = (Case("no latency"), Case("5 ms latency", 0.005), Case("20 % errors", 0.0, 0.2))


class PhotoProtocol(asyncio.Protocol):
    """HTTP/1.1 with kept connections: as little as a fast server needs."""

    def __init__(self, photos: list[bytes], case: Case, tries: collections.Counter[bytes]) -> None:
        self._photos, self._case, self._tries = photos, case, tries
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        *requests, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for request in requests:
            answer = self._answer(request.split(b" ", 2)[1])
            asyncio.get_running_loop().call_later(self._case.latency_s, self._send, answer)

    def _send(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)  # type: ignore[attr-defined]

    def _answer(self, path: bytes) -> bytes:
        self._tries[path] += 1
        draw = hashlib.sha256(path + b"%d" % self._tries[path]).digest()
        if draw[0] < 256 * self._case.errors:
            status = ERRORS[draw[1] % len(ERRORS)]
            return b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status
        number = int(path.rpartition(b"/")[2].partition(b".")[0])
        photo = self._photos[number % len(self._photos)]
        # A comment in the JPEG makes each photo one of its own.
        body = b"\xff\xd8\xff\xfe\x00\x06%04d" % number + photo[2:]
        head = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
        return head % len(body) + body


async def serve(photos: list[bytes], case: Case) -> None:
    """Serve until the process is ended; says its port on standard output."""
    tries: collections.Counter[bytes] = collections.Counter()
    server = await asyncio.get_running_loop().create_server(
        lambda: PhotoProtocol(photos, case, tries), "127.0.0.1", 0, backlog=256
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def read_photos(folder: Path | None) -> list[bytes]:
    """Real photos of a folder of classes, or rendered ones."""
    if folder is None:
        return [picture.data for picture in render_class("earthstar", 40) if picture.fault is None]
    return [
        path.read_bytes() for label in list_classes(folder) for path in class_files(folder, label)
    ]


@contextmanager
def running(case: Case, images: Path | None) -> Iterator[int]:
    """The server in a process of its own; yields its port."""
    command = [sys.executable, "-m", "benchmarks.download", "--serve", case.name]
    with subprocess.Popen(
        [*command, *(["--images", str(images)] if images else [])],
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline())
        finally:
            server.kill()


@dataclass(frozen=True)
class Result:
    """Photos that came home, and the seconds of the whole process."""

    photos: int
    seconds: float


def ours(urls: Path, work: Path) -> Result:
    """`python -m components.download` with an empty cache."""
    options = {
        "label": "photos", "output": work / "out", "source": "urls", "url_list": urls,
        "per_class": PHOTOS, "min_per_class": 1, "workers": WORKERS,
        "allow_private_hosts": "127.0.0.1", "cache_dir": work / "cache",
    }  # fmt: skip
    flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    seconds = timed([sys.executable, "-m", "components.download", *flags])
    return Result(len(Dataset(work / "out").photos), seconds)


def peer(python: Path, urls: Path, work: Path, retries: int) -> Result:
    """`img2dataset` without resizing or encoding, into tar files."""
    options = {
        "url_list": urls, "input_format": "txt", "output_folder": work / "out",
        "output_format": "webdataset", "processes_count": 1, "thread_count": WORKERS,
        "resize_mode": "no", "disable_all_reencoding": True, "retries": retries,
        "number_sample_per_shard": PHOTOS, "enable_wandb": False,
    }  # fmt: skip
    command = [str(python), "-c", "from img2dataset.main import main; main()"]
    seconds = timed([*command, *(f"--{name}={value}" for name, value in options.items())])
    stats = [json.loads(path.read_text()) for path in (work / "out").glob("*_stats.json")]
    return Result(sum(entry["successes"] for entry in stats), seconds)


def timed(command: list[str]) -> float:
    """Seconds that a process takes."""
    started = time.monotonic()
    environment = {**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        raise SystemExit(f"{command[:4]} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
    return time.monotonic() - started


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.download", description=__doc__)
    parser.add_argument("--peer", type=Path, help="Python of an environment with img2dataset")
    parser.add_argument("--images", type=Path, help="folder of class folders of real photos")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    run_command("download", parser, _command)


def _command(arguments: argparse.Namespace) -> int:
    if arguments.serve:
        case = next(case for case in CASES if case.name == arguments.serve)
        asyncio.run(serve(read_photos(arguments.images), case))
        return 0
    print(
        f"{PHOTOS} photos, {WORKERS} workers, whole processes, median of {ROUNDS} (least to most)"
    )
    print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print(f"{'case':<14} {'who':<24} {'photos/s':>9} {'':>15} {'lost':>5}")
    # Removed at the end only: ext4 is slow to make files where many were removed just before.
    with tempfile.TemporaryDirectory(prefix="bench-download-") as parent:
        behind = [_show(case, _measure(case, arguments, Path(parent))) for case in CASES]
    return int(any(behind))


def _show(case: Case, runs: dict[str, list[Result]]) -> bool:
    """Print a case's lines; returns whether we are behind the peer, or lost a photo."""
    rate, lost = {}, {}
    for who, results in runs.items():
        rates = sorted(result.photos / result.seconds for result in results)
        rate[who] = statistics.median(rates)
        lost[who] = max(PHOTOS - result.photos for result in results)
        spread = f"({rates[0]:.0f} to {rates[-1]:.0f})"
        print(f"{case.name:<14} {who:<24} {rate[who]:>9.0f} {spread:>15} {lost[who]:>5}")
    return lost["ours"] > 0 or (not case.errors and rate["ours"] < max(rate.values()))


def _measure(case: Case, arguments: argparse.Namespace, parent: Path) -> dict[str, list[Result]]:
    """Results by contender, in rounds that take turns."""
    runs: dict[str, list[Result]] = collections.defaultdict(list)
    for _ in range(ROUNDS):
        contenders = {"ours": -1}
        if arguments.peer:
            contenders["img2dataset"] = 0
            if case.errors:
                contenders["img2dataset, 7 retries"] = 7
        for who, retries in contenders.items():
            work = Path(tempfile.mkdtemp(dir=parent))
            with running(case, arguments.images) as port:
                urls = work / "urls.txt"
                lines = (f"http://127.0.0.1:{port}/{n}.jpg\n" for n in range(PHOTOS))
                urls.write_text("".join(lines))
                if retries < 0:
                    runs[who].append(ours(urls, work))
                else:
                    runs[who].append(peer(arguments.peer, urls, work, retries))
    return runs


if __name__ == "__main__":
    main()
