"""The review page of a run, on this machine: shown, and its decisions saved as they are made."""

import errno
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import components.curate
from components.common.base.errors import InputError
from components.common.base.wording import counted
from components.common.dataset import decisions
from components.common.dataset.decisions import DROP, KEEP, MOVE, Decisions
from components.common.pages import served
from programs.review import next_run
from programs.review.options import ReviewOptions
from programs.review.server import Page, Server, Site
from programs.review.store import FILE_NAME, Store

REVIEW = "curation.html"
OTHERS = ("index.html", "report.html", "gallery.html", "change.html")  # to which the pages lead
MAX_PAGE_BYTES = 64 * 1024**2
# Another page of the run may be a stranger's. It has its own policy, and no share in this origin.
# Pages of photos' sources that it opens are not in this sandbox.
SANDBOX = (
    "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox; frame-ancestors 'none'"
)
_MODULE = str(Path(components.curate.__file__).with_name("review.py"))


def review(run: Path, options: ReviewOptions, say: Callable[[str], None]) -> None:
    """Show the page until Ctrl-C; then say how to run again with the decisions.

    Args:
        run: the run's folder; links are followed, so that the decisions stay with this run.
        options: where to listen.
        say: takes what is to be said, line by line.

    Raises:
        InputError: there is no review page of this version in the folder, the file of decisions
            beside it is damaged, or the port is taken.
    """
    folder = run.resolve()
    store = Store(folder / FILE_NAME)
    site = Site(secrets.token_urlsafe(24), pages(folder), store)
    with _listening(site, options.port) as server:
        try:
            say(f"Review page: http://127.0.0.1:{server.server_port}/{site.token}/")
            say(
                f"Decisions are saved in {next_run.near(store.path)} as they are made. Ctrl-C ends."
            )
            server.serve_forever()
        except KeyboardInterrupt:
            say("")  # after the ^C of the terminal
    store.close()
    for line in _told(folder, store):
        say(line)


def pages(folder: Path) -> dict[str, Page]:
    """What is served, by name; nothing else of the folder is.

    Raises:
        InputError: there is no review page, or not of this version.
    """
    found = {name: _read(folder, name) for name in (REVIEW, *OTHERS)}
    if not (own := found.pop(REVIEW)):
        raise InputError(
            f"{folder} has no {REVIEW}: expected the folder of a run that `make run` made, such as "
            "runs/latest"
        )
    try:
        made = served.with_server(own.decode(), _MODULE)
    except ValueError:  # no text, or no page of ours
        made = None
    if made is None:
        raise InputError(
            f"{folder / REVIEW} was made by another version of this program: make run again, or "
            "open that file in a browser and export the decisions"
        )
    html, policy = made
    first = Page(html.encode(), f"{policy}; frame-ancestors 'none'")
    others = {name: Page(content, SANDBOX) for name, content in found.items() if content}
    return {"": first, REVIEW: first, **others}


def _read(folder: Path, name: str) -> bytes:
    """A page of the folder; empty where there is none, or only a link to something else."""
    path = folder / name
    if path.is_symlink() or not path.is_file():
        return b""
    if path.stat().st_size > MAX_PAGE_BYTES:
        raise InputError(f"{path} is larger than {MAX_PAGE_BYTES} bytes, and no page of ours")
    return path.read_bytes()


def _listening(site: Site, port: int) -> Server:
    try:
        return Server(site, port)
    except OSError as error:
        why = {
            errno.EADDRINUSE: "another program uses that port",
            errno.EACCES: "ports below 1024 need rights that you do not have",
        }.get(error.errno or 0, str(error))
        raise InputError(
            f"cannot listen at 127.0.0.1, port {port}: {why}; choose another with --port"
        ) from error


def _told(folder: Path, store: Store) -> Iterator[str]:
    """What was decided, and how to use it."""
    data, _ = store.read()
    by_hand = decisions.parse(data, str(store.path)) if data else Decisions()
    if not by_hand.decided:
        yield "No decision was made."
        return
    yield f"{_counts(by_hand)} in {next_run.near(store.path)}. To use them:"
    yield f"  {next_run.command(folder, store.path, by_hand)}"


def _counts(by_hand: Decisions) -> str:
    made = list(by_hand.decided.values())
    kinds = ", ".join(f"{made.count(kind)} to {kind}" for kind in (KEEP, DROP, MOVE))
    return f"{counted(len(made), 'decision')} ({kinds})"
