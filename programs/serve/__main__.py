"""The web page and service as a command: make serve."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from components.common.base import options
from components.common.base.files import default_cache_dir
from components.common.base.options import Options, cache_dir_option, option
from components.common.base.step import run_command

EXAMPLE = """
example:
  python -m programs.serve --model_dir runs/latest/model
  curl --data-binary @photo.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:8080/v1/predict
"""


@dataclass(frozen=True)
class ServeOptions(Options):
    """Where the service listens, and how much it takes at once."""

    host: str = option("127.0.0.1", "address to listen at; 0.0.0.0 lets other machines in")
    port: int = option(
        8080, "port to listen at; 0 takes any that is free", minimum=0, maximum=65535
    )
    workers: int = option(2, "photos looked at at once, on one thread each", minimum=1)
    waiting: int = option(
        16, "photos that may wait; further ones are told to come again (503)", minimum=1
    )
    max_upload_mb: float = option(16.0, "size of a photo, in MB of 1024 x 1024 bytes", above=0)
    max_megapixels: float = option(50.0, "size of a photo, in millions of pixels", above=0)
    upload_timeout_s: float = option(30.0, "seconds for a photo to arrive", above=0)
    answer_timeout_s: float = option(
        30.0, "seconds for the answer to a photo, waiting included", above=0
    )
    access_log: bool = option(True, "log requests: method, path, status, duration")
    cache_dir: str = cache_dir_option()


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
    options.add_to(parser, ServeOptions)
    run_command("serve", parser, _command)


def _command(arguments: argparse.Namespace) -> None:
    from programs.serve.serve import serve  # FastAPI: not needed for --help
    from programs.serve.upload import Limits

    chosen = ServeOptions.of(arguments)
    chosen.check()
    limits = replace(
        Limits(),
        waiting=chosen.waiting,
        upload_bytes=int(chosen.max_upload_mb * 1024**2),
        pixels=int(chosen.max_megapixels * 10**6),
        upload_s=chosen.upload_timeout_s,
        answer_s=chosen.answer_timeout_s,
    )
    serve(
        arguments.model_dir,
        Path(chosen.cache_dir).expanduser() if chosen.cache_dir else default_cache_dir(),
        host=chosen.host,
        port=chosen.port,
        workers=chosen.workers,
        limits=limits,
        access_log=chosen.access_log,
        metrics=arguments.metrics,
    )


if __name__ == "__main__":
    main()
