"""The training's curves as numbers, beside TensorBoard's logs: for pages without TensorBoard."""

from pathlib import Path

from components.common.dataset.class_facts import ClassFacts
from components.common.untrusted import sealed
from components.retrain.finetune import TunedLook
from components.retrain.head import Look
from components.retrain.listener import Listener

# Points of a curve that are kept, the last always among them: more than a page has pixels.
MOST_POINTS = 1000


class Curves(Listener):
    """Writes `curves.json` at the end of a training: accuracy and cross entropy, part by part.

    Args:
        directory: where TensorBoard's logs are.
        facts: what is known of the classes; the page of the curves goes by it, since whoever draws
            it has the logs alone.
    """

    def __init__(self, directory: Path, facts: ClassFacts = ClassFacts()) -> None:
        self._directory, self._facts = directory, facts
        self._head: list[list[float | None]] = []
        self._tuned: list[list[float | None]] = []

    def add(self, look: Look) -> None:
        """Keep one look at the training of the head."""
        validation: tuple[float | None, float | None] = (None, None)
        if look.validation_count:
            validation = (look.validation_accuracy, look.validation_cross_entropy)
        row = [look.step, look.train_accuracy, look.train_cross_entropy, *validation]
        self._head.append(row)

    def add_tuned(self, look: TunedLook) -> None:
        """Keep one look at fine-tuning."""
        cross_entropy, accuracy = look.train
        seen = (None, None) if look.validation is None else look.validation[::-1]
        self._tuned.append([look.step, accuracy, cross_entropy, *seen])

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Write the file, unless the training failed."""
        if not kind:
            self.save(self._directory, self._facts)

    def save(self, folder: Path, facts: ClassFacts | None = None) -> None:
        """Write the file into a folder; without facts into a model's, which states them itself."""
        content = {
            **sealed.CURVES.head,
            "columns": sealed.CURVE_COLUMNS,
            "head": _thinned(self._head),
            "fine_tuning": _thinned(self._tuned),
            **({"facts": facts.to_json()} if facts else {}),
        }
        sealed.dump(folder / sealed.CURVES_FILE, content, what="the curves")


def _thinned(rows: list[list[float | None]]) -> list[list[float | None]]:
    stride = -(-len(rows) // MOST_POINTS) or 1
    return rows[::-1][::stride][::-1]
