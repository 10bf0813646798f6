"""Fetching over HTTP: the one fetcher and the one retry policy.

Safe: http and https only, addresses checked at every redirect (addresses.py), sizes bounded.
Polite: per-host limits (politeness.py), Retry-After, an honest User-Agent, `noai` honoured.
Resumable: what was fetched whole is never fetched again (fetch_cache.py).
"""

import contextlib
import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from urllib3.exceptions import DecodeError, HTTPError, ReadTimeoutError

from components import __version__
from components.common.base.errors import WorkError
from components.common.photos import file_types, jpeg_markers
from components.common.web.addresses import RefusedAddress
from components.common.web.fetch_cache import FetchCache, Fetched, Shared
from components.common.web.fetch_outcome import (
    AGENT,
    FetchError,
    HostUnreachable,
    Retry,
    check_url,
    explained,
    host_of,
    is_forbidden,
    joined,
    retry_after_s,
)
from components.common.web.http_client import HttpClient
from components.common.web.politeness import HOST_LIMITS, DailyLimitReached, Gate, HostLimits, Usage

WORKERS = 8
MAX_REDIRECTS = 5
PHOTO_MAX_BYTES = 64 * 1024**2
JSON_MAX_BYTES = 64 * 1024**2
JSON_MAX_AGE_S = 86400.0  # a list of candidates stays the same for a day: a resumed run equals one
CHUNK_BYTES = 256 * 1024
PLACEHOLDER_MAX_BYTES = 64 * 1024
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
INCOMPLETE = "incomplete"
INCOMPLETE_ATTEMPTS = 3  # a file that ends too soon each time is stored so

Check = Callable[[bytes, str, str], str]  # (body, declared type, final URL) → what is wrong with it


@dataclass(frozen=True)
class Policy:
    """Time limits and retries, in seconds.

    Before attempt n + 1 the wait is `backoff_s` × 2ⁿ⁻¹, at most `backoff_max_s`, plus up to half of
    it at random, so that clients that failed together do not come back together.
    """

    attempts: int = 8
    # A host that never took a connection gets fewer attempts, none that begins after this time.
    unreachable_attempts: int = 2
    unreachable_s: float = 4.0
    dead_s: float = 60.0  # how long it is not tried again: a list may name hundreds of its photos
    backoff_s: float = 0.2
    backoff_max_s: float = 15.0
    retry_after_max_s: float = 120.0  # a host that asks for a longer rest is not waited for
    connect_s: float = 3.0
    read_s: float = 20.0  # between two packets
    total_s: float = 120.0  # of one attempt at a photo; a file that may be larger gets more


class Fetcher(AbstractContextManager["Fetcher"]):
    """Fetches URLs; threads may share one.

    Args:
        cache_dir: where fetched bytes are kept.
        contact: e-mail address or page of whoever runs this, for the User-Agent.
        allowed_hosts: names and addresses, as URLs write them, that need not be public.
        workers: requests at once.
        policy: time limits and retries.
        limits: what single hosts ask for.
        shared: a second place for what is fetched.
        lists_since: answers of services and lists are fetched again if they came before this time,
            in seconds since 1970; None: as `json` says.

    Example:
        >>> import tempfile
        >>> with Fetcher(Path(tempfile.mkdtemp())) as fetcher:
        ...     fetcher.contact
        ''
    """

    def __init__(
        self,
        cache_dir: Path,
        *,
        contact: str = "",
        allowed_hosts: Collection[str] = (),
        workers: int = WORKERS,
        policy: Policy = Policy(),
        limits: Mapping[str, HostLimits] = HOST_LIMITS,
        shared: Shared | None = None,
        lists_since: float | None = None,
    ) -> None:
        self.contact = contact
        self._lists_since = lists_since
        self.workers = workers
        # Held while a request is under way, not while one waits for its next attempt.
        self.slots = threading.BoundedSemaphore(workers)
        self.cache = FetchCache(cache_dir, shared)
        self._allowed = frozenset(host.lower() for host in allowed_hosts)
        self._policy = policy
        self._limits = limits
        self._gates: dict[str, Gate] = {}
        self._gates_lock = threading.Lock()
        self._connected: set[str] = set()  # hosts that took a connection
        self._unreachable: dict[str, float] = {}  # hosts that did not, and until when that holds
        self._client = HttpClient(
            {"User-Agent": user_agent(contact), "Accept-Encoding": "gzip, identity;q=0.5"},
            allowed=self._allowed,
            workers=workers,
            connect_s=policy.connect_s,
            read_s=policy.read_s,
            head_s=policy.total_s,
        )

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def photo(
        self, url: str, *, max_bytes: int = PHOTO_MAX_BYTES, max_age_s: float | None = None
    ) -> Fetched:
        """A picture, from the cache if it was fetched before, and no longer ago than `max_age_s`.

        Raises:
            FetchError: it cannot be had, or what came is no picture.
        """
        return self.cache.lookup(url, max_age_s) or self._fetch(url, max_bytes, _check_photo)

    def file(self, url: str, *, max_bytes: int, is_list: bool = False) -> Fetched:
        """Any file but a web page, from the cache if it was fetched before.

        Args:
            url: its address.
            max_bytes: it may have.
            is_list: it may have grown since `lists_since`.

        Raises:
            FetchError: it cannot be had.
        """
        age = self._age(None) if is_list else None
        return self.cache.lookup(url, age) or self._fetch(url, max_bytes, None)

    def json(
        self, url: str, params: Mapping[str, str | int], *, max_age_s: float = JSON_MAX_AGE_S
    ) -> Any:
        """The answer of a web service, from the cache if it is fresh enough.

        Raises:
            FetchError: it cannot be had, or it is no JSON.
        """
        whole = f"{url}?{urlencode(params)}"
        answer = self.cache.lookup(whole, self._age(max_age_s)) or self._fetch(
            whole, JSON_MAX_BYTES, _check_json
        )
        return json.loads(answer.read())

    def _age(self, most: float | None) -> float | None:
        """The age in seconds at which a list is fetched again; None for never."""
        if self._lists_since is None:
            return most
        age = max(time.time() - self._lists_since, 0.0)
        return age if most is None else min(most, age)

    def _fetch(self, url: str, max_bytes: int, check: Check | None) -> Fetched:
        """Try until the body is there, the failure is final, or the attempts are used up."""
        started, host = time.monotonic(), host_of(url)
        if started < self._unreachable.get(host, 0.0):
            raise HostUnreachable("unreachable", url, "tried just now")
        for attempt in range(1, self._policy.attempts + 1):
            try:
                return self._attempt(url, max_bytes, check)
            except Retry as failure:
                never = not failure.connected and host not in self._connected
                late = time.monotonic() - started > self._policy.unreachable_s
                if never and (late or attempt >= self._policy.unreachable_attempts):
                    self._unreachable[host] = time.monotonic() + self._policy.dead_s
                    raise HostUnreachable("unreachable", url, failure.reason) from failure
                most = (
                    INCOMPLETE_ATTEMPTS if failure.reason == INCOMPLETE else self._policy.attempts
                )
                if attempt >= most:
                    raise FetchError(failure.reason, url, f"{attempt} attempts") from failure
                time.sleep(max(failure.wait_s, self._backoff(attempt)))
            except RefusedAddress as refused:
                raise FetchError("refused address", url, str(refused)) from refused
            except DailyLimitReached as reached:
                raise WorkError(
                    f"{host} must not be asked for more today ({reached}): run again "
                    "tomorrow; what was fetched is kept"
                ) from reached
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _attempt(self, url: str, max_bytes: int, check: Check | None) -> Fetched:
        """One walk from the URL through its redirects to a body that was checked."""
        place = url
        for _ in range(MAX_REDIRECTS + 1):
            check_url(place, url)
            gate = self._gate(host_of(place))
            with gate.turn(), self.slots, contextlib.closing(self._open(place, url)) as response:
                if target := response.get_redirect_location():
                    place = joined(place, target, url)
                    continue
                self._check_status(response, url, gate)
                fetched = self._receive(response, url, place, max_bytes, check)
                gate.count(fetched.about.size)
                return fetched
        raise FetchError("too many redirects", url)

    def _open(self, place: str, url: str) -> urllib3.BaseHTTPResponse:
        """Send the request and read the answer's head."""
        try:
            response = self._client.get(place)
        except HTTPError as error:
            raise explained(error, url) from error
        self._connected.add(host_of(place))
        return response

    def _check_status(self, response: urllib3.BaseHTTPResponse, url: str, gate: Gate) -> None:
        status = response.status
        if status in TRANSIENT:
            wait_s = retry_after_s(response)
            if wait_s > self._policy.retry_after_max_s:
                raise FetchError(f"http {status}", url, f"asks for a rest of {wait_s:.0f} s")
            if wait_s:
                gate.pause(wait_s)
            raise Retry(f"http {status}", wait_s=wait_s)
        if status != 200:
            raise FetchError(f"http {status}", url)
        if is_forbidden(response):
            raise FetchError("noai", url, "X-Robots-Tag asks not to train on it")

    def _receive(
        self,
        response: urllib3.BaseHTTPResponse,
        url: str,
        place: str,
        max_bytes: int,
        check: Check | None,
    ) -> Fetched:
        """Receive the body, check it, and put it into the cache."""
        declared = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) > max_bytes:
            raise FetchError("too large", url, f"{length} bytes, at most {max_bytes}")
        chunks: Iterator[bytes] = self._chunks(response, url, max_bytes)
        if check is None:  # may be larger than memory
            first = next(chunks, b"")
            if file_types.sniff(first) == "html":  # a page that asks to log in
                raise FetchError("html", url)
            chunks = itertools.chain([first], chunks)
            return self.cache.store_file(url, chunks, final_url=place, content_type=declared)
        body = b"".join(chunks)
        problem = check(body, declared, place)
        if problem == INCOMPLETE:
            raise Retry(INCOMPLETE)
        if problem:
            raise FetchError(problem, url)
        return self.cache.store(url, body, final_url=place, content_type=declared)

    def _chunks(
        self, response: urllib3.BaseHTTPResponse, url: str, max_bytes: int
    ) -> Iterator[bytes]:
        """The decoded body in pieces, never more than is allowed, never longer than is waited."""
        size = 0
        # A body that trickles in keeps each read within its limit, so the whole has one too.
        deadline = time.monotonic() + self._policy.total_s * max(1, max_bytes // PHOTO_MAX_BYTES)
        try:
            while chunk := response.read1(CHUNK_BYTES, decode_content=True):
                size += len(chunk)
                if size > max_bytes:
                    raise FetchError("too large", url, f"more than {max_bytes} bytes")
                if time.monotonic() > deadline:
                    raise Retry("timeout")
                yield chunk
        except DecodeError as error:
            raise FetchError("undecodable", url, str(error)) from error
        except ReadTimeoutError as error:
            raise Retry("timeout") from error
        except (HTTPError, ConnectionError) as error:
            raise Retry("broken connection") from error

    def _gate(self, host: str) -> Gate:
        with self._gates_lock:
            if host not in self._gates:
                limits = self._limits.get(host)
                usage = Usage(self.cache.directory / "usage" / f"{host}.json") if limits else None
                self._gates[host] = Gate(limits or HostLimits(), usage)
            return self._gates[host]

    def _backoff(self, attempt: int) -> float:
        wait_s: float = min(self._policy.backoff_s * 2 ** (attempt - 1), self._policy.backoff_max_s)
        return wait_s * random.uniform(1.0, 1.5)  # noqa: S311 - no secret


def user_agent(contact: str) -> str:
    """Who we are and whom to write to, as Wikimedia's policy and good manners ask."""
    about = f"{contact}; " if contact else ""
    return f"{AGENT}/{__version__} ({about}photos for training a classifier)"


def _check_json(body: bytes, *_: str) -> str:
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return "no JSON"
    return ""


def _check_photo(body: bytes, declared: str, final_url: str) -> str:
    """What is wrong with a body that should be a picture; empty if nothing is."""
    if not body:
        return "empty"
    small = len(body) <= PLACEHOLDER_MAX_BYTES
    if (small and file_types.is_known_placeholder(body)) or "photo_unavailable" in final_url:
        return "placeholder"
    kind = file_types.sniff(body)
    if kind in file_types.NO_PHOTO:
        return kind or "no picture"
    if declared.startswith("text/"):
        return f"declared as {declared}"
    if kind == "jpeg" and not jpeg_markers.has_end(body):
        return INCOMPLETE
    return INCOMPLETE if kind == "png" and b"IEND" not in body else ""
