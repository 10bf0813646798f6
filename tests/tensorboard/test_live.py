"""A real TensorBoard, without TensorFlow as in its image, reads a run's logs from a real store."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Run
from object_stores import Store, free_port

START_S = 60.0
# TensorBoard takes TensorFlow's file systems where it is installed, and those cannot open s3://.
# Our image has none; here it is hidden. Its other loader, in Rust, reads no s3:// either.
TENSORBOARD = (
    "import sys; sys.modules['tensorflow'] = None; from tensorboard import main; main.run_main()"
)
# Stops in the middle until it is told to go on: a real training would take as long there.
RETRAIN = """
import sys
from pathlib import Path
from components.retrain import live_logs, summaries
from components.retrain.options import Extras, Recipe, RetrainOptions
from components.retrain.retrain import retrain
training, bottlenecks, output, place, cache = sys.argv[1:]
add = summaries.TensorBoardSummaries.add
def add_and_wait(self, look):
    add(self, look)
    if look.step == 50:
        for writer in self._writers.values():
            writer.flush()  # which happens every few seconds by itself
        print("waiting", flush=True)
        input()
summaries.TensorBoardSummaries.add = add_and_wait
live_logs.LiveLogs.__init__.__kwdefaults__["interval_s"] = 0.2
retrain(
    Path(training), Path(bottlenecks), Path(output) / "model", Path(output) / "logs",
    recipe=Recipe(how_many_training_steps=100), extras=Extras(int8=False), logs_place=place,
    options=RetrainOptions(cache_dir=cache),
)
"""


@contextmanager
def tensorboard(logdir: str, environment: dict[str, str], log: Path) -> Iterator[str]:
    """TensorBoard on these logs; yields its address."""
    port = free_port()
    options = ["--logdir", logdir, "--host", "127.0.0.1", "--port", str(port)]
    options += ["--reload_interval", "1", "--load_fast", "false"]
    with log.open("wb") as file:
        server = subprocess.Popen(
            [sys.executable, "-c", TENSORBOARD, *options],
            env={**os.environ, **environment, "S3_ENDPOINT": environment["AWS_ENDPOINT_URL"]},
            stdout=file,
            stderr=file,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.kill()
        server.wait()


def ask(address: str, path: str) -> Any:
    """The answer of TensorBoard's HTTP API; None while there is none."""
    try:
        with urllib.request.urlopen(f"{address}/data/{path}", timeout=10) as answer:
            return json.loads(answer.read())
    except (urllib.error.URLError, OSError):
        return None


def steps(address: str) -> list[int]:
    """The steps of the validation accuracy that TensorBoard shows."""
    found = ask(address, "plugin/scalars/scalars?tag=accuracy_1&run=validation")
    return [int(step) for _, step, _ in found] if found else []


def wait_for(address: str, step: int, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while step not in steps(address):
        assert time.monotonic() < deadline, log.read_text(errors="replace")[-3000:]
        time.sleep(0.5)


@pytest.mark.long
@pytest.mark.parametrize("store", ["s3"], indirect=True)
def test_tensorboard_shows_the_curves_while_training_goes_on(
    store: Store, sample_run: Run, backbone_cache: Path, tmp_path: Path
) -> None:
    bottlenecks = next((sample_run.directory / "artifacts").rglob("bottlenecks"))
    place = f"{store.prefix}/v2/artifacts/run/logs"
    training = subprocess.Popen(
        [
            *(sys.executable, "-c", RETRAIN, str(sample_run.directory / "training")),
            *(str(bottlenecks), str(tmp_path), place.replace("s3://", "minio://")),
            str(backbone_cache),
        ],
        cwd=ROOT,
        env={**os.environ, **store.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    log = tmp_path / "tensorboard.txt"
    try:
        with tensorboard(place, store.environment, log) as address:
            assert training.stdin
            assert training.stdout
            assert "waiting" in training.stdout.readline()
            wait_for(address, 50, log)
            assert training.poll() is None  # it is still at it
            assert max(steps(address)) == 50
            tags = ask(address, "plugin/scalars/tags")
            assert set(tags) == {"train", "validation"}
            for run in tags.values():
                assert {"accuracy_1", "cross_entropy_1"} <= set(run)
            training.stdin.write("go on\n")
            training.stdin.close()
            assert training.wait(120) == 0
            wait_for(address, 99, log)
    finally:
        training.kill()
        training.wait()
