"""What is told of a training while it goes on, and to whom.

TensorBoardSummaries is a listener; another one, such as the client of a tracking server, is a class
like it, and an entry in the list that retrain.py hands to `Listeners`.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from components.retrain.finetune import TunedLook
from components.retrain.head import Look
from components.retrain.material import Material
from components.retrain.sweep import Trial


class Listener:
    """Keeps what a training reports, for people to look at; entered before it, left after it.

    These methods do nothing: a listener has those of its own that it needs.
    """

    def __enter__(self) -> Self:
        """The training begins."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """The training ended, with an error where there is one."""

    def add_trials(self, trials: Sequence[Trial]) -> None:
        """Keep the trials of a sweep, best first; called once, also without any."""

    def add(self, look: Look) -> None:
        """Keep one look at the training of the head."""

    def add_tuned(self, look: TunedLook) -> None:
        """Keep one look at fine-tuning."""

    def finish(self, look: Look, material: Material, graph: bytes) -> None:
        """Keep what is known of the finished model.

        Args:
            look: the last one, with the head that counts.
            material: what the model was trained on.
            graph: of the model, a serialized GraphDef.
        """


class Listeners(Listener):
    """Several listeners as one, each told of everything, in order.

    Args:
        listeners: what makes each. It is called when the training begins, so that one that cannot
            begin leaves none of those before it open.
    """

    def __init__(self, listeners: Sequence[Callable[[], Listener]]) -> None:
        self._made = listeners
        self._listeners: list[Listener] = []
        self._open = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._listeners = [opened.enter_context(make()) for make in self._made]
            self._open = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.__exit__(kind, error, traceback)

    def add_trials(self, trials: Sequence[Trial]) -> None:
        """Tell each of the trials."""
        for listener in self._listeners:
            listener.add_trials(trials)

    def add(self, look: Look) -> None:
        """Tell each of one look at the head."""
        for listener in self._listeners:
            listener.add(look)

    def add_tuned(self, look: TunedLook) -> None:
        """Tell each of one look at fine-tuning."""
        for listener in self._listeners:
            listener.add_tuned(look)

    def finish(self, look: Look, material: Material, graph: bytes) -> None:
        """Tell each of the finished model."""
        for listener in self._listeners:
            listener.finish(look, material, graph)
