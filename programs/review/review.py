"""A page to decide on, on this machine: shown, and what is decided saved as it is."""

import errno
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import components.curate
from components.common.base.errors import InputError
from components.common.base.wording import counted
from components.common.dataset import decisions
from components.common.dataset.decisions import DROP, KEEP, MOVE, Decisions
from programs.review import next_run
from programs.review.labelling import labelling
from programs.review.options import ReviewOptions
from programs.review.server import Page, Server, Site
from programs.review.shown import Shown, own_page, read_page
from programs.review.store import FILE_NAME, Store
from programs.select import selection

REVIEW = "curation.html"
OTHERS = ("index.html", "report.html", "gallery.html", "change.html")  # to which the pages lead
# Another page of the run may be a stranger's. It has its own policy, and no share in this origin.
# Pages of photos' sources that it opens are not in this sandbox.
SANDBOX = (
    "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox; frame-ancestors 'none'"
)
_MODULE = str(Path(components.curate.__file__).with_name("review.py"))


def review(run: Path, options: ReviewOptions, say: Callable[[str], None]) -> None:
    """Show the page until Ctrl-C; then say how to go on with what was decided.

    Args:
        run: the folder of a run, or one that `select` wrote; links are followed, so that what is
            decided stays with this one.
        options: where to listen, and where labelled photos go.
        say: takes what is to be said, line by line.

    Raises:
        InputError: there is no page of this version in the folder, the file of decisions or answers
            beside it is damaged, or the port is taken.
    """
    folder = run.resolve()
    if selection.is_selection(folder):
        shown = labelling(folder, options.into)
    elif options.into:
        raise InputError(f"--into is for a folder that select wrote: {folder} is none")
    else:
        shown = _run(folder)
    store = shown.store
    site = Site(secrets.token_urlsafe(24), shown.pages, store)
    with _listening(site, options.port) as server:
        try:
            say(f"{shown.title}: http://127.0.0.1:{server.server_port}/{site.token}/")
            where = next_run.near(store.path)
            say(f"{shown.what} are saved in {where} as they are made. Ctrl-C ends.")
            server.serve_forever()
        except KeyboardInterrupt:
            say("")  # after the ^C of the terminal
    store.close()
    for line in shown.told():
        say(line)


def _run(folder: Path) -> Shown:
    store = Store(folder / FILE_NAME)
    return Shown("Review page", "Decisions", pages(folder), store, lambda: _told(folder, store))


def pages(folder: Path) -> dict[str, Page]:
    """What is served, by name; nothing else of the folder is.

    Raises:
        InputError: there is no review page, or not of this version.
    """
    found = {name: read_page(folder, name) for name in (REVIEW, *OTHERS)}
    if not (own := found.pop(REVIEW)):
        raise InputError(
            f"{folder} has no {REVIEW}: expected the folder of a run that `make run` made, such as "
            "runs/latest"
        )
    first = own_page(folder / REVIEW, own, _MODULE, "make run again")
    others = {name: Page(content, SANDBOX) for name, content in found.items() if content}
    return {"": first, REVIEW: first, **others}


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
