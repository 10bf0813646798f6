"""The step `clean` as a command."""

import argparse
from pathlib import Path

from components.clean.clean import MIN_BYTES, SUSPICIOUS_BYTES, clean
from components.common.base.step import add_options, run_command


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m components.clean",
        description="Sort a dataset into usable photographs and rejects with reasons.",
    )
    parser.add_argument("--images", type=Path, required=True, help="dataset as downloaded")
    parser.add_argument("--output", type=Path, required=True, help="dataset to write")
    parser.add_argument("--rejects", type=Path, required=True, help="dataset of rejects to write")
    add_options(
        parser,
        ("min_bytes", MIN_BYTES, "smallest file that is taken"),
        ("suspicious_bytes", SUSPICIOUS_BYTES, "below this a file is no photo at all"),
        ("strict", False, "reject what is otherwise only flagged: dark, blurred, blank, …"),
        ("decisions", "", "decisions by hand, as curation.html exports them: what to keep"),
        ("part", "", "such as 2/4: look at the second quarter of the photos alone"),
    )
    run_command("clean", parser, _command)


def _command(options: argparse.Namespace) -> None:
    clean(
        options.images,
        options.output,
        options.rejects,
        min_bytes=options.min_bytes,
        suspicious_bytes=options.suspicious_bytes,
        strict=options.strict,
        decisions_file=options.decisions,
        part=options.part,
    )


if __name__ == "__main__":
    main()
