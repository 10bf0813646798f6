"""What is told of a training while it goes on: the interface that TensorBoardSummaries has.

Another listener, such as the client of a tracking server, is a class with these methods.
"""

from collections.abc import Sequence
from typing import Protocol

from components.retrain.finetune import TunedLook
from components.retrain.head import Look
from components.retrain.material import Material
from components.retrain.sweep import Trial


class Listener(Protocol):
    """Keeps what a training reports, for people to look at."""

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
