"""Several listeners of one training."""

from typing import cast

import pytest

from components.retrain.finetune import TunedLook
from components.retrain.head import Look
from components.retrain.listener import Listener, Listeners
from components.retrain.material import Material

LOOK = cast(Look, object())


class Noted(Listener):
    """Notes what it is told; begins or not."""

    def __init__(self, name: str, notes: list[tuple[str, str]], *, begins: bool = True) -> None:
        if not begins:
            raise OSError(name)
        self.name, self.notes = name, notes

    def __enter__(self) -> "Noted":
        self.notes.append((self.name, "begin"))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.notes.append((self.name, kind.__name__ if kind else "end"))

    def add(self, look: Look) -> None:
        assert look is LOOK
        self.notes.append((self.name, "look"))


class Quiet(Listener):
    """Wants to know nothing."""


def told_everything(listener: Listener) -> None:
    listener.add_trials([])
    listener.add(LOOK)
    listener.add_tuned(cast(TunedLook, object()))
    listener.finish(LOOK, cast(Material, object()), b"graph")


def test_each_is_told_in_order_and_left_in_reverse() -> None:
    notes: list[tuple[str, str]] = []
    with Listeners([lambda: Noted("a", notes), Quiet, lambda: Noted("b", notes)]) as both:
        told_everything(both)
    assert notes == [
        ("a", "begin"),
        ("b", "begin"),
        ("a", "look"),
        ("b", "look"),
        ("b", "end"),
        ("a", "end"),
    ]


def test_error_of_the_training_reaches_each() -> None:
    notes: list[tuple[str, str]] = []
    with pytest.raises(ZeroDivisionError), Listeners([lambda: Noted("a", notes), Quiet]):
        raise ZeroDivisionError
    assert notes == [("a", "begin"), ("a", "ZeroDivisionError")]


def test_one_that_cannot_begin_leaves_none_open() -> None:
    notes: list[tuple[str, str]] = []
    made = [lambda: Noted("a", notes), lambda: Noted("b", notes, begins=False)]
    with pytest.raises(OSError, match="b"), Listeners(made):
        raise AssertionError("the training must not begin")
    assert notes == [("a", "begin"), ("a", "OSError")]
