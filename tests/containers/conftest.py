"""The real images, built once by a Docker daemon of our own: `make test-containers`."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT
from private_docker import DOCKER, DOCKERD, Images, PrivateDocker

BASE_IMAGE = "python:3.11-slim"
# Built only when asked for: it takes minutes.
collect_ignore_glob = [] if os.environ.get("MUSHROOM_TEST_CONTAINERS") else ["test_*.py"]


def _missing() -> str:
    if os.geteuid() != 0:
        return "needs root"
    lacking = [tool for tool in (DOCKERD, DOCKER, "mmdebstrap") if shutil.which(tool) is None]
    return f"needs {', '.join(lacking)} (apt install docker.io mmdebstrap)" if lacking else ""


@pytest.fixture(scope="session")
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Prints a line of the log, past pytest's capture."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def line(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n  {text}", flush=True)

    return line


@pytest.fixture(scope="session")
def docker(say: Callable[[str], None]) -> Iterator[PrivateDocker]:
    """A daemon with the base image."""
    if missing := _missing():
        # In CI a tier that cannot run is a failure.
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"the container tests: {missing}")
    # As after Ctrl-C: pytest takes down what was set up, the daemon among it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with PrivateDocker() as daemon:
        started = time.monotonic()
        script = Path(__file__).with_name("base_image.sh")
        subprocess.run(
            [str(script), sys.base_prefix, BASE_IMAGE], env=daemon.environment, check=True
        )
        say(f"stand-in for {BASE_IMAGE}: {time.monotonic() - started:.0f} s")
        yield daemon


@pytest.fixture(scope="session")
def images(docker: PrivateDocker, say: Callable[[str], None]) -> Images:
    """All images but the one for GPUs, built as `make images` builds them."""
    started = time.monotonic()
    tool = str(ROOT / "docker" / "images.py")
    built = subprocess.run(
        [sys.executable, tool, "build", "--", "--network=host", "--progress=plain"],
        cwd=ROOT,
        env=docker.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr[-6000:]
    names = {line.split("/")[1].split(":")[0]: line for line in built.stdout.split()}
    say(f"built in {time.monotonic() - started:.0f} s: {', '.join(names.values())}")
    variables = {
        f"MUSHROOM_{kind.upper().replace('-', '_')}_IMAGE": name for kind, name in names.items()
    }
    return Images(names, {**docker.environment, **variables})
