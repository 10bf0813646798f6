"""KFP interface of the step `download`."""

from typing import Any, Dict

from kfp import dsl

from components.settings import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def download(
    label: str,
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
    photos_as_of: str,  # noqa: ARG001 - part of KFP's cache key, which is all it is for
    cache_dir: str,
    seed: int,
    images: dsl.Output[dsl.Dataset],
) -> None:
    """Gather the photos of one class.

    Args:
        label: The class.
        species: Names to search for, by label, as in species.yaml.
        source: Where photos come from; several with commas, each tops up those before it.
        image_dir: Folder of class folders, or a gs:// or s3:// prefix (folder, storage).
        url_list: List of addresses as txt, csv or parquet (urls).
        imagenet: Archive or URL list, with {wordnet_id} for the class's (imagenet).
        per_class: Photos per class; 0 is 60 of the sample, all of a folder, 350 of the rest.
        min_per_class: Fewer fetched photos than this fail the step.
        licences: Licences that are taken, with commas.
        per_observer: Photos taken from one author of services that are searched; 0 is any number.
        contact: E-mail address or page of whoever runs this, told to the hosts.
        allow_private_hosts: Names, with commas, that may be fetched from though not public.
        workers: Fetches at once.
        photos_as_of: Any text, such as a date; with another one photos are looked for anew.
        cache_dir: Where fetched photos are kept.
        seed: Seed of the sample's rendering.
        images: Photos as they were found, with where each came from.
    """
    from pathlib import Path

    from components.download.candidate import Options
    from components.download.download import download

    options = Options(
        source=source,
        image_dir=image_dir,
        url_list=url_list,
        imagenet=imagenet,
        per_class=per_class,
        min_per_class=min_per_class,
        licences=licences,
        per_observer=per_observer,
        contact=contact,
        allow_private_hosts=allow_private_hosts,
        workers=workers,
        cache_dir=cache_dir,
        seed=seed,
    )
    download(label, Path(images.path), options, species)
