"""Legacy PyTorch files, put together instruction by instruction: sound ones and all others."""

import math
import struct
from collections.abc import Mapping, Sequence

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL_2, STOP, MARK, NONE, FALSE, CALL, PERSISTENT = (
    b"\x80\x02",
    b".",
    b"(",
    b"N",
    b"\x89",
    b"R",
    b"Q",
)
KINDS = {"float32": "FloatStorage", "int64": "LongStorage"}


def text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + struct.pack("<I", len(encoded)) + encoded


def integer(value: int) -> bytes:
    encoded = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(encoded)]) + encoded


def tuple_of(*values: bytes) -> bytes:
    return MARK + b"".join(values) + b"t"


def name(module: str, called: str) -> bytes:
    return f"c{module}\n{called}\n".encode()


def dictionary(items: Mapping[str, bytes]) -> bytes:
    """An OrderedDict, as PyTorch writes state dictionaries."""
    made = name("collections", "OrderedDict") + b")" + CALL
    return made + b"".join(text(key) + value + b"s" for key, value in items.items())


def storage(key: str, count: int, /, kind: str = "FloatStorage", **changes: bytes) -> bytes:
    parts = {
        "word": text("storage"),
        "kind": name("torch", kind),
        "key": text(key),
        "device": text("cpu"),
        "count": integer(count),
        "view": NONE,
    }
    return tuple_of(*{**parts, **changes}.values()) + PERSISTENT


def tensor(lying: bytes, shape: Sequence[int], /, **changes: bytes) -> bytes:
    """A tensor in a storage, its axes one after another unless `strides` says otherwise."""
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    parts = {
        "storage": lying,
        "offset": integer(0),
        "shape": tuple_of(*map(integer, shape)),
        "strides": tuple_of(*map(integer, strides)),
        "gradient": FALSE,
        "hooks": dictionary({}),
    }
    arguments = tuple_of(*{**parts, **changes}.values())
    return name("torch._utils", "_rebuild_tensor_v2") + arguments + CALL


def counted(numbers: bytes, count: int) -> bytes:
    """A storage as it stands at the end of a file."""
    return struct.pack("<q", count) + numbers


def file(
    state: bytes,
    keys: Sequence[str],
    storages: bytes,
    *,
    magic: bytes = integer(MAGIC),
    protocol: bytes = integer(1001),
    machine: bytes = b"}" + text("little_endian") + b"\x88s",
) -> bytes:
    listed = b"](" + b"".join(map(text, keys)) + b"e"
    pickles = (magic, protocol, machine, state, listed)
    return b"".join(PROTOCOL_2 + one + STOP for one in pickles) + storages


def saved(tensors: Mapping[str, np.ndarray]) -> bytes:
    """What `torch.save` writes of a state dictionary, each tensor in a storage of its own.

    Arrays in Fortran's order become transposed tensors.
    """
    state, storages = {}, b""
    for number, (key, array) in enumerate(tensors.items()):
        lying = storage(str(number), array.size, kind=KINDS[array.dtype.name])
        strides = tuple_of(*(integer(stride // array.itemsize) for stride in array.strides))
        state[key] = tensor(lying, array.shape, strides=strides)
        storages += counted(array.tobytes(order="A"), array.size)
    return file(dictionary(state), [str(number) for number in range(len(tensors))], storages)
