"""Step `download`: the photos of all classes, with where each came from, as one dataset."""

import contextlib
import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from components.common.base.cache_place import cache_folder
from components.common.base.errors import DiskFull, InputError, WorkError
from components.common.base.step import Progress, report_part, step, warn
from components.common.base.wording import as_text, counted
from components.common.dataset import licences
from components.common.dataset.dataset import DatasetWriter
from components.common.dataset.photo import Photo, check_labels
from components.common.dataset.photo_files import rows_left_out
from components.common.dataset.species import as_parameter, find_species, parse_document
from components.common.photos import file_types
from components.common.store.storage import is_uri
from components.common.untrusted.redact import check_no_secret, without_secrets
from components.common.web.fetch import Fetcher
from components.common.web.fetch_outcome import FetchError, HostUnreachable
from components.download import sources, stated
from components.download.candidate import (
    FETCHED_PER_CLASS,
    SAMPLES_PER_CLASS,
    Candidate,
    Query,
)
from components.download.gather import Admission, Tally, gather
from components.download.options import DownloadOptions
from components.download.shared_cache import SharedCache
from components.download.sources import SEARCHED, SOURCES, WHOLE, commons, storage, urls

MAX_TEXT = 4000  # characters of a title or an address; `tables` reads no more than 64 KB of one
OTHER_WAYS = (
    "use rendered pictures (SOURCE=sample), your own photos (IMAGES=folder), or a list of "
    "addresses that can be reached (URLS=file)"
)


@step("download")
def download_listed(classes: Mapping[str, Any], output: Path, options: DownloadOptions) -> None:
    """The step as the pipeline calls it: `download` with the classes as one document.

    Args:
        classes: as a species file has them (`species.parse_document`).
        output: as of `download`.
        options: as of `download`; an empty subject is that of `classes`.

    Raises:
        InputError: as of `download`; or `classes` makes no sense.
        WorkError: as of `download`.
    """
    gather_document(classes, output, options)


def gather_document(classes: Mapping[str, Any], output: Path, options: DownloadOptions) -> None:
    """As `download_listed`, for a step that does more than this."""
    listed = parse_document(classes, "classes")
    labels = [entry.label for entry in listed.species]
    told = replace(options, subject=options.subject or listed.subject)
    _gather_all(labels, output, told, as_parameter(listed.species))


@step("download")
def download(
    classes: Sequence[str],
    output: Path,
    options: DownloadOptions,
    species: Mapping[str, Any] | None = None,
) -> None:
    """Gather the photos of all classes into a dataset, bytes as they were found.

    One class comes after another, since sources limit requests per client. A class that cannot be
    had ends the step only after the others, whose fetched photos are in the cache by then.

    Args:
        classes: the classes.
        output: directory of the dataset to write.
        options: where photos come from, and which.
        species: names to search for, and what is known of the classes, by label
            (`species.as_parameter`); a label that is not in it is searched for itself.

    Raises:
        InputError: the options make no sense, or a source has not such a class.
        WorkError: of a class fewer photos could be had than `options.min_per_class`, or no source
            answered.
    """
    _gather_all(classes, output, options, species or {})


def _gather_all(
    classes: Sequence[str], output: Path, options: DownloadOptions, species: Mapping[str, Any]
) -> None:
    if not classes:
        raise InputError("no class is named: expected one or more")
    check_labels(classes, "--classes")
    names = check_options(options)
    known = stated.facts(classes, species, options)
    failed: dict[str, InputError | WorkError] = {}
    with _fetcher(options) as fetcher, DatasetWriter(output, facts=known) as writer:
        for number, label in enumerate(classes):
            report_part("download", number, len(classes))
            query = Query(find_species(species, label), options, fetcher)
            try:
                _gather_class(query, names, writer)
            except DiskFull:
                raise
            except (InputError, WorkError) as error:
                if _is_unreachable(error):  # the others would wait for the same host
                    raise
                failed[label] = error
        # Inside the block: an error here leaves no dataset behind.
        if failed:
            raise _failure(failed, len(classes)) from next(iter(failed.values()))


def _gather_class(query: Query, names: list[str], writer: DatasetWriter) -> None:
    label, options = query.species.label, query.options
    tally = Tally()
    failures: list[str] = []
    unlicensed = 0
    progress = Progress(f"download {label}", _expected(names, options), verb="taken")
    with contextlib.closing(_from_all(names, query, tally, failures)) as photos:
        for source, candidate, data in progress.over(photos):
            writer.add(_row(label, source, candidate), data, extension=file_types.extension(data))
            unlicensed += source == "urls" and not candidate.licence
    for photo in _left_out(label, names, options):
        writer.add(photo, b"", extension="bin")
    _judge(label, progress.done, names, options, tally, failures)
    if unlicensed:
        listed = counted(unlicensed, "photo of the list has", "photos of the list have")
        warn(f"{label}: {listed} no known licence")


def _left_out(label: str, names: list[str], options: DownloadOptions) -> Iterator[Photo]:
    """The files of the class folder, if there is one here, that are no photos."""
    if {"folder", "storage"} & set(names) and not is_uri(options.image_dir):
        folder = Path(options.image_dir).expanduser() / label
        if folder.is_dir():
            yield from rows_left_out(folder, label)


def _is_unreachable(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, HostUnreachable):
        error = error.__cause__
    return error is not None


def _failure(failed: Mapping[str, InputError | WorkError], classes: int) -> InputError | WorkError:
    """One error for all classes that failed."""
    first = next(iter(failed.values()))
    if classes == 1:
        return first
    told = "\n".join(
        str(error) if label in str(error) else f"{label}: {error}"
        for label, error in failed.items()
    )
    if len(failed) == 1:
        return type(first)(told)
    unusable = all(isinstance(error, InputError) for error in failed.values())
    kind = InputError if unusable else WorkError
    return kind(f"{len(failed)} of {classes} classes could not be gathered:\n{told}")


def check_options(options: DownloadOptions) -> list[str]:
    """The sources, in order.

    Raises:
        InputError: an option makes no sense.
    """
    names = sources.named(options.source)
    unknown = [name for name in names if name not in SOURCES]
    if unknown or not names:
        raise InputError(
            f"unknown source {', '.join(unknown) or options.source!r}: expected one of "
            f"{', '.join(SOURCES)}, or several with commas between"
        )
    options.check()
    if not (options.contact.isascii() and options.contact.isprintable()):
        raise InputError("--contact must be plain ASCII text: it goes into an HTTP header")
    for host in options.allow_private_hosts.split(","):
        if "/" in host or (host.count(":") == 1 and not host.startswith("[")):
            raise InputError(
                f"--allow_private_hosts {host!r}: expected a host name or address alone, without "
                "http:// and without a port"
            )
    for option in ("image_dir", "url_list"):
        fitting = [name for name, source in SOURCES.items() if source.reads == option]
        if getattr(options, option) and not set(fitting) & set(names):
            raise InputError(
                f"--{option} is for the source {' or '.join(fitting)}, but --source is "
                f"{options.source!r}"
            )
    for name in ("image_dir", "url_list", "imagenet", "shared_cache"):
        check_no_secret(name, getattr(options, name))
    licences.check_licences(options.licences)
    if "commons" in names and not options.contact:
        raise InputError(commons.NO_CONTACT)
    return names


def class_names(options: DownloadOptions) -> list[str] | None:
    """The classes that the photos themselves bring, or None where they come from species.yaml.

    Raises:
        InputError: the first source of one's own photos cannot be read, or has too few classes.
    """
    for name in check_options(options):
        if name in ("folder", "storage"):
            if not options.image_dir:
                raise InputError(f"the source {name} needs --image_dir (make run IMAGES=folder)")
            return storage.list_classes(options.image_dir)
        if name == "urls":
            return list(_listed(options))
    return None


def expected_photos(classes: Sequence[str], options: DownloadOptions) -> int:
    """About how many photos of the classes there will be.

    Raises:
        InputError: an option makes no sense, or a list cannot be read.
    """
    names = check_options(options)
    usual = SAMPLES_PER_CLASS if names == ["sample"] else FETCHED_PER_CLASS
    wanted = options.per_class or usual
    if names == ["urls"]:
        return sum(min(count, wanted) for count in _listed(options).values())
    return len(classes) * wanted


def _listed(options: DownloadOptions) -> Mapping[str, int]:
    with _fetcher(options) as fetcher, _telling_unreachable():
        return urls.labels(options.url_list, fetcher)


def _fetcher(options: DownloadOptions) -> Fetcher:
    return Fetcher(
        cache_folder(options.cache_dir),
        contact=options.contact,
        allowed_hosts=[host.strip() for host in options.allow_private_hosts.split(",")],
        workers=options.workers,
        shared=SharedCache(options.shared_cache) if options.shared_cache else None,
        lists_since=_moment(options.photos_as_of),
    )


def _moment(text: str) -> float | None:
    """Seconds since 1970 of a time with its zone, as a schedule gives it; None for other texts."""
    with contextlib.suppress(ValueError):
        moment = datetime.fromisoformat(text)
        return moment.timestamp() if moment.tzinfo else None
    return None


def _expected(names: list[str], options: DownloadOptions) -> int | None:
    """How many photos there will be, where that is known."""
    return None if WHOLE & set(names) else options.per_class or FETCHED_PER_CLASS


def _from_all(
    names: list[str], query: Query, tally: Tally, failures: list[str]
) -> Generator[tuple[str, Candidate, bytes], None, None]:
    """Photos of one source after another, until there are enough; `failures` says which failed."""
    admission = Admission(
        licences.check_licences(query.options.licences), query.options.per_observer, tally
    )
    wanted = query.options.per_class or FETCHED_PER_CLASS
    seen: set[str] = set()
    taken = 0
    for name in names:
        # Planted faults come on top of what the sample is asked for.
        whole = name == "sample" or (name == "folder" and not query.options.per_class)
        if taken >= wanted and not whole:
            break
        admitted = admission.admit(sources.candidates(name)(query), capped=name in SEARCHED)
        try:
            left = 0 if whole else wanted - taken
            photos = gather(admitted, left, query.fetcher, tally, seen)
            with _telling_unreachable(), contextlib.closing(photos):
                for candidate, data in photos:
                    taken += not candidate.reason
                    yield name, candidate, data
        except DiskFull:
            raise
        except (InputError, WorkError) as error:
            # The last chance: what failed before is part of the message.
            if name == names[-1] and not taken:
                raise type(error)("\n".join([*failures, str(error)])) from error
            failures.append(f"source {name}: {error}")
            warn(f"{query.species.label}: the source {name} failed: {error}")


@contextlib.contextmanager
def _telling_unreachable() -> Iterator[None]:
    """Turn failures of a service itself into errors that say which, and how to go on."""
    try:
        yield
    except HostUnreachable as error:
        raise WorkError(
            f"the host {error.host} cannot be reached ({error.detail}); {OTHER_WAYS}"
        ) from error
    except FetchError as error:
        raise WorkError(f"{error}; what was fetched is kept: run again, or {OTHER_WAYS}") from error


def _row(label: str, source: str, candidate: Candidate) -> Photo:
    return Photo(
        label=label,
        source=source,
        source_url=_storable(without_secrets(candidate.url)),
        source_page=_storable(without_secrets(candidate.source_page)),
        title=_storable(candidate.title),
        author=_storable(candidate.author),
        licence=_storable(candidate.licence),
        observation=_storable(without_secrets(candidate.observation)),
        flags=candidate.flags,
        reason=candidate.reason,
    )


def _storable(text: str) -> str:
    """Text as the manifest can hold it: file names and JSON may have halves of characters."""
    return as_text(text[:MAX_TEXT])


def _judge(
    label: str,
    count: int,
    names: list[str],
    options: DownloadOptions,
    tally: Tally,
    failures: list[str],
) -> None:
    """Fail where too few photos were had; warn where some could not be."""
    if set(names) <= WHOLE:
        return
    wanted = options.per_class or FETCHED_PER_CLASS
    least = min(options.min_per_class, wanted)
    table = f"; photos not taken, and why:\n{tally.table()}" if tally.counts else ""
    table += "".join(f"\n{failure}" for failure in failures)
    if count < max(least, 1):
        raise WorkError(
            f"only {counted(count, 'photo')} of {label!r} could be taken from {', '.join(names)}, "
            f"but at least {least} are needed (--min_per_class){table}\n{_advice(tally)}"
        )
    # A list of one's own that names fewer, and all of them are here, is nothing to warn of.
    asked_for = bool(options.per_class) or bool(set(names) & set(SEARCHED))
    if count < wanted and (asked_for or tally.counts):
        instead = f" instead of {wanted}" if asked_for else ""
        warn(f"{label}: {counted(count, 'photo')}{instead}{table}")


def _advice(tally: Tally) -> str:
    """What to do about too few photos."""
    if "refused address" in tally.counts:
        address = urlsplit(tally.examples["refused address"]).hostname or ""
        # A stranger's list may name anything, and this is a command to copy.
        host = address if re.fullmatch(r"[\w.:-]+", address, re.ASCII) else "HOST"
        return (
            "A host that is not public is fetched from only when it is named: "
            f"--allow_private_hosts {host} (make run ARGS='--allow_private_hosts {host}')"
        )
    families = {reason.removeprefix("licence ") for reason in tally.counts}
    more = ", allow more licences (--licences)" if families & set(licences.FAMILIES) else ""
    wrong = "Check the addresses, add" if tally.counts else "Add"
    return f"{wrong} a source (such as SOURCE=inaturalist,gbif){more}, or lower the bound."
