"""Where a network that is fine-tuned divides: layers that stay as they are, and those that learn.

Written for Keras 3 without anything of TensorFlow's own.
"""

from typing import TYPE_CHECKING, Any

from components.retrain.export import KerasModels

if TYPE_CHECKING:
    import keras


def split(models: KerasModels) -> tuple["keras.Model", "keras.Model"] | None:
    """Divide a classifier, whose layers are frozen or not, into two models of the same layers.

    Args:
        models: of which the classifier is divided; all that follows the division of its photos
            into views stays together.

    Returns:
        the frozen layers, which make of float32 (N, size, size, 3) what does not change while the
        others learn, (N, h, w, C) or of several views (N, views, h, w, C); and those others, which
        make probabilities (N, classes) of that. None where nothing lies below what learns.
    """
    import keras

    classifier, views = models.classifier, models.views
    cut = find_cut(classifier)
    if cut is None:
        return None
    if views == 1:
        return keras.Model(classifier.input, cut), keras.Model(cut, classifier.output)
    # The first view of every photo comes first (network/view_layers.py). Several GPUs, and whoever
    # keeps what a photo gave, need all views of a photo together.
    shape = cut.shape[1:]
    by_photo = keras.ops.swapaxes(keras.ops.reshape(cut, (views, -1, *shape)), 0, 1)
    given = keras.Input((views, *shape), dtype=cut.dtype)
    by_view = keras.ops.reshape(keras.ops.swapaxes(given, 0, 1), (-1, *shape))
    above = keras.Model(cut, classifier.output)
    return keras.Model(classifier.input, by_photo), keras.Model(given, above(by_view))


def find_cut(network: "keras.Model") -> Any:
    """The last tensor that every way to the output crosses, below all that learns or is random.

    With branches around a layer, as in residual blocks, that is what goes into the block.

    Returns:
        the symbolic tensor; None where it is the input itself.
    """
    import keras

    waiting: dict[int, int] = {}  # for a tensor: how many of the operations to come take it
    for operation in network.operations:
        for tensor in _taken(operation):
            waiting[id(tensor)] = waiting.get(id(tensor), 0) + 1
    found, alive = None, 0
    # Each operation comes after those whose outputs it takes. So where one tensor alone waits to be
    # taken, nothing after it can depend on the input but through it.
    for operation in network.operations:
        if _changes(operation):
            return found
        for tensor in _taken(operation):
            waiting[id(tensor)] -= 1
            alive -= waiting[id(tensor)] == 0
        made = keras.tree.flatten(operation.output)
        alive += sum(id(tensor) in waiting for tensor in made)
        is_input = isinstance(operation, keras.layers.InputLayer)
        if alive == 1 and len(made) == 1 and not is_input:
            found = made[0]
    return found


def _taken(operation: Any) -> list[Any]:
    """The tensors that an operation takes."""
    import keras

    if isinstance(operation, keras.layers.InputLayer):
        return []
    taken: list[Any] = keras.tree.flatten(operation.input)
    return taken


def _changes(operation: Any) -> bool:
    """Whether an operation gives something else in another step: it learns, or draws at random."""
    import keras

    if not isinstance(operation, keras.Layer):
        return False
    # Beside its weights a layer's variables are the states of its random draws.
    return bool(operation.trainable_variables) or len(operation.variables) > len(operation.weights)
