"""Arrays of strangers, .npy and .npz: pickles, claims of size, bombs, damage."""

import contextlib
import io
import json
import random
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faults.faults import cases
from sealing import reseal

from components.common.base.errors import InputError
from components.common.model import unknown
from components.common.network import bottlenecks, weights
from components.common.network.backbone import DESCRIPTION_FILE, BackboneKey
from components.common.network.bottlenecks import FINGERPRINTS, SCORES, VECTORS, Bottlenecks
from components.common.untrusted import arrays

MEGABYTE = 1024**2
PICKLE = b"cos\nsystem\n(S'touch hacked'\ntR."
KEY = BackboneKey("mobilenet_1.0_128", 128, "0" * 64)


def npy(shape: str, dtype: str = "<f4", body: bytes = b"", version: int = 1) -> bytes:
    """A .npy file whose header claims this."""
    header = f"{{'descr': {dtype!r}, 'fortran_order': False, 'shape': {shape}, }}".encode() + b"\n"
    size = len(header).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + size + header + body


def npz(content: bytes | Callable[[Any], None], name: str = "weights.npy", **options: Any) -> bytes:
    """An archive of one member."""
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, **options) as archive,
        archive.open(name, "w", force_zip64=True) as member,
    ):
        if isinstance(content, bytes):
            member.write(content)
        else:
            content(member)
    return stream.getvalue()


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """Fails where the block takes more than 20 MB, wherever numpy gets it from."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 20 * MEGABYTE
    finally:
        tracemalloc.stop()


CLAIMS = {
    "objects": npy("(1,)", "|O", PICKLE),
    "bytes of no type": npy("(1,)", "|V8", PICKLE),
    "a petabyte": npy("(1000000000000, 1000)"),
    "forty gigabytes": npy("(10000000, 1000)"),
    "more than 64 bits": npy(f"({2**62}, {2**62})"),
    "below zero": npy("(-1, 5)"),
    "nothing, often": npy(f"({2**62},)", "|S0"),
    "text for a shape": npy("'abc'"),
    "an endless header": b"\x93NUMPY\x02\x00" + (2**31).to_bytes(4, "little") + b"{" * 1000,
    "a deep header": npy("(" * 5000 + ")" * 5000, version=2),
    "a call": npy("__import__('os').system('touch hacked')"),
    "version 9": npy("(1,)", version=9),
    "cut": npy("(10,)", body=bytes(12)),
    "empty": b"",
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_array_is_no_more_than_its_file_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, claim: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.npy").write_bytes(CLAIMS[claim])
    packed = io.BytesIO(npz(CLAIMS[claim]))
    with little_memory():
        with pytest.raises(ValueError, match=r"its header|it was cut"):
            arrays.read_npy(Path("a.npy"))
        with pytest.raises(ValueError, match=r"its header|it was cut"):
            arrays.map_npy(Path("a.npy"))
        with pytest.raises(ValueError, match="not a sound") as caught:
            arrays.read_npz(packed)
    assert len(str(caught.value)) < 400
    assert not Path("hacked").exists()


def test_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    def zeros(member: Any) -> None:
        member.write(npy(f"({75 * MEGABYTE},)"))
        for _ in range(300):
            member.write(bytes(MEGABYTE))

    bomb = npz(zeros)
    assert len(bomb) < MEGABYTE
    with little_memory(), pytest.raises(InputError, match=r"head\.npz .* bytes in all"):
        unknown.read_arrays(bomb, "head.npz", ("weights",))


def test_member_that_unpacks_to_more_than_it_claims_is_damaged() -> None:
    data = npz(npy("(8,)", body=bytes(32)))
    size = len(npy("(8,)", body=bytes(32)))
    assert data.count(size.to_bytes(4, "little")) >= 1
    short = data.replace(size.to_bytes(4, "little"), (size - 8).to_bytes(4, "little"))
    with pytest.raises(ValueError, match="sound"):
        arrays.read_npz(io.BytesIO(short))


def test_a_hundred_thousand_arrays_are_refused() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(arrays.MAX_ARRAYS + 1):
            archive.writestr(f"{number}.npy", b"")
    with pytest.raises(ValueError, match="claims 10001 arrays"):
        arrays.read_npz(stream)


def test_weights_that_claim_a_terabyte_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w.npz").write_bytes(npz(npy("(1000000000000,)"), "conv1/0.npy"))
    with pytest.raises(InputError, match="holds no weights"):
        weights.read_weights(tmp_path / "w.npz")


def saved(**content: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **content)  # type: ignore[arg-type]
    return stream.getvalue()


@pytest.mark.parametrize("text", [np.array(["1", "2"]), np.array([b"1"]), np.array([True])])
def test_what_is_no_number_is_refused_where_numbers_belong(
    tmp_path: Path, text: np.ndarray
) -> None:
    with pytest.raises(InputError, match="weights holds no numbers"):
        unknown.read_arrays(saved(weights=text), "head.npz", ("weights",))
    (tmp_path / "w.npz").write_bytes(saved(**{"conv1/0": text}))
    with pytest.raises(InputError, match="'conv1/0' holds no numbers"):
        weights.read_weights(tmp_path / "w.npz")


def stored(path: Path) -> Path:
    found = Bottlenecks(
        ("a" * 64, "b" * 64),
        np.ones((2, 8), np.float32),
        np.ones((2, 1000), np.float16),
        np.ones((2, 1024), np.uint8),
        KEY,
    )
    bottlenecks.save(found, path, ["daisy", "rose"])
    return path


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize("name", [VECTORS, SCORES, FINGERPRINTS])
def test_bottlenecks_that_claim_too_much_are_refused(tmp_path: Path, name: str, claim: str) -> None:
    (stored(tmp_path / "b") / name).write_bytes(CLAIMS[claim])
    reseal(tmp_path / "b" / DESCRIPTION_FILE)
    with pytest.raises(InputError, match=r"the bottlenecks in .* cannot be read"):
        bottlenecks.load(tmp_path / "b")


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        json.dumps({**asdict(KEY), "input_size": "128"}),
        json.dumps({**asdict(KEY), "engine": {"a": 1}}),
        json.dumps({**asdict(KEY), "engine": "x" * 100_000}),
        json.dumps({**asdict(KEY), "more": 1}),
        json.dumps({**asdict(KEY), "views": 10**9}),
    ],
    ids=["deep", "text for a size", "object for a text", "long", "more", "views without end"],
)
def test_description_of_bottlenecks_is_refused_where_it_is_odd(
    tmp_path: Path, content: str
) -> None:
    (stored(tmp_path / "b") / DESCRIPTION_FILE).write_text(content)
    with pytest.raises(InputError, match=r"cannot be read|larger than 65536") as caught:
        bottlenecks.load(tmp_path / "b")
    assert len(str(caught.value)) < 400


def test_cached_bottlenecks_that_claim_too_much_are_computed_again(tmp_path: Path) -> None:
    folder = tmp_path / KEY.digest
    folder.mkdir()
    (folder / "x.npz").write_bytes(npz(npy("(10000000, 1000)"), "vectors.npy"))
    bottlenecks._Cache(KEY, tmp_path, "")
    assert list(folder.iterdir()) == []


def test_honest_arrays_come_back_as_numpy_reads_them(tmp_path: Path) -> None:
    kept = {
        "f": np.arange(12, dtype=np.float32).reshape(3, 4),
        "fortran": np.asfortranarray(np.arange(6, dtype=">i8").reshape(2, 3)),
        "half": np.ones((2, 0), np.float16),
        "text": np.array([b"ab", b"c"], dtype="S64"),
        "one": np.float64(7),
        "flag": np.array([True, False]),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **kept)
        found = arrays.read_npz(tmp_path / "a.npz")
        assert list(found) == list(kept)
        for name, array in kept.items():
            np.testing.assert_array_equal(found[name], array)
            assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
    for array in kept.values():
        np.save(tmp_path / "a.npy", array)
        for found in (arrays.read_npy(tmp_path / "a.npy"), arrays.map_npy(tmp_path / "a.npy")):
            np.testing.assert_array_equal(found, array)
            assert (found.dtype, found.shape) == (array.dtype, array.shape)


def test_mapped_array_cannot_be_changed_and_outlives_its_name(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(6))
    found = arrays.map_npy(tmp_path / "a.npy")
    (tmp_path / "a.npy").unlink()
    assert found.tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1


def test_array_that_lacks_a_byte_was_cut(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(6.0))
    with open(tmp_path / "a.npy", "r+b") as file:
        file.truncate((tmp_path / "a.npy").stat().st_size - 1)
    for read in (arrays.read_npy, arrays.map_npy):
        with pytest.raises(ValueError, match="it was cut"):
            read(tmp_path / "a.npy")


def test_any_damage_is_a_value_error(tmp_path: Path) -> None:
    stream, draw = io.BytesIO(), random.Random(3)
    np.savez_compressed(stream, weights=np.arange(40.0), biases=np.ones(3))
    plain = io.BytesIO()
    np.savez(plain, weights=np.arange(40.0), biases=np.ones(3))
    sound = 0
    for _ in range(cases(2000, 50_000)):
        data = bytearray(draw.choice((stream, plain)).getvalue())
        for _ in range(draw.randint(1, 4)):
            data[draw.randrange(len(data))] = draw.choice((0, 1, 127, 255, draw.randrange(256)))
        if draw.random() < 0.2:
            del data[draw.randrange(len(data)) :]
        try:
            arrays.read_npz(io.BytesIO(bytes(data)))
            sound += 1
        except ValueError:  # any other error fails the test
            continue
    assert sound < cases(2000, 50_000) / 2
