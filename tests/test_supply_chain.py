"""What is fetched while this is installed or built is pinned, and no image keeps a password."""

import json
import re
import subprocess
import sys
import zipfile
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


def advisory(name: str, **affected: object) -> dict[str, object]:
    package = {"ecosystem": "PyPI", "name": name}
    return {
        "id": "PYSEC-1",
        "summary": "bad\x1b[2J",
        "affected": [{"package": package, **affected}],
    }


def between(*events: dict[str, str]) -> dict[str, object]:
    return {"ranges": [{"type": "ECOSYSTEM", "events": list(events)}]}


def database(path: Path, *records: object) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number, record in enumerate(records):
            archive.writestr(f"PYSEC-{number}.json", json.dumps(record))
    return path


def audit(tmp_path: Path, *records: object) -> "subprocess.CompletedProcess[str]":
    lock = tmp_path / "lock.txt"
    lock.write_text(
        "pillow==13.0.0 \\\n    --hash=sha256:00\nPy_YAML==6.0.3 ; python_version < '4'\n"
    )
    place = str(database(tmp_path / "all.zip", *records))
    return run_captured(sys.executable, "docker/audit.py", "--database", place, str(lock))


@pytest.mark.parametrize(
    ("affected", "found"),
    [
        (between({"introduced": "0"}), True),
        (between({"introduced": "0"}, {"fixed": "13.0.1"}), True),
        (between({"introduced": "0"}, {"fixed": "13.0.0"}), False),
        (between({"introduced": "0"}, {"last_affected": "13.0.0"}), True),
        (between({"introduced": "0"}, {"last_affected": "12.9"}), False),
        (between({"introduced": "13.0.1"}), False),
        (between({"introduced": "0"}, {"fixed": "9"}, {"introduced": "10.1"}), True),
        (between({"fixed": "13.0.1"}, {"introduced": "0"}), True),  # in whatever order
        ({"versions": ["12.0", "13.0"]}, True),
        ({"versions": ["12.0", "not a version"]}, False),
        ({"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}]}, False),
    ],
)
def test_locked_version_is_found_in_the_database_where_it_is_affected(
    tmp_path: Path, affected: dict[str, object], found: bool
) -> None:
    done = audit(tmp_path, advisory("Pillow", **affected), advisory("other", versions=["13.0.0"]))
    assert done.returncode == int(found), done.stderr
    assert ("pillow 13.0.0: PYSEC-1 bad [2J" in done.stdout) is found
    assert ("no known vulnerability" in done.stdout) is not found
    assert "by 2 advisories of" in done.stdout


def test_advisories_that_were_withdrawn_or_are_of_elsewhere_do_not_count(tmp_path: Path) -> None:
    everything = between({"introduced": "0"})
    withdrawn = {**advisory("py-yaml", **everything), "withdrawn": "2026-01-01T00:00:00Z"}
    elsewhere = advisory("py-yaml", **everything)
    elsewhere["affected"][0]["package"]["ecosystem"] = "npm"  # type: ignore[index]
    assert audit(tmp_path, withdrawn, elsewhere).returncode == 0
    assert audit(tmp_path, advisory("py.yaml", **everything)).returncode == 1


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_a_database_that_is_none_is_told(tmp_path: Path, content: bytes | None) -> None:
    place = tmp_path / "all.zip"
    if content is not None:
        place.write_bytes(content)
    done = run_captured(sys.executable, "docker/audit.py", "--database", str(place), str(LOCKS[0]))
    assert done.returncode == 2
    assert f"the database {place} cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("record", [[], {"id": 7}, {"summary": "x" * 5_000_000, "id": "a"}])
def test_a_record_that_is_none_is_told(tmp_path: Path, record: object) -> None:
    done = audit(tmp_path, record)
    assert done.returncode == 2
    assert "'PYSEC-0.json' is no record of OSV" in done.stderr


def test_every_lock_can_be_audited_by_a_database(tmp_path: Path) -> None:
    place = database(tmp_path / "all.zip", advisory("pillow", **between({"introduced": "999"})))
    done = run_captured("make", "--no-print-directory", "audit", f"DATABASE={place}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("no known vulnerability") == len(LOCKS)
