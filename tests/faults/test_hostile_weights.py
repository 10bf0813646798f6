"""Weights of strangers, --weights file.h5: read as numbers of this network, or refused.

An HDF5 file can point to other files of this machine, and claim to be larger than any memory. Keras
refuses these; this holds it to that.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from components.common.base.errors import InputError
from components.common.network import weights, weights_sources
from components.common.network.architecture import parse_architecture

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
