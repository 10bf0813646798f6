"""A step as a fork ends as a process of its own does, and leaves its parent as it was."""

import json
import os
import sys
import time
from pathlib import Path

import preloaded
import pytest

# Runs one component by its source, as kfp.local hands it over, and tells what became of both.
SCRIPT = """
import builtins, json, logging, os, signal, sys, tempfile
import kfp.dsl
from components.common.base.step import configure_logging
from components.common.base.termination import end_cleanly_on_signals
from programs.run import forked_steps

configure_logging()
end_cleanly_on_signals()
kept = tempfile.TemporaryDirectory()
before = (os.getcwd(), list(sys.argv), dict(os.environ), builtins.print, os.getpid())
given = json.dumps({"inputs": {}, "outputs": {"outputFile": sys.argv[2]}})
words = ["sh", "-ec", "a script", open(sys.argv[1]).read()]
words += ["--executor_input", given, "--function_to_execute", "work"]
start = sys.argv[3]
if start.startswith("prepared"):
    def imports():
        sys.modules["prepared"] = sys
        if start == "prepared in vain":
            raise ImportError("no such thing")
    forked_steps.prepare("work", imports)
    forked_steps.prepare("another step", imports)  # which never comes
    start = "run"
status = getattr(forked_steps, start)(words, {"OF_THE_TASK": "yes"})
assert before == (os.getcwd(), list(sys.argv), dict(os.environ), builtins.print, os.getpid())
assert os.path.isdir(kept.name)
print("status", status)
"""
HEAD = """
import os, signal, sys, time
from pathlib import Path
from kfp import dsl
from kfp.dsl import *
from typing import *
from components.common.base.errors import InputError
from components.common.base.step import step, warn
"""
ENDINGS = {
    "good": ("print('done'); print('to here', file=sys.stderr)", 0, ["done", "to here"]),
    "environment": (
        "print(os.environ['OF_THE_TASK'], os.environ['_KFP_RUNTIME'])",
        0,
        ["yes true"],
    ),
    "input": (
        "step('bake')(lambda: (_ for _ in ()).throw(InputError('no flour')))()",
        2,
        ["bake: error: no flour"],
    ),
    "fault": ("{}['flour']", 1, ["Traceback", "KeyError: 'flour'"]),
    "killed": ("os.kill(os.getpid(), signal.SIGKILL)", -9, []),
    "terminated before it is a step": ("os.kill(os.getpid(), signal.SIGTERM)", -15, []),
    "terminated": (
        "step('bake')(lambda: (os.kill(os.getpid(), signal.SIGTERM), time.sleep(60)))()",
        143,
        ["stopped by SIGTERM"],
    ),
    "terminated in native code": (
        "import hashlib; from components.common.base import termination as ending; "
        "ending.GRACE_S = 0.2; "
        "step('bake')(lambda: (os.kill(os.getpid(), signal.SIGTERM), "
        "hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)))()",
        143,
        ["stopped by SIGTERM"],
    ),
    "threads": (
        "from threading import Thread; "
        "Thread(target=lambda: (time.sleep(0.3), print('late'))).start()",
        0,
        ["late"],
    ),
    "word": ("sys.exit('a word')", 1, ["a word"]),
    "bytes": ("os.write(1, b'\\xff\\n'); print('\\udcff')", 0, ["\ufffd", "\\udcff"]),
}


@pytest.mark.parametrize(
    ("ending", "start"),
    [
        *((ending, start) for ending in ENDINGS for start in ("run", "spawn")),
        *(("good", "prepared"), ("killed", "prepared"), ("input", "prepared in vain")),
    ],
)
def test_ends_as_a_process_of_its_own_and_leaves_its_parent_as_it_was(
    tmp_path: Path, ending: str, start: str
) -> None:
    code, status, said = ENDINGS[ending]
    (tmp_path / "source.py").write_text(f"{HEAD}\ndef work() -> None:\n    {code}\n")
    places = (str(tmp_path / "source.py"), str(tmp_path / "out.json"))
    done = preloaded.run([sys.executable, "-c", SCRIPT, *places, start], any_code=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"status {status}"
    assert all(words in done.stdout for words in said), done.stdout
    assert done.stderr == ""
    if ending == "good":
        assert json.loads((tmp_path / "out.json").read_text()) == {}


def test_fork_that_waits_has_imported_what_its_task_needs_and_others_have_not(
    tmp_path: Path,
) -> None:
    (tmp_path / "source.py").write_text(
        f"{HEAD}\ndef work() -> None:\n    print('prepared' in __import__('sys').modules)\n"
    )
    for start, said in (("prepared", "True"), ("run", "False")):
        places = (str(tmp_path / "source.py"), str(tmp_path / "out.json"))
        done = preloaded.run([sys.executable, "-c", SCRIPT, *places, start])
        assert said in done.stdout.split(), done.stderr


def test_fork_that_waits_ends_with_who_began_it() -> None:
    script = (
        "import os\n"
        "from programs.run import forked_steps\n"
        "forked_steps.prepare('retrain', lambda: None)\n"
        "print(forked_steps._waiting['retrain'].child)\n"
    )
    done = preloaded.run([sys.executable, "-c", script])
    child = int(done.stdout)
    for _ in range(500):
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
    pytest.fail("it waits for ever")
