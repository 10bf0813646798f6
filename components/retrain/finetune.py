"""Fine-tuning: the top of the backbone learns too, after the head has converged.

Written for Keras 3 without anything of TensorFlow's own (but for several GPUs), so that it runs on
JAX and PyTorch as well. Every step's batch and distortions are drawn from the seed and the step's
number alone: weights, optimizer and step are all that a checkpoint needs to hold. What the frozen
layers make of a photo is computed once where that is possible (kept_activations.py).
"""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from components.common.base.errors import InputError
from components.common.base.step import log, warn
from components.common.dataset.dataset import Dataset
from components.common.dataset.photo import Photo
from components.common.dataset.vocabulary import TRAINING
from components.retrain.checkpoints import Checkpoint, Checkpoints
from components.retrain.export import KerasModels
from components.retrain.head import Head
from components.retrain.kept_activations import keep, say_why_not
from components.retrain.options import Distortions, FineTuning
from components.retrain.photo_batches import PREDICT_BATCH, Batches, NoRoom, PhotoBatches, inputs

if TYPE_CHECKING:
    import keras

REPORT_INTERVAL = 10  # steps
# In the fingerprint: for some networks the last bits are not those of running the whole network.
KEPT = "activations kept"


@dataclass(frozen=True)
class TunedLook:
    """One look at fine-tuning.

    Attributes:
        step: how many steps are done.
        train: cross entropy in nats and accuracy of the batches since the last look.
        validation: the same of the validation part; None between checkpoints.
    """

    step: int
    train: tuple[float, float]
    validation: tuple[float, float] | None


def check_gpu(*, required: bool) -> bool:
    """Whether Keras's backend sees a GPU.

    Raises:
        InputError: none, and one is required.
    """
    import keras

    name = keras.backend.backend()
    if name == "tensorflow":
        import tensorflow as tf

        has_gpu = bool(tf.config.list_physical_devices("GPU"))
    elif name == "jax":
        import jax

        has_gpu = any(device.platform == "gpu" for device in jax.devices())
    else:
        import torch

        has_gpu = torch.cuda.is_available()
    if required and not has_gpu:
        raise InputError(
            f"--require_gpu was given, but {name} sees no GPU on this machine: check the driver "
            "and the accelerator that the task asks for, or leave the option out"
        )
    return has_gpu


def fine_tune(
    build: Callable[[Head], KerasModels],
    head: Head,
    dataset: Dataset,
    options: FineTuning,
    *,
    checkpoint_path: str,
    origin: str,
    seed: int,
    distortions: Distortions,
    report: Callable[[TunedLook], None],
    keeping: bool = True,
) -> KerasModels:
    """Train the top of the network on the photos of the training part.

    On a GPU the network computes in mixed precision, its weights in float32; on several GPUs of
    one machine each takes its share of the batch (TensorFlow only).

    Args:
        build: makes the models with pretrained weights and a head.
        head: the trained head.
        dataset: the photos; the training part is learned from, the validation part looked at.
        options: how.
        checkpoint_path: folder, gs://… or s3://… where the last checkpoint is kept.
        origin: what else the result depends on: the architecture and the pretrained weights' hash.
        seed: of batches and distortions.
        distortions: of the photos of each batch.
        report: is told of the progress.
        keeping: run the frozen layers once for each photo, where that is possible; the weights are
            those of running them in every step, to 0.000001 and mostly to the last bit.

    Returns:
        models in float32 with the tuned weights.

    Raises:
        InputError: a GPU is required and there is none, or checkpoints cannot be kept.
        WorkError: the disk is full, or the store of the checkpoints cannot be reached.
    """
    on_gpu = check_gpu(required=options.require_gpu)

    def train(*, keeping: bool) -> "keras.Model":
        with _all_gpus(), _precision("mixed_float16" if on_gpu else "float32"):
            learner = _learner(build(head), dataset, options, distortions, seed, keeping=keeping)
        others = [origin, str(seed)]
        if learner.is_part:
            others.append(KEPT)
        fingerprint = _fingerprint(head, dataset, options, distortions, others)
        _run(learner, options, Checkpoints(checkpoint_path, fingerprint), report)
        return learner.network

    try:
        network = train(keeping=keeping)
    except NoRoom as full:
        say_why_not(str(full))
        network = train(keeping=False)
    tuned = build(head)
    tuned.classifier.set_weights(network.get_weights())
    return tuned


@dataclass(frozen=True)
class _Learner:
    """A network that learns.

    Attributes:
        network: the whole of it.
        model: what the steps run: the network, or its layers above the frozen ones; compiled.
        batches: of what `model` takes.
    """

    network: "keras.Model"
    model: "keras.Model"
    batches: Batches

    @property
    def is_part(self) -> bool:
        """Whether the steps run a part of the network."""
        return self.model is not self.network

    @property
    def variables(self) -> tuple[Any, ...]:
        """What the steps change, in the order of the network."""
        return (*self.network.trainable_variables, *self.model.optimizer.variables)


def _learner(
    models: KerasModels,
    dataset: Dataset,
    options: FineTuning,
    distortions: Distortions,
    seed: int,
    *,
    keeping: bool,
) -> _Learner:
    """What learns of a network, and its batches; those of the whole network unless `keeping`."""
    import keras

    network = models.classifier
    unfreeze(network, options.fine_tune_layers)
    photos = PhotoBatches(
        dataset, network.input_shape[1], options.fine_tune_batch_size, distortions, seed
    )
    kept = keep(models, photos, options.fine_tune_steps) if keeping else None
    model, batches = kept or (network, photos)
    model.compile(
        optimizer=keras.optimizers.Adam(options.fine_tune_learning_rate),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.optimizer.build(network.trainable_variables)
    return _Learner(network, model, batches)


def unfreeze(classifier: "keras.Model", layers: int) -> None:
    """Make the head and so many layers of the backbone's top trainable, and no other.

    A frozen BatchNorm layer works with its stored mean and variance (Keras, "Transfer learning").
    """
    import keras

    with_weights = [layer for layer in classifier.layers if layer.weights]
    able = [
        layer for layer in with_weights if not isinstance(layer, keras.layers.BatchNormalization)
    ]
    learning = {layer.name for layer in able[-layers - 1 :]}
    for layer in with_weights:
        layer.trainable = layer.name in learning


def predict(
    models: KerasModels, dataset: Dataset, photos: Sequence[Photo]
) -> tuple[NDArray[np.float32], Head]:
    """Bottlenecks of photos by the tuned network, float32 (N, D), and its tuned head."""
    from components.common.model import layout

    size = models.classifier.input_shape[1]
    vectors = [
        np.asarray(models.inspectable.predict_on_batch(batch)[layout.BOTTLENECK], np.float32)
        for batch in inputs(dataset, photos, size, PREDICT_BATCH)
    ]
    weights, biases = models.classifier.get_layer(layout.SCORES).get_weights()
    return np.concatenate(vectors), Head(np.asarray(weights), np.asarray(biases))


def _run(
    learner: _Learner,
    options: FineTuning,
    checkpoints: Checkpoints,
    report: Callable[[TunedLook], None],
) -> None:
    steps, interval = options.fine_tune_steps, options.checkpoint_interval
    done = _restore(learner, checkpoints, steps)
    model, batches = learner.model, learner.batches
    if done < steps:
        batches.prepare()
    while done < steps:
        # To the next report or checkpoint. Not train_on_batch: on several GPUs that gives the whole
        # batch to each.
        end = min(done - done % every + every for every in (interval, REPORT_INTERVAL))
        end = min(end, steps)
        fed = _feed(model, batches, done, end)
        fitted = model.fit(fed, steps_per_epoch=end - done, epochs=1, shuffle=False, verbose=0)
        done = end
        kept = done % interval == 0 or done == steps
        if kept:
            checkpoints.save(_snapshot(learner, done))
        seen = float(fitted.history["loss"][0]), float(fitted.history["accuracy"][0])
        look = TunedLook(done, seen, batches.validate(model) if kept else None)
        _log(look, len(batches.validation))
        report(look)


def _log(look: TunedLook, validation: int) -> None:
    log.info("Fine-tuning step %d: Train accuracy = %.1f%%", look.step, look.train[1] * 100)
    log.info("Fine-tuning step %d: Cross entropy = %f", look.step, look.train[0])
    if look.validation:
        accuracy = look.validation[1] * 100
        log.info(
            "Fine-tuning step %d: Validation accuracy = %.1f%% (N=%d)",
            look.step,
            accuracy,
            validation,
        )


def _snapshot(learner: _Learner, step: int) -> Checkpoint:
    from keras import ops

    arrays = [np.asarray(ops.convert_to_numpy(variable)) for variable in learner.variables]
    weights = len(learner.network.trainable_variables)
    return Checkpoint(step, arrays[:weights], arrays[weights:])


def _restore(learner: _Learner, checkpoints: Checkpoints, steps: int) -> int:
    """Set the model to the last checkpoint; returns how many steps are done."""
    checkpoint = checkpoints.load()
    if checkpoint is None:
        return 0
    if checkpoint.step > steps:
        checkpoints.keep_the_last()
        warn(
            f"the checkpoint has {checkpoint.step} steps, but only {steps} are wanted: "
            "fine-tuning starts over, without checkpoints, so as not to lose the longer one"
        )
        return 0
    variables, arrays = learner.variables, (*checkpoint.weights, *checkpoint.optimizer)
    if [tuple(variable.shape) for variable in variables] != [array.shape for array in arrays]:
        warn("the checkpoint belongs to another version of the network: fine-tuning starts over")
        return 0
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
    log.info("Fine-tuning continues after step %d", checkpoint.step)
    return checkpoint.step


def _fingerprint(
    head: Head,
    dataset: Dataset,
    options: FineTuning,
    distortions: Distortions,
    others: Sequence[str],
) -> str:
    """SHA-256 over everything that a step's result depends on; more steps go on from fewer."""
    relevant = dataclasses.asdict(options)
    for name in ("fine_tune_steps", "checkpoint_interval", "require_gpu"):
        del relevant[name]
    photos = [(photo.sha256, photo.label) for photo in dataset.photos if photo.split == TRAINING]
    content = [relevant, dataclasses.asdict(distortions), photos, *others]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode())
    digest.update(head.weights.tobytes() + head.biases.tobytes())
    return digest.hexdigest()


@contextlib.contextmanager
def _precision(policy: str) -> Iterator[None]:
    """Layers built inside compute in this precision."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _feed(model: "keras.Model", batches: Batches, start: int, end: int) -> Any:
    """The batches as `fit` takes them; on several GPUs with shapes, else each would get all."""
    strategy = getattr(model, "distribute_strategy", None)
    if strategy is None or strategy.num_replicas_in_sync < 2:
        return batches.batches(start, end)
    import tensorflow as tf

    shapes = tuple(tf.TensorSpec(shape, kind) for shape, kind in batches.batch_shapes)
    # Keras looks at the first batch and begins again.
    return tf.data.Dataset.from_generator(
        lambda: batches.batches(start, end), output_signature=shapes
    )


def _all_gpus() -> contextlib.AbstractContextManager[object]:
    """Models built inside train on all GPUs of this machine."""
    import keras

    if keras.backend.backend() != "tensorflow":
        return contextlib.nullcontext()
    import tensorflow as tf

    if len(tf.config.list_logical_devices("GPU")) < 2:
        return contextlib.nullcontext()
    scope: contextlib.AbstractContextManager[object] = tf.distribute.MirroredStrategy().scope()
    return scope
