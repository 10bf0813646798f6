"""Runs as a person starts them, by `make submit`, and what the page and the store say of them."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cluster.kube import BUCKET, KFP_NAMESPACE, Cluster, Store, until
from conftest import ROOT

from components.common.base.step import DONE_LINE
from programs.compile.graph import PIPELINE_NAME
from programs.submit.nodes import FINAL

RUN_S = 2400.0
LOOK_S = 5


@dataclass
class Submitted:
    """A `make submit` that was started.

    Attributes:
        process: make's.
        log: file of both its outputs.
        started: when, by the monotonic clock.
    """

    process: "subprocess.Popen[bytes]"
    log: Path
    started: float

    @property
    def text(self) -> str:
        return self.log.read_text(errors="replace")

    def run_id(self) -> str:
        def told() -> Any:
            ended = self.process.poll() is not None
            found = re.search(r"details/(\S+)|: run (\S+) in", self.text)
            assert found or not ended, f"no run was started:\n{self.text[-4000:]}"
            return found

        match = until("the run", told, 180)
        return str(match[1] or match[2])

    def said(self, pattern: str, timeout_s: float) -> str:
        return str(until(pattern, lambda: re.search(pattern, self.text), timeout_s)[0])

    def interrupt(self) -> int:
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(60)

    def wait(self, timeout_s: float = RUN_S) -> "Ended":
        status = self.process.wait(timeout_s)
        return Ended(status, self.text, time.monotonic() - self.started, self.run_id())


@dataclass(frozen=True)
class Ended:
    """A run that has ended, as `make submit` told of it.

    Attributes:
        status: exit status of make, which has 2 for each that is not 0.
        text: all that was printed.
        seconds: from the command to its end.
        run_id: of KFP.
    """

    status: int
    text: str
    seconds: float
    run_id: str

    def check(self, status: int) -> None:
        """Make's own status is 2 for any failure; that of the program stands in its words."""
        if status == 0:
            assert self.status == 0, self.text[-4000:]
        else:
            assert re.search(rf"\bError {status}\b", self.text), self.text[-4000:]
        assert "Traceback" not in self.text, self.text[-6000:]


@dataclass
class Kfp:
    """Kubeflow Pipelines of the cluster.

    Attributes:
        cluster: that it runs in.
        page: address of its page.
        store: its object store.
        mark: what the names of our models and experiments end with.
    """

    cluster: Cluster
    page: str
    store: Store
    mark: str
    counted: Counter[str] = field(default_factory=Counter)
    started: list[Submitted] = field(default_factory=list)

    def start(
        self,
        folder: Path,
        *options: str,
        name: str,
        by_page: bool = True,
        settings: str = "",
        images: Path | None = None,
    ) -> Submitted:
        """Start `make submit`.

        Args:
            folder: for its log.
            options: of `pipeline.py submit`.
            name: of the model; the mark is put behind it.
            by_page: through KFP's page, as --host; else by kubeconfig, which sees pods as well.
            settings: Python that changes `components.settings` first, for what no option does.
            images: folder of photos to upload.
        """
        self.counted[name] += 1
        log = folder / f"{name}-{self.counted[name]}.log"
        arguments = [
            *("--name", f"{name}-{self.mark}"),
            *("--experiment", f"wild-mushrooms-{self.mark}"),
            *("--namespace", KFP_NAMESPACE),
            *("--poll_s", str(LOOK_S)),
            *options,
        ]
        command = ["make", "--no-print-directory", "submit"]
        if by_page:
            command.append(f"HOST={self.page}")
        if images or "--url_list" in options:
            place = f"s3://{BUCKET}/mushrooms-{self.mark}/datasets"
            command.append(f"UPLOAD_TO={place}")
        if images:
            command.append(f"IMAGES={images}")
        if settings:
            command = [sys.executable, "-c", CHANGED.format(settings), "submit", "--wait"]
            command += ["--host", self.page] if by_page else []
        else:
            command.append(f"ARGS={shlex.join(arguments)}")
            arguments = []
        with open(log, "wb") as output:
            process = subprocess.Popen(
                [*command, *arguments],
                cwd=ROOT,
                env={**os.environ, **self.store.environment, "COLUMNS": "200"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.started.append(Submitted(process, log, time.monotonic()))
        return self.started[-1]

    def end(self) -> None:
        """End what is still waiting, as after Ctrl-C; the runs themselves go on."""
        for submitted in self.started:
            if submitted.process.poll() is None:
                submitted.interrupt()

    def run(self, folder: Path, *options: str, **more: Any) -> Ended:
        return self.start(folder, *options, **more).wait()

    def ask(self, path: str, body: Any = None, method: str = "") -> Any:
        """An answer of the API, as the page gets it."""
        request = urllib.request.Request(
            f"{self.page}/apis/v2beta1/{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method=method or ("GET" if body is None else "POST"),
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else {}

    def terminate(self, run_id: str) -> None:
        self.ask(f"runs/{run_id}:terminate", {})

    def state(self, run_id: str) -> str:
        return str(self.ask(f"runs/{run_id}").get("state", ""))

    def ended(self, run_id: str, timeout_s: float = RUN_S) -> str:
        """The last state of a run that nobody waits for."""
        until("the run's end", lambda: self.state(run_id) in FINAL, timeout_s, LOOK_S)
        return self.state(run_id)

    def states(self, run_id: str) -> dict[str, list[str]]:
        """States of a run's nodes by the name that the page shows."""
        states: dict[str, list[str]] = {}
        for task in self.ask(f"runs/{run_id}")["run_details"]["task_details"]:
            name = str(task.get("display_name", "")).replace("-", "_")
            states.setdefault(name, []).append(str(task.get("state", "")))
        return states

    def cached_steps(self, run_id: str) -> int:
        """How many steps were taken from the cache: their work is SKIPPED."""
        return self.states(run_id).get("executor", []).count("SKIPPED")

    def seconds(self, run_id: str) -> float:
        """From a run's creation to its end, by the server."""
        run = self.ask(f"runs/{run_id}")
        begun, done = (
            datetime.fromisoformat(run[key].replace("Z", "+00:00"))
            for key in ("created_at", "finished_at")
        )
        return (done - begun).total_seconds()

    def step_logs(self, run_id: str) -> dict[str, str]:
        """What each pod's step wrote, of pods that are there still."""
        logs = {}
        for pod in self.cluster.pods_of_run(run_id):
            name = pod["metadata"]["name"]
            logs[name] = self.cluster.in_kfp("logs", name, "--container=main")
        return logs

    def measured(self, run_id: str) -> str:
        """Seconds of a run, those of its steps' own work, and its pods."""
        computed = 0.0
        for text in self.step_logs(run_id).values():
            for line in DONE_LINE.findall(text):
                computed += float(line.split()[-2])
        whole, pods = self.seconds(run_id), len(self.cluster.pods_of_run(run_id))
        return f"{whole:.0f} s by the server, {computed:.0f} s of computing, {pods} pods"

    def artifacts(self, run_id: str) -> list[str]:
        """Names in the store of what a run left."""
        return self.store.names(f"v2/artifacts/{PIPELINE_NAME}/{run_id}/")

    def text_of(self, run_id: str, ending: str) -> str:
        """The one artifact whose name in the store ends so."""
        names = [name for name in self.artifacts(run_id) if name.endswith(ending)]
        assert len(names) == 1, (ending, names)
        return self.store.read(names[0]).decode()

    def page_shows(self, name: str) -> bytes:
        """What the page's server hands out for an artifact, as its viewers ask for it."""
        query = urllib.parse.urlencode({"source": "minio", "bucket": BUCKET, "key": name})
        with urllib.request.urlopen(f"{self.page}/artifacts/get?{query}", timeout=60) as answer:
            return bytes(answer.read())


# `pipeline.py`, in a process in which a setting that no option changes has another value.
CHANGED = """
import dataclasses, sys
from components import settings
{}
sys.argv[0] = "pipeline.py"
import pipeline
try:
    pipeline.main()
except SystemExit as end:
    print(f"Error {{end.code}}", file=sys.stderr)
    raise
"""


def with_resources(step: str, **changes: Any) -> str:
    """Python that gives a step other resources than it has."""
    words = ", ".join(f"{name}={value!r}" for name, value in changes.items())
    changed = f"dataclasses.replace(settings.RESOURCES[{step!r}], {words})"
    return f"settings.RESOURCES[{step!r}] = {changed}"
