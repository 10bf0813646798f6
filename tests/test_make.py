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
    return ["make", "-o", f"{sys.prefix}/.installed", f"VENV={sys.prefix}", *arguments]


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
    assert done.stdout == ""


def test_variables_of_the_environment_and_of_make_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("IMAGE", "CC", "PYTEST_ADDOPTS", "images"):
        monkeypatch.setenv(name, "1")
    done = run_captured(*make("run", "-n", "SHELL=/bin/bash", "IMAGES=here", "DOCKER=podman"))
    assert done.returncode == 0, done.stderr
    assert '--image_dir "here"' in done.stdout


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
    ("target", "ready"), [("serve", "ready: a model of"), ("tensorboard", "(Press CTRL+C to quit)")]
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
    assert "artifacts are as they were written, and of one another" in whole.stdout
    none = run_captured(*make("verify", f"RUN={tmp_path}"))
    assert none.returncode == 2
    assert f"{tmp_path} is no finished run" in none.stderr
