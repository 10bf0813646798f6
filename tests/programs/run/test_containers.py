"""What a run in containers asks of Docker; tests/containers has the real thing."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, run_captured

from components.bottleneck.component import bottleneck
from components.clean.component import clean
from components.common.base.options import DEFAULTS, OPTIONS, PREFIX
from components.common.base.worker_threads import cores
from components.curate.component import curate
from components.download.component import download
from components.evaluate.component import evaluate
from components.label_image.component import label_image
from components.publish.component import publish
from components.retrain.component import retrain
from programs.run import containers, run_log
from programs.run import options as run_options
from programs.run.options import Request
from programs.run.parameters import of_options


class Daemon:
    """Stands where there is no Docker daemon; answers as docker.DockerClient does."""

    def info(self) -> dict[str, Any]:
        return {"SecurityOptions": ["name=seccomp,profile=builtin"]}

    def ping(self) -> bool:
        return True

    def close(self) -> None:
        pass


@pytest.fixture
def _daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("docker.from_env", Daemon)


def asked(tmp_path: Path, **arguments: object) -> dict[str, Any]:
    run_dir = tmp_path / "runs" / "one"
    run_dir.mkdir(parents=True)
    defaults = {"source": "sample", "cache_dir": str(tmp_path / "cache")}
    request = Request(run_dir, {**run_options.DEFAULTS, **defaults, **arguments}, runner="docker")
    return containers.run_arguments(containers.with_places(request))


def mounted(given: dict[str, Any]) -> dict[str, bool]:
    return {mount["Target"]: not mount.get("ReadOnly", False) for mount in given["mounts"]}


def test_without_a_daemon_a_run_is_one_line_and_exit_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    runs = tmp_path / "runs"
    command = [str(ROOT / "pipeline.py"), "run", "--runner", "docker", "--runs_dir", str(runs)]
    done = run_captured(sys.executable, *command)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert f"no Docker daemon answers at unix://{tmp_path}/no.sock" in line
    assert not runs.exists()


@pytest.mark.usefixtures("_daemon")
def test_steps_get_no_network_no_rights_and_no_place_but_the_run_s(tmp_path: Path) -> None:
    given = asked(tmp_path, publish_dir=str(tmp_path / "published"))
    assert given["network_mode"] == "none"
    assert given["read_only"]
    assert given["init"]
    assert given["user"] == f"{os.getuid()}:{os.getgid()}"
    assert given["cap_drop"] == ["ALL"]
    assert 10**9 < given["mem_limit"] == given["memswap_limit"] <= 14 * 10**9
    assert given["nano_cpus"] == cores() * 10**9
    assert given["pids_limit"] == 1024
    assert given["tmpfs"] == {"/tmp": "size=4000000000"}
    assert mounted(given) == {
        str(tmp_path / "runs" / "one"): True,
        str(tmp_path / "cache"): True,
        str(tmp_path / "published"): True,
    }


@pytest.mark.usefixtures("_daemon")
def test_what_the_options_name_is_seen_and_cannot_be_written(tmp_path: Path) -> None:
    for name in ("photos", "decisions.json", "weights.h5"):
        (tmp_path / name).mkdir()
    given = asked(
        tmp_path,
        source="folder",
        image_dir=str(tmp_path / "photos"),
        decisions=str(tmp_path / "decisions.json"),
        weights=str(tmp_path / "weights.h5"),
    )
    seen = mounted(given)
    for name in ("photos", "decisions.json", "weights.h5"):
        assert seen[str(tmp_path / name)] is False
    assert given["network_mode"] == "none"


# Of a step, what it is told, and of the run: which steps have a network.
IN_A_RUN: tuple[tuple[dict[str, str], set[str]], ...] = (
    ({}, set()),
    ({"source": "folder", "image_dir": "/photos"}, set()),
    ({"source": "inaturalist"}, {"download", "bottleneck"}),
    ({"source": "folder,commons", "image_dir": "/photos"}, {"download", "bottleneck"}),
    ({"source": "storage", "image_dir": "s3://bucket/photos"}, {"download", "bottleneck"}),
    ({"shared_cache": "gs://bucket/fetched"}, {"download", "bottleneck"}),
    ({"publish_dir": "gs://bucket/models"}, {"publish", "bottleneck"}),
    ({"decisions": "s3://bucket/decisions.json"}, {"clean", "curate", "publish", "bottleneck"}),
    ({"checkpoint_path": "s3://bucket/checkpoints"}, {"retrain", "bottleneck"}),
)
STEPS = (download, clean, bottleneck, curate, retrain, evaluate, label_image, publish)


def as_kfp_commands(step: Any, parameters: dict[str, Any]) -> list[str]:
    """The command of a step's container, as kfp.local makes it."""
    made = of_options(parameters)
    told = {name: made[name] for name in step.component_spec.inputs if name in made}
    if OPTIONS in step.component_spec.inputs:
        own = f"{PREFIX}{step.name}"
        told |= {OPTIONS: made[own], DEFAULTS: of_options(run_options.DEFAULTS)[own]}
    container = step.component_spec.implementation.container
    message = json.dumps({"inputs": {"parameterValues": told}})
    return [*container.command, "--executor_input", message, *container.args[2:]]


@pytest.mark.parametrize(("arguments", "expected"), IN_A_RUN)
def test_steps_that_reach_the_internet_or_a_store_have_a_network_and_no_others(
    tmp_path: Path, arguments: dict[str, str], expected: set[str]
) -> None:
    parameters = {**run_options.DEFAULTS, "source": "sample", **arguments}
    request = Request(tmp_path, parameters, runner="docker")
    connected = {
        step.name.replace("-", "_")
        for step in STEPS
        if containers.needs_network(request, as_kfp_commands(step, parameters))
    }
    assert connected == expected


@pytest.mark.usefixtures("_daemon")
def test_keys_of_stores_are_given_to_steps_with_a_network_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kfp.local import docker_task_handler

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store:8333")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "key.json"))
    monkeypatch.setenv("UNRELATED", "x")
    started: list[dict[str, Any]] = []

    def start(**arguments: Any) -> int:
        started.append(arguments)
        return 0

    monkeypatch.setattr(docker_task_handler, "run_docker_container", start)
    parameters = {**run_options.DEFAULTS, "source": "sample", "publish_dir": "s3://bucket/models"}
    parameters["cache_dir"] = str(tmp_path / "cache")
    request = Request(tmp_path / "run", parameters, runner="docker")
    request.run_dir.mkdir()
    (request.run_dir / run_log.FULL).touch()
    given = containers.run_arguments(request)
    containers.use(request)
    for step in (download, publish):
        docker_task_handler.run_docker_container(
            command=as_kfp_commands(step, parameters), image="x", volumes={"a:b": {}}, **given
        )
    closed, opened = started
    assert closed["volumes"] == opened["volumes"] == {}  # kfp would write them with colons between
    assert closed["network_mode"] == "none"
    assert set(closed["environment"]) == {"MUSHROOM_EVENTS"}
    assert opened["network_mode"] == "bridge"
    assert opened["environment"]["AWS_ENDPOINT_URL"] == "http://store:8333"
    assert "UNRELATED" not in opened["environment"]
    assert "MUSHROOM_EVENTS" in opened["environment"]
    key = str(tmp_path / "key.json")
    assert mounted(opened)[key] is False
    assert key not in mounted(closed)


@pytest.mark.usefixtures("_daemon")
@pytest.mark.parametrize("place", ["gs://bucket/models", "s3://bucket/models"])
def test_publishing_into_a_bucket_mounts_no_folder(tmp_path: Path, place: str) -> None:
    assert place not in mounted(asked(tmp_path, publish_dir=place))
    assert not Path(place.partition("/")[0]).exists()


@pytest.mark.usefixtures("_daemon")
@pytest.mark.parametrize("pattern", ["{wordnet_id}.tar", "n{wordnet_id}.tar", "{wordnet_id}/a.tar"])
def test_archives_named_by_a_pattern_are_seen_by_their_folder(tmp_path: Path, pattern: str) -> None:
    given = asked(tmp_path, source="imagenet", imagenet=str(tmp_path / "archives" / pattern))
    seen = mounted(given)
    assert seen[str(tmp_path / "archives")] is False
    assert str(tmp_path) not in seen
