"""Legacy PyTorch files: tensors come out as they were saved, and nothing of the file is run."""

import pickle
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import torch_files
from torch_files import counted, dictionary, file, integer, name, storage, tensor, text, tuple_of

from components.common.untrusted import torch_weights

DRAW = np.random.default_rng(0)
TENSORS = {
    "conv.weight": DRAW.normal(size=(4, 3, 2, 2)).astype(np.float32),
    "turned": np.asfortranarray(DRAW.normal(size=(2, 3, 4)).astype(np.float32)),
    "matrix": DRAW.normal(size=(5, 1)).astype(np.float32),
    "bias": DRAW.normal(size=5).astype(np.float32),
    "count": np.array(7, np.int64),
}
NUMBERS = counted(np.arange(6, dtype="<f4").tobytes(), 6)
SIX = storage("0", 6)
SOUND = file(dictionary({"a": tensor(SIX, (2, 3))}), ["0"], NUMBERS)


def state(value: bytes) -> bytes:
    """A file whose state dictionary is this."""
    return file(value, ["0"], NUMBERS)


def one(**changes: bytes) -> bytes:
    """A file of one tensor of 2 x 3 with another argument."""
    return state(dictionary({"a": tensor(SIX, (2, 3), **changes)}))


def test_tensors_come_back_as_they_were_saved() -> None:
    found = torch_weights.read(torch_files.saved(TENSORS))
    assert list(found) == list(TENSORS)
    for key, expected in TENSORS.items():
        assert found[key].dtype == expected.dtype
        assert found[key].shape == expected.shape
        assert np.array_equal(found[key], expected)


def test_tensors_may_share_a_storage_and_take_no_memory_of_their_own() -> None:
    lying = storage("0", 6)
    both = {"a": tensor(lying, (3,)), "b": tensor(lying, (2, 2), offset=integer(2))}
    found = torch_weights.read(file(dictionary(both), ["0"], NUMBERS))
    assert found["a"].tolist() == [0, 1, 2]
    assert found["b"].tolist() == [[2, 3], [4, 5]]
    assert np.shares_memory(found["a"], found["b"])  # the number 2
    assert not found["a"].flags.writeable


def test_storage_read_by_two_names_is_the_same() -> None:
    """What the pickle put aside under a number is taken up again, as PyTorch's own does."""
    again = SIX + b"q\x05"
    both = {"a": tensor(again, (6,)), "b": tensor(b"h\x05", (6,))}
    found = torch_weights.read(state(dictionary(both)))
    assert found["a"].tolist() == found["b"].tolist() == [0, 1, 2, 3, 4, 5]


def test_attributes_of_the_dictionary_are_passed_over() -> None:
    versions = (
        b"}" + text("_metadata") + dictionary({"": b"}" + text("version") + b"K\x01s"}) + b"s"
    )
    found = torch_weights.read(state(dictionary({"a": tensor(SIX, (6,))}) + versions + b"b"))
    assert found.keys() == {"a"}


class _Trap:
    """What an attacker's pickle would have run."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._place,)


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_pickle_that_would_run_something_runs_nothing(tmp_path: Path, protocol: int) -> None:
    trap = pickle.dumps(_Trap(tmp_path / "sprung"), protocol)
    pickle.loads(trap)
    assert (tmp_path / "sprung").exists()  # it works, where it is allowed to
    (tmp_path / "sprung").unlink()
    magic = SOUND[: SOUND.index(torch_files.STOP) + 1]
    for data in (trap, magic + trap, trap + SOUND, state(trap[:-1])):
        with pytest.raises(ValueError, match="it "):
            torch_weights.read(data)
    assert not (tmp_path / "sprung").exists()


SYSTEM = name("os", "system") + tuple_of(text("touch sprung")) + b"R"
LONGEST = integer(2**62)
NESTED = b"(" * 200_000 + b")" + b"t" * 200_000
# Each value is a pair of the one before it, twice: 2^2000 texts, if anybody counted.
BOMB = text("x") + b"q\x00" + b"h\x00\x86q\x00" * 2000
HOSTILE = {
    "empty": b"",
    "a page": b"<html><body>not found</body></html>",
    "a zip": b"PK\x03\x04" + bytes(100),
    "zeros": bytes(1000),
    "only its magic number": SOUND[:20],
    "another magic number": file(b"}", [], b"", magic=integer(7)),
    "another protocol": file(b"}", [], b"", protocol=integer(1002)),
    "protocol is true": file(b"}", [], b"", protocol=b"\x88"),
    "big endian": file(b"}", [], b"", machine=b"}" + text("little_endian") + b"\x89s"),
    "machine is a number": file(b"}", [], b"", machine=b"K\x01"),
    "no tensor": file(dictionary({}), [], b""),
    "state is a tensor": state(tensor(SIX, (6,))),
    "state holds a number": state(dictionary({"a": tensor(SIX, (6,)), "b": b"K\x01"})),
    "two values": state(b"}}"),
    "no value": state(b""),
    "open mark": state(b"(}"),
    "os.system": state(SYSTEM),
    "os.system among the tensors": state(dictionary({"a": SYSTEM})),
    "os.system as hooks": one(hooks=SYSTEM),
    "os.system as attributes": state(dictionary({"a": tensor(SIX, (6,))}) + SYSTEM + b"b"),
    "os.system as storage": one(storage=tuple_of(SYSTEM) + b"Q"),
    "eval": state(name("builtins", "eval") + tuple_of(text("1")) + b"R"),
    "another tensor function": state(name("torch._utils", "_rebuild_parameter") + b")R"),
    "another storage": one(storage=storage("0", 6, kind="DoubleStorage")),
    "storage is a function": one(storage=storage("0", 6, kind="FloatStorage") + b")R"),
    "dictionary of a list": state(name("collections", "OrderedDict") + tuple_of(b"]") + b"R"),
    "tensor without arguments": state(name("torch._utils", "_rebuild_tensor_v2") + b")R"),
    "call of a number": state(b"K\x01)R"),
    "call without a tuple": state(name("collections", "OrderedDict") + b"]R"),
    "stack global": state(text("os") + text("system") + b"\x93" + b")R"),
    "instance": state(b"(ios\nsystem\n"),
    "object": state(b"(cos\nsystem\no"),
    "new object": state(name("collections", "OrderedDict") + b")\x81"),
    "extension": state(b"\x82\x01"),
    "persistent id of text": state(b"Pos.system\n"),
    "name without an end": SOUND[: SOUND.index(b"FloatStorage") + 5],
    "text is no utf-8": state(b"X\x02\x00\x00\x00\xff\xfe"),
    "text claims gigabytes": state(b"X\xff\xff\xff\x7fx"),
    "number claims gigabytes": state(b"\x8b\xff\xff\xff\x7f1"),
    "number of a million digits": state(b"I" + b"9" * 900_000 + b"\n"),
    "bytes": state(b"C\x04abcd"),
    "instruction of none": state(b"\xff"),
    "value of nowhere": state(b"h\x09"),
    "pop from nothing": state(b"s"),
    "mark of nowhere": state(b"t"),
    "attributes of a list": state(b"]}b"),
    "items of a list": state(b"](K\x01K\x02u"),
    "half an item": state(b"}(" + text("a") + b"u"),
    "append to a dictionary": state(b"}K\x01a"),
    "key is a number": state(b"}K\x01K\x02s"),
    "key is nested tuples": state(b"}" + NESTED + b"Ns"),
    "key is a bomb": state(b"}" + BOMB + b"Ns"),
    "key twice": state(dictionary({"a": tensor(SIX, (6,))}) + text("a") + tensor(SIX, (6,)) + b"s"),
    "nested lists": state(b"]" * 500_000 + b"a" * 499_999),
    "pickles are too long": state(dictionary({"a": tensor(SIX, (6,)), "b": text("x" * 2**20)})),
    "bomb of lists": state(b"]q\x00" + b"(h\x00h\x00h\x00e" * 10_000),
    "persistent id of a bomb": one(storage=BOMB + b"Q"),
    "bomb as shape": one(shape=BOMB),
    "list in itself": state(b"]q\x00h\x00a"),
    "dictionary in itself": state(b"}q\x00" + text("a") + b"h\x00s"),
    "storage of too few parts": one(storage=tuple_of(text("storage"), text("0")) + b"Q"),
    "storage is a view": one(
        storage=storage("0", 6, view=tuple_of(text("v"), integer(0), LONGEST))
    ),
    "storage of another word": one(storage=storage("0", 6, word=text("module"))),
    "key is no text": one(storage=storage("0", 6, key=integer(0))),
    "storage in two ways": state(
        dictionary({"a": tensor(SIX, (6,)), "b": tensor(storage("0", 5), (5,))})
    ),
    "storage of gigabytes": one(storage=storage("0", 2**32)),
    "huge storage": one(storage=storage("0", 2**62)),
    "storage of a number of 600 digits": one(storage=storage("0", 2**2000)),
    "negative storage": one(storage=storage("0", -6)),
    "storage is true": one(storage=storage("0", 6, count=b"\x88")),
    "huge shape": one(shape=tuple_of(LONGEST, LONGEST), strides=tuple_of(LONGEST, integer(1))),
    "shape larger than its storage": one(shape=tuple_of(integer(3), integer(3))),
    "negative shape": one(shape=tuple_of(integer(-2), integer(-3))),
    "shape of nothing": one(shape=tuple_of(integer(0), integer(3))),
    "shape of too many axes": one(
        shape=tuple_of(*[integer(1)] * 9), strides=tuple_of(*[integer(1)] * 9)
    ),
    "shape is a list": one(shape=b"](K\x02K\x03e"),
    "shape of truths": one(shape=tuple_of(b"\x88", integer(6))),
    "number repeated by a stride of 0": one(shape=tuple_of(LONGEST), strides=tuple_of(integer(0))),
    "strides that leave gaps": one(shape=tuple_of(integer(3)), strides=tuple_of(integer(2))),
    "negative strides": one(strides=tuple_of(integer(-3), integer(-1))),
    "too few strides": one(strides=tuple_of(integer(1))),
    "offset beyond": one(offset=integer(1)),
    "negative offset": one(offset=integer(-1)),
    "huge offset": one(offset=LONGEST),
    "gradient is a number": one(gradient=integer(0)),
    "hooks": one(hooks=dictionary({"h": b"N"})),
    "keys are no list": SOUND.replace(b"](" + text("0") + b"e", text("0")),
    "key of no tensor": file(dictionary({"a": tensor(SIX, (6,))}), ["0", "1"], NUMBERS + NUMBERS),
    "key missing": file(dictionary({"a": tensor(SIX, (6,))}), [], NUMBERS),
    "key listed twice": file(dictionary({"a": tensor(SIX, (6,))}), ["0", "0"], NUMBERS * 2),
    "count differs": state(dictionary({"a": tensor(SIX, (6,))})).replace(
        struct.pack("<q", 6), struct.pack("<q", 5)
    ),
    "count is negative": state(dictionary({"a": tensor(SIX, (6,))})).replace(
        struct.pack("<q", 6), struct.pack("<q", -6)
    ),
    "last number cut": SOUND[:-1],
    "all numbers cut": SOUND[:-24],
    "count cut": SOUND[:-28],
    "more behind": SOUND + b"x",
}


# What is said of each.
SAID = {
    "it is cut, or has the instruction": "empty; a page; a zip; zeros; instruction of none; "
    "stack global; instance; new object; extension; persistent id of text; bytes; "
    "number claims gigabytes; number of a million digits",
    "an argument in it is cut": "only its magic number; text claims gigabytes; "
    "pickles are too long",
    "can't decode byte": "text is no utf-8",
    "a name in it is cut": "name without an end",
    "not a PyTorch file of the legacy format": "another magic number; protocol is true",
    "another protocol or byte order": "another protocol; big endian; machine is a number",
    "it holds 0 tensors": "no tensor",
    "more than tensors by name": "state is a tensor; state holds a number; nested lists; "
    "bomb of lists; list in itself; dictionary in itself",
    "more or less than one value": "two values; no value; open mark",
    "it names 'os system'": "os.system; os.system among the tensors; os.system as hooks; "
    "os.system as attributes; os.system as storage; object",
    "it names 'builtins eval'": "eval",
    "it names 'torch": "another tensor function; another storage",
    "it calls": "storage is a function; dictionary of a list; call of a number; "
    "call without a tuple",
    "is made of 0 arguments": "tensor without arguments",
    "and there is none": "value of nowhere; pop from nothing; mark of nowhere",
    "it sets attributes": "attributes of a list",
    "sets items of something that is not a dictionary": "items of a list; half an item",
    "appends to something that is not a list": "append to a dictionary",
    "a key twice, or one that is not a text": "key is a number; key is nested tuples; "
    "key is a bomb; key twice",
    "is not described as PyTorch does": "persistent id of a bomb; storage of too few parts",
    "of another type": "storage is a view; storage of another word; key is no text",
    "in two ways": "storage in two ways",
    "no sound count": "huge storage; storage of a number of 600 digits; negative storage; "
    "storage is true",
    "within the": "storage of gigabytes; count differs; count is negative; last number cut; "
    "all numbers cut; count cut",
    "no place, shape and strides": "bomb as shape; negative shape; shape of nothing; "
    "shape of too many axes; shape is a list; shape of truths; negative strides; "
    "number repeated by a stride of 0",
    "in one piece": "strides that leave gaps",
    "another number of axes": "too few strides",
    "reaches beyond its storage": "huge shape; shape larger than its storage; offset beyond; "
    "negative offset; huge offset",
    "no storage, or is more than its numbers": "gradient is a number; hooks",
    "not a list of texts": "keys are no list",
    "others than those that its tensors name": "key of no tensor; key missing; key listed twice",
    "after its last storage": "more behind",
}
KINDS = [(kind, said) for said, kinds in SAID.items() for kind in kinds.split("; ")]


def test_every_kind_has_its_words() -> None:
    assert sorted(kind for kind, _ in KINDS) == sorted(HOSTILE)


@pytest.mark.parametrize(("kind", "said"), KINDS)
def test_file_that_is_more_than_tensors_is_refused(
    kind: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert torch_weights.read(SOUND)["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(ValueError, match=re.escape(said)):
        torch_weights.read(HOSTILE[kind])
    assert not list(tmp_path.iterdir())


def test_every_truncation_is_refused() -> None:
    for length in range(len(SOUND)):
        with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
            torch_weights.read(SOUND[:length])
