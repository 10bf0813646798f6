"""What is told of a training while it goes on, and to whom.

TensorBoardSummaries is a listener; another one, such as the client of a tracking server, is a class
like it, and an entry in the list of listeners in retrain.py.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager

from components.retrain.finetune import TunedLook
from components.retrain.head import Look
from components.retrain.material import Material
from components.retrain.sweep import Trial


class Listener(AbstractContextManager["Listener"]):
    """Keeps what a training reports, for people to look at; entered before it, left after it.

    These methods do nothing: a listener has those of its own that it needs.
    """

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """The training ended; `kind` is the error's, if there is one."""

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
