"""The pipeline in its real images gives what it gives as processes of this environment."""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT, SHARED, SMALL_ARCHITECTURE
from private_docker import Images, PrivateDocker

from components.runner.containers import RUN_LABEL

SMALL = ("--architecture", SMALL_ARCHITECTURE, "--how_many_training_steps", "300")
SAMPLE = ("--per_class", "20", *SMALL)
# Files that hold where they lie, or the time of day: TensorFlow dates what it saves.
DATED = re.compile(
    r"executor_output\.json|mlpipeline_ui_metadata|events\.out\.tfevents|model\.keras|/saved_model/"
)


def run(
    runs: Path, environment: dict[str, str], *options: str
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(ROOT / "pipeline.py"), "run", "--runs_dir", str(runs), *options],
        cwd=ROOT,
        env={**environment, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def hashes(run_dir: Path) -> dict[str, str]:
    """The SHA-256 of every file of every artifact, by its path in the run."""
    (artifacts,) = (run_dir / "artifacts").iterdir()
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for path in sorted(artifacts.rglob("*"))
        if path.is_file() and not DATED.search(name := str(path.relative_to(artifacts)))
    }


def compare(
    tmp_path: Path, images: Images, say: Callable[[str], None], *options: str
) -> tuple[Path, Path]:
    """Run both ways, each with a cache of its own; fail on any difference."""
    found = []
    for runner, environment in (("subprocess", dict(os.environ)), ("docker", images.environment)):
        runs = tmp_path / runner
        cache = ("--cache_dir", str(tmp_path / f"cache-{runner}"))
        started = time.monotonic()
        done = run(runs, environment, "--runner", runner, *cache, *options)
        assert done.returncode == 0, done.stdout + done.stderr
        found.append((runs / "latest").resolve())
        say(f"{runner}: {time.monotonic() - started:.0f} s")
    processes, containers = found
    metrics = [json.loads((place / "summary.json").read_text())["metrics"] for place in found]
    say(f"metrics as processes:   {json.dumps(metrics[0])}")
    say(f"metrics in containers:  {json.dumps(metrics[1])}")
    assert metrics[0] == metrics[1]
    same = hashes(processes)
    assert {"retrain/model/model.tflite", "retrain/model/retrained_graph.pb"} <= set(same)
    assert same == hashes(containers)
    say(f"{len(same)} files of the artifacts have the same SHA-256")
    return processes, containers


def images_of_steps(log: Path) -> set[str]:
    """The images that kfp.local found for its containers, as its log names them."""
    return set(re.findall(r"Found image '([^']+)'", log.read_text()))


def test_sample_gives_the_same_metrics_and_artifacts_in_containers(
    images: Images, tmp_path: Path, say: Callable[[str], None]
) -> None:
    _, containers = compare(tmp_path, images, say, *SAMPLE)
    used = images_of_steps(containers / "log.txt")
    say(f"images used: {', '.join(sorted(used))}")
    assert used == {images.names["data"], images.names["train"]}
    # The image's own network was used: no weights were fetched, and nothing converted.
    assert not (tmp_path / "cache-docker" / "weights").exists()
    assert not (tmp_path / "cache-docker" / "backbones").exists()


def test_photos_give_the_same_metrics_and_artifacts_in_containers(
    images: Images, tmp_path: Path, say: Callable[[str], None]
) -> None:
    photos = SHARED / "photos" / "flowers"
    if not photos.is_dir():
        pytest.skip("the real photographs of ../shared/photos are not on this machine")
    compare(tmp_path, images, say, "--image_dir", str(photos), *SMALL)


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
    command = [sys.executable, str(ROOT / "pipeline.py"), "run", "--runner", "docker"]
    process = subprocess.Popen(
        [*command, "--runs_dir", str(tmp_path / "runs"), *SAMPLE],
        cwd=ROOT,
        env=images.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        next(running(docker, process))
        events = tmp_path / "runs"
        while not any("started" in path.read_text() for path in events.glob("2*/events.jsonl")):
            assert process.poll() is None
            time.sleep(0.05)
        docker.run("kill", *listed(docker))
        _, said = process.communicate(timeout=120)
    finally:
        process.kill()
    say(f"exit status {process.returncode}: {said.strip()}")
    assert process.returncode in (1, 2), said
    assert "error: step download: " in said
    assert "Traceback" not in said


def test_interrupted_run_leaves_no_container(
    docker: PrivateDocker, images: Images, tmp_path: Path
) -> None:
    command = [sys.executable, str(ROOT / "pipeline.py"), "run", "--runner", "docker"]
    process = subprocess.Popen(
        [*command, "--runs_dir", str(tmp_path / "runs"), *SAMPLE],
        cwd=ROOT,
        env=images.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        next(running(docker, process))
        process.send_signal(2)
        assert process.wait(60) == 130
    finally:
        process.kill()
    deadline = time.monotonic() + 10
    while listed(docker) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert listed(docker) == []


def listed(docker: PrivateDocker) -> list[str]:
    return docker("ps", "--quiet", "--filter", f"label={RUN_LABEL}").split()


def running(docker: PrivateDocker, process: "subprocess.Popen[str]") -> Iterator[str]:
    """The containers of the first step, as soon as there are any."""
    deadline = time.monotonic() + 60
    while not (found := listed(docker)):
        assert process.poll() is None, "the run ended before a container of it was seen"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield from found
