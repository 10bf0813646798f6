"""The service as a process: starting, being ended, and clients that are slow or go away."""

import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import run_captured
from serve_items import PREDICT
from serve_process import ServeProcess, serving

SERVE = (sys.executable, "-m", "programs.serve")


@pytest.fixture(scope="module")
def process(model_dir: Path) -> Iterator[ServeProcess]:
    with serving(model_dir, "--upload_timeout_s", "1", "--max_upload_mb", "1") as process:
        yield process


def connected(process: ServeProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", process.port), timeout=30)


def head(length: int, *more: str) -> bytes:
    lines = [f"POST {PREDICT} HTTP/1.1", "Host: localhost", "Content-Type: image/jpeg"]
    return "\r\n".join([*lines, f"Content-Length: {length}", *more, "", ""]).encode()


def status_of(connection: socket.socket) -> int:
    data = b""
    while b"\r\n" not in data:
        received = connection.recv(4096)
        assert received, "the connection was closed without an answer"
        data += received
    return int(data.split(b" ", 2)[1])


def test_photo_that_comes_too_slowly_is_refused(process: ServeProcess) -> None:
    with connected(process) as connection:
        connection.sendall(head(1000) + b"\xff\xd8\xff")
        assert status_of(connection) == 408


def test_too_large_photo_gets_its_answer_while_it_is_still_being_sent(
    process: ServeProcess,
) -> None:
    with connected(process) as connection:
        connection.sendall(head(8 * 1024**2))
        for _ in range(8):
            connection.sendall(bytes(1024**2))
        assert status_of(connection) == 413


def test_client_that_waits_for_leave_to_send_is_told_at_once(process: ServeProcess) -> None:
    with connected(process) as connection:
        connection.sendall(head(8 * 1024**2, "Expect: 100-continue"))
        assert status_of(connection) == 413


def test_oversized_headers_are_refused(process: ServeProcess) -> None:
    with connected(process) as connection:
        connection.sendall(head(1, "X-Long: " + 300_000 * "x"))
        assert status_of(connection) in (400, 431)


def test_head_that_never_ends_is_not_waited_for(process: ServeProcess) -> None:
    with connected(process) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status_of(connection) == 200
        closed = False
        for letter in 100 * "x":  # a byte now and then, for at most ten seconds
            try:
                connection.sendall(letter.encode())
            except OSError:
                closed = True
                break
            time.sleep(0.1)
        assert closed


def test_connection_that_is_used_stays_open(process: ServeProcess) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", process.port, timeout=30)
    connection.connect()
    first = connection.sock
    for _ in range(10):  # for longer than a head may take, which is a second here
        connection.request("GET", "/healthz")
        assert b'"state":"alive"' in connection.getresponse().read()
        time.sleep(0.25)
    assert connection.sock is first
    connection.close()


def test_client_that_goes_away_leaves_no_trace_but_a_line(process: ServeProcess) -> None:
    before = len(process.lines)
    with connected(process) as connection:
        connection.sendall(head(1000) + b"\xff\xd8\xff")
        time.sleep(0.2)
    until = time.monotonic() + 10
    while not any("499" in line for line in process.lines[before:]):
        assert time.monotonic() < until, process.lines
        time.sleep(0.05)
    assert not any("Traceback" in line for line in process.lines)


SIGNALS = {
    signal.SIGTERM: (143, "stopped by SIGTERM"),
    signal.SIGINT: (130, "serve: interrupted"),
}


def end_and_check(process: ServeProcess, number: signal.Signals) -> None:
    """It ends within ten seconds, and says why without a traceback."""
    status, message = SIGNALS[number]
    ended, seconds = process.end(number)
    assert ended == status
    assert seconds < 10
    assert process.lines[-1].strip() == message
    assert not any("Traceback" in line for line in process.lines)


# It waits some seconds for the slow one, whatever the signal.
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.long)]
)
def test_signal_ends_it_within_ten_seconds_with_a_photo_under_way(
    model_dir: Path, number: signal.Signals
) -> None:
    with serving(model_dir) as process, connected(process) as slow:
        slow.sendall(head(1000) + b"\xff\xd8\xff")
        time.sleep(0.2)
        end_and_check(process, number)
        assert status_of(slow) == 503


def test_interrupt_ends_it_with_its_own_status(model_dir: Path) -> None:
    with serving(model_dir) as process:
        end_and_check(process, signal.SIGINT)


def refusal(*options: str) -> str:
    done = run_captured(*SERVE, *options)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip().splitlines()[-1]


def test_port_in_use_is_one_clear_line(model_dir: Path, process: ServeProcess) -> None:
    said = refusal("--model_dir", str(model_dir), "--port", str(process.port))
    assert said.startswith(f"serve: error: cannot listen on 127.0.0.1, port {process.port}")
    assert "--port" in said


def test_address_of_another_machine_is_one_clear_line(model_dir: Path) -> None:
    assert "--host" in refusal("--model_dir", str(model_dir), "--host", "192.0.2.1", "--port", "0")


def test_missing_and_damaged_models_are_one_clear_line(model_dir: Path, tmp_path: Path) -> None:
    assert "is not a model directory" in refusal("--model_dir", str(tmp_path / "nowhere"))
    for name in ("model.json", "head.npz"):
        (tmp_path / name).symlink_to(model_dir / name)
    (tmp_path / "model.tflite").write_bytes(b"no model")
    said = refusal("--model_dir", str(tmp_path), "--port", "0")
    assert "model.tflite is damaged" in said


@pytest.mark.parametrize(
    "option", ["--workers=0", "--waiting=-1", "--max_upload_mb=0", "--port=70000"]
)
def test_impossible_options_are_named(model_dir: Path, option: str) -> None:
    assert option.partition("=")[0] in refusal("--model_dir", str(model_dir), option)


def test_service_needs_neither_tensorflow_nor_the_libraries_of_training(model_dir: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from programs.serve.serve import make_service\n"
        "from programs.serve.options import Limits\n"
        "from programs.serve.app import make_app\n"
        f"service = make_service(Path({str(model_dir)!r}), workers=1, limits=Limits())\n"
        "make_app(service)\n"
        "service.pool._tool()\n"
        "print({'tensorflow', 'keras', 'sklearn', 'scipy', 'matplotlib', 'kfp'} & {*sys.modules})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
