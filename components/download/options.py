"""Options of the step `download`: where photos come from, and which of them may be taken."""

from dataclasses import dataclass

from components.common.base.options import Options, cache_dir_option, option, seed_option
from components.common.base.wording import joined
from components.common.dataset.class_facts import subject_option
from components.common.dataset.licences import DEFAULT_LICENCES
from components.common.store import storage
from components.download.sources import SEARCHED, SOURCES

MIN_PER_CLASS = 20  # the original retrain.py warned below this
IMAGENET_ARCHIVE = "https://image-net.org/data/winter21_whole/{wordnet_id}.tar"
MAX_WORKERS = 64


@dataclass(frozen=True)
class DownloadOptions(Options):
    """How photos are gathered."""

    source: str = option(
        "sample",
        f"where photos come from: {joined(SOURCES, 'or')}; several, separated by commas: "
        "each tops up those before it",
        in_form=True,
    )
    image_dir: str = option(
        "",
        "folder with one subfolder of photos per class, or a gs:// or s3:// prefix of such",
        on_cluster="folder with one subfolder of photos per class, which is packed and uploaded "
        "(--upload_to); or a gs:// or s3:// prefix of such",
        place="read",
        in_form=True,
    )
    url_list: str = option(
        "",
        "txt, csv or parquet file of addresses with their labels, for the source urls",
        place="read",
    )
    imagenet: str = option(
        IMAGENET_ARCHIVE,
        "archive or URL list for the source imagenet; {wordnet_id} stands for the class's id",
        place="read",
    )
    per_class: int = option(
        0,
        "photos per class; 0: 60 from the sample, all from a folder, 350 from other sources",
        minimum=0,
        in_form=True,
    )
    min_per_class: int = option(
        MIN_PER_CLASS, "the download fails if a class gets fewer photos than this", minimum=0
    )
    licences: str = option(
        DEFAULT_LICENCES,
        "accepted licences, separated by commas: cc0, cc-by, cc-by-sa, cc-by-nc, cc-by-nc-sa",
    )
    per_observer: int = option(
        5,
        f"most photos taken from one author of {joined(SEARCHED)}; 0: any number",
        minimum=0,
    )
    contact: str = option(
        "",
        "your e-mail address or web page, sent to the hosts of the photos",
        in_form=True,
    )
    allow_private_hosts: str = option(
        "", "private hosts that may be fetched from, separated by commas"
    )
    workers: int = option(8, "photos fetched at once", minimum=1, maximum=MAX_WORKERS)
    # Part of KFP's cache key, which is all that it is for.
    photos_as_of: str = option(
        "",
        "any text, such as a date; changing it searches for photos again, and no list of them is "
        "taken that is older than a time such as 2026-11-30T03:00:00Z",
        in_commands=False,
    )
    shared_cache: str = option(
        "",
        "gs:// or s3:// place where fetched photos are also kept, for runs on other machines",
        on_cluster="gs:// or s3:// place where fetched photos are kept for other runs (default: "
        "fetched below --store_prefix; with --cache_claim they are on the volume)",
        pattern=f"({storage.ANY_SCHEME}.+)?",
        form="gs://bucket/… or s3://bucket/…",
    )
    subject: str = subject_option()
    cache_dir: str = cache_dir_option()
    seed: int = seed_option()
