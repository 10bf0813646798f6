"""Clock, time zone, language, hash seed, umask and folder change no byte of what steps write."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import ROOT, SMALL_ARCHITECTURE
from faults.faults import cases

from components.common.model.description import read_description
from components.common.model.layout import DESCRIPTION

pytestmark = pytest.mark.long

LABELS = ("earthstar", "fly agaric")
TIMEOUT_S = 600
# Python runs this first, from PYTHONPATH: at each look the clock is another, also one before 1980.
JUMPING_CLOCK = """
import itertools, time
_real, _localtime, _gmtime, _strftime = time.time, time.localtime, time.gmtime, time.strftime
_jumps = itertools.cycle([-1.6e9, 86400.0, -3600.0, 4e8, 0.5])
time.time = lambda: _real() + next(_jumps)
time.time_ns = lambda: int(time.time() * 1e9)
time.localtime = lambda at=None: _localtime(time.time() if at is None else at)
time.gmtime = lambda at=None: _gmtime(time.time() if at is None else at)
time.strftime = lambda form, at=None: _strftime(form, time.localtime() if at is None else at)
"""
# TensorFlow dates its event files, and names tensors of a SavedModel at random; Keras writes dates
# and places in memory beside the weights.
UNEQUAL = re.compile(
    r"retrain_logs/.*|model/saved_model/.*|(.*/)?serving/.*|.*\.keras/(config|metadata)\.json"
)


@dataclass(frozen=True)
class Surroundings:
    """Where and when steps run.

    Attributes:
        folder: what they work in, below a temporary folder.
        variables: of the environment.
        umask: of the process.
        clock_jumps: at each look at it.
        copied: the code runs from a copy of its own, without git.
    """

    folder: str
    variables: Mapping[str, str]
    umask: int = 0o022
    clock_jumps: bool = False
    copied: bool = False


HERE = Surroundings("a", {"TZ": "UTC", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"})
ABROAD = Surroundings(
    "Kırk yıl İ",
    {"TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "4242"},
    umask=0o077,
    clock_jumps=True,
    copied=True,
)
ELSEWHERE = (
    Surroundings("b", {"TZ": "America/St_Johns", "LC_ALL": "tr_TR.ISO-8859-9"}),
    Surroundings("c d", {"TZ": "nowhere", "LC_ALL": "C", "LANG": "", "PYTHONHASHSEED": "1"}, 0o002),
    Surroundings("e/f", {"TZ": "Asia/Kathmandu", "LC_ALL": "C", "PYTHONUTF8": "0"}, 0, True, True),
)


@pytest.fixture(scope="module")
def languages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for LOCPATH with Turkish, where "I" has another small letter, and 1,5 a comma."""
    folder = tmp_path_factory.mktemp("locales")
    for charmap in ("UTF-8", "ISO-8859-9"):
        place = str(folder / f"tr_TR.{charmap}")
        try:
            command = ["localedef", "-i", "tr_TR", "-f", charmap, place]
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"the Turkish locale cannot be made (apt install locales): {error}")
    look = "import locale; locale.setlocale(locale.LC_ALL, ''); print(f'{1.5:n}')"
    said = subprocess.run(
        [sys.executable, "-c", look],
        env={**os.environ, "LOCPATH": str(folder), "LC_ALL": "tr_TR.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said == "1,5\n"
    return folder


class Workplace:
    """Runs steps in their surroundings, each as a command."""

    def __init__(self, place: Path, around: Surroundings, languages: Path, cache: Path) -> None:
        self.out = place / around.folder
        self._around = around
        self.out.mkdir(parents=True)
        self._cache = place / "cache"
        self._cache.mkdir()
        for folder in cache.iterdir():
            (self._cache / folder.name).symlink_to(folder.resolve())
        code = ROOT
        if around.copied:
            code = place / "code"
            shutil.copytree(
                ROOT / "components",
                code / "components",
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        paths = [str(code)]
        if around.clock_jumps:
            (place / "clock").mkdir()
            (place / "clock" / "sitecustomize.py").write_text(JUMPING_CLOCK)
            paths.insert(0, str(place / "clock"))
        unset = ("LANG", "LANGUAGE", "PYTHONHASHSEED")
        inherited = {name: value for name, value in os.environ.items() if name not in unset}
        self._environment = {**inherited, "PYTHONPATH": os.pathsep.join(paths)}
        self._environment |= {"LOCPATH": str(languages), **around.variables}

    def run(self, step: str, *options: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", f"components.{step}", *options],
            cwd=self.out,
            env=self._environment,
            umask=self._around.umask,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{step} {options}\n{done.stderr.decode(errors='replace')}"

    def make_dataset(self) -> None:
        """From rendered pictures to the training and demo photos."""
        names = [label.replace(" ", "-") for label in LABELS]
        cached = ("--cache_dir", str(self._cache))
        for label, name in zip(LABELS, names, strict=True):
            self.run("download", "--label", label, "--per_class", "20", "--output", name, *cached)
            places = ("--output", f"clean-{name}", "--rejects", f"rejects-{name}")
            self.run("clean", "--images", name, *places)
        images = ("--images", *(f"clean-{name}" for name in names))
        network = ("--architecture", SMALL_ARCHITECTURE)
        self.run("bottleneck", *images, "--output", "bottlenecks", *network, *cached)
        self.run(
            "curate",
            *images,
            *("--clean_rejects", *(f"rejects-{name}" for name in names)),
            *("--bottlenecks", "bottlenecks", "--page", "curation.html"),
            *("--training", "training", "--demo", "demo", "--rejects", "rejects"),
            *("--ledger", "ledger", "--facts", "facts"),
        )

    def train(self) -> None:
        self.run(
            "retrain",
            *("--image_dir", "training", "--bottleneck_dir", "bottlenecks"),
            *("--output_dir", ".", "--model_dir", str(self._cache)),
            *("--architecture", SMALL_ARCHITECTURE, "--how_many_training_steps", "100"),
        )

    def contents(self) -> dict[str, str]:
        """SHA-256 of every file, by its path; of an archive of Keras, of what is in it."""
        found = {}
        for path in sorted(self.out.rglob("*")):
            name = path.relative_to(self.out).as_posix()
            if path.is_file():
                found |= _hashes(name, path)
        return {name: found[name] for name in found if not UNEQUAL.fullmatch(name)}


def _hashes(name: str, path: Path) -> dict[str, str]:
    if path.name == DESCRIPTION:  # names the hashes of files that are not compared
        return {name: read_description(path.parent).identity}
    if path.suffix != ".keras":
        return {name: hashlib.sha256(path.read_bytes()).hexdigest()}
    with zipfile.ZipFile(path) as archive:
        return {
            f"{name}/{member}": hashlib.sha256(archive.read(member)).hexdigest()
            for member in archive.namelist()
        }


@pytest.fixture(scope="module")
def at_home(
    tmp_path_factory: pytest.TempPathFactory, languages: Path, backbone_cache: Path
) -> Workplace:
    """The dataset made in the usual surroundings; the model is made by who wants it."""
    work = Workplace(tmp_path_factory.mktemp("home"), HERE, languages, backbone_cache)
    work.make_dataset()
    return work


def test_another_time_and_place_give_the_same_dataset_and_model(
    at_home: Workplace, languages: Path, backbone_cache: Path, tmp_path: Path
) -> None:
    abroad = Workplace(tmp_path, ABROAD, languages, backbone_cache)
    abroad.make_dataset()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(Workplace.train, (at_home, abroad)))
    expected, found = at_home.contents(), abroad.contents()
    made = ("training/manifest.parquet", "ledger/split.parquet", "bottlenecks/bottlenecks.npy")
    made += ("curation.html", "model/model.tflite", "model/model.json", "retrained_graph.pb")
    made += ("model/model.keras/model.weights.h5",)
    assert set(made) <= set(expected)
    assert found == expected


@pytest.mark.parametrize("around", ELSEWHERE[: cases(1, 3)], ids=lambda around: around.folder)
def test_other_languages_and_hash_seeds_give_the_same_dataset(
    at_home: Workplace,
    languages: Path,
    backbone_cache: Path,
    tmp_path: Path,
    around: Surroundings,
) -> None:
    elsewhere = Workplace(tmp_path, around, languages, backbone_cache)
    elsewhere.make_dataset()
    found = elsewhere.contents()
    assert "demo/manifest.parquet" in found
    assert found == {name: at_home.contents()[name] for name in found}
