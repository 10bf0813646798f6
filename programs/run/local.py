"""Running the pipeline on this machine: a child process does it, this one talks to the person."""

import errno
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from rich.console import Console

from components.common.base.errors import DiskFull, InputError, WorkError
from components.common.base.files import default_cache_dir
from components.common.base.step import EVENTS_VARIABLE, log
from components.common.base.wording import counted, folded, joined
from components.common.dataset import reasons
from components.common.model.model_place import METRICS
from components.publish.compare import why_no_changes
from components.publish.decision import Decision
from programs.run import containers, run_log, run_pages, run_reasons, summary
from programs.run.display import Display, EventReader
from programs.run.options import Request

EXECUTE_COMMAND = "_execute"
LATEST = "latest"
TEMPORARY = "tmp"  # in the run's folder, while it runs
POLL_S = 0.1
NO_ROOM_BYTES = 16 * 1024  # left on a disk that is full
PARENT_S = 1.0  # between two looks whether the parent is still there
STOP_S = 10.0


def run_locally(request: Request, pipeline_file: Path, console: Console | None = None) -> int:
    """Run the pipeline and print what came of it.

    Args:
        request: the run.
        pipeline_file: pipeline.py, which runs itself in the child process.
        console: to print on; None for standard output.

    Returns:
        0.

    Raises:
        InputError: a step found the input unusable.
        WorkError: a step failed; the message says which, why, and where the log is.
    """
    console = console or Console(stderr=False, highlight=False)
    started = time.monotonic()
    classes = request.arguments["classes"]
    named_classes = f"{counted(len(classes), 'class', 'classes')}: {', '.join(classes)}"
    if console.is_terminal:
        named_classes = folded(named_classes, console.width)
    console.print(named_classes, markup=False, soft_wrap=True, style="bold")
    log_file = request.run_dir / "log.txt"
    display = Display(console)
    try:
        with display:
            status = _run_child(request, pipeline_file, log_file, display)
    except KeyboardInterrupt:
        log.info(_kept(request, display))
        raise
    if display.nothing_new:
        for line in [*(f"warning: {said}" for said in display.warnings), display.nothing_new]:
            console.print(line, markup=False, soft_wrap=True)
        return 0
    if status or display.failure:
        raise _failure(display, status, log_file)
    if unfinished := display.unfinished():
        # A container that is gone before kfp.local asks for its exit status counts as a success.
        raise _without_message(display.running() or unfinished, log_file)
    outputs = json.loads((request.run_dir / "outputs.json").read_text())
    _link_outputs(request.run_dir, outputs)
    warned = [{"message": message} for message in _point_to(request.run_dir)]
    elapsed = time.monotonic() - started
    summary.show(request, outputs, [*warned, *display.warned], elapsed, console)
    return 0


def _run_child(request: Request, pipeline_file: Path, log_file: Path, display: Display) -> int:
    """Start the child, follow its events until it ends or a step fails; return its exit status."""
    events = request.run_dir / "events.jsonl"
    request_file = request.run_dir / "request.json"
    request.write(request_file)
    temporary = request.run_dir / TEMPORARY
    temporary.mkdir()
    environment = {
        **os.environ,
        EVENTS_VARIABLE: str(events),
        "TMPDIR": str(temporary),  # kfp.local and its tasks never clear away what they put there
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(pipeline_file.parent), os.environ.get("PYTHONPATH")])
        ),
    }
    reader = EventReader(events)
    full_log = request.run_dir / run_log.FULL
    with open(full_log, "wb") as log:
        log_writer = run_log.LogWriter(full_log, log_file)
        child = subprocess.Popen(
            [sys.executable, str(pipeline_file), EXECUTE_COMMAND, str(request_file)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # so that an interrupt ends the steps too, in _stop
        )
        try:
            while child.poll() is None:
                for event in reader.read():
                    display.show(event)
                if display.failure or display.nothing_new:
                    # kfp.local would go on with steps that do not need its result.
                    _stop(child, request)
                    break
                display.tick()
                log_writer.advance()
                time.sleep(POLL_S)
        except BaseException:
            _stop(child, request)
            raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            log_writer.advance(last=True)
    for event in reader.read():
        display.show(event)
    return child.wait()


def end_with_parent(request: Request) -> None:
    """Let this process, and the steps that it starts, end once its parent is gone.

    Without it a run whose `pipeline.py` was killed would go on unseen, and publish.
    """
    threading.Thread(target=_watch_parent, args=(os.getppid(), request), daemon=True).start()


def _watch_parent(parent: int, request: Request) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_S)
    with open(request.run_dir / "log.txt", "a", encoding="utf-8") as log:
        log.write("stopped: the program that started this run was killed\n")
    if request.runner == containers.NAME:
        containers.stop(request)
    os.killpg(0, signal.SIGTERM)  # steps have 5 s, and so has this process
    time.sleep(STOP_S)
    os.killpg(0, signal.SIGKILL)


def _stop(child: "subprocess.Popen[bytes]", request: Request) -> None:
    """End the child and every step it started; steps get time to take away what is half-written."""
    child.kill()  # first of all, so that it starts no further step
    child.wait()
    if request.runner == containers.NAME:
        containers.stop(request)
    for sent in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + STOP_S
        try:
            os.killpg(child.pid, sent)
            while time.monotonic() < deadline:
                os.killpg(child.pid, 0)
                time.sleep(POLL_S)
        except ProcessLookupError:  # all have ended
            return


def _kept(request: Request, display: Display) -> str:
    """What an interrupted run leaves, in lines."""
    done, running = display.finished(), display.running()
    cache = request.arguments["cache_dir"] or default_cache_dir()
    steps = f"the results of {joined(done)}, and " if done else ""
    return "\n".join(
        [
            f"stopped in {joined(running)}" if running else "stopped between two steps",
            f"kept in {summary.short(request.run_dir)}: {steps}log.txt; nothing else needs them",
            f"kept in {cache}: fetched photos and results computed from them; the next run goes on "
            "from there",
            "the model was published" if "publish" in done else "nothing was published",
        ]
    )


def _failure(display: Display, status: int, log_file: Path) -> InputError | WorkError:
    """The error that the run ends with."""
    event = display.failure
    if event is None and shutil.disk_usage(log_file.parent).free < NO_ROOM_BYTES:
        # Then nobody can write down why.
        return DiskFull(
            f"no space left on the disk of {log_file.parent}: free some space, or choose a folder "
            "on another disk (--runs_dir), and run again"
        )
    if event is None and display.running():
        return _without_message(display.running(), log_file)
    if event is None:
        tail = log_file.read_text(errors="replace").strip().splitlines()[-5:]
        return WorkError(
            f"the pipeline ended with status {status} before any step failed; the log {log_file} "
            "ends with:\n  " + "\n  ".join(tail)
        )
    message = f"step {event['step']}: {event['message']}\n  {_logs(log_file)}"
    if review := run_pages.keep_review(log_file.parent):
        message += f"\n  review page: {review}"
    usage = event["exit_status"] == InputError.exit_status
    return InputError(message) if usage else WorkError(message)


def _without_message(steps: list[str], log_file: Path) -> WorkError:
    return WorkError(
        f"step {', '.join(steps)}: ended without a message: killed, or out of memory?\n"
        f"  {_logs(log_file)}"
    )


def _logs(log_file: Path) -> str:
    return f"step output: {log_file} (everything, with Kubeflow's own lines: {run_log.FULL})"


def _link_outputs(run_dir: Path, outputs: dict[str, str]) -> None:
    """Give what a person opens a short name in the run's folder."""
    decided = Decision.read(Path(outputs["comparison"]))
    run_pages.copy(outputs, run_dir, changed=not why_no_changes(decided))
    shutil.copyfile(outputs["metrics"], run_dir / METRICS)
    run_reasons.join(run_dir / "artifacts", run_dir / reasons.FILE_NAME)
    for name in ("model", "logs", "training", "demo", "ledger", "facts"):
        _link(run_dir / name, outputs[name])


def _link(place: Path, target: str) -> None:
    """Let a name lead to a folder; on a disk without links (exFAT) it gets a copy."""
    try:
        place.symlink_to(os.path.relpath(target, place.parent))
    except OSError:
        shutil.copytree(target, place)


def _point_to(run_dir: Path) -> list[str]:
    """Give the run the name `latest`; a warning where that cannot be."""
    latest = run_dir.parent / LATEST
    temporary = run_dir.parent / f".{LATEST}.{os.getpid()}"
    try:
        if os.path.lexists(latest) and not latest.is_symlink():
            raise FileExistsError(errno.EEXIST, "it is a file or folder, not a link")
        temporary.symlink_to(run_dir.name)
        temporary.replace(latest)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        return [
            f"{latest} does not lead to this run ({error.strerror}): name the run, as in "
            f"make serve RUN={shlex.quote(str(run_dir))}"
        ]
    return []
