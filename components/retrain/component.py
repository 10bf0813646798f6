"""KFP interface of the step `retrain`."""

from kfp import dsl

from components.common.base.options import described
from components.retrain.options import KINDS
from components.settings import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
@described(*KINDS)
def retrain(
    training: dsl.Input[dsl.Dataset],
    bottlenecks: dsl.Input[dsl.Artifact],
    how_many_training_steps: int,
    learning_rate: float,
    train_batch_size: int,
    validation_batch_size: int,
    test_batch_size: int,
    eval_step_interval: int,
    seed: int,
    optimizer: str,
    learning_rate_schedule: str,
    l2: float,
    scale_bottlenecks: bool,
    label_smoothing: float,
    class_weights: str,
    early_stopping_patience: int,
    flip_left_right: bool,
    random_crop: int,
    random_scale: int,
    random_brightness: int,
    distorted_copies: int,
    fine_tune_steps: int,
    fine_tune_layers: int,
    fine_tune_learning_rate: float,
    fine_tune_batch_size: int,
    checkpoint_interval: int,
    require_gpu: bool,
    checkpoint_path: str,
    sweep: bool,
    weights: str,
    cache_dir: str,
    cross_validation_rounds: int,
    final_fit: str,
    model: dsl.Output[dsl.Model],
    logs: dsl.Output[dsl.Artifact],
) -> None:
    """Train a new last layer and write the model in all its forms.

    Args:
        training: Training, validation and test parts.
        bottlenecks: Bottlenecks of their photos.
        model: model.keras, saved_model, model.tflite, labels, model.json and the rest.
        logs: TensorBoard logs, runs train and validation.
    """
    inputs = dict(locals())

    from pathlib import Path

    from components.retrain.options import (
        Distortions,
        FineTuning,
        Measuring,
        Recipe,
        RetrainOptions,
    )
    from components.retrain.retrain import retrain

    retrain(
        Path(training.path),
        Path(bottlenecks.path),
        Path(model.path),
        Path(logs.path),
        recipe=Recipe.of(inputs),
        distortions=Distortions.of(inputs),
        fine_tuning=FineTuning.of(inputs),
        options=RetrainOptions.of(inputs),
        measuring=Measuring.of(inputs),
        logs_place=logs.uri,
    )
