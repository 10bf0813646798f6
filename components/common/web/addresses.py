"""Which network addresses may be connected to, and connections that go to no others.

A URL from a stranger may name a machine that only we can reach: a cloud's metadata service, a
database behind the firewall (server-side request forgery, OWASP). So each name is resolved once,
every address it has is checked, and the connection goes to an address that was checked: a second
look-up could answer otherwise (DNS rebinding).
"""

import ipaddress
import itertools
import os
import socket
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from typing import Any

from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

RESOLVE_S = 3.0  # the system's resolver may take half a minute to give up
WATCH_S = 0.2  # between two looks at slow answers
MAX_ADDRESSES = 3  # of one name that are tried
# RFC 6052: the last 32 bits are an IPv4 address, which a NAT64 gateway connects to.
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# The one block of IPv6 from which addresses of the internet are given out (RFC 4291).
GIVEN_OUT = ipaddress.IPv6Network("2000::/3")
# RFC 5214: the second half of an address, in whatever network, whose last 32 bits are an IPv4
# address of the local one.
ISATAP = (0x0000_5EFE, 0x0200_5EFE)
# What ipaddress calls global, and no site of the internet is at: protocol assignments, the relays
# of 6to4, documentation, and the host of Azure's machines, which answers each of them.
CLOSED = tuple(
    map(
        ipaddress.ip_network,
        ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "3fff::/20"),
    )
)


class RefusedAddress(Exception):
    """The host has an address that is not public, and was not allowed by name."""

    def __init__(self, host: str, address: str) -> None:
        where = "" if host == address else f"is at {address}, which "
        super().__init__(f"{host} {where}is not a public address")
        self.host = host
        self.address = address


def is_public(address: str) -> bool:
    """True for an address that anyone on the internet could reach (IANA special-purpose registry).

    Addresses that carry an IPv4 address within (mapped, 6to4, Teredo, NAT64, ISATAP) are at most as
    public as that.
    """
    parsed: Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed in NAT64:
            return is_public(str(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)))
        if parsed.ipv4_mapped:
            return is_public(str(parsed.ipv4_mapped))
        carried = [parsed.sixtofour, *(parsed.teredo or ())]
        if int(parsed) >> 32 & 0xFFFF_FFFF in ISATAP:
            carried.append(ipaddress.IPv4Address(int(parsed) & 0xFFFF_FFFF))
        if not all(is_public(str(part)) for part in carried if part is not None):
            return False
        if parsed not in GIVEN_OUT:
            return False
    if any(parsed in network for network in CLOSED):
        return False
    return parsed.is_global and not parsed.is_multicast and not parsed.is_reserved


def check_addresses(host: str, addresses: Collection[str], allowed: Collection[str]) -> None:
    """Raise `RefusedAddress` unless every address of `host` is public, or its name is allowed.

    Args:
        host: as the URL writes it, without brackets.
        addresses: all that the name resolves to.
        allowed: names and addresses, as URLs write them, that may be anywhere.
    """
    if host.lower() in allowed:
        return
    for address in addresses:
        if not is_public(address):
            raise RefusedAddress(host, address)


def resolve(host: str, port: int, timeout_s: float = RESOLVE_S) -> list[str]:
    """All addresses of a name, in the system's order of preference.

    Raises:
        OSError: there is no such name, or the resolver did not answer in time.
    """
    answer: Future[list[str]] = Future()

    def look_up() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            answer.set_result(list(dict.fromkeys(str(entry[4][0]) for entry in entries)))
        except OSError as error:
            answer.set_exception(error)
        except UnicodeError as error:  # a label that is empty or longer than 63 characters
            answer.set_exception(OSError(f"not a host name: {error}"))

    # A thread of its own: the system's resolver takes no time limit. It ends with the process.
    threading.Thread(target=look_up, daemon=True).start()
    done, _ = wait([answer], timeout_s)
    if not done:
        raise TimeoutError(f"no answer from the name server within {timeout_s:g} s")
    return answer.result()


def numeric_addresses(host: str) -> list[str]:
    """The address that a host is, in whatever notation ("2130706433"); none where it is a name."""
    try:
        entries = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return ["127.0.0.1"] if host.lower() == "localhost" else []
    return [str(entry[4][0]) for entry in entries]


def guarded_pools(allowed: Collection[str], head_s: float) -> dict[str, type[HTTPConnectionPool]]:
    """Connection pools for urllib3, by scheme, whose connections go to checked addresses only.

    Args:
        allowed: names and addresses that may be anywhere (see `check_addresses`).
        head_s: seconds in which an answer's head must be there, however it trickles in.
    """
    watchdog = _Watchdog(head_s)

    def connect(connection: HTTPConnection) -> socket.socket:
        host, port = connection.host.rstrip(".").strip("[]"), connection.port
        assert port is not None
        try:
            addresses = resolve(host, port)
        except OSError as error:
            failure = socket.gaierror(*error.args) if error.args else socket.gaierror(str(error))
            raise NameResolutionError(host, connection, failure) from error
        check_addresses(host, addresses, allowed)
        return _connect_to_one(connection, addresses[:MAX_ADDRESSES], port)

    class GuardedConnection(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return connect(self)

        def getresponse(self) -> HTTPResponse:  # type: ignore[override]
            assert self.sock is not None
            with watchdog.over(self.sock):
                return super().getresponse()

    class GuardedSecureConnection(GuardedConnection, HTTPSConnection):
        pass

    class GuardedPool(HTTPConnectionPool):
        ConnectionCls = GuardedConnection

    class GuardedSecurePool(HTTPSConnectionPool):
        ConnectionCls = GuardedSecureConnection

    return {"http": GuardedPool, "https": GuardedSecurePool}


class _Watchdog:
    """Ends connections whose answer's head takes too long: each read alone may be quick enough.

    One thread for all connections: one for each request would cost more than the request.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._numbers = itertools.count()
        self._watched: dict[int, tuple[float, socket.socket]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, used: socket.socket) -> Iterator[None]:
        """Watch a connection while the block lasts.

        Raises:
            TimeoutError: the block took longer.
        """
        number = next(self._numbers)
        self._watched[number] = (time.monotonic() + self._seconds, used)
        if self._thread is None:
            self._start()
        try:
            yield
        finally:
            if self._watched.pop(number, None) is None:  # whatever was read is not the whole
                raise TimeoutError("the answer's head took too long")

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(WATCH_S)
            now = time.monotonic()
            for number, (deadline, used) in list(self._watched.items()):
                if now > deadline and number in self._watched:
                    del self._watched[number]
                    with suppress(OSError):  # closed meanwhile
                        used.shutdown(socket.SHUT_RDWR)


def _connect_to_one(connection: HTTPConnection, addresses: list[str], port: int) -> socket.socket:
    """A socket to the first address that answers.

    Raises:
        ConnectTimeoutError: none answered in time.
        NewConnectionError: none takes connections.
    """
    timeout: Any = connection.timeout
    last: OSError = OSError("the name has no address")
    for address in addresses:
        try:
            made = socket.create_connection((address, port), timeout / len(addresses))
        except OSError as error:
            last = error
            continue
        made.settimeout(timeout)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made
    if isinstance(last, TimeoutError):
        raise ConnectTimeoutError(connection, f"{connection.host} did not answer") from last
    text = os.strerror(last.errno) if last.errno else str(last)
    raise NewConnectionError(connection, text) from last
