"""KFP interface of the step `download`."""

from kfp import dsl

from components.settings import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def download(
    label: str,
    source: str,
    image_dir: str,
    per_class: int,
    seed: int,
    images: dsl.Output[dsl.Dataset],
) -> None:
    """Gather the photos of one class.

    Args:
        label: The class.
        source: "sample" (rendered pictures) or "folder" (image_dir/label/).
        image_dir: Folder of class folders, for the source "folder".
        per_class: Pictures to render, for the source "sample".
        seed: Seed of the rendering.
        images: Photos as they were found, with where each came from.
    """
    from pathlib import Path

    from components.download.download import download

    download(
        label,
        Path(images.path),
        source=source,
        image_dir=image_dir,
        per_class=per_class,
        seed=seed,
    )
