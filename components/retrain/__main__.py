"""The step `retrain` as a command."""

import argparse
from pathlib import Path

from components.common.step import add_options, run_command
from components.retrain.head import Recipe
from components.retrain.retrain import retrain

DEFAULTS = Recipe()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m components.retrain",
        description="Train a new last layer for MobileNet and write the model in all its forms.",
    )
    parser.add_argument(
        "--training", type=Path, required=True, help="dataset with its parts, from curate"
    )
    parser.add_argument("--bottlenecks", type=Path, required=True, help="its bottlenecks")
    parser.add_argument("--output", type=Path, required=True, help="model directory to write")
    parser.add_argument(
        "--summaries_dir", type=Path, required=True, help="TensorBoard logs to write"
    )
    add_options(
        parser,
        ("how_many_training_steps", DEFAULTS.how_many_training_steps, "steps of training"),
        ("learning_rate", DEFAULTS.learning_rate, "of plain gradient descent"),
        ("train_batch_size", DEFAULTS.train_batch_size, "photos per step"),
        ("validation_batch_size", DEFAULTS.validation_batch_size, "photos per look; -1 for all"),
        ("test_batch_size", DEFAULTS.test_batch_size, "photos tested at the end; -1 for all"),
        ("eval_step_interval", DEFAULTS.eval_step_interval, "steps between two looks"),
        ("seed", DEFAULTS.seed, "same seed and data, same weights"),
        ("weights", "", "the weights file that the bottlenecks were computed with"),
        ("cache_dir", "", "where pretrained weights are kept; the user's cache by default"),
    )
    run_command("retrain", parser, _command)


def _command(options: argparse.Namespace) -> None:
    recipe = Recipe(**{name: getattr(options, name) for name in Recipe.__dataclass_fields__})
    retrain(
        options.training,
        options.bottlenecks,
        options.output,
        options.summaries_dir,
        recipe=recipe,
        weights=options.weights,
        cache_dir=options.cache_dir,
    )


if __name__ == "__main__":
    main()
