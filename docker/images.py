"""Build, push and release the images: `python docker/images.py --help`.

Tags come from the git revision and the lock files, so that a tag always means the same content.
"""

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import sbom
import yaml

from components import __version__, settings
from components.common.base.errors import InputError, WorkError
from components.common.base.step import run_command
from components.common.untrusted.redact import without_secrets

ROOT = Path(__file__).parents[1]
CONTEXT = ("components", "programs", "docker", "species.yaml", "LICENSE", ".dockerignore")
CUDA = "train-cuda"
CYCLONEDX = ROOT / "build" / "audit" / "bin" / "cyclonedx-py"
# The Dockerfile of each image, and what it is built with.
DOCKERFILES = {
    "data": ("data", {}),
    "train": ("train", {"REQUIREMENTS": "train"}),
    CUDA: ("train", {"REQUIREMENTS": CUDA}),
    "tensorboard": ("tensorboard", {}),
}


def tag() -> str:
    """`<revision>-<lock files>`, with a hash of the changes where there are uncommitted ones.

    Raises:
        InputError: this is no git checkout.
    """
    locks = hashlib.sha256()
    for path in sorted((ROOT / "docker" / "requirements").glob("*.txt")):
        locks.update(path.read_bytes())
    found = f"{revision()[:12]}-{locks.hexdigest()[:8]}"
    changes = uncommitted()
    return f"{found}-changed-{changes}" if changes else found


def revision() -> str:
    """The commit that is checked out."""
    return _git("rev-parse", "HEAD").decode().strip()


def uncommitted() -> str:
    """Hash over what images are made of and no commit has; empty where there is nothing such."""
    changed = _git("diff", "HEAD", "--binary", "--", *CONTEXT)
    listed = _git("ls-files", "--others", "--exclude-standard", "-z", "--", *CONTEXT)
    new = [name for name in listed.decode().split("\0") if name]
    if not changed and not new:
        return ""
    digest = hashlib.sha256(changed)
    for name in new:
        digest.update(name.encode() + b"\0" + (ROOT / name).read_bytes())
    return digest.hexdigest()[:8]


def names(kinds: list[str], registry: str = "") -> dict[str, str]:
    """The full name of each image."""
    prefix = f"{registry.rstrip('/')}/" if registry else ""
    current = tag()
    return {kind: f"{prefix}{settings.REPOSITORY}/{kind}:{current}" for kind in kinds}


def environment(named: dict[str, str]) -> dict[str, str]:
    """The environment in which pipeline.py takes these names."""
    return {**os.environ, **{settings.NAME_VARIABLES[kind]: named[kind] for kind in named}}


def build(kinds: list[str], options: list[str]) -> None:
    """Build images of the working tree as it is.

    Args:
        kinds: which.
        options: further options of `docker build`.
    """
    _check_options(options)
    for kind, name in names(kinds).items():
        dockerfile, arguments = DOCKERFILES[kind]
        labels = {"VERSION": __version__, "REVISION": revision() + ("+" if uncommitted() else "")}
        given = [f"--build-arg={key}={value}" for key, value in {**arguments, **labels}.items()]
        _docker(
            "build",
            f"--file=docker/{dockerfile}.Dockerfile",
            f"--tag={name}",
            *given,
            *options,
            ".",
        )
        print(name)


def push(kinds: list[str], registry: str) -> dict[str, str]:
    """Push images that were built, and return their names with digests."""
    local, remote = names(kinds), names(kinds, registry)
    found = {}
    for kind in kinds:
        _docker("tag", local[kind], remote[kind])
        _docker("push", remote[kind])
        repository = remote[kind].rpartition(":")[0]
        listed = _docker(
            "image", "inspect", '--format={{join .RepoDigests "\\n"}}', remote[kind], kept=True
        )
        found[kind] = next(line for line in listed.split() if line.startswith(f"{repository}@"))
        print(found[kind])
    return found


def write_bills(images: dict[str, str]) -> None:
    """Write build/sbom/KIND.cdx.json of images that are on this machine.

    Raises:
        InputError: an image is not there, or no daemon.
    """
    for kind, name in images.items():
        if not _is_here(name):
            raise InputError(
                f"there is no image {name} here, or no Docker daemon: start Docker and build it "
                "with `make images` (again after each change)"
            )

        def run(*command: str, name: str = name) -> str:
            return _docker("run", "--rm", "--network=none", name, *command, kept=True)

        content = sbom.bill(CYCLONEDX, name, _locks(kind), run)
        print(sbom.write(ROOT / "build" / "sbom" / f"{kind}.cdx.json", content).relative_to(ROOT))


def _locks(kind: str) -> list[Path]:
    """The lock files that an image's Dockerfile installs."""
    dockerfile, arguments = DOCKERFILES[kind]
    text = (ROOT / "docker" / f"{dockerfile}.Dockerfile").read_text()
    (installed,) = re.findall(r"sh install\.sh (.+)", text)
    for variable, value in arguments.items():
        installed = installed.replace(f"${{{variable}}}", value)
    return [ROOT / "docker" / "requirements" / name.strip('"') for name in installed.split()]


def release(kinds: list[str], registry: str, options: list[str]) -> None:
    """Build, push, and write the digests into the compiled pipelines and a kustomization."""
    if uncommitted():
        raise InputError("a release is made of a commit: there are changes that none has")
    build(kinds, options)
    named = push(kinds, registry)
    command = [sys.executable, str(ROOT / "pipeline.py"), "compile"]
    subprocess.run(command, cwd=ROOT, env=environment(named), check=True)
    if CUDA not in kinds:
        (ROOT / "build" / "pipeline-gpu.yaml").unlink()
        print("build/pipeline-gpu.yaml taken away again: its image was not released")
    write_bills(named)
    for folder in ("gpu-check",) * (CUDA in kinds) + ("overlays/gpu", "serving/page"):
        print(write_kustomization(folder, named).relative_to(ROOT))


def write_kustomization(folder: str, named: dict[str, str]) -> Path:
    """A folder of k8s/ with the images of a release, for `kubectl apply -k build/k8s/…`."""
    path = ROOT / "build" / "k8s" / Path(folder).name / "kustomization.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    images = []
    for kind, name in named.items():
        repository, _, digest = name.partition("@")
        original = f"{settings.REPOSITORY}/{kind}"
        images.append({"name": original, "newName": repository, "digest": digest})
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"../../../k8s/{folder}"],
        "images": images,
    }
    path.write_text("# Written by make release.\n" + yaml.safe_dump(content, sort_keys=False))
    return path


def _check_options(options: list[str]) -> None:
    """Raise `InputError` where a build argument has a password: layers and history keep it."""
    for word in options:
        name, equals, value = word.removeprefix("--build-arg=").partition("=")
        if not equals and name.isidentifier():  # docker takes it from the environment
            value = os.environ.get(name, "")
        if name.lower().endswith("_proxy"):  # docker keeps these out of images by itself
            continue
        if without_secrets(value) != value:
            raise InputError(
                f"{name} has a password in its address, and build arguments are kept in images: "
                "leave it out of the address and give it as a secret, BUILD_OPTIONS='--secret "
                "id=netrc,src=…' (docker/README.md)"
            )


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)  # noqa: S607 - git of PATH
    if done.returncode:
        raise InputError(f"images are named after the git revision: {done.stderr.decode().strip()}")
    return done.stdout


def _is_here(image: str) -> bool:
    client = _client()
    done = subprocess.run([client, "image", "inspect", image], capture_output=True, check=False)
    return done.returncode == 0


def _client() -> str:
    """The docker client; DOCKER names another one."""
    client = shutil.which(os.environ.get("DOCKER") or "docker")
    if client is None:
        raise InputError("there is no docker command: install Docker, or name it with DOCKER=…")
    return client


def _docker(*arguments: str, kept: bool = False) -> str:
    """Run the docker client; its output goes on, or is returned."""
    done = subprocess.run(
        [_client(), *arguments],
        cwd=ROOT,
        env={**os.environ, "DOCKER_BUILDKIT": "1"},
        stdout=subprocess.PIPE if kept else None,
        text=True,
        check=False,
    )
    if done.returncode:
        raise WorkError(f"docker {arguments[0]} failed with status {done.returncode}, see above")
    return done.stdout or ""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="docker/images.py", description=(__doc__ or "").partition(":")[0]
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("tag", help="print the tag of the working tree as it is")
    named = commands.add_parser("with-names", help="run a command that takes the images' names")
    named.add_argument("--registry", default="", help="host and path that they were pushed to")
    named.add_argument("run", nargs=argparse.REMAINDER)
    for name, text in (
        ("build", "build the images"),
        ("push", "push them"),
        ("sbom", "write what they consist of, as CycloneDX, into build/sbom"),
        ("release", "build and push them, and write their digests into the compiled pipelines"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument(
            "--cuda",
            action=argparse.BooleanOptionalAction,
            default=name == "release",
            help="with the image that trains on NVIDIA GPUs",
        )
        if name in ("push", "release"):
            command.add_argument("--registry", required=True, help="host and path to push to")
        if name in ("build", "release"):
            command.add_argument("options", nargs="*", help="options of docker build, after --")
    run_command("docker/images.py", parser, _dispatch)


def _dispatch(arguments: argparse.Namespace) -> int:
    if arguments.command == "tag":
        print(tag())
        return 0
    if arguments.command == "with-names":
        return _with_names(arguments.run, arguments.registry)
    kinds = [kind for kind in DOCKERFILES if kind != CUDA or arguments.cuda]
    if arguments.command == "build":
        build(kinds, arguments.options)
    elif arguments.command == "sbom":
        write_bills(names(kinds))
    elif arguments.command == "push":
        push(kinds, arguments.registry)
    else:
        release(kinds, arguments.registry, arguments.options)
    return 0


def _with_names(command: list[str], registry: str) -> int:
    try:
        inherited = environment(names(list(DOCKERFILES), registry))
    except InputError:  # an archive of the sources: the names of a release
        inherited = {}
    # Whoever sets a variable means that image.
    inherited.update(os.environ)
    return subprocess.run(command, env=inherited, check=False).returncode


if __name__ == "__main__":
    main()
