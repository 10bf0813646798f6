"""The Makefile's targets, run as a person runs them."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Run, run_captured


def make(*arguments: str) -> list[str]:
    """A make command that takes the environment of these tests as it is, and installs nothing."""
    environment = os.path.relpath(sys.prefix, ROOT)  # make takes no blanks in names of targets
    return ["make", "-o", f"{environment}/.installed", f"VENV={environment}", *arguments]


def test_make_alone_lists_every_target() -> None:
    done = run_captured(*make())
    assert done.returncode == 0, done.stderr
    targets = {
        line.split(":")[0]
        for line in (ROOT / "Makefile").read_text().splitlines()
        if "  ## " in line and ":" in line and not line.startswith(("#", "$"))
    }
    assert {"run", "test", "lint", "compile", "tensorboard"} <= targets
    for target in targets:
        assert f"make {target}" in done.stdout


def test_wrong_input_keeps_its_message_and_make_fails(tmp_path: Path) -> None:
    done = run_captured(
        *make("run", f"IMAGES={tmp_path / 'no such folder'}", f"ARGS=--runs_dir {tmp_path / 'r'}")
    )
    assert done.returncode == 2
    assert "no such folder does not exist" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("IMAGE", "IMAGES"),
        ("images", "IMAGES"),
        ("IMGES", "IMAGES"),
        ("URL", "URLS"),
        ("SOURCES", "SOURCE"),
        ("ARCHITECURE", "ARCHITECTURE"),
        ("LEDGERS", "LEDGER"),
        ("PORTS", "PORT"),
        ("folder", ""),
        ("it's", ""),
    ],
)
@pytest.mark.parametrize("target", ["run", "submit", "serve", "help"])
def test_unknown_variable_is_an_error_with_the_right_name(
    target: str, given: str, meant: str
) -> None:
    done = run_captured(*make(target, f"{given}=~/photos of $HOME", "-n"))
    assert done.returncode == 2
    assert f"{given} is no variable of this Makefile" in done.stderr
    assert (f"did you mean {meant}?" in done.stderr) is bool(meant)
    assert [line for line in done.stdout.splitlines() if not line.startswith("make")] == []


def test_variables_of_the_environment_and_of_make_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("IMAGE", "CC", "PYTEST_ADDOPTS", "images"):
        monkeypatch.setenv(name, "1")
    done = run_captured(*make("run", "-n", "SHELL=/bin/bash", "IMAGES=here", "DOCKER=podman"))
    assert done.returncode == 0, done.stderr
    assert '--image_dir="$IMAGES"' in done.stdout


RETRAIN_PY_TAGS = {
    "scalars": {
        "accuracy_1",
        "cross_entropy_1",
        *(
            f"final_training_ops/{name}/summaries/{what}"
            for name in ("weights", "biases")
            for what in ("mean", "stddev_1", "max", "min")
        ),
    },
    "histograms": {
        "final_training_ops/weights/summaries/histogram",
        "final_training_ops/biases/summaries/histogram",
        "final_training_ops/Wx_plus_b/pre_activations",
        "activations",
    },
}


def test_tensorboard_target_serves_both_runs_with_their_tags(sample_run: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        make("tensorboard", f"RUN={sample_run.directory}", f"PORT={port}"),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def asked(path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/data/{path}", timeout=5) as answer:
            return json.load(answer)

    try:
        tags = {}
        deadline = time.monotonic() + 60
        while not {"train", "validation"} <= set(tags) and time.monotonic() < deadline:
            time.sleep(0.5)
            try:
                tags = asked("plugin/scalars/tags")
            except urllib.error.URLError:
                assert server.poll() is None, "TensorBoard did not start"
        assert {"accuracy_1", "cross_entropy_1"} <= set(tags["validation"])
        assert any(tag.startswith("recall/") for tag in tags["validation"])
        assert set(tags["train"]) == RETRAIN_PY_TAGS["scalars"] | {"learning_rate"}
        histograms = asked("plugin/histograms/tags")
        assert set(histograms["train"]) == RETRAIN_PY_TAGS["histograms"]
        assert asked("plugin/graphs/info")["train"]["run_graph"] is True
        assert len(asked("plugin/pr_curves/tags")["validation"]) == 5
        # The projector looks for its files in a thread of its own.
        while not (projector := asked("plugin/projector/runs")) and time.monotonic() < deadline:
            time.sleep(0.5)
        assert projector == ["train"]
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


@pytest.mark.parametrize(
    ("target", "ready"),
    [
        ("serve", "ready: a model of"),
        ("tensorboard", "(Press CTRL+C to quit)"),
        ("review", "Decisions are saved in"),
    ],
)
def test_interrupt_by_the_user_is_no_error_of_make(
    sample_run: Run, tmp_path: Path, target: str, ready: str
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = tmp_path / "said"
    with open(said, "wb") as file:
        server = subprocess.Popen(
            make(target, f"RUN={sample_run.directory}", f"PORT={port}"),
            cwd=ROOT,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 60
        while ready not in said.read_text() and time.monotonic() < deadline:
            assert server.poll() is None, said.read_text()
            time.sleep(0.1)
        os.killpg(server.pid, signal.SIGINT)  # as a terminal does: make, shell and program
        assert server.wait(30) == -signal.SIGINT
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
    assert ready in said.read_text()
    assert "make:" not in said.read_text()


def test_server_that_fails_is_an_error_of_make(tmp_path: Path) -> None:
    done = run_captured(*make("serve", f"MODEL={tmp_path}"))
    assert done.returncode == 2
    assert "Error 2" in done.stderr


def test_tensorboard_target_without_a_run_says_what_to_do(tmp_path: Path) -> None:
    for place in (f"RUN={tmp_path}", f"LOGS={tmp_path / 'logs'}"):
        done = run_captured(*make("tensorboard", place))
        assert done.returncode == 2
        assert f"no logs at {tmp_path / 'logs'}: make run" in done.stderr


def test_learning_curve_target_without_a_run_says_what_to_do(tmp_path: Path) -> None:
    done = run_captured(*make("learning-curve", f"RUN={tmp_path}"))
    assert done.returncode == 2
    assert "make run, or name a folder of photos" in " ".join(done.stderr.split())


def test_verify_target_checks_the_run_that_it_is_given(sample_run: Run, tmp_path: Path) -> None:
    whole = run_captured(*make("verify", f"RUN={sample_run.directory}"))
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert "artifacts are complete, unmodified and consistent" in whole.stdout
    none = run_captured(*make("verify", f"RUN={tmp_path}"))
    assert none.returncode == 2
    assert f"{tmp_path} is not a finished run" in none.stderr


# Every way in which make or a shell would find more in a value than the value.
HOSTILE = (
    '-x $(shell touch hacked)`touch hacked`$(touch hacked);touch hacked; $$HOME ${HOME} "q" it\'s '
    "(python3) {{$.inputs}} [x] * #1 \\ % , = 🍄"
)
# Of each variable that is one value: a target, and what its program is told, {} being the value.
HANDED_ON = {
    "SOURCE": ("run", "--source={}"),
    "IMAGES": ("run", "--image_dir={}"),
    "URLS": ("run", "--url_list={}"),
    "SPECIES": ("run", "--species={}"),
    "CONTACT": ("check-sources", "--contact={}"),
    "ARCHITECTURE": ("learning-curve", "--architecture={}"),
    "WEIGHTS": ("learning-curve", "--weights={}"),
    "DECISIONS": ("run", "--decisions={}"),
    "LEDGER": ("run", "--earlier_ledger={}"),
    "RUNNER": ("run", "--runner={}"),
    "REGISTRY": ("push", "--registry={}"),
    "DOCKER": ("push", "DOCKER={}"),
    "HOST": ("submit", "--host={}"),
    "UPLOAD_TO": ("submit", "--upload_to={}"),
    "RUN": ("verify", "{}"),
    "LOGS": ("tensorboard", "--logdir={}"),
    "MODEL": ("serve", "--model_dir={}"),
    "PORT": ("serve", "--port={}"),
    "REPORTED": ("bench-unknown", "{}"),
    "DATABASE": ("audit", "--database={}"),
}
NEEDS = {"learning-curve": ["IMAGES=x"], "bench-unknown": ["IMAGES=x"], "push": ["REGISTRY=x"]}


def handed_on(folder: Path, target: str, *given: str, **environment: str) -> list[str]:
    """What make tells the programs of a target, where one that writes it down stands for Python."""
    (folder / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    (folder / "python").write_text('#!/bin/sh\nprintf "%s\\0" "DOCKER=$DOCKER" "$@" >>told\n')
    (folder / "python").chmod(0o755)
    (folder / HOSTILE).mkdir(exist_ok=True)
    (folder / "runs/latest/model").mkdir(parents=True, exist_ok=True)
    old = [word for name in (".venv", "build/audit") for word in ("-o", f"{name}/.installed")]
    done = subprocess.run(
        ["make", *old, "PY=./python", target, *given],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = (folder / "told").read_text()
    (folder / "told").unlink()
    return told.split("\0")


@pytest.mark.parametrize("name", HANDED_ON)
def test_value_is_handed_on_as_it_is_and_nothing_in_it_is_run(tmp_path: Path, name: str) -> None:
    target, told = HANDED_ON[name]
    others = [given for given in NEEDS.get(target, []) if not given.startswith(f"{name}=")]
    for words in (
        handed_on(tmp_path, target, f"{name}={HOSTILE}", *others),
        handed_on(tmp_path, target, *others, **{name: HOSTILE}),
    ):
        assert told.format(HOSTILE) in words
    assert not (tmp_path / "hacked").exists()


def test_every_value_of_the_makefile_is_in_the_table() -> None:
    written = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    (listed,) = (line for line in written.splitlines() if line.startswith("VALUES := "))
    # A switch that is checked, and the Python that installs.
    assert {*HANDED_ON, "CUDA", "PYTHON"} == set(listed.removeprefix("VALUES := ").split())
    assert not [name for name in HANDED_ON if f'"$({name})' in written]


def test_args_are_words_of_a_command(tmp_path: Path) -> None:
    words = handed_on(
        tmp_path, "run", """ARGS=--name "my flowers" --seed $SEED 'a $$b'""", SEED="7"
    )
    assert words[-6:-1] == ["--name", "my flowers", "--seed", "7", "a $$b"]


def test_default_places_are_those_of_the_last_run_and_of_the_run_that_is_named(
    tmp_path: Path,
) -> None:
    for given, run in (((), "runs/latest"), ((f"RUN={HOSTILE}",), HOSTILE)):
        (tmp_path / run / "logs").mkdir(parents=True, exist_ok=True)
        (tmp_path / run / "model").mkdir(parents=True, exist_ok=True)
        (tmp_path / run / "metrics.json").touch()
        assert f"--logdir={run}/logs" in handed_on(tmp_path, "tensorboard", *given)
        served = handed_on(tmp_path, "serve", *given)
        assert {f"--model_dir={run}/model", f"--metrics={run}/metrics.json"} <= set(served)
        assert "--port=8080" in served


def damaged(folder: Path, kind: str) -> None:
    """An environment like this one, and then not."""
    prefix = folder / ".venv"
    packages = prefix / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    packages.mkdir(parents=True)
    (prefix / "bin").mkdir()
    (prefix / "bin" / "python").symlink_to(os.path.realpath(sys.executable))
    (prefix / "pyvenv.cfg").write_text(Path(sys.prefix, "pyvenv.cfg").read_text())
    (prefix / ".installed").touch()
    (found,) = (Path(path) for path in sys.path if path.endswith("site-packages"))
    for entry in found.iterdir():
        (packages / entry.name).symlink_to(entry)
    kfp = packages / "kfp"
    if kind == "python":
        (prefix / "bin" / "python").unlink()
        (prefix / "bin" / "python").symlink_to("/nowhere/python3")
    elif kind == "package":
        kfp.unlink()
        next(packages.glob("kfp-*.dist-info")).unlink()
    else:
        kfp.unlink()
        kfp.mkdir()
        for entry in (found / "kfp").iterdir():
            (kfp / entry.name).symlink_to(entry)
        (kfp / "__init__.py").unlink()
        if kind == "cut":
            (kfp / "__init__.py").write_text("import nothing_of_the_kind\n")


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("python", "its Python does not start"),
        ("package", "the package kfp is missing"),
        ("file", "kfp/__init__.py is missing"),
        ("cut", "kfp/__init__.py is cut off or changed"),
    ],
)
def test_damaged_environment_is_named_with_how_to_renew_it(
    tmp_path: Path, kind: str, said: str
) -> None:
    damaged(tmp_path, kind)
    for name in ("Makefile", "pipeline.py", "components", "programs", "docker", "species.yaml"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = run_captured("make", "-o", ".venv/.installed", "run", directory=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert "renew it with: rm -rf .venv && make setup" in done.stderr
