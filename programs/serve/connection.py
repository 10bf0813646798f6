"""Where a service listens, and connections that only cost.

Such are those that never finish a request, and those that never read.
"""

import asyncio
import errno
import logging
import socket
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from components.common.base.errors import InputError

CHECKS = 4  # within the shorter of the two times


def watched(*, head_s: float, request_s: float) -> type[H11Protocol]:
    """Uvicorn's HTTP with time limits that it has not.

    It closes a kept connection after a while in which nothing arrives; a byte now and then keeps
    it open for ever, and a client that does not read its answer likewise.

    Args:
        head_s: for the head of a request to arrive.
        request_s: for a whole request, from its head until its answer was taken.
    """

    class Watched(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch((None, False), self.loop.time())

        def _watch(self, seen: tuple[object, bool], since: float) -> None:
            """Look again and again whether the request, and its state, is still that of before."""
            if self.transport.is_closing():
                return
            now = self.loop.time()
            busy = self.cycle is not None and not self.cycle.response_complete
            current = (self.cycle, busy)
            if current != seen:
                since = now
            elif now - since > (request_s if busy else head_s):
                self.transport.abort()
                return
            self.loop.call_later(min(head_s, request_s) / CHECKS, self._watch, current, since)

    return Watched


def configured(
    app: ASGIApp, *, head_s: float, request_s: float, most: int, **more: Any
) -> uvicorn.Config:
    """How a service runs that strangers reach: it says nothing of itself, and waits for nobody.

    Args:
        app: the service.
        head_s: as of `watched`.
        request_s: as of `watched`.
        most: connections at once.
        more: as uvicorn takes it.
    """
    return uvicorn.Config(
        app,
        http=watched(head_s=head_s, request_s=request_s),
        ws="none",
        log_config=None,
        log_level=logging.WARNING,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=most,
        **more,
    )


def listen(host: str, port: int, prefix: str = "") -> socket.socket:
    """A socket that listens.

    Args:
        host: address.
        port: 0 for any free one.
        prefix: of the options that name the two, for messages.

    Raises:
        InputError: the port is taken or not ours to take, or there is no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    host_option, port_option = f"--{prefix}host", f"--{prefix}port"
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        if (error.errno or 0) < 0:  # of getaddrinfo
            raise InputError(
                f"{host_option} {host} cannot be looked up: {error.strerror}"
            ) from error
        why = {
            errno.EADDRINUSE: f"another program uses that port; choose another with {port_option}",
            errno.EACCES: "ports below 1024 need rights that you do not have; choose a higher one",
            errno.EADDRNOTAVAIL: "it is not an address of this machine; choose another with "
            f"{host_option}",
        }.get(error.errno or 0, str(error))
        raise InputError(f"cannot listen on {host}, port {port}: {why}") from error
