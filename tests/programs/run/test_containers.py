"""What a run in containers asks of Docker; tests/containers has the real thing."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, run_captured

from components.common.base.worker_threads import cores
from programs.run import containers
from programs.run.options import DEFAULTS, Request


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
    request = Request(run_dir, {**DEFAULTS, **defaults, **arguments}, runner="docker")
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


@pytest.mark.usefixtures("_daemon")
def test_services_and_buckets_get_a_network_and_their_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://store:8333")
    monkeypatch.setenv("UNRELATED", "x")
    given = asked(tmp_path, source="storage", image_dir="s3://bucket/photos")
    assert given["network_mode"] == "bridge"
    assert given["environment"]["AWS_ENDPOINT_URL"] == "http://store:8333"
    assert "UNRELATED" not in given["environment"]
    assert "s3://bucket/photos" not in mounted(given)


@pytest.mark.usefixtures("_daemon")
@pytest.mark.parametrize("place", ["gs://bucket/models", "s3://bucket/models"])
def test_publishing_into_a_bucket_gets_a_network_and_no_folder(tmp_path: Path, place: str) -> None:
    given = asked(tmp_path, publish_dir=place)
    assert given["network_mode"] == "bridge"
    assert place not in mounted(given)
    assert not Path(place.partition("/")[0]).exists()


@pytest.mark.usefixtures("_daemon")
@pytest.mark.parametrize("pattern", ["{wordnet_id}.tar", "n{wordnet_id}.tar", "{wordnet_id}/a.tar"])
def test_archives_named_by_a_pattern_are_seen_by_their_folder(tmp_path: Path, pattern: str) -> None:
    given = asked(tmp_path, source="imagenet", imagenet=str(tmp_path / "archives" / pattern))
    seen = mounted(given)
    assert seen[str(tmp_path / "archives")] is False
    assert str(tmp_path) not in seen
