"""KFP interface of the step `download`."""

from typing import Any, Dict, List

from kfp import dsl

from components.common.base.options import described
from components.download.options import DownloadOptions
from components.settings import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
@described(DownloadOptions)
def download(
    classes: List[str],
    species: Dict[str, Any],
    source: str,
    image_dir: str,
    url_list: str,
    imagenet: str,
    per_class: int,
    min_per_class: int,
    licences: str,
    per_observer: int,
    contact: str,
    allow_private_hosts: str,
    workers: int,
    photos_as_of: str,
    shared_cache: str,
    subject: str,
    cache_dir: str,
    seed: int,
    images: dsl.Output[dsl.Dataset],
) -> None:
    """Gather the photos of all classes.

    Args:
        classes: The classes.
        species: Names to search for, edibility and more, by label, as in species.yaml.
        images: Photos as they were found, with where each came from.
    """
    inputs = dict(locals())

    from pathlib import Path

    from components.download.download import download
    from components.download.options import DownloadOptions

    download(classes, Path(images.path), DownloadOptions.of(inputs), species)
