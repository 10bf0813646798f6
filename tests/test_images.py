"""Names of the images: a tag never means two contents."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, run_captured
from k8s_manifests import KUBECTL


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout with the tool, one lock file and one line of code."""
    folder = tmp_path / "checkout"
    (folder / "docker" / "requirements").mkdir(parents=True)
    (folder / "components").mkdir()
    shutil.copy(ROOT / "docker" / "images.py", folder / "docker")
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


def test_released_images_are_those_of_the_manifests(tmp_path: Path) -> None:
    # As `make release` does after pushing, and in a copy, since it writes into the checkout.
    for name in ("components", "docker", "k8s"):
        shutil.copytree(ROOT / name, tmp_path / name)
    code = """
import importlib.util
spec = importlib.util.spec_from_file_location("images", "docker/images.py")
images = importlib.util.module_from_spec(spec)
spec.loader.exec_module(images)
named = {
    kind: f"registry.example/us/wild-mushrooms/{kind}@sha256:{'a' * 64}"
    for kind in images.DOCKERFILES
}
print(images.write_kustomization("overlays/gpu", named))
print(images.write_kustomization("gpu-check", named))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for place in done.stdout.split():
        folder = Path(place).parent
        assert folder.is_relative_to(tmp_path / "build" / "k8s")
        built = subprocess.run(
            [KUBECTL, "kustomize", str(folder)], capture_output=True, text=True, check=False
        )
        assert built.returncode == 0, built.stderr
        named = [line.split()[-1] for line in built.stdout.splitlines() if " image: " in line]
        assert named
        assert all(f"@sha256:{'a' * 64}" in name for name in named)
