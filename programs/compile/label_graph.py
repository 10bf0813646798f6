"""The pipeline that labels a bucket: list the photos, label shares side by side, sum up, compare.

What the tasks share lies at the answers' place in the store, so no photo and no answer passes
through Kubeflow: only the shares, such as "2/4", and at the end an artifact that names the place.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from kfp import compiler, dsl

from components.common.base.options import described
from components.label_image.component import (
    label_part,
    list_photos,
    sum_answers,
    watch_answers,
)
from components.label_image.options import LabelOptions
from components.settings import ClusterOptions
from programs.compile import scheduling

LABEL_PIPELINE_NAME = "wild-mushrooms-label"
_DEFAULT = LabelOptions()


def build(cluster: ClusterOptions | None = None) -> Callable[..., Any]:
    """The pipeline's graph.

    Args:
        cluster: what its tasks are told; None on this machine.
    """

    @dsl.pipeline(
        name=LABEL_PIPELINE_NAME,
        description="Label all photos of a bucket, in parts, with a published model.",
        pipeline_config=scheduling.configuration(cluster),
    )
    @described(LabelOptions)
    def wild_mushrooms_label(  # noqa: D417 - `described` adds them
        model: str,
        photos: str,
        output: str,
        parts: int = _DEFAULT.parts,
        format: str = _DEFAULT.format,  # noqa: A002 - as the option is called
        top_k: int = _DEFAULT.top_k,
        int8: bool = _DEFAULT.int8,
        photos_per_part: int = _DEFAULT.photos_per_part,
        earlier_batch: str = _DEFAULT.earlier_batch,
    ) -> None:
        """Label all photos of a bucket, in parts, with a published model.

        Args:
        """  # noqa: D414
        listed = list_photos(
            photos=photos,
            model=model,
            output=output,
            parts=parts,
            format=format,
            top_k=top_k,
            int8=int8,
            photos_per_part=photos_per_part,
        )
        with dsl.ParallelFor(listed.output, name="shares") as share:
            labelled = label_part(output=output, share=share)
        summed = sum_answers(output=output).after(labelled)
        watched = watch_answers(output=output, earlier_batch=earlier_batch).after(labelled)
        # Without a pod of ours: an artifact that says where the answers are.
        dsl.importer(artifact_uri=output, artifact_class=dsl.Dataset, reimport=True).after(
            summed, watched
        )
        for task in (listed, labelled, summed, watched):
            # The bucket's content, and what is labelled of it, are no inputs that KFP knows.
            task.set_caching_options(False)
            if cluster:
                scheduling.schedule(task, cluster, gpu=False)

    return wild_mushrooms_label  # type: ignore[no-any-return]


def compile_label(path: Path, cluster: ClusterOptions | None = None) -> Path:
    """Compile the pipeline for a cluster into a file of two YAML documents, and return its path.

    Args:
        path: the file to write.
        cluster: what compiling fixes; by default what `settings.ClusterOptions` says.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    compiler.Compiler().compile(build(cluster or ClusterOptions()), str(path))
    return path
