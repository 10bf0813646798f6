"""A Docker daemon for these tests alone: no bridge, no firewall rules, all its files in one folder.

Its containers have the machine's network (builds) or none (steps). Nothing of it is left behind.
"""

import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

DOCKERD = "/usr/sbin/dockerd"
DOCKER = "/usr/bin/docker"  # Debian's, that belongs to the daemon; PATH may have another first
START_S = 60.0
STOP_S = 60.0


@dataclass(frozen=True)
class Images:
    """The images that were built.

    Attributes:
        names: by kind.
        environment: in which pipeline.py takes these names, and finds the daemon.
    """

    names: dict[str, str]
    environment: dict[str, str] = field(repr=False)


class PrivateDocker:
    """The daemon; `with PrivateDocker() as docker: docker("version")`."""

    def __init__(self) -> None:
        # Short: the path of a socket has 107 characters at most.
        self.folder = Path(tempfile.mkdtemp(prefix="docker-", dir="/tmp"))
        self.host = f"unix://{self.folder}/s"
        self.environment = {**os.environ, "DOCKER_HOST": self.host, "DOCKER": DOCKER}
        self.environment["DOCKER_BUILDKIT"] = "1"

    def __enter__(self) -> "PrivateDocker":
        with open(self.folder / "log", "wb") as log:
            self._process = subprocess.Popen(
                [
                    DOCKERD,
                    *("--data-root", str(self.folder / "data")),
                    *("--exec-root", str(self.folder / "exec")),
                    *("--pidfile", str(self.folder / "pid")),
                    *("--host", self.host),
                    *("--iptables=false", "--ip6tables=false", "--ip-masq=false"),
                    "--bridge=none",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def __call__(self, *arguments: str, timeout_s: float = 600) -> str:
        """Run the docker client; its standard output, or an error with what it said."""
        done = self.run(*arguments, timeout_s=timeout_s)
        assert done.returncode == 0, f"docker {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def run(self, *arguments: str, timeout_s: float = 600) -> "subprocess.CompletedProcess[str]":
        """Run the docker client; its exit status is not judged."""
        return subprocess.run(
            [DOCKER, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def started(self, *arguments: str, stdout: BinaryIO) -> "subprocess.Popen[bytes]":
        """Start the docker client; the caller ends it."""
        return subprocess.Popen(
            [DOCKER, *arguments], env=self.environment, stdin=subprocess.DEVNULL, stdout=stdout
        )

    def _wait(self) -> None:
        deadline = time.monotonic() + START_S
        while self.run("version").returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    "the Docker daemon did not start:\n" + (self.folder / "log").read_text()[-3000:]
                )
            time.sleep(0.2)

    def _end(self) -> None:
        containers = self.run("ps", "--quiet").stdout.split()
        if containers:
            self.run("kill", *containers)
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for mounted in reversed(mounts_below(self.folder)):
            subprocess.run(["umount", mounted], check=False)
        shutil.rmtree(self.folder)


def mounts_below(folder: Path) -> list[str]:
    """Places below a folder where something is mounted, in the order of mounting."""
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [place for line in lines if (place := line.split()[1]).startswith(f"{folder}/")]
