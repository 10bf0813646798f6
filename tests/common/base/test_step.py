"""How a step ends: its exit status, what it prints, and the events for whoever watches."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from components.common.base import step as step_module
from components.common.base.errors import InputError, WorkError
from components.common.base.step import Progress, emit, explain, step, warn

ROOT = Path(__file__).parents[3]

# A step whose ending is chosen on the command line.
COMMAND = """
import argparse, errno, logging
from components.common.base.errors import InputError, WorkError
from components.common.base.step import run_command, step, warn

@step("bake")
def bake(ending):
    warn("oven is warm")
    if ending == "input":
        raise InputError("no flour in /pantry")
    if ending == "work":
        raise WorkError("the oven broke")
    if ending == "full":
        raise OSError(errno.ENOSPC, "No space left on device", "/shelf/bread")
    if ending == "missing":
        open("/nowhere/flour")
    if ending == "memory":
        raise MemoryError
    if ending == "interrupt":
        raise KeyboardInterrupt
    if ending == "escape":
        warn("a photo at http://a/\\x1b[2J\\x1b]0;owned\\x07")
        logging.getLogger("components").info("the server says \\u202egnp.exe\\r\\x9b31m")
        raise WorkError("first line\\n\\tsecond \\x1b[31m\\udcff line")
    if ending == "bug":
        {}["flour"]
    if ending == "many":
        for number in range(100_000):
            print(number)
    print("bread")
    return 3 if ending == "three" else "loaf"

parser = argparse.ArgumentParser(prog="bake")
parser.add_argument("ending", choices=["good", "three", "input", "work", "full", "missing",
                                       "memory", "interrupt", "bug", "escape", "many"])
CALL
"""
AS_COMMAND = COMMAND.replace("CALL", 'run_command("bake", parser, lambda o: bake(o.ending))')
AS_FUNCTION = COMMAND.replace("CALL", "bake(parser.parse_args().ending)")


def run(
    script: str, *arguments: str, events: Path | None = None, kfp: bool = False
) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("_KFP_RUNTIME", None)
    environment.pop(step_module.EVENTS_VARIABLE, None)
    if events:
        environment[step_module.EVENTS_VARIABLE] = str(events)
    if kfp:
        environment["_KFP_RUNTIME"] = "true"
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def events_of(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("ending", "status", "message"),
    [
        ("input", 2, "bake: error: no flour in /pantry"),
        ("work", 1, "bake: error: the oven broke"),
        ("full", 1, "bake: error: no space left on the disk"),
        ("missing", 2, "bake: error: No such file or directory: /nowhere/flour"),
        ("memory", 1, "bake: error: out of memory"),
        ("interrupt", 130, "bake: interrupted"),
        ("cake", 2, "invalid choice: 'cake'"),
    ],
)
def test_command_ends_with_a_message_and_its_status(ending: str, status: int, message: str) -> None:
    done = run(AS_COMMAND, ending)
    assert done.returncode == status
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_what_a_terminal_would_obey_is_replaced_wherever_it_is_said(tmp_path: Path) -> None:
    done = run(AS_COMMAND, "escape", events=tmp_path / "events")
    assert done.stderr.splitlines() == [
        "warning: oven is warm",
        "warning: a photo at http://a/\ufffd[2J\ufffd]0;owned\ufffd",
        "the server says \ufffdgnp.exe\ufffd\ufffd31m",
        "bake: error: first line",
        "\tsecond \ufffd[31m\ufffd line",
    ]
    told = [event["message"] for event in events_of(tmp_path / "events") if "message" in event]
    assert told == [
        "oven is warm",
        "a photo at http://a/\ufffd[2J\ufffd]0;owned\ufffd",
        "first line\n\tsecond \ufffd[31m\ufffd line",
    ]


def test_command_that_works_ends_with_zero() -> None:
    done = run(AS_COMMAND, "good")
    assert (done.returncode, done.stdout) == (0, "bread\n")
    assert done.stderr == "warning: oven is warm\n"


def test_number_that_a_command_returns_is_its_status() -> None:
    assert run(AS_COMMAND, "three").returncode == 3


def test_fault_of_ours_keeps_its_traceback() -> None:
    done = run(AS_COMMAND, "bug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "KeyError: 'flour'" in done.stderr


def test_reader_that_goes_away_is_no_error() -> None:
    pipe = "set -o pipefail; " + '"$0" -c "$1" many | head -1'
    done = subprocess.run(
        ["bash", "-c", pipe, sys.executable, AS_COMMAND],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "0\n")
    assert done.stderr == "warning: oven is warm\n"


def test_events_of_a_good_step(tmp_path: Path) -> None:
    run(AS_COMMAND, "good", events=tmp_path / "events")
    started, warning, finished = events_of(tmp_path / "events")
    assert (started["event"], started["step"]) == ("started", "bake")
    assert (warning["event"], warning["message"]) == ("warning", "oven is warm")
    assert (finished["event"], finished["step"]) == ("finished", "bake")
    assert 0 <= finished["seconds"] < 30  # type: ignore[operator]
    assert started["pid"] == finished["pid"]


@pytest.mark.parametrize(
    ("ending", "status", "message"),
    [
        ("input", 2, "no flour in /pantry"),
        ("work", 1, "the oven broke"),
        ("full", 1, "no space left"),
        ("bug", 1, "KeyError: 'flour'"),
    ],
)
@pytest.mark.parametrize("kfp", [False, True])
def test_events_of_a_failed_step(
    tmp_path: Path, ending: str, status: int, message: str, kfp: bool
) -> None:
    run(AS_FUNCTION, ending, events=tmp_path / "events", kfp=kfp)
    assert [line["event"] for line in events_of(tmp_path / "events")] == [
        "started",
        "warning",
        "failed",
    ]
    failed = events_of(tmp_path / "events")[-1]
    assert failed["exit_status"] == status
    assert message in str(failed["message"])


@pytest.mark.parametrize(("ending", "status"), [("input", 2), ("work", 1), ("full", 1)])
def test_kfp_executor_ends_without_a_traceback(ending: str, status: int) -> None:
    done = run(AS_FUNCTION, ending, kfp=True)
    assert done.returncode == status
    assert "bake: error: " in done.stderr
    assert "Traceback" not in done.stderr


def test_step_called_from_python_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("_KFP_RUNTIME", raising=False)

    @step("bake")
    def bake(error: Exception) -> None:
        raise error

    with pytest.raises(InputError, match="flour"):
        bake(InputError("flour"))
    with pytest.raises(WorkError, match="no space left"):
        bake(OSError(28, "No space left on device"))
    with pytest.raises(ZeroDivisionError):
        bake(ZeroDivisionError())


def test_step_keeps_name_arguments_and_result() -> None:
    @step("add")
    def add(left: int, *, right: int = 1) -> int:
        """Add."""
        return left + right

    assert add(2, right=3) == 5
    assert (add.__name__, add.__doc__) == ("add", "Add.")


def test_events_of_processes_that_run_at_once_do_not_mix(tmp_path: Path) -> None:
    script = (
        "from components.common.base.step import emit\nfor n in range(300): emit('x', text='y' * n)"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        step_module.EVENTS_VARIABLE: str(tmp_path / "events"),
    }
    running = [subprocess.Popen([sys.executable, "-c", script], env=environment) for _ in range(3)]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    lines = events_of(tmp_path / "events")
    assert len(lines) == 900
    for process in running:
        lengths = [len(str(line["text"])) for line in lines if line["pid"] == process.pid]
        assert lengths == list(range(300))


def test_no_events_without_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(step_module.EVENTS_VARIABLE, "")
    emit("started")
    warn("nobody listens")
    assert list(tmp_path.iterdir()) == []


def test_progress_counts_and_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(step_module.EVENTS_VARIABLE, str(tmp_path / "events"))
    progress = Progress("wash", 500, verb="washed", unit="plate")
    assert list(progress.over(range(500))) == list(range(500))
    lines = events_of(tmp_path / "events")
    assert progress.done == 500
    assert (lines[-1]["what"], lines[-1]["said"]) == ("wash", "500 of 500 plates washed")
    assert len(lines) < 50  # at most a few each second, not one for each piece of work


def test_progress_writes_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock = iter(range(0, 10_000, 10))
    # only this module's clock: threads of other tests read the interpreter's own
    monkeypatch.setattr(step_module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(step_module.log, "propagate", True)
    with caplog.at_level("INFO", "components"):
        progress = Progress("wash", 12, verb="washed", unit="plate")
        list(progress.over(range(12)))
    expected = [f"wash: {done} of 12 plates washed" for done in (3, 6, 9, 12, 12)]
    assert caplog.messages == expected


@pytest.mark.parametrize(
    ("count", "total", "said"),
    [
        (1, 1, "wash: 1 of 1 photo looked at"),
        (3, 3, "wash: 3 of 3 photos looked at"),
        (1, None, "wash: 1 photo looked at"),
        (3, None, "wash: 3 photos looked at"),
        (0, 0, "wash: 0 of 0 photos looked at"),
    ],
)
def test_progress_says_what_it_has_counted(
    count: int,
    total: int | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(step_module.log, "propagate", True)
    with caplog.at_level("INFO", "components"):
        list(Progress("wash", total, verb="looked at").over(range(count)))
        list(Progress("wash", total, verb="looked at").over(range(count), lambda: "2 clean"))
    assert caplog.messages == [said, "wash: 2 clean"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InputError("x"), InputError),
        (WorkError("x"), WorkError),
        (FileNotFoundError(2, "No such file or directory", "/x"), InputError),
        (PermissionError(13, "Permission denied", "/x"), InputError),
        (NotADirectoryError(20, "Not a directory", "/x"), InputError),
        (IsADirectoryError(21, "Is a directory", "/x"), InputError),
        (OSError(28, "No space left on device"), WorkError),
        (OSError(36, "File name too long", "/x"), InputError),
        (OSError(40, "Too many levels of symbolic links", "/x"), InputError),
        (OSError(30, "Read-only file system", "/x"), InputError),
        (OSError(5, "Input/output error", "/x"), WorkError),
        (OSError(5, "Input/output error"), WorkError),
        (OSError(116, "Stale file handle"), WorkError),
        (OSError(37, "No locks available", "/x"), WorkError),
        (ConnectionResetError(104, "Connection reset by peer"), type(None)),
        (FileNotFoundError("of a library, without a file"), type(None)),
        (MemoryError(), WorkError),
        (ValueError("x"), type(None)),
    ],
    ids=lambda value: getattr(value, "__name__", repr(value)),
)
def test_error_is_explained(error: Exception, kind: type) -> None:
    assert type(explain(error)) is kind


def test_warning_about_a_file_whose_name_is_no_text_can_be_written_into_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_EVENTS", str(tmp_path / "events"))
    warn(f"{os.fsdecode(b'Sch' + bytes([0xFC]) + b'ler.txt')} is no photo")
    (event,) = events_of(tmp_path / "events")
    assert event["message"] == "Sch\ufffdler.txt is no photo"
    assert event["message"].encode()
