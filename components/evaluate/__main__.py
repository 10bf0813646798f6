"""The step `evaluate` as a command."""

import argparse
from pathlib import Path

from components.common.base.command_line import CommandParser
from components.common.base.files import default_cache_dir
from components.common.base.step import run_command
from components.common.base.wording import amount, mean_amount
from components.common.model.model_place import local_model
from components.evaluate.evaluate import evaluate
from components.evaluate.evaluation import FOLDER, LEARNED


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m components.evaluate",
        description="Measure a model on the test part and the demo photos, or on any folder with "
        "one subfolder of photos for each of its classes.",
        examples=(
            "--model_dir runs/latest/model --folder other-photos "
            "--metrics metrics.json --report report.html",
        ),
    )
    parser.add_argument("--model_dir", required=True, help="the model: a folder, gs://… or s3://…")
    parser.add_argument("--training", type=Path, help="dataset with a test part")
    parser.add_argument("--demo", type=Path, help="dataset of demo photos")
    parser.add_argument(
        "--folder", type=Path, help="folder with subfolders of photos, named as the model's classes"
    )
    parser.add_argument("--metrics", type=Path, required=True, help="metrics.json to write")
    parser.add_argument("--report", type=Path, required=True, help="report.html to write")
    run_command("evaluate", parser, _command)


def _command(options: argparse.Namespace) -> None:
    result = evaluate(
        local_model(options.model_dir, default_cache_dir()),
        options.training,
        options.demo,
        options.metrics,
        options.report,
        folder=options.folder,
    )
    for part in result.parts:
        share = part.accuracy
        name, remark = part.name, ""
        if part.name == LEARNED:
            name, remark = f"{FOLDER}, {LEARNED}", ": proves nothing"
        elif part.name == FOLDER and result.seen:
            name = f"{FOLDER}, never seen"
        print(
            f"{name}: {mean_amount(share.count)} of {amount(share.total)} right, {share.value:.3f} "
            f"({share.low:.3f} to {share.high:.3f}){remark}"
        )
    if result.dangers and result.dangers.photos:
        share = result.dangers.confused
        print(
            f"deadly or poisonous classes taken for an edible one: {mean_amount(share.count)} of "
            f"{amount(share.total)} photos ({share.low:.3f} to {share.high:.3f})"
        )


if __name__ == "__main__":
    main()
