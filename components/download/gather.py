"""Choosing among candidates and fetching them: in order, at once, and never more than needed."""

import collections
import dataclasses
import hashlib
import math
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

from components.common.base.errors import InputError, WorkError
from components.common.base.step import warn
from components.common.base.wording import counted
from components.common.base.worker_threads import worker_threads
from components.common.dataset import licences
from components.common.dataset.class_folders import UnreadableFile
from components.common.dataset.vocabulary import UNREADABLE
from components.common.untrusted.redact import without_secrets
from components.common.web.fetch import Fetcher
from components.common.web.fetch_cache import Fetched
from components.common.web.fetch_outcome import FetchError
from components.download.candidate import Candidate

# Photos for each worker that may wait behind a slow one, so that it does not hold up the others.
AHEAD_IN_MEMORY = 2
THREADS_PER_WORKER = 3  # most of them wait for the next attempt of a request that failed
AHEAD_ON_DISK = 64
MAX_EXAMPLE = 120  # characters of a URL in the table


@dataclass
class Tally:
    """Why candidates were not taken: how many for each reason, with an example."""

    counts: collections.Counter[str] = field(default_factory=collections.Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, reason: str, url: str) -> None:
        """Count one."""
        self.counts[reason] += 1
        self.examples.setdefault(reason, without_secrets(url))

    def table(self) -> str:
        """A line for each reason, the commonest first; empty if nothing was counted."""
        if not self.counts:
            return ""
        width = max(len(reason) for reason in self.counts)
        return "\n".join(
            f"  {number:6}  {reason:<{width}}  such as {_short(self.examples[reason])}"
            for reason, number in self.counts.most_common()
        )


class Admission:
    """Decides which candidates of one class are worth fetching; remembers what it let in.

    Args:
        families: licence families that are taken.
        per_observer: photos taken from one author; 0: any number.
        tally: counts what is turned away.
    """

    def __init__(self, families: frozenset[str], per_observer: int, tally: Tally) -> None:
        self._families = families
        self._per_observer = per_observer
        self._tally = tally
        self._urls: set[str] = set()
        self._observations: set[str] = set()
        self._authors: collections.Counter[str] = collections.Counter()

    def admit(self, candidates: Iterable[Candidate], *, capped: bool) -> Iterator[Candidate]:
        """The candidates that may be taken, in their order; `capped` applies `per_observer`."""
        for candidate in candidates:
            reason = self._objection(candidate, capped)
            if reason:
                self._tally.add(reason, candidate.url)
                continue
            self._urls.add(candidate.url)
            self._observations.add(candidate.observation)
            self._authors[candidate.author] += 1
            yield candidate

    def _objection(self, candidate: Candidate, capped: bool) -> str:
        """Why not; empty where nothing speaks against it."""
        if candidate.url in self._urls:
            return "same address"
        if candidate.observation and candidate.observation in self._observations:
            return "same observation"
        licence = licences.parse(candidate.licence)
        if licence and licence.family not in self._families:
            return f"licence {licence.family}"
        # What cannot be read cannot be trusted; ImageNet's terms were chosen with the source.
        if candidate.licence not in ("", licences.IMAGENET_TERMS) and not licence:
            return "unknown licence"
        known = capped and candidate.author
        if known and 0 < self._per_observer <= self._authors[candidate.author]:
            return "enough of this author"
        return ""


def gather(
    candidates: Iterator[Candidate],
    wanted: int,
    fetcher: Fetcher,
    tally: Tally,
    seen: set[str],
) -> Generator[tuple[Candidate, bytes], None, None]:
    """Fetch candidates until `wanted` are there; they come out in the candidates' order.

    The outcome does not depend on timing: it is the first `wanted` that can be had. A file that is
    there and cannot be read comes out as well, with a reason and without bytes.

    Args:
        candidates: admitted ones, best first.
        wanted: photos; 0: all.
        fetcher: fetches those that have no `read`.
        tally: counts what could not be had.
        seen: SHA-256 of photos that the class has; grows.

    Raises:
        InputError, WorkError, FetchError: the source failed; what it had named before came out.
    """
    most = wanted or math.inf
    taken = 0
    ahead = AHEAD_IN_MEMORY
    failure: Exception | None = None
    unreadable: list[str] = []
    waiting: collections.deque[tuple[Candidate, Future[bytes | Fetched]]] = collections.deque()
    with worker_threads(fetcher.workers * THREADS_PER_WORKER) as pool:
        while True:
            while failure is None and len(waiting) < min(fetcher.workers * ahead, most - taken):
                try:
                    candidate = next(candidates)
                except StopIteration:
                    break
                except (FetchError, InputError, WorkError) as error:
                    failure = error
                    break
                ahead = AHEAD_IN_MEMORY if candidate.read else AHEAD_ON_DISK
                waiting.append((candidate, pool.submit(_obtain, candidate, fetcher)))
            if not waiting:
                break
            candidate, future = waiting.popleft()
            try:
                obtained = future.result()
            except FetchError as error:
                tally.add(error.reason, candidate.url)
                continue
            except UnreadableFile as error:
                unreadable.append(f"{candidate.url} ({error})")
                yield dataclasses.replace(candidate, reason=UNREADABLE), b""
                continue
            if isinstance(obtained, bytes):
                data, sha256 = obtained, hashlib.sha256(obtained).hexdigest()
            else:
                data, sha256 = obtained.read(), obtained.about.sha256
            if candidate.read is None and sha256 in seen:
                tally.add("same photo", candidate.url)
                continue
            seen.add(sha256)
            taken += 1
            yield candidate, data
    if unreadable:
        files = counted(len(unreadable), "unreadable file was", "unreadable files were")
        warn(f"{files} left out, such as {unreadable[0]}")
    if failure:
        raise failure


def _obtain(candidate: Candidate, fetcher: Fetcher) -> bytes | Fetched:
    if candidate.read is None:
        return fetcher.photo(candidate.url)
    with fetcher.slots:
        return candidate.read()


def _short(url: str) -> str:
    return url if len(url) <= MAX_EXAMPLE else f"{url[:MAX_EXAMPLE]}…"
