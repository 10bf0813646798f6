"""The pipeline's steps called one after another in this process: one_process.py REQUEST PLACE.

The same functions with the same arguments as KFP calls them, outputs below PLACE. Prints the
seconds of each step, its imports included.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from components.bottleneck.component import bottleneck
from components.clean.component import clean
from components.common.base.options import DEFAULTS, OPTIONS, PREFIX
from components.curate.component import curate
from components.download.component import download
from components.evaluate.component import evaluate
from components.label_image.component import label_image
from components.publish.component import publish
from components.retrain.component import retrain
from components.tensorboard.component import tensorboard
from programs.run import parameters
from programs.run.options import Request


class Artifact(SimpleNamespace):
    """What a component is handed in place of KFP's artifacts."""

    def __init__(self, path: Path) -> None:
        super().__init__(path=str(path), uri=str(path), metadata={})

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("log_"):
            return lambda *_: None
        raise AttributeError(name)


# Inputs that a run on this machine leaves empty.
OF_CLUSTERS = ("image", "endpoint", "secret", "part")


class Steps:
    """Calls components, each with a folder of its own."""

    def __init__(self, request: Request, place: Path) -> None:
        self._request, self._place = request, place
        self.seconds: list[tuple[str, float]] = []

    def __call__(self, component: Any, **given: Any) -> dict[str, Any]:
        """Run one; returns its artifacts, and what it returned as `Output`."""
        specification = component.component_spec
        folder = self._place / f"{len(self.seconds):03d}-{component.name}"
        outputs = {}
        for name in specification.outputs or {}:
            if name != "Output":
                outputs[name] = Artifact(folder / name)
        folder.mkdir(parents=True)
        told = parameters.of_run(self._request.arguments)
        others = told.get(f"{PREFIX}{component.name}", {})
        known = {**dict.fromkeys(OF_CLUSTERS, ""), **told, OPTIONS: others, DEFAULTS: others}
        # What is not known has a default.
        wanted = specification.inputs.keys() & known.keys() - given.keys()
        scalars = {name: known[name] for name in wanted}
        started = time.perf_counter()
        returned = component.python_func(**given, **scalars, **outputs)
        self.seconds.append((component.name, time.perf_counter() - started))
        return {**outputs, "Output": returned}


def main() -> None:
    """Run all of them."""
    request, place = Request.read(Path(sys.argv[1])), Path(sys.argv[2])
    started = time.perf_counter()
    call = Steps(request, place)
    usable = call(clean, images=call(download)["images"])
    cleaned, rejects = usable["cleaned"], usable["rejects"]
    vectors = call(bottleneck, images=cleaned)["bottlenecks"]
    parts = call(curate, images=cleaned, clean_rejects=rejects, bottlenecks=vectors)
    trained = call(retrain, training=parts["training"], bottlenecks=vectors)
    call(tensorboard, logs=trained["logs"])
    shown = {"model": trained["model"], "demo": parts["demo"]}
    measured = call(evaluate, training=parts["training"], **shown)
    call(label_image, **shown)
    call(publish, metrics=measured["metrics"], ledger=parts["ledger"], **shown)
    print()
    print(json.dumps({"seconds": time.perf_counter() - started, "steps": call.seconds}))


if __name__ == "__main__":
    main()
