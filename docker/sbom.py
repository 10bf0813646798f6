"""What an image consists of, as a CycloneDX bill of materials: its Python and its Debian packages.

Python's come from the lock files, with hashes, by cyclonedx-py; Debian's from the image itself.
"""

import json
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.utils import canonicalize_name

from components.common.base.errors import InputError, WorkError

SPECIFICATION = "1.6"
# One line a package: name, version, architecture.
LISTED = ("dpkg-query", "--show", "--showformat=${Package}\\t${Version}\\t${Architecture}\\n")
INSTALLED = (
    "python",
    "-c",
    "from importlib import metadata\n"
    "for one in metadata.distributions(): print(one.metadata['Name'], one.version)",
)
DISTRIBUTION = ("sh", "-c", '. /etc/os-release && echo "$ID-$VERSION_ID"')


def bill(tool: Path, image: str, locks: Sequence[Path], run: Callable[..., str]) -> dict[str, Any]:
    """The bill of an image.

    Args:
        tool: cyclonedx-py.
        image: name of the image, with a tag or digest.
        locks: lock files that are installed in it.
        run: runs a command in the image, and returns its output.

    Raises:
        InputError: the tool is not there.
        WorkError: it failed, or the image has a package that no lock names.
    """
    told = _of_locks(tool, locks)
    installed = {_key(*line.split()) for line in run(*INSTALLED).splitlines()}
    # A lock is for other systems and versions of Python as well.
    told["components"] = [one for one in told["components"] if _key_of(one) in installed]
    if unlocked := installed - {*map(_key_of, told["components"])}:
        raise WorkError(f"{image} has packages that no lock names: {', '.join(sorted(unlocked))}")
    for component in told["components"]:
        component.pop("description", None)  # the lock's line once more
    kept = {one["bom-ref"] for one in told["components"]}
    told["dependencies"] = [one for one in told.get("dependencies", ()) if one["ref"] in kept]
    distribution = run(*DISTRIBUTION).strip()
    packages = [line.split("\t") for line in run(*LISTED).splitlines()]
    told["components"] += [_of_debian(distribution, *package) for package in sorted(packages)]
    name, _, version = image.partition("@" if "@" in image else ":")
    told.setdefault("metadata", {})["component"] = {
        "type": "container",
        "bom-ref": image,
        "name": name,
        "version": version,
    }
    return told


def write(path: Path, content: dict[str, Any]) -> Path:
    """Write a bill as JSON, equal for equal contents."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path


def _of_locks(tool: Path, locks: Sequence[Path]) -> dict[str, Any]:
    if not tool.exists():
        raise InputError(f"{tool} is not there: `make sbom` installs it")
    with tempfile.TemporaryDirectory() as folder:
        together = Path(folder, "requirements.txt")
        together.write_text("".join(lock.read_text() for lock in locks))
        options = ("--output-reproducible", "--short-PURLs", "--spec-version", SPECIFICATION)
        done = subprocess.run(
            [str(tool), "requirements", *options, str(together)],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise WorkError(f"{tool.name} failed: {done.stderr.strip()[-500:]}")
    content: dict[str, Any] = json.loads(done.stdout)
    return content


def _key(name: str, version: str) -> str:
    return f"{canonicalize_name(name)}=={version}"


def _key_of(component: dict[str, Any]) -> str:
    return _key(component["name"], component["version"])


def _of_debian(distribution: str, name: str, version: str, architecture: str) -> dict[str, Any]:
    """A package of the base image, by its package URL (purl-spec, type deb)."""
    vendor = distribution.partition("-")[0]
    address = f"pkg:deb/{vendor}/{quote(name)}@{quote(version, safe='')}?arch={architecture}"
    address += f"&distro={quote(distribution)}"
    return {
        "type": "library",
        "bom-ref": address,
        "name": name,
        "version": version,
        "purl": address,
    }
