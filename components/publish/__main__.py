"""The step `publish` as a command: compares first, as the pipeline does."""

import argparse
from pathlib import Path

from components.common.base.step import add_options, run_command
from components.publish.compare import compare
from components.publish.decision import HOLD, MAX_REGRESSION, MIN_ACCURACY
from components.publish.publish import publish


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m components.publish",
        description="Copy a model to where published models are, if it is good enough and no "
        "worse than the one that is published. Exit status: 0 published, 1 held back, 2 wrong "
        "usage.",
    )
    parser.add_argument("--model_dir", type=Path, required=True, help="the model")
    parser.add_argument(
        "--demo", type=Path, required=True, help="photos to compare on, such as runs/latest/demo"
    )
    parser.add_argument(
        "--metrics", type=Path, required=True, help="of evaluate, such as runs/latest/metrics.json"
    )
    parser.add_argument(
        "--publish_dir", required=True, help="folder, gs://… or s3://… to publish into"
    )
    parser.add_argument("--decision", type=Path, help="JSON file to write the decision to")
    add_options(
        parser,
        ("name", "mushrooms", "the model's name"),
        ("min_accuracy", MIN_ACCURACY, "what the accuracy's lower bound must reach"),
        (
            "max_regression",
            MAX_REGRESSION,
            "how much accuracy on the demo photos may be lost against the published model; 1 to "
            "ask nothing of the comparison",
        ),
    )
    run_command("publish", parser, _command)


def _command(options: argparse.Namespace) -> int:
    decided = compare(
        options.model_dir,
        options.demo,
        options.metrics,
        options.publish_dir,
        options.decision,
        name=options.name,
        min_accuracy=options.min_accuracy,
        max_regression=options.max_regression,
    )
    if decided.decision == HOLD:
        print(f"held back: {decided.reason}")
        return 1
    target = publish(
        options.model_dir, options.metrics, decided, options.publish_dir, name=options.name
    )
    print(f"published: {target} ({decided.reason})")
    return 0


if __name__ == "__main__":
    main()
