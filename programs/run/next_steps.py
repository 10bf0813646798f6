"""What to try after a run: commands that work where it was started, as `make` or as `mushrooms`."""

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from components.common.base.command_line import started_as
from programs.run.options import Request

DECISIONS = "decisions.json"  # as the review page saves it


def steps(request: Request, *, published: bool) -> Iterator[tuple[str, str]]:
    """Commands, and what each is for.

    Args:
        request: what was run.
        published: the model was; if not, what may get the next one published comes first.
    """
    way = _Installed(request) if started_as() else _Make(request)
    sample = request.arguments["source"] == "sample"
    if not published:
        if not sample:
            yield way.decide(), "after correcting doubtful photos on curation.html"
        yield way.learning_curve(), "would more photos help? accuracy by number of photos"
    yield way.tensorboard(), "the training curves"
    yield way.label(), "classify one of your photos"
    yield way.serve(), "a page to try this model"
    if sample:
        yield way.own_photos(), "the same on real photos: one folder per class"


class _Make:
    """In a checkout of the repository."""

    def __init__(self, request: Request) -> None:
        self._request = request
        last = Path("runs/latest").resolve() == request.run_dir.resolve()
        self._run = "" if last else f" RUN={_quoted(request.run_dir)}"

    def decide(self) -> str:
        photos = _photos(self._request)
        return f"make run{f' IMAGES={photos}' if photos else ''} DECISIONS={DECISIONS}"

    def learning_curve(self) -> str:
        return f"make learning-curve{self._run}"

    def tensorboard(self) -> str:
        return f"make tensorboard{self._run}"

    def label(self) -> str:
        model = _quoted(self._request.run_dir / "model")
        return f".venv/bin/python -m components.label_image --model_dir {model} PHOTO"

    def serve(self) -> str:
        return f"make serve{self._run}"

    def own_photos(self) -> str:
        return "make run IMAGES=~/photos"


class _Installed(_Make):
    """Where the package is installed, without a Makefile."""

    def decide(self) -> str:
        photos = _photos(self._request)
        given = f" --image_dir {photos}" if photos else ""
        return f"mushrooms run{given} --decisions {DECISIONS}"

    def learning_curve(self) -> str:
        return f"mushrooms learning-curve --image_dir {_quoted(self._request.run_dir / 'training')}"

    def tensorboard(self) -> str:
        return f"tensorboard --logdir {_quoted(self._request.run_dir / 'logs')}"

    def label(self) -> str:
        return f"mushrooms label --model_dir {_quoted(self._request.run_dir / 'model')} PHOTO"

    def serve(self) -> str:
        return f"mushrooms serve --model_dir {_quoted(self._request.run_dir / 'model')}"

    def own_photos(self) -> str:
        return "mushrooms run --image_dir ~/photos"


def _photos(request: Request) -> str:
    """The folder of photos that was run on; empty where they came from elsewhere."""
    folder = request.arguments.get("image_dir", "")
    return _quoted(folder) if folder else ""


def _quoted(place: Path | str) -> str:
    """A place for a shell, as seen from here where that is shorter."""
    text = str(place)
    if "://" not in text:
        relative = os.path.relpath(text)
        text = relative if not relative.startswith("..") else text
    return shlex.quote(text)
