"""Connections that only cost: those that never finish a request, and those that never read."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

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
