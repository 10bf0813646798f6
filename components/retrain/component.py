"""KFP interface of the step `retrain`."""

from typing import Any, Dict

from kfp import dsl

from components.common.base.options import described
from components.retrain.options import KINDS
from components.settings import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
@described(*KINDS)
def retrain(
    training: dsl.Input[dsl.Dataset],
    bottlenecks: dsl.Input[dsl.Artifact],
    seed: int,
    fine_tune_steps: int,
    options: Dict[str, Any],
    defaults: Dict[str, Any],
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

    from components.common.base.step_options import given
    from components.common.model.artifact_metadata import of_model
    from components.retrain.options import (
        KINDS,
        Distortions,
        FineTuning,
        Measuring,
        Recipe,
        RetrainOptions,
    )
    from components.retrain.retrain import retrain

    told = given("retrain", KINDS, inputs)
    retrain(
        Path(training.path),
        Path(bottlenecks.path),
        Path(model.path),
        Path(logs.path),
        recipe=Recipe.of(told),
        distortions=Distortions.of(told),
        fine_tuning=FineTuning.of(told),
        options=RetrainOptions.of(told),
        measuring=Measuring.of(told),
        logs_place=logs.uri,
    )
    model.metadata.update(of_model(Path(model.path)))
