"""Do other programs answer as ours does, given the forms of a model? `make bench-forms IMAGES=…`.

A model learns from every second photo of each class. The first hundred of the others, of each class
in turn, are classified by each program that takes one of its forms, and by ours. Programs that are
not of this environment run in virtual environments of their own, which `make bench-forms` makes.
Only MediaPipe is given the photos themselves: the others get the network's input.
"""

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from components.common.base.batches import in_turn
from components.common.base.errors import InputError, WorkError
from components.common.base.step import run_command
from components.common.dataset.class_folders import class_files, list_classes
from components.common.model import layout
from components.common.model.model import Model
from components.common.network.architecture import DEFAULT_ARCHITECTURE
from components.common.photos import images

PEERS = Path("build/peers")
PEER_SCRIPT = Path(__file__).with_name("forms_peers.py")
PHOTOS = 100
# The pipeline's recipe, which the command does not have by default.
RECIPE = (
    *("--how_many_training_steps", "1000", "--learning_rate", "0.001", "--optimizer", "adam"),
    *("--learning_rate_schedule", "cosine", "--l2", "0.02", "--scale_bottlenecks"),
)


@dataclass(frozen=True)
class Consumer:
    """A program that takes a form of the model.

    Attributes:
        title: of the program.
        environment: folder of its packages in `build/peers`; empty for this environment.
        name: of its function in `forms_peers.py`.
        form: file or folder of the model directory.
    """

    title: str
    environment: str
    name: str
    form: str

    @property
    def python(self) -> Path:
        """The Python that runs it."""
        own = PEERS / self.environment / "bin" / "python"
        return own if self.environment else Path(sys.executable)


MEDIAPIPE = tuple(
    Consumer("MediaPipe Tasks", "mediapipe", "mediapipe", form)
    for form in (layout.MEDIAPIPE, layout.MEDIAPIPE_INT8)
)
OWN_INT8 = Consumer("LiteRT, locked", "", "litert", layout.INT8)
CONSUMERS = (
    *MEDIAPIPE,
    Consumer("ONNX Runtime", "", "onnxruntime", layout.ONNX),
    *(
        Consumer(title, environment, name, form)
        for title, environment in (
            ("TensorFlow 2.15", "tensorflow-cpu"),
            ("TensorFlow, locked", ""),
        )
        for name, form in (("saved_model", layout.SAVED_MODEL), ("frozen", layout.FROZEN))
    ),
    Consumer("Keras, locked", "", "keras", layout.KERAS),
    Consumer("TensorFlow 2.15", "tensorflow-cpu", "litert", layout.LITERT),
    Consumer("TensorFlow 2.15", "tensorflow-cpu", "litert", layout.INT8),
    OWN_INT8,
)


@dataclass(frozen=True)
class Agreement:
    """How alike the answers of a program and ours are, on the same photos.

    Attributes:
        photos: how many.
        same: to how many of them both give the same class.
        largest: the largest difference of a probability.
        mean: over the photos, of the largest difference of a photo.
    """

    photos: int
    same: int
    largest: float
    mean: float

    @classmethod
    def of(cls, ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> "Agreement":
        """Of two times float32 (N, classes)."""
        apart = np.abs(ours - theirs).max(axis=1)
        same = int((ours.argmax(axis=1) == theirs.argmax(axis=1)).sum())
        return cls(len(ours), same, float(apart.max()), float(apart.mean()))


class Material:
    """A trained model, photos that it did not learn from, and what our program says of them.

    Args:
        folder: where all this goes; empty.
        photos: a folder of class folders.
        options: of the training.

    Attributes:
        model: the model's folder.
        inputs: file of the network's input for each photo.
        photos: the files of these photos.
        ours: float32 (N, classes), the probabilities that our program gives without temperature.
    """

    def __init__(self, folder: Path, photos: Path, options: Sequence[str]) -> None:
        self._folder = folder
        others = _half(photos, folder / "photos")
        command = [sys.executable, "-m", "components.retrain", *RECIPE, *options]
        places = ["--image_dir", folder / "photos", "--output_dir", folder / "trained"]
        done = subprocess.run([*command, *map(str, places)], capture_output=True, text=True)
        if done.returncode:
            raise WorkError(f"the training failed: {done.stderr[-2000:]}")
        self.model = folder / "trained" / "model"
        ours = Model(self.model)
        contents = [path.read_bytes() for path in others]
        inputs = [images.model_input(data, ours.description.input_size) for data in contents]
        self.inputs = folder / "inputs.npy"
        self.photos = others
        np.save(self.inputs, np.stack(inputs))
        (folder / "photos.txt").write_text("".join(f"{path.resolve()}\n" for path in others))
        answers = ours.predict_each(contents)
        self.ours = np.stack([answer.uncalibrated for answer in answers])  # type: ignore[union-attr]

    def agreement(self, consumer: Consumer) -> Agreement:
        """Ask a program.

        Raises:
            WorkError: it failed; the message holds what it said.
        """
        given = "photos.txt" if consumer.name == "mediapipe" else "inputs.npy"
        output = self._folder / "answers.npy"
        places = (self.model / consumer.form, self._folder / given, output)
        done = subprocess.run(
            [consumer.python, PEER_SCRIPT, consumer.name, *map(str, places)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise WorkError(
                f"{consumer.title} does not take {consumer.form}: {done.stderr[-2000:]}"
            )
        return Agreement.of(self.ours, np.load(output))


def _half(photos: Path, folder: Path) -> list[Path]:
    """Copy every second photo of each class into a folder; return some of the others."""
    others = []
    for label in list_classes(photos):
        files = class_files(photos, label)
        (folder / label).mkdir(parents=True)
        for path in files[::2]:
            shutil.copyfile(path, folder / label / path.name)
        others.append(files[1::2])
    return list(itertools.islice(in_turn(others), PHOTOS))


def run(options: argparse.Namespace) -> None:
    """Train, ask every program, and print a table."""
    missing = [one.environment for one in CONSUMERS if not one.python.exists()]
    if missing:
        raise InputError(f"there is no {PEERS / missing[0]}: make bench-forms makes it")
    with tempfile.TemporaryDirectory() as folder:
        training = ("--architecture", options.architecture, "--views", str(options.views))
        material = Material(Path(folder), options.images, (*training, "--export", "onnx"))
        print(f"{len(material.ours)} photos, {options.architecture}, views: {options.views}\n")
        print("| program | form | same class | largest difference | mean difference |")
        print("|---|---|---|---|---|")
        for consumer in CONSUMERS:
            if (material.model / consumer.form).exists():
                found = material.agreement(consumer)
                title = f"| {consumer.title} | `{consumer.form}` |"
                print(
                    f"{title} {found.same} | {found.largest:.1e} | {found.mean:.1e} |", flush=True
                )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("images", type=Path, help="a folder of class folders of photos")
    parser.add_argument("--architecture", default=DEFAULT_ARCHITECTURE)
    parser.add_argument("--views", type=int, default=1)
    run_command("forms", parser, run)


if __name__ == "__main__":
    main()
