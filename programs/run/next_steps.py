"""What to try after a run: commands that work where it was started, as `make` or as `mushrooms`."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from components.common.base.command_line import started_as
from programs.run.options import DEFAULTS, Request

METRICS = "metrics.json"


def steps(
    request: Request, *, published: bool, few: bool, later: bool = False
) -> Iterator[tuple[str, str]]:
    """Commands, and what each is for.

    Args:
        request: what was run.
        published: the model was; if not, what may get the next one published comes first.
        few: so few photos were measured on that more of them may help.
        later: they are read when another run may be the last one, so they name this one.
    """
    way = _Installed(request, later) if started_as() else _Make(request, later)
    sample = request.arguments["source"] == "sample"
    if not published and not sample:
        yield way.review(), "correct doubtful photos; it then says how to run again"
    if not published or (few and not sample):
        yield way.learning_curve(), "would more photos help? accuracy by number of photos"
    yield way.tensorboard(), "the training curves"
    yield way.label(), "classify one of your photos"
    yield way.serve(), "a page to try this model"
    if sample:
        yield way.own_photos(), "the same on real photos: one folder per class"


class _Make:
    """In a checkout of the repository."""

    def __init__(self, request: Request, later: bool) -> None:
        self._request = request
        last = not later and Path("runs/latest").resolve() == request.run_dir.resolve()
        self._run = "" if last else f" RUN={_quoted(request.run_dir)}"

    def review(self) -> str:
        return f"make review{self._run}"

    def learning_curve(self) -> str:
        told = dict(_network(self._request))
        views = told.pop("views", "")
        words = [f"{name.upper()}={value}" for name, value in told.items()]
        words += [f"ARGS='--views {views}'"] if views else []
        return " ".join([f"make learning-curve{self._run}", *words])

    def tensorboard(self) -> str:
        return f"make tensorboard{self._run}"

    def label(self) -> str:
        if not self._run:
            return ".venv/bin/mushrooms label PHOTO"
        model = _quoted(self._request.run_dir / "model")
        return f".venv/bin/mushrooms label --model_dir {model} PHOTO"

    def serve(self) -> str:
        return f"make serve{self._run}"

    def own_photos(self) -> str:
        return "make run IMAGES=~/photos"


class _Installed(_Make):
    """Where the package is installed, without a Makefile."""

    def review(self) -> str:
        return f"mushrooms review {_quoted(self._request.run_dir)}"

    def learning_curve(self) -> str:
        words = [f"--{name} {value}" for name, value in _network(self._request)]
        training = _quoted(self._request.run_dir / "training")
        return " ".join([f"mushrooms learning-curve --image_dir {training}", *words])

    def tensorboard(self) -> str:
        return f"tensorboard --logdir {_quoted(self._request.run_dir / 'logs')}"

    def label(self) -> str:
        return f"mushrooms label --model_dir {_quoted(self._request.run_dir / 'model')} PHOTO"

    def serve(self) -> str:
        model, metrics = (_quoted(self._request.run_dir / name) for name in ("model", METRICS))
        return f"mushrooms serve --model_dir {model} --metrics {metrics}"

    def own_photos(self) -> str:
        return "mushrooms run --image_dir ~/photos"


def _network(request: Request) -> Iterator[tuple[str, str]]:
    """The options that name the run's network, where they are not those of every run."""
    for name in ("architecture", "weights", "views"):
        value = request.arguments.get(name, DEFAULTS[name])
        if value != DEFAULTS[name]:
            yield name, _quoted(str(value)) if name == "weights" else str(value)


def _quoted(place: Path | str) -> str:
    """A place for a shell, as seen from here where that is shorter."""
    text = str(place)
    if "://" not in text:
        relative = os.path.relpath(text)
        text = relative if not relative.startswith("..") else text
    return shlex.quote(text)
