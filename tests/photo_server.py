"""A real HTTP server on 127.0.0.1 that serves photos, well or badly as a test asks for.

`behave(path, count)` decides for each request what happens: it returns one of the `Answer`s below.
`count` is 1 at the first request of a path, 2 at the second.
"""

import contextlib
import gzip
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What the server sends.

    Attributes:
        body: bytes of the body.
        status: HTTP status.
        headers: instead of, or beside, Content-Type and Content-Length.
        cut_at: the connection is closed after so many bytes of the body.
        pause_s: waited before the head.
        drip_s: waited between single bytes of the body.
        endless: the body is repeated for ever.
        drip_head_s: waited between single bytes of the head.
        reset: the connection is closed without a word.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_at: int | None = None
    pause_s: float = 0.0
    drip_s: float = 0.0
    endless: bool = False
    drip_head_s: float = 0.0
    reset: bool = False


def redirect(target: str) -> Answer:
    return Answer(status=302, headers={"Location": target})


def gzipped(body: bytes) -> Answer:
    return Answer(gzip.compress(body, 9), headers={"Content-Encoding": "gzip"})


Behaviour = Callable[[str, int], Answer]


class PhotoServer:
    """A running server.

    Attributes:
        address: "http://localhost:PORT" (or https), without a slash at the end.
        requests: path (with its query) and headers of each request, in the order they came.
        most_at_once: how many requests were answered at the same time at most.
    """

    def __init__(self, behave: Behaviour, latency_s: float = 0.0) -> None:
        self.behave = behave
        self.latency_s = latency_s
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.times: list[float] = []
        self.most_at_once = 0
        self._at_once = 0
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.address = ""

    @property
    def host(self) -> str:
        return self.address.partition("://")[2].partition(":")[0]

    def paths(self) -> list[str]:
        return [path for path, _ in self.requests]

    def answer(self, path: str, headers: dict[str, str]) -> Answer:
        with self._lock:
            self.requests.append((path, headers))
            self.times.append(time.monotonic())
            self._counts[path] += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            count = self._counts[path]
        if self.latency_s:
            time.sleep(self.latency_s)
        return self.behave(path, count)

    def done(self) -> None:
        with self._lock:
            self._at_once -= 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30  # seconds; an abandoned connection ends
    disable_nagle_algorithm = True
    owner: PhotoServer

    def do_GET(self) -> None:
        answer = self.owner.answer(self.path, {k.lower(): v for k, v in self.headers.items()})
        try:
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                self._send(answer)
        finally:
            self.owner.done()

    def _send(self, answer: Answer) -> None:
        time.sleep(answer.pause_s)
        if answer.reset:
            self.close_connection = True
            return
        headers = {"Content-Type": "image/jpeg"} | dict(answer.headers)
        if not answer.endless:
            headers.setdefault("Content-Length", str(len(answer.body)))
        lines = [f"HTTP/1.1 {answer.status} X", *(f"{k}: {v}" for k, v in headers.items()), "", ""]
        head = "\r\n".join(lines).encode()
        if answer.drip_head_s:
            self._drip(head, answer.drip_head_s)
        else:
            self.wfile.write(head)
        body = answer.body if answer.cut_at is None else answer.body[: answer.cut_at]
        if answer.endless or answer.cut_at is not None:
            self.close_connection = True
        if answer.drip_s:
            self._drip(body, answer.drip_s)
            return
        self.wfile.write(body)
        while answer.endless:
            self.wfile.write(answer.body)

    def _drip(self, data: bytes, pause_s: float) -> None:
        for position in range(len(data)):
            self.wfile.write(data[position : position + 1])
            self.wfile.flush()
            time.sleep(pause_s)

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    allow_reuse_port = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # clients that hang up are what these tests are about


@contextmanager
def serve(
    behave: Behaviour,
    *,
    latency_s: float = 0.0,
    tls: ssl.SSLContext | None = None,
    port: int = 0,
) -> Iterator[PhotoServer]:
    """Run a server while the block lasts.

    It is named localhost, so that tests can allow it by that name and refuse 127.0.0.1. Processes
    that serve the same may share a port: the system leads each request to one of them.
    """
    owner = PhotoServer(behave, latency_s)
    handler = type("Handler", (_Handler,), {"owner": owner})
    with _Server(("127.0.0.1", port), handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        scheme = "https" if tls else "http"
        owner.address = f"{scheme}://localhost:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield owner
        finally:
            server.shutdown()
            thread.join()
