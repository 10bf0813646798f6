"""The commands and probes in k8s/ are those of the real programs."""

import dataclasses
import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conftest import ROOT, Run
from gate import open_gate
from k8s_manifests import Manifest, containers, of_kind, pods
from object_stores import Store, free_port, seaweedfs

from components.common.base.errors import InputError
from programs.serve import __main__ as serve_command
from programs.serve import serve as serve_module

OVERLAYS = ("overlays/kind", "overlays/minikube", "overlays/gpu")
START_S = 90.0


def container(folder: str, workload: str, name: str) -> Manifest:
    template = dict(pods(folder))[workload]
    (found,) = (one for one in containers(template) if one["name"] == name)
    return found


def command(folder: str, workload: str, name: str) -> list[str]:
    """The container's command, with its places filled in as Kubernetes does."""
    (places,) = (
        one["data"]
        for one in of_kind(folder, "ConfigMap")
        if one["metadata"]["name"].startswith("wild-mushrooms-places-")
    )

    def filled(word: str) -> str:
        return re.sub(r"\$\((\w+)\)", lambda found: places[found[1]], word)

    return [filled(word) for word in container(folder, workload, name)["command"]]


@contextmanager
def running(words: list[str], environment: dict[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A process, with the programs of this environment."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    process = subprocess.Popen(
        words, cwd=ROOT, env={**os.environ, **environment, "PATH": path}, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_until_answered(process: "subprocess.Popen[bytes]", url: str) -> None:
    until = time.monotonic() + START_S
    while True:
        assert process.poll() is None, f"ended with status {process.returncode}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, ConnectionError):
            assert time.monotonic() < until, url
            time.sleep(0.2)


def probed(one: Manifest) -> set[str]:
    return {
        one[f"{kind}Probe"]["httpGet"]["path"]
        for kind in ("startup", "readiness", "liveness")
        if one[f"{kind}Probe"]["httpGet"]["port"] == "http"
    }


def at_port(words: list[str], port: int) -> list[str]:
    """A command that listens on this machine only, at a port of ours."""
    changed = {"--host=0.0.0.0": "--host=127.0.0.1"}
    return [
        f"--port={port}" if word.startswith("--port=") else changed.get(word, word)
        for word in words
    ]


@pytest.mark.parametrize("folder", OVERLAYS)
def test_the_page_s_options_are_taken(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = command(folder, "wild-mushrooms-serve", "serve")
    assert words[:3] == ["python", "-m", "programs.serve"]
    given: dict[str, Any] = {}
    monkeypatch.setattr(sys, "argv", ["serve", *words[3:]])
    monkeypatch.setattr(
        serve_module,
        "serve",
        lambda place, options, **_: given.update(dataclasses.asdict(options), place=place),
    )
    with suppress(SystemExit):
        serve_command.main()
    port = container(folder, "wild-mushrooms-serve", "serve")["ports"][0]["containerPort"]
    assert (given["host"], given["port"]) == ("0.0.0.0", port)
    assert given["place"] == "s3://mlpipeline/mushrooms/published/mushrooms"


@pytest.mark.parametrize("folder", OVERLAYS)
def test_a_decoded_photo_for_each_worker_fits_in_the_page_s_memory(folder: str) -> None:
    words = command(folder, "wild-mushrooms-serve", "serve")
    options = dict(word.removeprefix("--").split("=") for word in words[3:])
    limit = container(folder, "wild-mushrooms-serve", "serve")["resources"]["limits"]["memory"]
    # README.md: a photo of 50 megapixels needs up to 0.8 GB; the process itself about 0.4.
    needed = 0.4 + int(options["workers"]) * 0.8 * float(options.get("max_megapixels", 50)) / 50
    assert limit.endswith("Gi")
    assert int(limit.removesuffix("Gi")) * 1.07 >= needed


def test_tensorboard_starts_and_answers_its_probes(tmp_path: Path) -> None:
    one = container("base", "wild-mushrooms-tensorboard", "tensorboard")
    port = free_port()
    words = tensorboard_command(port, str(tmp_path))
    with running(words, without_tensorflow(tmp_path)) as process:
        for path in probed(one):
            wait_until_answered(process, f"http://127.0.0.1:{port}{path}")


def without_tensorflow(folder: Path) -> dict[str, str]:
    """What hides TensorFlow from a process: the image has none, whose file systems read no s3://."""
    (folder / "tensorflow.py").write_text("raise ImportError('not in the image')\n")
    return {"PYTHONPATH": str(folder), "AWS_MAX_ATTEMPTS": "1"}


def tensorboard_command(port: int, logs: str) -> list[str]:
    """The Deployment's, with its mounted program, at a port and on logs of ours."""
    words = at_port(command("base", "wild-mushrooms-tensorboard", "tensorboard"), port)
    assert words[:2] == ["python", "/viewer/view_logs.py"]
    assert words[2] == "--logdir=s3://mlpipeline/v2/artifacts/wild-mushrooms"
    assert "--reload_interval=30" in words
    words[1:3] = [str(ROOT / "k8s" / "base" / "view_logs.py"), f"--logdir={logs}"]
    return ["--reload_interval=1" if "--reload_interval" in word else word for word in words]


def test_tensorboard_finds_logs_in_the_store_whenever_that_is_there(tmp_path: Path) -> None:
    writer = tmp_path / "write.py"
    writer.write_text(
        "from tensorboard.summary import Writer\n"
        f"writer = Writer({str(tmp_path / 'logs')!r})\n"
        "writer.add_scalar('accuracy_1', 1.0, 0)\n"
        "writer.close()\n"
    )
    without = without_tensorflow(tmp_path)
    subprocess.run([sys.executable, str(writer)], env={**os.environ, **without}, check=True)
    (events,) = (tmp_path / "logs").iterdir()
    (tmp_path / "store").mkdir()
    port, shown = free_port(), []
    url = f"http://127.0.0.1:{port}/data/runs"

    def wait_for_run(number: int) -> None:
        shown.append(f"run-{number}/logs/train")
        until = time.monotonic() + START_S
        while sorted(runs := json.load(urllib.request.urlopen(url))) != shown:
            assert time.monotonic() < until, runs
            time.sleep(0.5)

    with open_gate() as gate, seaweedfs(tmp_path / "store", gate) as store:
        put = partial(store.put, data=events.read_bytes())
        put(f"v2/artifacts/run-1/logs/train/{events.name}")
        gate.cut_each_at = 0  # the store is away at its start
        words = tensorboard_command(port, f"{store.prefix}/v2/artifacts")
        with running(words, {**store.environment, **without}) as process:
            wait_until_answered(process, url)
            time.sleep(2.5)  # it has looked
            assert json.load(urllib.request.urlopen(url)) == []
            gate.reset()
            wait_for_run(1)
            gate.cut_each_at = 0  # and again
            time.sleep(2.5)
            gate.reset()
            put(f"v2/artifacts/run-2/logs/train/{events.name}")
            wait_for_run(2)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The init container's script."""
    specification = importlib.util.spec_from_file_location(
        "wait_for_model", ROOT / "k8s" / "base" / "wait_for_model.py"
    )
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    monkeypatch.setattr(module, "AGAIN_S", 0.05)
    return module


def test_the_page_waits_for_the_first_model(
    store: Store, waiting: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"{store.prefix}/nothing yet/mushrooms"
    monkeypatch.setattr(sys, "argv", ["wait_for_model.py", place])
    over = threading.Event()
    waits = threading.Thread(target=lambda: (waiting.main(), over.set()), daemon=True)
    waits.start()
    assert not over.wait(1.0)
    store.put("nothing yet/mushrooms/latest.json", b'{"version": "a1"}')
    assert over.wait(30)


def test_a_bucket_that_is_missing_is_told_and_waited_for(store: Store, waiting: ModuleType) -> None:
    with pytest.raises(InputError, match="no-such-bucket"):
        waiting.is_published(f"{store.prefix.replace('photos', 'no-such-bucket')}/mushrooms")


def test_the_page_s_containers_serve_a_published_model(store: Store, light_run: Run) -> None:
    place = f"{store.prefix}/mushrooms"
    for file in (light_run.directory / "model").iterdir():
        if file.is_file():
            store.put(f"mushrooms/{file.name}", file.read_bytes())
    first = command("base", "wild-mushrooms-serve", "wait-for-model")
    assert first[:2] == ["python", "/wait/wait_for_model.py"]
    with running(
        ["python", "k8s/base/wait_for_model.py", place],
        {**store.environment, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.wait(timeout=60) == 0
    one = container("base", "wild-mushrooms-serve", "serve")
    port = free_port()
    words = at_port(command("base", "wild-mushrooms-serve", "serve"), port)
    words = [f"--model_dir={place}" if word.startswith("--model_dir=") else word for word in words]
    with running(words, store.environment) as process:
        for path in probed(one):
            wait_until_answered(process, f"http://127.0.0.1:{port}{path}")
