"""Names of the images: a tag never means two contents."""

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from conftest import ROOT, run_captured
from k8s_manifests import built, containers

DIGEST = f"sha256:{'a' * 64}"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout with the tool, one lock file and one line of code."""
    folder = tmp_path / "checkout"
    (folder / "docker" / "requirements").mkdir(parents=True)
    (folder / "components").mkdir()
    for name in ("images.py", "sbom.py"):
        shutil.copy(ROOT / "docker" / name, folder / "docker")
    for name in ("species.yaml", "LICENSE", ".dockerignore"):
        (folder / name).write_text("x\n")
    (folder / "components" / "code.py").write_text("x = 1\n")
    (folder / "docker" / "requirements" / "data.txt").write_text("numpy==1\n")
    git(folder, "init", "--quiet")
    commit(folder)
    return folder


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True)


def commit(folder: Path) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "x")


def tag(folder: Path) -> str:
    done = run_captured(sys.executable, str(folder / "docker" / "images.py"), "tag")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_tag_is_of_the_revision_and_the_lock_files(checkout: Path) -> None:
    first = tag(checkout)
    (checkout / "components" / "code.py").write_text("x = 2\n")
    commit(checkout)
    second = tag(checkout)
    assert first.split("-")[0] != second.split("-")[0]
    assert first.split("-")[1] == second.split("-")[1]
    (checkout / "docker" / "requirements" / "data.txt").write_text("numpy==2\n")
    commit(checkout)
    assert tag(checkout).split("-")[1] != second.split("-")[1]


def test_tag_tells_uncommitted_changes_apart(checkout: Path) -> None:
    tags = [tag(checkout)]
    (checkout / "components" / "code.py").write_text("x = 2\n")
    tags.append(tag(checkout))
    (checkout / "components" / "code.py").write_text("x = 3\n")
    tags.append(tag(checkout))
    (checkout / "components" / "new.py").write_text("y = 1\n")
    tags.append(tag(checkout))
    (checkout / "components" / "new.py").write_text("y = 2\n")
    tags.append(tag(checkout))
    assert len(set(tags)) == 5
    assert all("-changed-" in name for name in tags[1:])


def test_tag_is_the_same_after_a_change_of_what_no_image_holds(checkout: Path) -> None:
    first = tag(checkout)
    (checkout / "notes.txt").write_text("x\n")
    assert tag(checkout) == first


def test_release_of_uncommitted_changes_is_refused(checkout: Path) -> None:
    (checkout / "components" / "code.py").write_text("x = 2\n")
    tool = str(checkout / "docker" / "images.py")
    done = run_captured(sys.executable, tool, "release", "--registry", "registry.example/us")
    assert done.returncode == 2
    assert "a release is made of a commit" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_pipeline_of_an_archive_without_git_takes_the_names_of_the_release(
    checkout: Path,
) -> None:
    shutil.rmtree(checkout / ".git")
    tool = str(checkout / "docker" / "images.py")
    code = "import os; print(sorted(name for name in os.environ if name.endswith('_IMAGE')))"
    done = run_captured(sys.executable, tool, "with-names", sys.executable, "-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_pipeline_takes_the_names_in_a_registry_but_for_those_that_are_given(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSHROOM_DATA_IMAGE", "mine:1")
    tool = str(checkout / "docker" / "images.py")
    code = "import os; print(os.environ['MUSHROOM_DATA_IMAGE'], os.environ['MUSHROOM_TRAIN_IMAGE'])"
    named = ("with-names", "--registry", "registry.example/us")
    done = run_captured(sys.executable, tool, *named, sys.executable, "-c", code)
    data, train = done.stdout.split()
    assert data == "mine:1"
    assert train.startswith("registry.example/us/wild-mushrooms/train:")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout after `make release`, with tools that say the digests and nothing else."""
    folder = tmp_path_factory.mktemp("released")
    for name in ("components", "programs", "docker", "k8s"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("pipeline.py", "species.yaml", "LICENSE", ".dockerignore"):
        shutil.copy(ROOT / name, folder)
    (folder / ".gitignore").write_text("build/\n__pycache__/\n")
    git(folder, "init", "--quiet")
    commit(folder)
    docker = tmp_path_factory.mktemp("bin") / "docker"
    docker.write_text(
        '#!/bin/sh\n[ "$1" = image ] || exit 0\n'
        f'for name; do :; done\necho "${{name%:*}}@{DIGEST}"\n'
    )
    bills = folder / "build" / "audit" / "bin" / "cyclonedx-py"
    bills.parent.mkdir(parents=True)
    bills.write_text("#!/bin/sh\necho '{\"components\": []}'\n")
    for tool in (docker, bills):
        tool.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "docker/images.py", "release", "--registry", "registry.example/us"],
        cwd=folder,
        env={**os.environ, "DOCKER": str(docker)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    ("folder", "kinds"),
    [("gpu", {"data", "tensorboard"}), ("gpu-check", {"train-cuda"}), ("page", {"data"})],
)
def test_manifests_of_a_release_name_its_images(
    released: Path, folder: str, kinds: set[str]
) -> None:
    images = {
        container["image"]
        for one in built(str(released / "build" / "k8s" / folder))
        if one["kind"] in ("Deployment", "Job")
        for container in containers(one["spec"]["template"])
    }
    assert images == {f"registry.example/us/wild-mushrooms/{kind}@{DIGEST}" for kind in kinds}


def test_bills_of_a_release_name_its_digests(released: Path) -> None:
    for kind in ("data", "train", "train-cuda", "tensorboard"):
        bill = json.loads((released / "build" / "sbom" / f"{kind}.cdx.json").read_text())
        named = bill["metadata"]["component"]
        assert named["name"] == f"registry.example/us/wild-mushrooms/{kind}"
        assert named["version"] == DIGEST


def test_overlay_of_the_docs_is_built_on_a_release(released: Path) -> None:
    found = re.search(
        r"^   # my-cluster/kustomization\.yaml\n(.*?)^   ```$",
        (ROOT / "docs" / "cluster.md").read_text(),
        re.DOTALL | re.MULTILINE,
    )
    assert found
    mine = released / "my-cluster"
    mine.mkdir()
    (mine / "kustomization.yaml").write_text(textwrap.dedent(found[1]))
    parts = built(str(mine))
    workloads = [one for one in parts if one["kind"] in ("Deployment", "Job")]
    assert len(workloads) == 3
    for one in workloads:
        given = one["spec"]["template"]["spec"]["imagePullSecrets"]
        assert given == [{"name": "registry-login"}], one["metadata"]["name"]
    (quota,) = (one for one in parts if one["kind"] == "ResourceQuota")
    assert quota["spec"]["hard"] == {"requests.nvidia.com/gpu": "8"}
    (limits,) = (one for one in parts if one["kind"] == "LimitRange")
    (claims,) = (one for one in limits["spec"]["limits"] if one["type"] != "Container")
    assert claims["max"] == {"storage": "2Ti"}


def test_conversion_in_the_image_has_every_module_that_it_imports() -> None:
    """Few files are copied for it, so that a change of a step does not convert it again."""
    code = "import sys, components.common.network.convert; print(*sorted(sys.modules))"
    done = run_captured(sys.executable, "-c", code)
    ours = [name for name in done.stdout.split() if name.startswith("components.common.")]
    dockerfile = (ROOT / "docker" / "train.Dockerfile").read_text()
    copied = re.findall(r"(components/common/[\w/]+)\.py", dockerfile)
    modules = {name.removesuffix("/__init__").replace("/", ".") for name in copied}
    assert sorted(modules - {"components.common"}) == ours
