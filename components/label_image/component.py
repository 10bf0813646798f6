"""KFP interface of the step `label_image`."""

from kfp import dsl

from components.settings import DATA_IMAGE


@dsl.component(base_image=DATA_IMAGE, install_kfp_package=False)
def label_image(
    model: dsl.Input[dsl.Model],
    demo: dsl.Input[dsl.Dataset],
    predictions: dsl.Output[dsl.Artifact],
    gallery: dsl.Output[dsl.HTML],
) -> None:
    """Label the held-out demo photos.

    Args:
        model: The model.
        demo: Held-out demo photos.
        predictions: Parquet file: path, label, predicted, unknown, probability, familiarity,
            right, probabilities.
        gallery: Self-contained page.
    """
    from pathlib import Path

    from components.label_image.label_image import label_demo

    label_demo(Path(model.path), Path(demo.path), Path(predictions.path), Path(gallery.path))
    gallery.metadata["display_name"] = "Gallery"  # what KFP's page shows
