"""The step `publish` as a command: decides first, as the pipeline does."""

import argparse
from pathlib import Path

from components.common.step import add_options, run_command
from components.publish.publish import HOLD, MIN_ACCURACY, decide, publish, read_metrics


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m components.publish",
        description="Copy a model to a folder of published models, if it is good enough.",
    )
    parser.add_argument("--model_dir", type=Path, required=True, help="the model")
    parser.add_argument("--metrics", type=Path, required=True, help="metrics.json of evaluate")
    parser.add_argument("--publish_dir", type=Path, required=True, help="folder to publish into")
    add_options(
        parser,
        ("name", "mushrooms", "the model's name"),
        ("min_accuracy", MIN_ACCURACY, "what the accuracy's lower bound must reach"),
    )
    run_command("publish", parser, _command)


def _command(options: argparse.Namespace) -> int:
    if decide(options.metrics, options.min_accuracy) == HOLD:
        low = read_metrics(options.metrics)["accuracy_low"]
        print(f"held back: the lower bound {low:.3f} is below {options.min_accuracy}")
        return 1
    target = publish(options.model_dir, options.metrics, options.publish_dir, name=options.name)
    print(f"published: {target}")
    return 0


if __name__ == "__main__":
    main()
