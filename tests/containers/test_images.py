"""What the images are: their size, user, contents, and that each step runs in its own."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, SMALL_ARCHITECTURE
from private_docker import Images, PrivateDocker

from components import __version__

MAX_MB = {"data": 1000, "train": 2400, "tensorboard": 500}
KINDS = sorted(MAX_MB)
STEPS = {
    "bottleneck": "train",
    "clean": "data",
    "curate": "data",
    "download": "data",
    "evaluate": "train",
    "label_image": "data",
    "publish": "data",
    "retrain": "train",
    "serve": "data",
    "summarize": "data",
    "tensorboard": "data",
}
COMMANDS = {"serve": "programs.serve"}  # that are no steps
INSTALLED = (
    "import re; from importlib import metadata; print(*(re.sub('[-_.]+', '-', one.name).lower() + "
    "'@' + one.version for one in metadata.distributions()))"
)
# As strict as a cluster may be: nothing can be written, nobody knows the user, no network.
STRICT = ("--rm", "--init", "--read-only", "--user", "12345", "--network", "none")


@pytest.mark.parametrize("kind", KINDS)
def test_image_is_within_its_size(
    docker: PrivateDocker, images: Images, kind: str, say: Callable[[str], None]
) -> None:
    size = int(docker("image", "inspect", "--format={{.Size}}", images.names[kind])) / 1e6
    say(f"{images.names[kind]}: {size:.0f} MB")
    assert size < MAX_MB[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_image_has_a_numeric_user_no_entrypoint_and_says_what_it_is(
    docker: PrivateDocker, images: Images, kind: str
) -> None:
    inspected = json.loads(docker("image", "inspect", images.names[kind]))[0]["Config"]
    user = inspected["User"].partition(":")[0]
    assert int(user) > 0
    assert not inspected["Entrypoint"]
    labels = inspected["Labels"]
    assert labels["org.opencontainers.image.version"] == __version__
    revision = labels["org.opencontainers.image.revision"]
    assert revision[:12] == images.names[kind].partition(":")[2][:12]


@pytest.mark.parametrize("kind", KINDS)
def test_image_holds_no_compiler_cache_tests_or_history(
    docker: PrivateDocker, images: Images, kind: str
) -> None:
    look = r"""
        command -v gcc cc g++ make git
        find / -xdev \( -name .git -o -name .pytest_cache -o -path '/root/.cache/*' \
            -o -path '/tmp/*' -o -path /opt/uv -o -path /build -o -path /app/tests \
            -o -path '/opt/venv/bin/pip*' -o -path '/opt/venv/*/tests/test_*.py' \) \
            -not -path '*/numpy/_core/tests/*' -print
        test -d /opt/venv
    """
    run = ("run", "--rm", "--user=0", "--network=none")
    found = docker(*run, images.names[kind], "sh", "-c", look)
    assert found == ""


@pytest.mark.parametrize("step", STEPS)
def test_step_answers_where_nothing_can_be_written(
    docker: PrivateDocker, images: Images, step: str
) -> None:
    image = images.names[STEPS[step]]
    module = COMMANDS.get(step, f"components.{step}")
    said = docker("run", *STRICT, image, "python", "-m", module, "--help")
    assert f"usage: python -m {module}" in said


def test_kfp_s_executor_is_in_every_image_of_a_step(docker: PrivateDocker, images: Images) -> None:
    for kind in ("data", "train"):
        command = ("python3", "-m", "kfp.dsl.executor_main", "--help")
        said = docker(*("run", *STRICT, "--env", "_KFP_RUNTIME=true", images.names[kind], *command))
        assert "--component_module_path" in said


def test_steps_work_in_a_folder_in_memory_as_any_user(
    docker: PrivateDocker, images: Images, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    mounts = ("--tmpfs", "/tmp", "--volume", f"{tmp_path}:/work", "--workdir", "/work")
    gather = (
        "set -e; for label in 'fly agaric' earthstar; do "
        'python -m PYTHON.download --label "$label" --source sample --per_class 6 '
        '--output "found-$label"; '
        'python -m PYTHON.clean --images "found-$label" --output "clean-$label" '
        '--rejects "rejects-$label"; done'
    ).replace("PYTHON", "components")
    done = docker.run("run", *STRICT, *mounts, images.names["data"], "sh", "-c", gather)
    assert done.returncode == 0, done.stdout + done.stderr
    compute = ("python", "-m", "components.bottleneck", "--architecture", SMALL_ARCHITECTURE)
    datasets = ("--images", "clean-fly agaric", "clean-earthstar", "--output", "vectors")
    done = docker.run("run", *STRICT, *mounts, images.names["train"], *compute, *datasets)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "vectors" / "bottlenecks.npy").is_file()


def test_tensorboard_s_image_starts_tensorboard(docker: PrivateDocker, images: Images) -> None:
    said = docker("run", *STRICT, images.names["tensorboard"], "tensorboard", "--version")
    assert said.strip() == "2.21.0"


def test_one_line_of_a_step_is_rebuilt_in_seconds(
    docker: PrivateDocker, images: Images, tmp_path: Path, say: Callable[[str], None]
) -> None:
    for name in ("components", "programs", "docker"):
        shutil.copytree(ROOT / name, tmp_path / name)
    for name in ("species.yaml", "LICENSE", ".dockerignore"):
        shutil.copy(ROOT / name, tmp_path)
    step = tmp_path / "components" / "retrain" / "retrain.py"
    step.write_text(step.read_text() + "CHANGED = True\n")
    started = time.monotonic()
    docker(
        *("build", "--network=host", "--tag=changed", "--build-arg=REQUIREMENTS=train"),
        *(f"--file={tmp_path}/docker/train.Dockerfile", str(tmp_path)),
    )
    seconds = time.monotonic() - started
    said = docker(
        *("run", *STRICT, "changed", "python", "-c"),
        "from components.retrain import retrain; print(retrain.CHANGED)",
    )
    assert said.strip() == "True"
    say(f"rebuilt after a change of one line in {seconds:.1f} s")


def test_bill_of_materials_names_what_is_in_the_images(
    docker: PrivateDocker, images: Images
) -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "sbom"],
        cwd=ROOT,
        env=images.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for kind in KINDS:
        bill = json.loads((ROOT / "build" / "sbom" / f"{kind}.cdx.json").read_text())
        assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
        assert images.names[kind] == bill["metadata"]["component"]["bom-ref"]
        addresses = [part["purl"] for part in bill["components"]]
        assert len(set(addresses)) == len(addresses)
        of_debian = {address for address in addresses if address.startswith("pkg:deb/debian/")}
        listed = docker("run", *STRICT, images.names[kind], "dpkg-query", "--show").splitlines()
        assert len(of_debian) == len(listed)
        # Those of the lock that are for other systems are not among them.
        found = docker("run", *STRICT, images.names[kind], "python", "-c", INSTALLED).split()
        assert {address for address in addresses if "pkg:pypi/" in address} == {
            f"pkg:pypi/{name}" for name in found
        }
        pillow = next(part for part in bill["components"] if part["name"] == "pillow")
        assert pillow["externalReferences"][0]["hashes"][0]["alg"] == "SHA-256"
