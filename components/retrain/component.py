"""KFP interface of the step `retrain`."""

from kfp import dsl

from components.settings import TRAIN_IMAGE


@dsl.component(base_image=TRAIN_IMAGE, install_kfp_package=False)
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
    weights: str,
    cache_dir: str,
    model: dsl.Output[dsl.Model],
    logs: dsl.Output[dsl.Artifact],
) -> None:
    """Train a new last layer and write the model in all its forms.

    Args:
        training: Training, validation and test parts.
        bottlenecks: Bottlenecks of their photos.
        how_many_training_steps: Steps of gradient descent.
        learning_rate: Of plain gradient descent.
        train_batch_size: Photos per step.
        validation_batch_size: Photos per look at the validation part; -1 for all.
        test_batch_size: Photos of the test part measured at the end; -1 for all.
        eval_step_interval: Steps between two looks.
        seed: Same seed and data, same weights.
        weights: Weights file that the bottlenecks were computed with; empty to look for it.
        cache_dir: Where pretrained weights are kept; empty for the user's cache folder.
        model: model.keras, saved_model, model.tflite, labels and model.json.
        logs: TensorBoard logs, runs train and validation.
    """
    from pathlib import Path

    from components.retrain.head import Recipe
    from components.retrain.retrain import retrain

    retrain(
        Path(training.path),
        Path(bottlenecks.path),
        Path(model.path),
        Path(logs.path),
        recipe=Recipe(
            how_many_training_steps=how_many_training_steps,
            learning_rate=learning_rate,
            train_batch_size=train_batch_size,
            validation_batch_size=validation_batch_size,
            test_batch_size=test_batch_size,
            eval_step_interval=eval_step_interval,
            seed=seed,
        ),
        weights=weights,
        cache_dir=cache_dir,
    )
