"""The pipeline in its real images gives what it gives as processes of this environment."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from compiled_pipelines import Compiled, compile_to
from conftest import ROOT, SHARED, SMALL_ARCHITECTURE
from private_docker import Images, PrivateDocker

from components.common.model.description import read_description
from programs.run.containers import RUN_LABEL

SMALL = ("--architecture", SMALL_ARCHITECTURE, "--how_many_training_steps", "300")
ODD = 'it\'s "my" $HOME (python3): {{$.inputs}} [x] 🍄'  # a folder that people have
SAMPLE = ("--per_class", "20", *SMALL)
# Files that hold where they lie, or the time of day: TensorFlow dates what it saves, and model.json
# holds the hashes of that.
DATED = re.compile(
    r"executor_output\.json|mlpipeline_ui_metadata|events\.out\.tfevents|model\.keras|/saved_model/|"
    r"model/model\.json"
)


def command(runs: Path, *options: str) -> list[str]:
    return [sys.executable, str(ROOT / "pipeline.py"), "run", "--runs_dir", str(runs), *options]


def run(
    runs: Path, environment: dict[str, str], *options: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(runs, *options),
        cwd=ROOT,
        env={**environment, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@contextmanager
def begun(docker: PrivateDocker, images: Images, runs: Path) -> "Iterator[subprocess.Popen[str]]":
    """A run in containers that goes on, and has come to its first container."""
    process = subprocess.Popen(
        command(runs, "--runner", "docker", *SAMPLE),
        cwd=ROOT,
        env=images.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not listed(docker):
            assert process.poll() is None, "the run ended before a container of it was seen"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield process
    finally:
        process.kill()
        process.wait()


def listed(docker: PrivateDocker) -> list[str]:
    """The containers of runs that are there now."""
    return docker("ps", "--quiet", "--filter", f"label={RUN_LABEL}").split()


@contextmanager
def created(docker: PrivateDocker, to: Path) -> Iterator[None]:
    """The image of every container that is made while the block lasts, as a line of a file."""
    told = ("events", "--filter=event=create", "--format={{.Actor.Attributes.image}}")
    with to.open("wb") as file, docker.started(*told, stdout=file) as follower:
        try:
            yield
            time.sleep(1)  # what the daemon has told last may still be on its way
        finally:
            follower.terminate()


def images_of_components(environment: dict[str, str], folder: Path) -> dict[str, str]:
    """The image of every component, as the compiled pipeline names it."""
    compile_to(folder, images=environment)
    compiled = Compiled.read(folder / "pipeline-cpu.yaml")
    return {
        name.replace("-", "_"): container["image"]
        for name, container in compiled.containers.items()
    }


def hashes(run_dir: Path) -> dict[str, str]:
    """The SHA-256 of every file of every artifact, by its path in the run."""
    (artifacts,) = (run_dir / "artifacts").iterdir()
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in sorted(artifacts.rglob("*"))
        if path.is_file() and not DATED.search(name := str(path.relative_to(artifacts)))
    }


def compare(
    tmp_path: Path,
    docker: PrivateDocker,
    images: Images,
    say: Callable[[str], None],
    *options: str,
) -> None:
    """Run both ways, each with a cache of its own; fail on any difference."""
    found = []
    # A container knows nothing of kernels that this machine's environment has chosen for OpenBLAS,
    # whose last bits differ from those that it would choose itself.
    own = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    for runner, environment in (("subprocess", own), ("docker", images.environment)):
        runs = tmp_path / runner
        cache = ("--cache_dir", str(tmp_path / f"cache-{runner}"))
        started = time.monotonic()
        with created(docker, tmp_path / f"{runner}.images"):
            done = run(runs, environment, "--runner", runner, *cache, *options)
        assert done.returncode == 0, done.stdout + done.stderr
        found.append((runs / "latest").resolve())
        say(f"{runner}: {time.monotonic() - started:.0f} s")
    processes, containers = found
    check_images(containers, tmp_path / "docker.images", images, say)
    assert (tmp_path / "subprocess.images").read_text() == ""
    metrics = [json.loads((place / "summary.json").read_text())["metrics"] for place in found]
    say(f"metrics as processes:   {json.dumps(metrics[0])}")
    say(f"metrics in containers:  {json.dumps(metrics[1])}")
    assert metrics[0] == metrics[1]
    models = [read_description(place / "model") for place in found]
    assert models[0].identity == models[1].identity
    same = hashes(processes)
    assert {"retrain/model/model.tflite", "retrain/model/retrained_graph.pb"} <= set(same)
    assert same == hashes(containers)
    say(f"{len(same)} files of the artifacts have the same SHA-256")


def check_images(
    run_dir: Path, created_file: Path, images: Images, say: Callable[[str], None]
) -> None:
    """Each step that finished had a container of its component's image, and there was no other."""
    of_component = images_of_components(images.environment, created_file.parent / "build")
    events = [json.loads(line) for line in (run_dir / "events.jsonl").read_text().splitlines()]
    finished = Counter(event["step"] for event in events if event["event"] == "finished")
    expected: Counter[str] = Counter()
    for step, times in finished.items():
        say(f"{step:<12} {times} × {of_component[step]}")
        expected[of_component[step]] += times
    assert set(expected) == {images.names["data"], images.names["train"]}
    assert Counter(created_file.read_text().split()) == expected


def test_sample_gives_the_same_metrics_and_artifacts_in_containers(
    docker: PrivateDocker, images: Images, tmp_path: Path, say: Callable[[str], None]
) -> None:
    folder = tmp_path / ODD
    folder.mkdir()
    compare(folder, docker, images, say, *SAMPLE)
    # The image's own network was used: no weights were fetched, and nothing converted.
    assert not (folder / "cache-docker" / "weights").exists()
    assert not (folder / "cache-docker" / "backbones").exists()


def test_photos_give_the_same_metrics_and_artifacts_in_containers(
    docker: PrivateDocker, images: Images, tmp_path: Path, say: Callable[[str], None]
) -> None:
    photos = SHARED / "photos" / "flowers"
    if not photos.is_dir():
        pytest.skip("the real photographs of ../shared/photos are not on this machine")
    compare(tmp_path, docker, images, say, "--image_dir", str(photos), *SMALL)


def test_step_that_fails_in_its_container_fails_the_run(
    images: Images, tmp_path: Path, say: Callable[[str], None]
) -> None:
    for label in ("one", "two"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "photos" / label / f"{number}.jpg").write_bytes(b"no photo" * 4000)
    options = ("--runner", "docker", "--image_dir", str(tmp_path / "photos"), *SMALL)
    done = run(tmp_path / "runs", images.environment, *options)
    assert done.returncode in (1, 2), done.stdout
    say(f"exit status {done.returncode}: {done.stderr.strip()}")
    assert "error: step " in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "runs" / "latest").exists()


def test_step_that_is_killed_fails_the_run(
    docker: PrivateDocker, images: Images, tmp_path: Path, say: Callable[[str], None]
) -> None:
    with begun(docker, images, tmp_path) as process:
        while not any("started" in path.read_text() for path in tmp_path.glob("2*/events.jsonl")):
            assert process.poll() is None
            time.sleep(0.05)
        docker.run("kill", *listed(docker))
        _, said = process.communicate(timeout=120)
    say(f"exit status {process.returncode}: {said.strip()}")
    assert process.returncode in (1, 2), said
    assert "error: step download: " in said
    assert "Traceback" not in said


def test_interrupted_run_leaves_no_container(
    docker: PrivateDocker, images: Images, tmp_path: Path
) -> None:
    with begun(docker, images, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    deadline = time.monotonic() + 10
    while listed(docker) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert listed(docker) == []
