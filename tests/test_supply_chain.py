"""What is fetched while this is installed or built is pinned, and no image keeps a password."""

import re
import sys
from pathlib import Path

import pytest
from conftest import ROOT, run_captured

LOCKS = sorted((ROOT / "docker" / "requirements").glob("*.txt"))
DOCKERFILES = sorted((ROOT / "docker").glob("*.Dockerfile"))
REQUIREMENT = re.compile(r"[a-z0-9][a-z0-9._-]*==[^\s;]+( ; [^-]+?)?( --hash=sha256:[0-9a-f]{64})+")
SCRIPTS = [
    *sorted((ROOT / "docker").glob("*.sh")),
    *sorted((ROOT / "k8s").glob("*.sh")),
    ROOT / "Makefile",
]


def logical_lines(text: str) -> list[str]:
    """Lines with those that they go on in, without comments and surplus spaces."""
    kept = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = (" ".join(line.split()) for line in kept.replace("\\\n", " ").splitlines())
    return [line for line in joined if line]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_line_of_a_lock_has_a_version_and_a_hash(lock: Path) -> None:
    lines = logical_lines(lock.read_text())
    assert lines
    assert [line[:80] for line in lines if not REQUIREMENT.fullmatch(line)] == []


@pytest.mark.parametrize("path", [*SCRIPTS, *DOCKERFILES], ids=lambda path: path.name)
def test_installing_asks_for_hashes_or_at_least_versions(path: Path) -> None:
    for line in logical_lines(path.read_text()):
        for command in re.findall(r"pip (?:install|sync)[^&|;]*", line):
            own = "--no-deps" in command and command.rstrip().endswith("--editable .")
            # Benchmarks' peers: environments of their own, fixed by version only.
            versions = re.search(r"python \S*build/peers\S* \S*==|\$\$place/bin/python", command)
            assert own or versions or "--require-hashes" in command, command
        assert not re.search(r"\b(curl|wget)\b", line), f"a download without a hash: {line}"


def test_peers_of_the_benchmarks_have_versions() -> None:
    named = re.search(r"^PEERS \?= (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert named
    assert all(re.fullmatch(r"[a-z0-9]+==[0-9.]+", peer) for peer in named[1].split())


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_image_comes_from_a_named_version_and_its_build_takes_no_secret(path: Path) -> None:
    lines = logical_lines(path.read_text())
    stages = {line.split()[-1] for line in lines if " AS " in line}
    starts = {line.split()[1] for line in lines if line.startswith("FROM ")}
    assert {"${BASE_IMAGE}"} <= starts <= {"${BASE_IMAGE}", *stages}
    (base,) = {line.partition("=")[2] for line in lines if line.startswith("ARG BASE_IMAGE")}
    assert re.fullmatch(r"[a-z]+:\d+\.\d+-slim(@sha256:[0-9a-f]{64})?", base)
    secret = re.compile(r"token|secret|password|credential|netrc|_key\b", re.IGNORECASE)
    for line in lines:
        assert not line.startswith("ADD "), line
        assert not (line.startswith(("ARG ", "ENV ", "COPY ", "LABEL ")) and secret.search(line))
        # The whole folder, with whatever lies in it.
        assert not re.match(r"COPY (--\S+ )*\. ", line), line


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_what_reads_the_package_index_is_given_its_password_as_a_secret(path: Path) -> None:
    runs = [line for line in logical_lines(path.read_text()) if line.startswith("RUN ")]
    installing = [run for run in runs if "pip install" in run or "install.sh" in run]
    assert len(installing) == 2
    assert all("--mount=type=secret,id=netrc,target=/root/.netrc" in run for run in installing)


def test_cluster_on_this_machine_has_exact_versions_and_a_digest() -> None:
    lines = logical_lines((ROOT / "k8s" / "versions.sh").read_text())
    named = dict(line.split("=", 1) for line in lines)
    assert re.search(r"@sha256:[0-9a-f]{64}\"$", named.pop("KIND_NODE_IMAGE"))
    assert named
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in named.values())
    script = (ROOT / "k8s" / "lib.sh").read_text()
    assert re.findall(r"\?ref=(\S+?)\"", script) == ["$KFP_VERSION"] * 2


@pytest.mark.parametrize("option", ["--build-arg=PIP_INDEX_URL={}", "--build-arg=PIP_INDEX_URL"])
def test_password_as_a_build_argument_is_refused_and_not_repeated(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "https://me:canary@127.0.0.1:9/simple"
    tool = [sys.executable, str(ROOT / "docker" / "images.py"), "build", "--"]
    monkeypatch.setenv("PIP_INDEX_URL", address)
    monkeypatch.setenv("DOCKER", "false")
    done = run_captured(*tool, option.format(address))
    assert done.returncode == 2, done.stderr
    assert "PIP_INDEX_URL has a password in its address" in done.stderr
    assert "canary" not in done.stdout + done.stderr
