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
    optimizer: str,
    learning_rate_schedule: str,
    l2: float,
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
    model: dsl.Output[dsl.Model],
    logs: dsl.Output[dsl.Artifact],
) -> None:
    """Train a new last layer and write the model in all its forms.

    Args:
        training: Training, validation and test parts.
        bottlenecks: Bottlenecks of their photos.
        how_many_training_steps: Steps of training.
        learning_rate: Of the first step.
        train_batch_size: Photos of a step.
        validation_batch_size: Photos of a look at the validation part; -1 for all.
        test_batch_size: Photos tested at the end of training; -1 for all.
        eval_step_interval: Steps between two looks; the last step is always looked at.
        seed: Same seed and data, same weights to the last bit.
        optimizer: One of sgd, momentum, adam; sgd is plain gradient descent.
        learning_rate_schedule: One of constant, cosine; cosine falls to 0 at the last step.
        l2: Penalty: l2 / 2 times the sum of squared weights.
        label_smoothing: Share of each label that is spread over all classes.
        class_weights: One of balanced, none; balanced draws every class equally often.
        early_stopping_patience: Looks without a better validation cross entropy before training
            ends with the best weights; 0 for never.
        flip_left_right: Also learn from mirrored photos.
        random_crop: Also learn from photos cut by this margin, in percent.
        random_scale: Also learn from photos up to this much larger, in percent.
        random_brightness: Also learn from photos up to this much brighter or darker, in percent.
        distorted_copies: How many distorted copies of each photo are made.
        fine_tune_steps: Steps in which the top of the backbone learns too, after the head; 0:
            none.
        fine_tune_layers: Layers of the backbone that learn then; BatchNorm stays frozen.
        fine_tune_learning_rate: Of Adam, in fine-tuning.
        fine_tune_batch_size: Photos of a fine-tuning step.
        checkpoint_interval: Fine-tuning steps between two checkpoints.
        require_gpu: Fail at once where TensorFlow sees no GPU.
        checkpoint_path: Folder, gs://… or s3://… for checkpoints of fine-tuning; empty for the
            cache folder.
        sweep: Train with the best of a handful of learning rates and penalties.
        weights: Weights file that the bottlenecks were computed with; empty to look for it.
        cache_dir: Where pretrained weights are kept; empty for the user's cache folder.
        model: model.keras, saved_model, model.tflite, labels, model.json and the rest.
        logs: TensorBoard logs, runs train and validation.
    """
    from pathlib import Path

    from components.retrain.distort import Distortions
    from components.retrain.finetune import FineTuning
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
            optimizer=optimizer,
            learning_rate_schedule=learning_rate_schedule,
            l2=l2,
            label_smoothing=label_smoothing,
            class_weights=class_weights,
            early_stopping_patience=early_stopping_patience,
        ),
        distortions=Distortions(
            flip_left_right=flip_left_right,
            random_crop=random_crop,
            random_scale=random_scale,
            random_brightness=random_brightness,
            distorted_copies=distorted_copies,
        ),
        fine_tuning=FineTuning(
            fine_tune_steps=fine_tune_steps,
            fine_tune_layers=fine_tune_layers,
            fine_tune_learning_rate=fine_tune_learning_rate,
            fine_tune_batch_size=fine_tune_batch_size,
            checkpoint_interval=checkpoint_interval,
            require_gpu=require_gpu,
        ),
        checkpoint_path=checkpoint_path,
        sweep=sweep,
        logs_place=logs.uri,
        weights=weights,
        cache_dir=cache_dir,
    )
