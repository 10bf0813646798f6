"""The benchmark row `first_run`, in a clone whose Python only writes down its words."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

# Stands for the Python of the clone's environment.
PYTHON = """\
#!/bin/sh
if [ "$1" = pipeline.py ]; then
  mkdir -p runs/20260101-000000
  echo '{"event": "finished", "step": "train", "seconds": 1.5}' >runs/20260101-000000/events.jsonl
  printf '%s\\n' "$@" >>"$TOLD/words"
  env >"$TOLD/environment"
fi
"""
GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C")


@pytest.fixture
def working_tree(tmp_path: Path) -> Path:
    """A repository with our Makefile, and with an environment that make takes for a new one."""
    tree = tmp_path / "tree"
    for name in ("docker/requirements/dev.txt", "docker/requirements/uv.txt", "pyproject.toml"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).touch()
    (tree / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    (tree / ".venv/bin").mkdir(parents=True)
    (tree / ".venv/bin/python").write_text(PYTHON)
    (tree / ".venv/bin/python").chmod(0o755)
    # A clone writes its files by name: make takes the link to be as new as the last of them.
    (tree / "zzz").touch()
    (tree / ".venv/.installed").symlink_to("../zzz")
    for words in (("init", "--quiet"), ("add", "--force", "."), ("commit", "--quiet", "-m", "x")):
        subprocess.run([*GIT, str(tree), *words], check=True)
    for label in ("agaric", "bolete"):  # not committed: the clone has none
        (tree / "photos/of mine" / label).mkdir(parents=True)
        (tree / "photos/of mine" / label / "1.jpg").touch()
    return tree


@pytest.mark.parametrize("by_command_line", [True, False])
def test_first_run_depends_on_none_of_the_callers_variables(
    working_tree: Path, tmp_path: Path, *, by_command_line: bool
) -> None:
    told = {
        "IMAGES": "photos/of mine",
        "CONTACT": "somebody@example.org",
        "RUNNER": "docker",
        "HOST": "http://127.0.0.1:1",
        "ARGS": "--only first_run --output told",
        "RUN": "runs/20251231-000000",
    }
    given = [f"{name}={value}" for name, value in told.items()] if by_command_line else []
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TOLD": str(tmp_path)}
    environment |= {"MUSHROOM_EVENTS": str(tmp_path / "events"), "MAKEFILES": ""}
    done = subprocess.run(
        ["make", "-o", ".venv/.installed", f"PY={sys.executable}", "bench", *given],
        cwd=working_tree,
        env=environment if by_command_line else {**environment, **told},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (row,) = json.loads((working_tree / "told/bench.json").read_text())["rows"]
    assert "pipeline.py run" in [one["name"].strip() for one in row["series"]]
    assert (tmp_path / "words").read_text().split() == ["pipeline.py", "run"]
    lines = (tmp_path / "environment").read_text().splitlines()
    there = {line.partition("=")[0]: line.partition("=")[2] for line in lines}
    assert not there.keys() & told.keys()
    assert {name for name in there if name.startswith("MUSHROOM_")} == {"MUSHROOM_TIMED_SHELL"}
