"""The step `label_image` as a command: the likeliest classes of a photo, or of the demo photos."""

import argparse
from pathlib import Path

from components.common.errors import InputError
from components.common.step import add_options, run_command
from components.label_image.label_image import TOP_K, label_demo, label_photo


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m components.label_image",
        description="Say which class a photo shows. Never eat anything because of the answer.",
    )
    parser.add_argument("--model_dir", type=Path, required=True, help="the model")
    parser.add_argument("--image", type=Path, help="the photo to label")
    add_options(parser, ("top_k", TOP_K, "how many classes to print"))
    parser.add_argument("--demo", type=Path, help="instead of --image: a dataset of demo photos")
    parser.add_argument("--predictions", type=Path, help="with --demo: parquet file to write")
    parser.add_argument("--gallery", type=Path, help="with --demo: gallery.html to write")
    run_command("label_image", parser, _command)


def _command(options: argparse.Namespace) -> None:
    if options.image and not options.demo:
        if options.top_k < 1:
            raise InputError(f"--top_k is {options.top_k}: expected 1 or more")
        print(*label_photo(options.model_dir, options.image, top=options.top_k), sep="\n")
    elif options.demo and options.predictions and options.gallery and not options.image:
        label_demo(options.model_dir, options.demo, options.predictions, options.gallery)
    else:
        raise InputError("give either --image, or --demo with --predictions and --gallery")


if __name__ == "__main__":
    main()
