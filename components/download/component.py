"""KFP interfaces of the step `download`: alone, and as the first of a run that goes on."""

from typing import Any, Dict, NamedTuple

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


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
@described(DownloadOptions)
def download_if_new(
    classes: Dict[str, Any],
    source: str,
    image_dir: str,
    per_class: int,
    contact: str,
    seed: int,
    options: Dict[str, Any],
    defaults: Dict[str, Any],
    name: str,
    min_accuracy: float,
    architecture: str,
    fine_tune_steps: int,
    decisions: str,
    step_bottleneck: Dict[str, Any],
    step_clean: Dict[str, Any],
    step_curate: Dict[str, Any],
    step_publish: Dict[str, Any],
    step_retrain: Dict[str, Any],
    compiled: Dict[str, Any],
    asked_at: str,
    images: dsl.Output[dsl.Dataset],
    news: dsl.Output[dsl.Markdown],
) -> NamedTuple(  # type: ignore[valid-type]
    "News", [("is_new", str), ("earlier_ledger", str), ("all_decisions", str), ("seen", str)]
):
    """Gather the photos of all classes, and tell whether there is something to learn.

    Args:
        classes: The classes in the order of the model's scores, as species.yaml has them.
        name: What the model is published as, and whose memory is gone on with.
        min_accuracy: As of publish; another one makes the same photos worth another run.
        architecture: As of bottleneck; for the same reason.
        fine_tune_steps: As of retrain; for the same reason.
        decisions: Place of further decisions by hand.
        compiled: What the pipeline was compiled with, for entries that are missing elsewhere.
        asked_at: When the run was due; no list of photos is taken that is older.
        images: Photos as they were found; none where nothing is new.
        news: What is new, in a sentence.
    """
    inputs = dict(locals())

    from pathlib import Path

    from components.common.base.step_options import given
    from components.common.model.artifact_metadata import of_dataset
    from components.download.news import Continued, download_if_new
    from components.download.options import DownloadOptions

    asked = given("download", (DownloadOptions,), inputs) | {"photos_as_of": asked_at}
    told = DownloadOptions.of(asked)
    found = download_if_new(classes, Path(images.path), told, Continued.of(inputs))
    if found.is_new:
        images.metadata.update(of_dataset(Path(images.path)))
    Path(news.path).write_text(found.said)
    news.metadata.update({"display_name": "News", "asked_at": asked_at})  # what KFP's page shows
    return found.told()


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
@described()
def compare_photos(
    dataset_uri: str,
    seed: int,
    name: str,
    min_accuracy: float,
    architecture: str,
    fine_tune_steps: int,
    decisions: str,
    step_bottleneck: Dict[str, Any],
    step_clean: Dict[str, Any],
    step_curate: Dict[str, Any],
    step_publish: Dict[str, Any],
    step_retrain: Dict[str, Any],
    compiled: Dict[str, Any],
    news: dsl.Output[dsl.Markdown],
) -> NamedTuple(  # type: ignore[valid-type]
    "News", [("is_new", str), ("earlier_ledger", str), ("all_decisions", str), ("seen", str)]
):
    """Tell whether there is something to learn from photos that are packed already.

    Args:
        dataset_uri: Packed photos, as `submit` uploads them; the manifest alone is fetched.
        seed: As of all steps; another one makes the same photos worth another run.
        name: What the model is published as, and whose memory is gone on with.
        min_accuracy: As of publish; for the same reason.
        architecture: As of bottleneck; for the same reason.
        fine_tune_steps: As of retrain; for the same reason.
        decisions: Place of further decisions by hand.
        compiled: What the pipeline was compiled with, for entries that are missing elsewhere.
        news: What is new, in a sentence.
    """
    inputs = dict(locals())

    from pathlib import Path

    from components.download.news import Continued, compare_photos

    found = compare_photos(dataset_uri, Continued.of(inputs))
    Path(news.path).write_text(found.said)
    news.metadata["display_name"] = "News"  # what KFP's page shows
    return found.told()
