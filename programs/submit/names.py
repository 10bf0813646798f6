"""What Kubeflow's lists show of a run, its version and its experiment: names that say what it is.

The limits are those of KFP 2.17: 128 characters for an experiment, 127 for a version, whose name
must be one of Kubernetes where pipelines are kept there, and 191 for a run.
"""

import secrets
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import __version__
from components.common.base.wording import counted
from components.download.sources import named
from programs.compile.graph import DATASET, PIPELINE_NAME

ROOT = Path(__file__).parents[2]
REVISION_DIGITS = 12
GIT_S = 10.0
MAX_PHOTOS = 60  # characters of what is said of the photos


@dataclass(frozen=True)
class Told:
    """What the names tell.

    Attributes:
        name: what the model is published as.
        photos: what the model learns from, in words.
        device: "CPU" or "GPU": what `retrain` runs on.
        revision: of the code.
    """

    name: str
    photos: str
    device: str
    revision: str

    def run(self) -> str:
        """A name that no other run has, so that a run can be found again by it."""
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        token = secrets.token_hex(4)
        return f"{self.name}: {self.photos}, {self.device}, {self.revision}, {moment} {token}"

    def experiment(self) -> str:
        """The experiment of all runs that train this model: KFP compares runs within one."""
        return f"{PIPELINE_NAME}-{self.name}"

    def description(self) -> str:
        """A sentence for the page of the run."""
        return (
            f"A model to be published as {self.name} if it is good enough. It learns from "
            f"{self.photos}, and retrain runs on a {self.device}. Revision {self.revision}."
        )


def told(arguments: Mapping[str, Any], *, gpu: bool, photos: int = 0, revision: str = "") -> Told:
    """What to tell of a run.

    Args:
        arguments: its options and classes, as `request.check_arguments` gives them.
        gpu: `retrain` has one.
        photos: number of photos of this machine that are packed; 0 where they are gathered.
        revision: of the code; by default that of this working tree.
    """
    classes = counted(len(arguments["classes"]), "class", "classes")
    sources = named(arguments["source"])
    if photos:
        words = f"{counted(photos, 'photo')} of {classes}"
    elif sources == ["sample"]:
        words = f"rendered pictures of {classes}"
    else:
        words = f"photos of {classes} from {' and '.join(sources)}"[:MAX_PHOTOS]
    return Told(
        arguments["name"], words, "GPU" if gpu else "CPU", revision or working_tree_revision()
    )


def version(*, gpu: bool, photos: str, parts: int, continued: bool, digest: str) -> str:
    """The name of a pipeline's version: what it was compiled for, the revision, and its content.

    Args:
        gpu: as `compile_one` takes it.
        photos: as `compile_one` takes it.
        parts: as `compile_one` takes it.
        continued: as `compile_one` takes it.
        digest: of the content.
    """
    words = ["gpu" if gpu else "cpu", "own-photos" if photos == DATASET else "download"]
    words += [f"{parts}-parts"] if parts > 1 else []
    words += ["continued"] if continued else []
    return "-".join([*words, working_tree_revision(), digest])


def version_description(*, gpu: bool, photos: str) -> str:
    """A sentence for the page of the version, which KFP shows beside its parameters' bare names."""
    gathered = (
        "Photos come packed from dataset_uri"
        if photos == DATASET
        else "Photos are gathered from source, for the classes listed in classes"
    )
    return (
        f"{gathered}; retrain runs on a {'GPU' if gpu else 'CPU'}. Most runs need the parameters "
        "before step_… only; those hold all other options of a step, and entries may be left out. "
        "docs/options.md says what each means."
    )


def working_tree_revision() -> str:
    """The git revision, or where there is none the version of this package."""
    if not (ROOT / ".git").exists():  # installed, perhaps within somebody else's repository
        return __version__
    command = ["git", "-C", str(ROOT), "rev-parse", f"--short={REVISION_DIGITS}", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GIT_S, check=True)
    except (OSError, subprocess.SubprocessError):
        return __version__
    return done.stdout.strip()
