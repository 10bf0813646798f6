"""A TCP gate on 127.0.0.1 before a server: it counts what passes, and cuts connections."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

BLOCK_BYTES = 64 * 1024


class Gate:
    """Passes bytes on in both directions.

    Attributes:
        passed: bytes that went through, in both directions.
        cut_at: once so many have passed, the connection that they are of is cut, once; None: never.
        cut_each_at: each connection is cut after so many bytes; None: none is.
        pause_s: how long each block of bytes is kept waiting.
    """

    def __init__(self) -> None:
        self.passed = 0
        self.cut_at: int | None = None
        self.cut_each_at: int | None = None
        self.pause_s = 0.0
        self._upstream = 0
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))

    def lead_to(self, port: int) -> str:
        """Say which port is behind the gate; its own address."""
        self._upstream = port
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def reset(self) -> None:
        """Cut nothing and keep nothing waiting any more, and count from 0."""
        self.passed, self.cut_at, self.cut_each_at, self.pause_s = 0, None, None, 0.0

    def serve(self) -> None:
        """Take connections until the gate is closed."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._upstream))
            except OSError:  # not started yet
                client.close()
                continue
            count = [0]
            for ends in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(*ends, count), daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _pass(self, source: socket.socket, target: socket.socket, count: list[int]) -> None:
        try:
            while (data := source.recv(BLOCK_BYTES)) and not self._is_cut(len(data), count):
                time.sleep(self.pause_s)
                target.sendall(data)
        except OSError:  # the other direction has closed it
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                end.close()

    def _is_cut(self, size: int, count: list[int]) -> bool:
        with self._lock:
            self.passed += size
            count[0] += size
            if self.cut_at is not None and self.passed >= self.cut_at:
                self.cut_at = None
                return True
            return self.cut_each_at is not None and count[0] >= self.cut_each_at


@contextmanager
def open_gate() -> Iterator[Gate]:
    """A gate that is open while the block lasts."""
    gate = Gate()
    threading.Thread(target=gate.serve, daemon=True).start()
    try:
        yield gate
    finally:
        gate.close()
