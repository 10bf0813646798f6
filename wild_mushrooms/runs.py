"""Starting a run on this machine, and reading what it left."""

import importlib.util
import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from components.common.base.command_line import CommandParser, did_you_mean
from components.common.base.errors import InputError
from components.common.dataset.dataset import Dataset
from components.common.model.model_place import METRICS
from components.common.untrusted import sealed

if TYPE_CHECKING:
    from wild_mushrooms.classify import Model

FINISHED = "summary.json"  # the last thing that a run writes
NEEDED = ("kfp", "rich", "tensorflow")  # packages of the extras `train` and `pipeline`


class Run:
    """A finished run.

    Args:
        directory: the run's folder, such as runs/latest.

    Attributes:
        directory: the run's folder.

    Raises:
        InputError: there is no finished run.

    Example:
        >>> Run("runs/latest").metrics["accuracy"]
        0.959
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory).expanduser().resolve()
        if not (self.directory / FINISHED).is_file():
            raise InputError(
                f"no finished run at {directory}: expected its folder with {FINISHED} "
                "(wild_mushrooms.run makes one)"
            )

    def __repr__(self) -> str:
        return f"Run({str(self.directory)!r})"

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The content of metrics.json: shares are 0 to 1; docs/artifacts.md describes the fields.

        Raises:
            InputError: it is missing or damaged.
        """
        return sealed.read(self.directory / METRICS, sealed.METRICS)

    @property
    def report(self) -> Path:
        """The report of the evaluation, an HTML page; index.html beside it leads to the others."""
        return self.directory / "report.html"

    @property
    def training(self) -> Dataset:
        """The photos that the model was trained, validated and tested on (`photo.split`).

        Raises:
            InputError: the dataset is damaged.
        """
        return Dataset(self.directory / "training")

    @property
    def demo(self) -> Dataset:
        """The demo photos, which the model never saw.

        Raises:
            InputError: the dataset is damaged.
        """
        return Dataset(self.directory / "demo")

    def model(self, *, int8: bool = False) -> "Model":
        """The model that the run trained, whether or not it was published.

        Args:
            int8: as of `Model`.

        Raises:
            InputError: as of `Model`.
        """
        from wild_mushrooms.classify import Model

        return Model(self.directory / "model", int8=int8)


def run(images: Path | str | None = None, *, quiet: bool = False, **options: Any) -> Run:
    """Run the whole pipeline on this machine and wait for it: photos to a measured model.

    It takes half a minute to many minutes. The run's process ends when this one is interrupted.

    Args:
        images: a folder with one folder of photos per class; None for another source, which is the
            rendered sample unless `source` says otherwise.
        quiet: print nothing.
        options: any option of `mushrooms run` by its name, such as `min_accuracy=0.8` or
            `architecture="efficientnet_lite0"`; docs/options.md lists them.

    Returns:
        The finished run, a new folder in `runs_dir` ("runs" in the current folder). A model that is
        not good enough to be published is a finished run as well.

    Raises:
        InputError: there is no such option, a value or the photos are unusable, or the packages
            that train are not installed. What can be checked before the run is checked then.
        WorkError: a step failed; the message says which, and where its output is.

    Example:
        >>> finished = run("~/photos", min_accuracy=0.8)
        >>> finished.metrics["accuracy"]
    """
    _check_packages()
    from rich.console import Console

    from programs.run import containers, local
    from programs.run import options as run_options

    if images is not None:
        options = {"image_dir": images, **options}
    asked = _parser().parse_args(_words(options))
    in_containers = asked.runner == containers.NAME
    if in_containers:
        containers.check()
    request = run_options.request(asked)
    if in_containers:
        request = containers.with_places(request)
    pipeline = importlib.util.find_spec("pipeline")
    assert pipeline is not None
    assert pipeline.origin is not None
    # A notebook asks for colours (FORCE_COLOR), and shows what moves on a terminal as a thousand
    # lines.
    stream = io.StringIO() if quiet else sys.stdout
    console = Console(
        file=stream, highlight=False, force_jupyter=False, force_terminal=stream.isatty()
    )
    local.run_locally(request, Path(pipeline.origin), console)
    return Run(request.run_dir)


class _Parser(CommandParser):
    """The options of `mushrooms run`; what it cannot understand is an `InputError`."""

    def error(self, message: str) -> NoReturn:
        raise InputError(message)


def _parser() -> _Parser:
    from programs.run import options as run_options

    parser = _Parser(prog="run", add_help=False)
    run_options.add_to(parser)
    return parser


def _words(options: Mapping[str, Any]) -> list[str]:
    """Options as the words of a command line, which is where their types are checked.

    Raises:
        InputError: there is no option of that name.
    """
    known = [action.dest for action in _parser()._actions]
    words = []
    for name, value in options.items():
        if name not in known:
            raise InputError(f"run() has no option {name!r}{did_you_mean(name, known)}")
        if isinstance(value, bool):
            words.append(f"--{name}" if value else f"--no-{name}")
        elif value is not None:
            several = isinstance(value, Sequence) and not isinstance(value, str)
            words.append(f"--{name}={','.join(map(str, value)) if several else value}")
    return words


def _check_packages() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"a run needs {', '.join(missing)}: pip install 'wild-mushrooms[train,pipeline]'"
        )
