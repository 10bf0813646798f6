"""What killed processes leave goes; what another process is writing stays."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.common.base import temporary
from components.common.base.files import atomic_directory, atomic_file, write_file

ROOT = Path(__file__).parents[3]
WRITERS = {
    "directory": """
with atomic_directory(Path("out"), what="the thing", marker="marker") as new:
    (new / "half").touch()
    wait()
""",
    "file": """
with atomic_file(Path("out"), what="the thing") as new:
    new.write_text("half")
    wait()
""",
}
PROGRAM = """
import sys
from pathlib import Path
from components.common.base.files import atomic_directory, atomic_file
def wait():
    print("ready", flush=True)
    sys.stdin.read()
"""


@contextmanager
def writer(kind: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """Another process in the midst of writing `out`."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM + WRITERS[kind]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def make(kind: str, path: Path, content: str) -> None:
    if kind == "file":
        write_file(path, content, what="the thing")
        return
    with atomic_directory(path, what="the thing", marker="marker") as new:
        (new / "marker").write_text(content)


def content(path: Path) -> str:
    return (path / "marker" if path.is_dir() else path).read_text()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("kind", WRITERS)
def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path, kind: str) -> None:
    make(kind, tmp_path / "out", "old")
    with writer(kind, tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert len(names(tmp_path)) == 2
    assert content(tmp_path / "out") == "old"
    make(kind, tmp_path / "out", "new")
    assert names(tmp_path) == ["out"]
    assert content(tmp_path / "out") == "new"


@pytest.mark.parametrize("kind", WRITERS)
def test_what_another_process_is_writing_stays(tmp_path: Path, kind: str) -> None:
    with writer(kind, tmp_path) as process:
        make(kind, tmp_path / "out", "mine")
        assert content(tmp_path / "out") == "mine"
        assert len(names(tmp_path)) == 2
        process.communicate()  # it ends its writing, undisturbed
        assert process.returncode == 0
    assert names(tmp_path) == ["out"]


def test_siblings_of_other_names_stay(tmp_path: Path) -> None:
    for name in (".output.partial-1", ".out.partial", "out.partial-1", ".out.x.partial-1"):
        (tmp_path / name).touch()
    make("file", tmp_path / "out", "x")
    assert len(names(tmp_path)) == 5


@pytest.mark.parametrize("exchange", [True, False])
def test_earlier_directory_is_replaced_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr(temporary, "_exchange", lambda one, other: False)
    make("directory", tmp_path / "out", "old")
    make("directory", tmp_path / "out", "new")
    assert names(tmp_path) == ["out"]
    assert content(tmp_path / "out") == "new"


def test_names_are_exchanged_without_a_moment_without_either(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux exchanges names")
    for name in ("one", "other"):
        make("directory", tmp_path / name, name)
    assert temporary._exchange(tmp_path / "one", tmp_path / "other")
    assert content(tmp_path / "one") == "other"
    assert content(tmp_path / "other") == "one"


def test_directory_that_was_moved_aside_by_a_killed_process_comes_back(tmp_path: Path) -> None:
    make("directory", tmp_path / ".out.old-1", "old")
    with pytest.raises(KeyboardInterrupt), atomic_directory(tmp_path / "out", what="x", marker="m"):
        raise KeyboardInterrupt
    assert names(tmp_path) == ["out"]
    assert content(tmp_path / "out") == "old"


def test_without_locks_only_what_is_old_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporary, "try_lock", lambda descriptor: None)
    (tmp_path / ".out.partial-young").touch()
    (tmp_path / ".out.partial-old").touch()
    os.utime(tmp_path / ".out.partial-old", (0, 0))
    make("file", tmp_path / "out", "x")
    assert names(tmp_path) == [".out.partial-young", "out"]


def test_file_of_another_kind_of_writer_is_whole_or_absent(tmp_path: Path) -> None:
    def stop_midway() -> None:
        with atomic_file(tmp_path / "out", what="x") as new:
            new.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop_midway()
    assert names(tmp_path) == []
    with atomic_file(tmp_path / "out", what="x") as new:
        new.write_text("whole")
    assert content(tmp_path / "out") == "whole"


@pytest.mark.parametrize("kind", ["file", "directory"])
@pytest.mark.parametrize("name", ["x" * 255, "ü" * 127, "🍄" * 63])
def test_name_as_long_as_a_disk_allows_can_be_written_and_written_again(
    tmp_path: Path, kind: str, name: str
) -> None:
    for content in ("earlier", "later"):
        if kind == "file":
            write_file(tmp_path / name, content, what="the thing")
            assert (tmp_path / name).read_text() == content
        else:
            with atomic_directory(tmp_path / name, what="the thing", marker="marker") as new:
                (new / "marker").write_text(content)
            assert (tmp_path / name / "marker").read_text() == content
    assert [path.name for path in tmp_path.iterdir()] == [name]
