"""The compiled pipelines as tests read them, made by the command line and by `compile_one`."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import preloaded
import yaml

from components import settings
from components.common.base.options import PREFIX

ROOT = Path(__file__).parents[1]
# Of every image, so that a golden file does not change with the revision.
IMAGES = {
    variable: f"registry.example/mushrooms/{kind}:1"
    for kind, variable in settings.NAME_VARIABLES.items()
}
_VARIANTS = """
import json, sys
from pathlib import Path
import pipeline
for path, arguments in json.loads(sys.argv[1]).items():
    pipeline.compile_one(Path(path), **arguments)
"""
KINDS = ("cpu", "gpu", "gpu-dataset", "cpu-continued")


@dataclass(frozen=True)
class Compiled:
    """One compiled file: both of its documents."""

    path: Path
    pipeline: dict[str, Any]
    platform: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Compiled":
        """Read a file, which has exactly two documents."""
        pipeline, platform = yaml.load_all(path.read_text(), yaml.CSafeLoader)
        return cls(path, pipeline, platform)

    @property
    def containers(self) -> dict[str, dict[str, Any]]:
        """The container of each step; the importer has none."""
        found = self.pipeline["deploymentSpec"]["executors"]
        return {
            name.removeprefix("exec-"): entry["container"]
            for name, entry in found.items()
            if "container" in entry
        }

    @property
    def pods(self) -> dict[str, dict[str, Any]]:
        """What the platform spec says of each step's pod."""
        found = self.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        return {name.removeprefix("exec-"): entry for name, entry in found.items()}

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        """The tasks of all graphs, by name."""
        return {
            name: task
            for dag in (self.pipeline["root"], *self.pipeline["components"].values())
            for name, task in dag.get("dag", {}).get("tasks", {}).items()
        }

    @property
    def parameters(self) -> dict[str, Any]:
        """The pipeline's parameters: their types and defaults."""
        found: dict[str, Any] = self.pipeline["root"]["inputDefinitions"]["parameters"]
        return found

    @property
    def defaults(self) -> dict[str, Any]:
        """The default of every option, whether it is a parameter or an entry of a dictionary."""
        by_parameter = {name: one.get("defaultValue") for name, one in self.parameters.items()}
        dictionaries = [by_parameter[name] for name in by_parameter if name.startswith(PREFIX)]
        return by_parameter | {name: one[name] for one in dictionaries for name in one}


def compile_to(folder: Path, *options: str, images: Mapping[str, str] = IMAGES) -> None:
    """Run `pipeline.py compile` with images of these names, by their variables."""
    command = [sys.executable, str(ROOT / "pipeline.py"), "compile", "--output_dir", str(folder)]
    _run([*command, *options], images)


def compile_label(folder: Path) -> None:
    """Write the pipeline that labels a bucket."""
    compile_to(folder, "--pipeline", "label")


def compile_all_kinds(folder: Path) -> None:
    """Write both files of the command line, and the variants that `submit` makes."""
    compile_to(folder)
    dataset = {"gpu": True, "photos": "dataset"}
    continued = {"gpu": False, "continued": True}
    compile_variants(
        {
            folder / "pipeline-gpu-dataset.yaml": dataset,
            folder / "pipeline-cpu-continued.yaml": continued,
        }
    )


def compile_variants(variants: Mapping[Path, Mapping[str, Any]]) -> None:
    """Write variants as `submit` makes them: by path, the arguments of `pipeline.compile_one`.

    In a process of their own: KFP looks through all modules at each step, and a test's has many.
    """
    told = json.dumps({str(path): arguments for path, arguments in variants.items()})
    _run([sys.executable, "-c", _VARIANTS, told], IMAGES)


def read_all_kinds(folder: Path) -> dict[str, Compiled]:
    """What `compile_all_kinds` wrote."""
    return {kind: Compiled.read(folder / f"pipeline-{kind}.yaml") for kind in KINDS}


def _run(command: list[str], images: Mapping[str, str]) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **images}
    preloaded.run(command, timeout_s=120, environment=environment).check_returncode()
