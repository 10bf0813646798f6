"""`make check-sources`: one photo from each live service, to see whether its answers still fit.

Nothing is kept, and nothing comes from the cache.
"""

import argparse
import dataclasses
import tempfile
from pathlib import Path

from components.common.base.command_line import CommandParser
from components.common.base.errors import InputError, WorkError
from components.common.base.step import run_command
from components.common.dataset.species import Species
from components.common.web.fetch import Fetcher
from components.common.web.fetch_outcome import FetchError, HostUnreachable
from components.download.candidate import Query
from components.download.options import DownloadOptions
from components.download.sources import SEARCHED, candidates

EXPECTED = ("url", "title", "author", "licence", "observation", "source_page")


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="python -m programs.check_sources",
        description="Ask each live service for one photo, and check that its answer still has "
        "the expected form.",
        examples=("--contact you@example.org",),
    )
    parser.add_argument(
        "--contact", default="", help="your e-mail address or page; Wikimedia asks for it"
    )
    parser.add_argument("--taxon", default="Amanita muscaria", help="scientific name to look for")
    run_command("check_sources", parser, _command)


def _command(arguments: argparse.Namespace) -> int:
    findings = {name: check(name, arguments.taxon, arguments.contact) for name in SEARCHED}
    for name, problem in findings.items():
        print(f"{name:<12} {problem or 'ok'}")
    return int(any(findings.values()))


def check(source: str, taxon: str, contact: str = "") -> str:
    """Fetch one photo; returns what was wrong, empty if nothing was."""
    options = DownloadOptions(source=source, contact=contact)
    with tempfile.TemporaryDirectory() as cache, Fetcher(Path(cache), contact=contact) as fetcher:
        query = Query(Species(taxon), options, fetcher)
        try:
            candidate = next(candidates(source)(query), None)
            if candidate is None:
                return f"no photo of {taxon} in its answer"
            missing = [name for name in EXPECTED if not dataclasses.asdict(candidate)[name]]
            if missing:
                return f"its answer has no {', '.join(missing)} (photo {candidate.url})"
            fetcher.photo(candidate.url)
        except HostUnreachable as error:
            return f"the host {error.host} cannot be reached ({error.detail})"
        except (FetchError, InputError, WorkError) as error:
            return str(error)
    return ""


if __name__ == "__main__":
    main()
