"""KFP interface of the step `download`."""

from typing import Any, Dict

from kfp import dsl

from components.common.base.options import described
from components.download.options import DownloadOptions
from components.settings import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
@described(DownloadOptions)
def download(
    classes: Dict[str, Any],
    source: str,
    image_dir: str,
    per_class: int,
    contact: str,
    seed: int,
    options: Dict[str, Any],
    defaults: Dict[str, Any],
    images: dsl.Output[dsl.Dataset],
) -> None:
    """Gather the photos of all classes.

    Args:
        classes: The classes in the order of the model's scores, as species.yaml has them.
        images: Photos as they were found, with where each came from.
    """
    inputs = dict(locals())

    from pathlib import Path

    from components.common.base.step_options import given
    from components.common.model.artifact_metadata import of_dataset
    from components.download.download import download_listed
    from components.download.options import DownloadOptions

    told = DownloadOptions.of(given("download", (DownloadOptions,), inputs))
    download_listed(classes, Path(images.path), told)
    images.metadata.update(of_dataset(Path(images.path)))
