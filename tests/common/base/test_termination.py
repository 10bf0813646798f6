"""A signal ends a step soon, whatever it is doing, and nothing half-written is left."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
# Long for a test that fails, far above what one that works takes.
MOST_S = 60

COMMAND = """
import argparse, hashlib, os, sys, time
from pathlib import Path
from components.common.base import termination
from components.common.base.files import atomic_directory, write_file
from components.common.base.step import run_command, step

termination.GRACE_S = float(os.environ["GRACE_S"])

def python():
    ready()
    while True:
        time.sleep(0.01)

def native():
    ready()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)

class Slow:
    def __del__(self):
        ready()
        for _ in range(100):
            time.sleep(0.01)

def swallowed():
    while True:
        Slow()

def translated():
    try:
        python()
    except SystemExit:
        raise RuntimeError("a library's own error") from None

def printing():
    ready()
    while True:
        print("x" * 1000, file=sys.stderr)

def cleaning():
    try:
        python()
    finally:
        ready()
        time.sleep(0.5)
        Path("cleaned").touch()

def ready():
    os.write(1, b"ready\\n")

@step("work")
def work(how):
    with atomic_directory(Path("out"), what="the thing", marker="m") as new:
        (new / "half").touch()
        globals()[how]()

parser = argparse.ArgumentParser()
parser.add_argument("how")
run_command("work", parser, lambda options: work(options.how))
"""


@contextmanager
def working(how: str, folder: Path, grace_s: float) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, how],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GRACE_S": str(grace_s)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if how != "printing" else (folder / "stderr").open("wb"),
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("how", "grace_s"),
    [
        ("python", 1000),
        ("translated", 1000),
        ("printing", 1000),
        ("native", 0.2),
        ("swallowed", 0.2),
    ],
)
def test_sigterm_ends_with_a_message_and_leaves_nothing(
    tmp_path: Path, how: str, grace_s: float
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    with working(how, folder, grace_s) as process:
        process.send_signal(signal.SIGTERM)
        stderr = process.communicate(timeout=MOST_S)[1]
    if how == "printing":
        stderr = (folder / "stderr").read_bytes()
        (folder / "stderr").unlink()
    assert process.returncode == 143
    assert stderr.count(b"stopped by SIGTERM\n") == 1
    assert b"Traceback" not in stderr or how == "swallowed"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("how", ["python", "native"])
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGQUIT])
def test_terminal_that_goes_ends_it_too(tmp_path: Path, how: str, number: signal.Signals) -> None:
    with working(how, tmp_path, 1000 if how == "python" else 0.2) as process:
        process.send_signal(number)
        stderr = process.communicate(timeout=MOST_S)[1]
    assert process.returncode == 128 + number
    assert stderr == f"stopped by {number.name}\n".encode()
    assert list(tmp_path.iterdir()) == []


def test_what_nohup_started_goes_on_without_its_terminal(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup hands it on
    try:
        with working("python", tmp_path, 1000) as process:
            process.send_signal(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(1)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_second_sigterm_lets_the_cleaning_up_go_on(tmp_path: Path) -> None:
    with working("cleaning", tmp_path, 1000) as process:
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        stderr = process.communicate(timeout=MOST_S)[1]
    assert (process.returncode, stderr) == (143, b"stopped by SIGTERM\n")
    assert [path.name for path in tmp_path.iterdir()] == ["cleaned"]


# The signal comes when a temporary file is there, and not yet anybody's.
EARLY = """
import os, signal, sys
from pathlib import Path
from components.common.base import temporary, termination
from components.common.base.files import write_file

lock = temporary.try_lock

def signalled(descriptor):
    os.kill(os.getpid(), signal.SIGTERM)
    return lock(descriptor)

temporary.try_lock = signalled
termination.end_cleanly_on_signals()
write_file(Path(sys.argv[1]), "x", what="a file")
"""


def test_signal_between_making_and_writing_a_file_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EARLY, str(tmp_path / "file")],
        cwd=ROOT,
        capture_output=True,
        timeout=MOST_S,
        check=False,
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir()) == []
