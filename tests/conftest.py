"""Fixtures that several tests share: real photographs, a filled cache, and one whole run."""

import contextlib
import ctypes
import fcntl
import gc
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import hypothesis
import preloaded
import pytest
from compiled_pipelines import Compiled, compile_all_kinds, compile_label, read_all_kinds
from faults.faults import thorough
from object_stores import Store, google_emulator, seaweedfs_bucket, seaweedfs_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# `make test` tries the same cases every time; `make test-faults` looks for others. There is no
# deadline: a machine that is busy with something else makes no property untrue.
hypothesis.settings.register_profile("same", deadline=None, derandomize=True, database=None)
hypothesis.settings.register_profile("search", deadline=None)
hypothesis.settings.load_profile("search" if thorough() else "same")

# What a shell starts in the background ignores Ctrl-C and SIGQUIT, and under nohup SIGHUP, and so
# does whatever that starts: here, the programs that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
for ignored in (signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(ignored) is signal.SIG_IGN:
        signal.signal(ignored, signal.SIG_DFL)

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
SMALL_ARCHITECTURE = "mobilenet_1.0_128"
LIGHT_ARCHITECTURE = "mobilenet_0.25_128"
# Takes a name, and a function that fills a new folder; gives the folder.
MadeOnce: TypeAlias = Callable[[str, Callable[[Path], None]], Path]


# Files that take long, the longest first, those of `make test-long` before the others. A worker
# that is done with a file takes the next one, and one that is long and last would keep the others
# waiting. The first two of `make test` need nothing of each other, or a worker would wait for it.
LONG_FILES = (
    "test_docs_commands.py",
    "faults/test_kill.py",
    "faults/test_time_and_place.py",
    "faults/test_disk.py",
    "retrain/test_finetune.py",
    "test_run.py",
    "retrain/test_export.py",
    "publish/test_in_bucket.py",
    "programs/submit/test_submit.py",
    "browser/test_phone.py",
    "retrain/test_retrain.py",
    "retrain/test_command.py",
    "label_image/test_label_image.py",
    "test_make.py",
    "k8s/test_commands.py",
    "common/network/test_architecture.py",
    "test_run_secrets.py",
    "programs/verify/test_verify.py",
    "programs/submit/test_ending.py",
    "test_run_buckets.py",
    "tensorboard/test_live.py",
    "common/store/test_transfer.py",
    "programs/serve/test_process.py",
    "curate/test_suspects.py",
    "clean/test_quality.py",
    "browser/test_review_page.py",
    "evaluate/test_evaluate.py",
    "common/store/test_storage.py",
    "test_file_names.py",
    "python_api/test_runs.py",
    "common/network/test_efficientnet_lite.py",
    "test_run_urls.py",
    "test_run_places.py",
    "faults/test_hostile_weights.py",
    "programs/serve/test_follow.py",
    "publish/test_changes.py",
    "publish/test_versions.py",
    "label_image/test_graph.py",
    "faults/test_memory.py",
    "faults/test_damage.py",
    "programs/learning_curve/test_learning_curve.py",
    "browser/test_axe.py",
    "test_cluster_graph.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long files; see LONG_FILES."""
    places = {ROOT / "tests" / name: place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(scope="module", autouse=True)
def _memory_given_back() -> Iterator[None]:
    """After each file: what TensorFlow's threads freed stays with the process otherwise."""
    yield
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # where there is no glibc
        ctypes.CDLL("libc.so.6").malloc_trim(0)


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """What a program's start sets for the process is gone with its test.

    pytest catches what is logged at the root and, if a logger hands nothing on, there as well: a
    later test that lets it hand things on would see all twice.
    """
    log = logging.getLogger("components")
    before = list(log.handlers), log.propagate, log.level
    yield
    log.handlers[:], log.propagate = before[:2]
    log.setLevel(before[2])


@pytest.fixture(scope="session")
def shared_photos() -> Path:
    """Folder of real photographs; tests that want them skip, loudly, where it is missing."""
    folder = SHARED / "photos"
    if not folder.is_dir():
        pytest.skip("the real photographs of ../shared/photos are not on this machine")
    return folder


@pytest.fixture(scope="session")
def backbone_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the converted networks of this machine's own, and no bottlenecks yet."""
    from components.common.base.files import default_cache_dir
    from components.common.network.backbone import load_backbone

    own = default_cache_dir()
    load_backbone(SMALL_ARCHITECTURE, own)
    cache = tmp_path_factory.mktemp("cache")
    for folder in ("weights", "backbones"):
        (cache / folder).symlink_to(own / folder)
    return cache


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """A function that makes a folder once for all workers of this run of pytest.

    Who asks first makes it, and the others wait. Nobody may change what is in it.
    """
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    shared.mkdir(exist_ok=True)

    def make(name: str, fill: Callable[[Path], None]) -> Path:
        folder = shared / name
        with open(shared / f"{name}.lock", "a+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            lock.seek(0)
            if lock.read() != "made":
                shutil.rmtree(folder, ignore_errors=True)  # of a worker that failed
                folder.mkdir()
                fill(folder)
                lock.write("made")
        return folder

    return make


@pytest.fixture(scope="module")
def compiled(made_once: MadeOnce) -> dict[str, Compiled]:
    """Every kind of compiled pipeline."""
    return read_all_kinds(made_once("compiled", compile_all_kinds))


@pytest.fixture(scope="module")
def compiled_label(made_once: MadeOnce) -> Compiled:
    """The compiled pipeline that labels a bucket."""
    folder = made_once("compiled-label", compile_label)
    return Compiled.read(folder / "pipeline-label.yaml")


@pytest.fixture(scope="session")
def s3_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where this process has a real S3 server, for `seaweedfs_bucket`."""
    with seaweedfs_server(tmp_path_factory.mktemp("seaweedfs")) as port:
        yield port


@pytest.fixture(scope="module", params=["gs", "s3"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    """A bucket on a real server of each kind of object storage, for the tests of one file."""
    if request.param == "gs":
        run = google_emulator(tmp_path_factory.mktemp("gs"))
    else:
        run = seaweedfs_bucket(request.getfixturevalue("s3_port"))
    with run as made:
        yield made


@dataclass(frozen=True)
class Run:
    """A finished `pipeline.py run`."""

    directory: Path
    stdout: str
    stderr: str
    returncode: int

    @property
    def summary(self) -> dict[str, Any]:
        """What summary.json says."""
        content: dict[str, Any] = json.loads((self.directory / "summary.json").read_text())
        return content


def run_captured(
    *command: str, timeout_s: float = 60, directory: Path = ROOT
) -> "subprocess.CompletedProcess[str]":
    """Run a command in the repository's folder; its output is kept, its exit status not judged."""
    return preloaded.run(command, directory=directory, timeout_s=timeout_s)


def run_pipeline(runs: Path, cache: Path, *options: str) -> Run:
    """Run the whole pipeline as a person would, in a process of its own."""
    command = [sys.executable, str(ROOT / "pipeline.py"), "run", "--runs_dir", str(runs)]
    done = preloaded.run(
        [*command, "--cache_dir", str(cache), *options],
        timeout_s=600,
        environment={**os.environ, "COLUMNS": "120"},
    )
    latest = [path for path in sorted(runs.glob("2*")) if path.is_dir()]
    return Run(latest[-1] if latest else runs, done.stdout, done.stderr, done.returncode)


def run_pipeline_once(made_once: MadeOnce, name: str, cache: Path, *options: str) -> Run:
    """A run that succeeds, and that all workers share."""

    def fill(folder: Path) -> None:
        run = run_pipeline(folder / "runs", cache, *options)
        assert run.returncode == 0, run.stdout + run.stderr
        said = {"directory": str(run.directory), "stdout": run.stdout, "stderr": run.stderr}
        (folder / "said.json").write_text(json.dumps(said))

    said = json.loads((made_once(name, fill) / "said.json").read_text())
    return Run(Path(said["directory"]), said["stdout"], said["stderr"], 0)


@pytest.fixture(scope="session")
def sample_run(made_once: MadeOnce, backbone_cache: Path) -> Run:
    """One whole run on a small sample with the small network."""
    return run_pipeline_once(
        *(made_once, "sample", backbone_cache),
        *("--per_class", "20", "--architecture", SMALL_ARCHITECTURE),
        *("--how_many_training_steps", "500"),
    )


@pytest.fixture(scope="session")
def light_run(made_once: MadeOnce) -> Run:
    """A run whose model has a tenth of the size, for tests that store, copy and send models.

    The network has random weights: its answers are not good, and it is not published.
    """
    cache = made_once("light-cache", _fill_light_cache)
    return run_pipeline_once(
        *(made_once, "light", cache),
        *("--per_class", "20", "--architecture", LIGHT_ARCHITECTURE),
        *("--how_many_training_steps", "100"),
    )


def _fill_light_cache(folder: Path) -> None:
    """Put random weights for the light network where those of a package would be."""
    import small_networks

    from components.common.network import weights
    from components.common.network.architecture import parse_architecture

    architecture = parse_architecture(LIGHT_ARCHITECTURE)
    network = architecture.build()
    small_networks.enliven(network)
    path = weights.cache_file(architecture, folder)
    path.parent.mkdir()
    weights.save_weights(weights.from_keras(network), path)


@pytest.fixture(scope="session")
def chromium() -> "Iterator[Browser]":
    """The Chromium of this machine; CI installs one. Playwright runs once in a process."""
    from playwright.sync_api import sync_playwright

    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        pytest.skip("there is no Chromium on this machine: apt install chromium")
    with sync_playwright() as playwright:
        # As root, which CI is, Chromium has no sandbox.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        with playwright.chromium.launch(executable_path=found, args=options) as launched:
            yield launched
