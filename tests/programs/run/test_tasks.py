"""Values reach a step as they are, and a task that fails is told of, with every runner."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, SMALL_ARCHITECTURE

from components.bottleneck.bottleneck import LOADING
from components.bottleneck.options import BottleneckOptions
from components.common.base.step import EVENTS_VARIABLE
from components.common.network.backbone import is_converted
from programs.run import forked_steps, tasks

# What people name folders, classes and options, and what kfp.local or a shell would take for more.
VALUES = [
    *(
        "two  blanks",
        " at both ends ",
        "it's",
        'say "hi"',
        "(round) [square] {curly}",
        "back\\slash",
    ),
    *(
        "$HOME",
        "${HOME}",
        "$(id)",
        "`id`",
        "a;b|c&d",
        "star*",
        "what?",
        "~",
        "-rf",
        "--executor_input",
    ),
    *("python3", "python3-projects", "/usr/bin/python3 -m pip install x"),
    *("{{$}}", "{{$.inputs}}", "{{$.inputs.parameters['first']}}", "{{$.outputs.output_file}}"),
    *("{{$.pipeline_job_name}}", "{{$.pipeline_root}}", "/kfp-workspace/x", "{{workspace_path}}"),
    *(
        "Röhrling",
        "Ro\u0308hrling",
        "🍄",
        "ü" * 127,
        "two\nlines",
        "tab\t",
        "100%",
        "%s",
        "#1",
        "a:b",
        "",
    ),
]
ODD = 'it\'s "my" $HOME (python3) {{$.inputs}} [x]: 🍄 `id`'
# A pipeline of one task, as programs.run starts it; in containers, a shell of this machine stands
# where Docker would run the very same command.
PROGRAM = """
import json, subprocess, sys
from pathlib import Path
from typing import Dict, List
from kfp import dsl, local
from kfp.local import docker_task_handler
from programs.run import tasks

mode, root, values = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])

@dsl.component(base_image="python", install_kfp_package=False)
def echo(first: str, listed: List[str], table: Dict[str, str], given: dsl.Output[dsl.Dataset]):
    import json
    from pathlib import Path
    print("some words")
    if first == "fail":
        raise ImportError("no such library")
    if first == "die":
        import os
        os.kill(os.getpid(), 9)
    Path(given.path).write_text(json.dumps([first, listed, table]))

@dsl.pipeline(name="echoes")
def echoes(first: str, listed: List[str], table: Dict[str, str]) -> dsl.Dataset:
    return echo(first=first, listed=listed, table=table).outputs["given"]

log = root / "log-full.txt"
runner = local.SubprocessRunner(use_venv=False)
if mode == "docker":
    runner = local.DockerRunner()
    docker_task_handler.docker.from_env = lambda: type("C", (), {"info": dict, "close": print})
    def start(command, **_):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        print(done.stdout.decode())
        return done.returncode % 256
    docker_task_handler.run_docker_container = lambda command, **more: tasks.told(
        command, lambda: start(command), log)
else:
    sys.platform = mode
    tasks.use_processes(log)
tasks.hand_over_values()
local.init(runner, pipeline_root=str(root / "artifacts"))
made = echoes(first=values[0], listed=values, table={value: value for value in values})
print("GIVEN", Path(made.outputs["Output"].path).read_text())
"""
RUNNERS = ("linux", "darwin", "docker")  # a fork, an interpreter of its own, a container


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This environment's Python, in a folder with an odd name."""
    prefix = tmp_path_factory.mktemp("environment") / ODD.replace(":", "")
    (prefix / "bin").mkdir(parents=True)
    for name in ("python", "python3"):
        (prefix / "bin" / name).symlink_to(os.path.realpath(sys.executable))
    (prefix / "pyvenv.cfg").write_text(Path(sys.prefix, "pyvenv.cfg").read_text())
    (prefix / "lib").symlink_to(Path(sys.prefix, "lib"))
    return prefix / "bin" / "python"


def run(python: Path, root: Path, mode: str, values: list[str]) -> dict[str, str]:
    """What the pipeline gives, or the event that says why it failed."""
    root.mkdir()
    (root / "program.py").write_text(PROGRAM)
    environment = {
        **os.environ,
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "MUSHROOM_EVENTS": str(root / "events.jsonl"),
    }
    with open(root / "log-full.txt", "wb") as log:
        subprocess.run(
            [str(python), str(root / "program.py"), mode, str(root), json.dumps(values)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            check=False,
        )
    said = (root / "log-full.txt").read_text(errors="replace")
    given = [line for line in said.splitlines() if line.startswith("GIVEN ")]
    if given:
        return {"given": json.loads(given[0].removeprefix("GIVEN "))}
    events = root / "events.jsonl"
    assert events.is_file(), said
    (event,) = map(json.loads, events.read_text().splitlines())
    return dict(event)


@pytest.mark.parametrize("mode", RUNNERS)
def test_values_reach_a_step_as_they_are_in_a_folder_of_any_name(
    python: Path, tmp_path: Path, mode: str
) -> None:
    first, listed, table = run(python, tmp_path / ODD, mode, ["{{$.inputs}} python3", *VALUES])[
        "given"
    ]
    assert first == "{{$.inputs}} python3"
    assert listed == [first, *VALUES]  # type: ignore[comparison-overlap]
    assert table == {value: value for value in [first, *VALUES]}  # type: ignore[comparison-overlap]


@pytest.mark.parametrize("mode", RUNNERS)
@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("fail", ["ended with status 1; it said last:", "ImportError: no such library"]),
        ("die", ["(killed, or out of memory?); it said last:", "SIGKILL"]),
    ],
)
def test_task_that_fails_before_it_is_a_step_is_told_with_its_last_words(
    python: Path, tmp_path: Path, mode: str, how: str, told: list[str]
) -> None:
    event = run(python, tmp_path / "run", mode, [how])
    assert (event["event"], event["step"], event["exit_status"]) == ("failed", "echo", 1)
    for words in told:
        assert words in event["message"]


def test_no_step_s_command_has_another_placeholder_than_its_input() -> None:
    from test_architecture import STEPS

    for name in STEPS:
        module = __import__(f"components.{name}.component", fromlist=[name])
        container = getattr(module, name).component_spec.implementation.container
        words = [*container.command, *container.args]
        assert [word for word in words if "{{$" in word] == [tasks.INPUT_PLACEHOLDER]
        assert forked_steps.step_of(words) == name


@pytest.mark.long
def test_network_is_made_ready_once_and_said_to_be(
    backbone_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights").symlink_to(backbone_cache / "weights")
    events = tmp_path / "events.jsonl"
    monkeypatch.setenv(EVENTS_VARIABLE, str(events))
    options = BottleneckOptions(architecture=SMALL_ARCHITECTURE, cache_dir=str(tmp_path))
    arguments = {**vars(options), "min_accuracy": 0.5}
    assert not is_converted(SMALL_ARCHITECTURE, tmp_path)
    tasks._prepare_network(arguments)
    assert is_converted(SMALL_ARCHITECTURE, tmp_path)
    said = events.read_text()
    assert json.loads(said.splitlines()[0])["what"] == LOADING
    tasks._prepare_network(arguments)
    assert events.read_text() == said
