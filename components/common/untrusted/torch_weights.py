"""Reading the tensors of a legacy PyTorch file without PyTorch, and without running anything of it.

Such a file is five pickles (a magic number, a protocol, facts of the machine, the state dictionary
and the keys of its storages), then each storage as an int64 count and its little-endian numbers
(torch/serialization.py, `_legacy_save`). A pickle is a program, and the module pickle would look up
and call whatever the file names. Nothing here uses that module: the class below carries out the few
instructions that a state dictionary needs (the standard library's pickletools.py describes each).
It makes numbers, texts, tuples, lists and dictionaries, and knows four names, for which it calls
nothing but its own functions.
"""

import io
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_PICKLES_BYTES = 1024**2  # of all five; those of EfficientNet-Lite2 have 62 thousand
MAX_TENSORS = 10_000
MAX_DIMENSIONS = 8
MAX_COUNT = 2**32  # numbers of a storage
MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
COUNT_BYTES = 8
# The only names of classes and functions that are known.
DICTIONARY, TENSOR = "collections OrderedDict", "torch._utils _rebuild_tensor_v2"
STORAGES: dict[str, np.dtype[Any]] = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch LongStorage": np.dtype("<i8"),
}


@dataclass(frozen=True)
class _Name:
    """A class or function that the file names; it stands for itself and can do nothing."""

    text: str


@dataclass(frozen=True)
class _Storage:
    """Numbers further down in the file."""

    key: str
    dtype: np.dtype[Any]
    count: int


@dataclass(frozen=True)
class _Tensor:
    """Where in a storage a tensor's numbers lie.

    Attributes:
        storage: that they lie in.
        offset: of the first, in numbers.
        shape: of the tensor.
        order: its axes, the one along which neighbours lie farthest apart first.
    """

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    order: tuple[int, ...]


def read(data: bytes) -> dict[str, NDArray[Any]]:
    """The tensors of a state dictionary by name, in its order.

    Args:
        data: the file. The caller bounds its size; the arrays are views of it and cannot be
            written, so no tensor takes memory of its own.

    Returns:
        float32 or int64 arrays, of the tensors' shapes.

    Raises:
        ValueError: it is no such file, is damaged, holds anything but tensors of these types, or
            claims more than it holds.
    """
    end, storages = 0, dict[str, _Storage]()
    values = []
    for _ in range(5):
        program = _Program(storages)
        value, length = program.run(data[end:MAX_PICKLES_BYTES])
        values.append(value)
        end += length
    magic, protocol, machine, state, keys = values
    if type(magic) is not int or magic != MAGIC or type(protocol) is not int:
        raise ValueError("it is not a PyTorch file of the legacy format")
    if (
        protocol != PROTOCOL
        or type(machine) is not dict
        or machine.get("little_endian") is not True
    ):
        raise ValueError("it is a PyTorch file of another protocol or byte order")
    if type(state) is not dict or not all(type(one) is _Tensor for one in state.values()):
        raise ValueError("it holds more than tensors by name")
    if not 0 < len(state) <= MAX_TENSORS:
        raise ValueError(f"it holds {len(state)} tensors: expected 1 to {MAX_TENSORS}")
    numbers = _numbers(data, end, keys, storages)
    return {name: _array(tensor, numbers) for name, tensor in state.items()}


def _numbers(
    data: bytes, start: int, keys: object, storages: Mapping[str, _Storage]
) -> dict[str, NDArray[Any]]:
    """The storages by key, which must fill the rest of the file exactly."""
    if type(keys) is not list or not all(type(key) is str for key in keys):
        raise ValueError("the keys of its storages are not a list of texts")
    if len(set(keys)) < len(keys) or set(keys) != storages.keys():
        raise ValueError("its storages are others than those that its tensors name")
    found: dict[str, NDArray[Any]] = {}
    for key in keys:
        storage = storages[key]
        count = int.from_bytes(data[start : start + COUNT_BYTES], "little", signed=True)
        start += COUNT_BYTES
        size = storage.count * storage.dtype.itemsize
        if count != storage.count or size > len(data) - start:
            raise ValueError(
                f"its storage {key!r:.80} has {count} numbers: expected {storage.count}, within "
                f"the {max(0, len(data) - start)} bytes that follow"
            )
        found[key] = np.frombuffer(data, storage.dtype, storage.count, start)
        start += size
    if start != len(data):
        raise ValueError(f"it goes on for {len(data) - start} bytes after its last storage")
    return found


def _array(tensor: _Tensor, numbers: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    end = tensor.offset + math.prod(tensor.shape)
    lying = numbers[tensor.storage.key][tensor.offset : end]
    ordered = lying.reshape([tensor.shape[axis] for axis in tensor.order])
    return ordered.transpose(np.argsort(tensor.order))


class _Program:
    """One pickle, carried out instruction by instruction.

    Values only ever refer to one another, and nothing walks through them, compares or hashes them
    but texts: however deep and often they are nested, they take no more time and memory than there
    are instructions.

    Args:
        storages: by key; those that are named are added.
    """

    def __init__(self, storages: dict[str, _Storage]) -> None:
        self._storages = storages
        self._stack: list[Any] = []
        self._below: list[list[Any]] = []  # stacks that a mark put aside
        self._memo: dict[int, Any] = {}

    def run(self, data: bytes) -> tuple[Any, int]:
        """The pickle's value and its length in bytes.

        Raises:
            ValueError: an instruction is damaged, unknown, or wants more than is there.
        """
        stream, code = io.BytesIO(data), b""
        while code != _STOP:
            code = stream.read(1)
            if code not in _INSTRUCTIONS:
                raise ValueError(f"it is cut, or has the instruction {code!r}, which is not read")
            read_argument, carry_out = _INSTRUCTIONS[code]
            carry_out(self, read_argument(stream))
        if len(self._stack) != 1 or self._below:
            raise ValueError("a pickle in it ends with more or less than one value")
        return self._stack.pop(), stream.tell()

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def pop(self) -> Any:
        if not self._stack:
            raise ValueError("an instruction in it wants a value, and there is none")
        return self._stack.pop()

    def mark(self, _: object) -> None:
        self._below.append(self._stack)
        self._stack = []

    def since_mark(self) -> list[Any]:
        if not self._below:
            raise ValueError("an instruction in it wants a mark, and there is none")
        values, self._stack = self._stack, self._below.pop()
        return values

    def remember(self, place: int) -> None:
        value = self.pop()
        self._memo[place] = value
        self.push(value)

    def recall(self, place: int) -> None:
        if place not in self._memo:
            raise ValueError(f"an instruction in it wants the value {place}, and there is none")
        self.push(self._memo[place])

    def tuple_of_last(self, length: int) -> None:
        values = [self.pop() for _ in range(length)]
        self.push(tuple(reversed(values)))

    def append(self, values: list[Any]) -> None:
        target = self.pop()
        if type(target) is not list:
            raise ValueError("an instruction in it appends to something that is not a list")
        target.extend(values)
        self.push(target)

    def set_items(self, values: list[Any]) -> None:
        target = self.pop()
        if type(target) is not dict or len(values) % 2:
            raise ValueError(
                "an instruction in it sets items of something that is not a dictionary"
            )
        for key, value in zip(values[::2], values[1::2], strict=True):
            # Texts only: the hash of nested tuples may take for ever.
            if type(key) is not str or key in target:
                raise ValueError("a dictionary in it has a key twice, or one that is not a text")
            target[key] = value
        self.push(target)

    def name(self, text: str) -> None:
        if text not in (DICTIONARY, TENSOR, *STORAGES):
            raise ValueError(f"it names {text!r:.80}, which is nothing of a tensor's")
        self.push(_Name(text))

    def call(self, _: object) -> None:
        arguments, called = self.pop(), self.pop()
        if type(called) is not _Name or type(arguments) is not tuple:
            raise ValueError("it calls something that is not a function")
        if called.text == DICTIONARY and not arguments:
            self.push({})
        elif called.text == TENSOR:
            self.push(_tensor(arguments))
        else:
            raise ValueError(f"it calls {called.text!r} with {len(arguments)} arguments")

    def build(self, _: object) -> None:
        """Attributes of a dictionary: the state's `_metadata`, versions of layers, not needed."""
        attributes, target = self.pop(), self.pop()
        if type(target) is not dict or type(attributes) is not dict:
            raise ValueError("it sets attributes of something that is not a dictionary")
        self.push(target)

    def persistent(self, _: object) -> None:
        storage = _storage(self.pop())
        if self._storages.setdefault(storage.key, storage) != storage:
            raise ValueError(f"it describes its storage {storage.key!r:.80} in two ways")
        self.push(storage)


def _bytes(stream: io.BytesIO, count: int) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise ValueError(f"an argument in it is cut: it has {len(data)} bytes of {count}")
    return data


def _number(form: str) -> Callable[[io.BytesIO], int]:
    """A reader of a number of this `struct` form."""
    size = struct.calcsize(form)
    return lambda stream: int(struct.unpack(form, _bytes(stream, size))[0])


_byte, _count = _number("<B"), _number("<I")


def _nothing(_: io.BytesIO) -> None:
    return None


def _long(stream: io.BytesIO) -> int:
    return int.from_bytes(_bytes(stream, _byte(stream)), "little", signed=True)


def _text(stream: io.BytesIO) -> str:
    return _bytes(stream, _count(stream)).decode()


def _two_lines(stream: io.BytesIO) -> str:
    """The name of a module and of what is in it, with a blank between."""
    lines = [stream.readline(), stream.readline()]
    if not all(line.endswith(b"\n") for line in lines):
        raise ValueError("a name in it is cut")
    return " ".join(line[:-1].decode() for line in lines)


_STOP = b"."
# By their byte: what reads the argument, and what carries the instruction out.
_INSTRUCTIONS: dict[bytes, tuple[Callable[[io.BytesIO], Any], Callable[[_Program, Any], None]]] = {
    b"\x80": (_byte, lambda _, __: None),  # the protocol
    _STOP: (_nothing, lambda _, __: None),
    b"(": (_nothing, _Program.mark),
    b"q": (_byte, _Program.remember),
    b"r": (_count, _Program.remember),
    b"h": (_byte, _Program.recall),
    b"j": (_count, _Program.recall),
    b"K": (_byte, _Program.push),
    b"M": (_number("<H"), _Program.push),
    b"J": (_number("<i"), _Program.push),
    b"\x8a": (_long, _Program.push),
    b"X": (_text, _Program.push),
    b"N": (_nothing, _Program.push),
    b"\x88": (_nothing, lambda program, _: program.push(True)),
    b"\x89": (_nothing, lambda program, _: program.push(False)),
    b")": (_nothing, lambda program, _: program.tuple_of_last(0)),
    b"\x85": (_nothing, lambda program, _: program.tuple_of_last(1)),
    b"\x86": (_nothing, lambda program, _: program.tuple_of_last(2)),
    b"\x87": (_nothing, lambda program, _: program.tuple_of_last(3)),
    b"t": (_nothing, lambda program, _: program.push(tuple(program.since_mark()))),
    b"]": (_nothing, lambda program, _: program.push([])),
    b"a": (_nothing, lambda program, _: program.append([program.pop()])),
    b"e": (_nothing, lambda program, _: program.append(program.since_mark())),
    b"}": (_nothing, lambda program, _: program.push({})),
    b"s": (_nothing, lambda program, _: program.set_items([program.pop(), program.pop()][::-1])),
    b"u": (_nothing, lambda program, _: program.set_items(program.since_mark())),
    b"c": (_two_lines, _Program.name),
    b"R": (_nothing, _Program.call),
    b"b": (_nothing, _Program.build),
    b"Q": (_nothing, _Program.persistent),
}


def _storage(identity: object) -> _Storage:
    """What a persistent id names: ("storage", type, key, device, count, None)."""
    if type(identity) is not tuple or len(identity) != 6:
        raise ValueError("a storage in it is not described as PyTorch does")
    word, kind, key, device, count, view = identity
    known = type(word) is str and word == "storage" and type(kind) is _Name and view is None
    if not known or kind.text not in STORAGES or type(key) is not str or type(device) is not str:
        raise ValueError("a storage in it is of another type")
    if type(count) is not int or not 0 <= count <= MAX_COUNT:
        raise ValueError(f"its storage {key!r:.80} has no sound count of numbers")
    return _Storage(key, STORAGES[kind.text], count)


def _tensor(arguments: tuple[Any, ...]) -> _Tensor:
    """What `_rebuild_tensor_v2` is called with, if it lies in its storage in one piece."""
    if len(arguments) != 6:
        raise ValueError(f"a tensor in it is made of {len(arguments)} arguments: expected 6")
    storage, offset, shape, strides, requires_grad, hooks = arguments
    plain = type(storage) is _Storage and type(requires_grad) is bool
    if not plain or type(hooks) is not dict or hooks:
        raise ValueError("a tensor in it has no storage, or is more than its numbers")
    if type(offset) is not int or not (_are_counts(shape) and _are_counts(strides)):
        raise ValueError("a tensor in it has no place, shape and strides")
    if len(strides) != len(shape):
        raise ValueError("a tensor in it has another number of axes than of strides")
    # A transposed tensor lies in one piece too, its axes in another order.
    order = tuple(sorted(range(len(shape)), key=lambda axis: (-strides[axis], -shape[axis], axis)))
    for place, axis in enumerate(order):
        expected = math.prod(shape[inner] for inner in order[place + 1 :])
        # An axis of one number has no neighbours, and its stride no meaning.
        if shape[axis] > 1 and strides[axis] != expected:
            raise ValueError("a tensor in it does not lie in one piece")
    if offset < 0 or offset + math.prod(shape) > storage.count:
        raise ValueError(f"a tensor in it reaches beyond its storage {storage.key!r:.80}")
    return _Tensor(storage, offset, shape, order)


def _are_counts(values: object) -> bool:
    """True for a tuple of a few numbers of 1 or more."""
    if type(values) is not tuple or len(values) > MAX_DIMENSIONS:
        return False
    return all(type(value) is int and value > 0 for value in values)
