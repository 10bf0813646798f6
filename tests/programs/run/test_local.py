"""The child process that runs the pipeline, and what it leaves."""

import io
from pathlib import Path

import pytest
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
