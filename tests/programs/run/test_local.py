"""The child process that runs the pipeline, and what it leaves."""

import errno
import io
import json
import shlex
from pathlib import Path

import pytest
from faults.small_disk import fill, mounted
from rich.console import Console

from programs.run import local
from programs.run.display import Display
from programs.run.options import Request

# As kfp.local and its tasks do: with the shell and with Python, never cleared away.
PROGRAM = """
import json, os, subprocess, sys, tempfile
made = [tempfile.mkdtemp(prefix="kfp-workspace-")]
made += [subprocess.run(["mktemp", "-d"], capture_output=True, text=True).stdout.strip()]
print(json.dumps([os.path.isdir(path) for path in made]), *made, flush=True)
event = json.dumps({"event": "failed", "step": "clean", "message": "x", "exit_status": 1})
if END == "failed":
    open(os.environ["MUSHROOM_EVENTS"], "w").write(event + "\\n")
    sys.stdin.read()
    import time; time.sleep(600)
"""


@pytest.mark.parametrize("end", ["finished", "failed"])
def test_temporary_files_of_a_run_go_with_its_end(tmp_path: Path, end: str) -> None:
    program = tmp_path / "pipeline.py"
    program.write_text(PROGRAM.replace("END", repr(end)))
    run = tmp_path / "run"
    run.mkdir()
    log = run / "log.txt"
    with Display(Console(file=io.StringIO())) as display:
        local._run_child(Request(run, {}), program, log, display)
    first, second, *made = log.read_text().split()
    assert (first, second) == ("[true,", "true]")
    assert len(made) == 2
    assert all(Path(path).is_relative_to(run) for path in made)
    assert sorted(path.name for path in run.iterdir() if path.name != "events.jsonl") == [
        "log-full.txt",
        "log.txt",
        "request.json",
    ]


def test_warnings_are_shown_where_nothing_is_new(tmp_path: Path) -> None:
    program = tmp_path / "pipeline.py"
    events = [
        {"event": "warning", "message": "not learned: tulip"},
        {"event": "nothing_new", "message": "Nothing new: the same 4 photos"},
    ]
    lines = "".join(json.dumps(event) + "\\n" for event in events)
    program.write_text(f"import os; open(os.environ['MUSHROOM_EVENTS'], 'w').write('{lines}')")
    run = tmp_path / "run"
    run.mkdir()
    shown = io.StringIO()
    request = Request(run, {"classes": ["a", "b"]})
    assert local.run_locally(request, program, Console(file=shown)) == 0
    assert shown.getvalue().splitlines()[-2:] == [
        "warning: not learned: tulip",
        "Nothing new: the same 4 photos",
    ]


@pytest.mark.parametrize("there", ["nothing", "link", "link to nowhere", "folder", "file"])
def test_latest_leads_to_the_run_unless_it_is_somebody_s_own(tmp_path: Path, there: str) -> None:
    latest, run = tmp_path / "latest", tmp_path / "2026 it's"
    run.mkdir()
    if there == "folder":
        (latest / "mine").mkdir(parents=True)
    elif there == "file":
        latest.write_text("mine")
    elif there != "nothing":
        latest.symlink_to(tmp_path if there == "link" else "nowhere")
    said = local._point_to(run)
    if there in ("folder", "file"):
        assert f"{latest} does not lead to this run" in said[0]
        assert f"make serve RUN={shlex.quote(str(run))}" in said[0]
        assert not latest.is_symlink()
        assert latest.is_dir() == (there == "folder")
    else:
        assert said == []
        assert latest.resolve() == run
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2026 it's", "latest"]


def test_disk_without_links_gets_copies_and_no_latest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)  # as exFAT does
    made = tmp_path / "artifacts" / "model"
    made.mkdir(parents=True)
    (made / "model.json").write_text("{}")
    local._link(tmp_path / "model", str(made))
    assert (tmp_path / "model" / "model.json").read_text() == "{}"
    (said,) = local._point_to(tmp_path)
    assert "does not lead to this run (Operation not permitted)" in said


def test_disk_that_is_full_is_named_where_nobody_could_write_down_why(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", 64 * 1024) as disk:
        (disk / "log.txt").touch()
        shown = Display(Console(file=io.StringIO()))
        assert "before any step failed" in str(local._failure(shown, 1, disk / "log.txt"))
        fill(disk, 0)
        error = local._failure(shown, 1, disk / "log.txt")
    assert error.exit_status == 1
    assert f"no space left on the disk of {disk}: free some space" in str(error)
