"""The service whose model may be replaced: a request ends with the model that it began with."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Generic, Protocol, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

from programs.serve.pool import Pool


class HasPool(Protocol):
    """What is needed of a service."""

    @property
    def pool(self) -> Pool[Any]:
        """Threads with a model each."""


S = TypeVar("S", bound=HasPool)


class _Held(Generic[S]):
    """A service with its routes, and how many requests are in it."""

    def __init__(self, service: S, app: ASGIApp) -> None:
        self.service, self.app = service, app
        self.requests = 0
        self.is_replaced = False


class Switch(Generic[S]):
    """An ASGI application that leads each request to the service of the moment.

    Args:
        service: the first one; its threads are started with the application.
        routes: makes the application of a service.
        on_start: called when the application starts.
        in_background: what is done beside the requests, until the application ends.
    """

    def __init__(
        self,
        service: S,
        routes: Callable[[S], ASGIApp],
        *,
        on_start: Callable[[], None] | None = None,
        in_background: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._routes, self._on_start, self._in_background = routes, on_start, in_background
        self._held = _Held(service, routes(service))
        self._lock = threading.Lock()

    @property
    def service(self) -> S:
        """The one that answers now."""
        return self._held.service

    def replace(self, service: S) -> None:
        """Lead all later requests to another service, whose threads are ready.

        The threads of the one before end with its last request.
        """
        held = _Held(service, self._routes(service))
        with self._lock:
            before, self._held = self._held, held
            before.is_replaced = True
            is_idle = not before.requests
        if is_idle:
            before.service.pool.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or start and end with the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        with self._lock:
            held = self._held
            held.requests += 1
        try:
            await held.app(scope, receive, send)
        finally:
            with self._lock:
                held.requests -= 1
                is_last = held.is_replaced and not held.requests
            if is_last:
                held.service.pool.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        self.service.pool.start()
        if self._on_start:
            self._on_start()
        background = asyncio.ensure_future(self._in_background()) if self._in_background else None
        await send({"type": "lifespan.startup.complete"})
        await receive()  # lifespan.shutdown
        if background:
            background.cancel()
        await send({"type": "lifespan.shutdown.complete"})
