"""The web page and service as a command: make serve."""

import argparse
from dataclasses import replace
from pathlib import Path

from components.common.base.errors import InputError
from components.common.base.files import default_cache_dir
from components.common.base.step import add_options, run_command

EXAMPLE = """
example:
  python -m programs.serve --model_dir runs/latest/model
  curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8080/v1/predict
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m programs.serve",
        description="A web page and service that say which mushroom is on a photo. Never eat "
        "anything because of the answer.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model_dir",
        required=True,
        help="the model: a folder, gs:// or s3://, or where publish puts its versions",
    )
    parser.add_argument(
        "--metrics",
        type=Path,
        help="metrics.json of evaluate, to say how good the model is (default: beside the model)",
    )
    add_options(
        parser,
        ("host", "127.0.0.1", "address to listen at; 0.0.0.0 lets other machines in"),
        ("port", 8080, "0 takes any that is free"),
        ("workers", 2, "photos looked at at once, on one thread each"),
        ("waiting", 16, "photos that may wait; further ones are told to come again (503)"),
        ("max_upload_mb", 16.0, "of a photo, in MB of 1024 x 1024 bytes"),
        ("max_megapixels", 50.0, "of a photo, in millions of pixels"),
        ("upload_timeout_s", 30.0, "for a photo to arrive"),
        ("answer_timeout_s", 30.0, "for its answer, waiting included"),
        ("access_log", True, "log requests: method, path, status, duration"),
    )
    parser.add_argument("--cache_dir", type=Path, default=default_cache_dir())
    run_command("serve", parser, _command)


def _command(options: argparse.Namespace) -> None:
    from programs.serve.serve import serve  # FastAPI: not needed for --help
    from programs.serve.upload import Limits

    for name in (
        *("workers", "waiting", "max_upload_mb", "max_megapixels"),
        *("upload_timeout_s", "answer_timeout_s"),
    ):
        if not 0 < getattr(options, name) < 1e6:
            raise InputError(f"--{name} is {getattr(options, name)}: expected more than 0")
    if not 0 <= options.port <= 65535:
        raise InputError(f"--port is {options.port}: expected 0 to 65535")
    limits = replace(
        Limits(),
        waiting=options.waiting,
        upload_bytes=int(options.max_upload_mb * 1024**2),
        pixels=int(options.max_megapixels * 10**6),
        upload_s=options.upload_timeout_s,
        answer_s=options.answer_timeout_s,
    )
    serve(
        options.model_dir,
        options.cache_dir,
        host=options.host,
        port=options.port,
        workers=options.workers,
        limits=limits,
        access_log=options.access_log,
        metrics=options.metrics,
    )


if __name__ == "__main__":
    main()
