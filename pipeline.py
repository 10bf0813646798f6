"""The pipeline: photos in, a trained and explained classifier out.

python pipeline.py run          on this machine
python pipeline.py compile      for a cluster, into build/
python pipeline.py --help       everything else
"""

import argparse
import contextlib
import itertools
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Dict

# kfp imports its client, and that one all of Kubernetes': a second at each start, for what `submit`
# alone needs. Told that it runs in a task's pod, kfp leaves the client out.
os.environ["_KFP_RUNTIME"] = "true"
import kfp  # noqa: F401

del os.environ["_KFP_RUNTIME"]

from kfp import compiler, dsl, local

from components import settings
from components.bottleneck.component import bottleneck
from components.clean.component import clean, clean_part
from components.common.base.command_line import CommandParser
from components.common.base.errors import InputError
from components.common.base.options import DEFAULTS, OPTIONS, PREFIX, declarations, described
from components.common.base.step import run_command
from components.common.dataset.species import as_document, read_file
from components.curate.component import curate, curate_parts
from components.download.component import compare_photos, download, download_if_new
from components.download.options import DownloadOptions
from components.evaluate.component import evaluate
from components.label_image.component import label_image
from components.publish.component import publish
from components.retrain.component import retrain
from components.settings import ClusterOptions
from components.summarize.component import summarize
from components.tensorboard.component import tensorboard
from programs.compile import graph, scheduling
from programs.compile.graph import DATASET, DOWNLOAD, PIPELINE_NAME
from programs.compile.label_graph import compile_label
from programs.run import containers, parameters, run_log, tasks
from programs.run import options as run_options
from programs.run.local import EXECUTE_COMMAND, end_with_parent, run_locally
from programs.run.options import Request
from programs.submit import submit, submit_label

TRAIN, LABEL = PIPELINES = ("train", "label")
# Each way to the photos has parameters of its own.
_OF_SOURCES = {field.name for field, about in declarations(DownloadOptions) if about.in_form}
_OF_SOURCES -= {"seed"}  # which `retrain` takes too
OWN_PARAMETERS = {
    DOWNLOAD: ("classes", f"{PREFIX}download", *_OF_SOURCES),
    DATASET: ("dataset_uri",),
}


def build(
    *,
    gpu: bool = False,
    photos: str = DOWNLOAD,
    parts: int = 1,
    continued: bool = False,
    cluster: ClusterOptions | None = None,
) -> Callable[..., Any]:
    """The pipeline's graph.

    Args:
        gpu: give `retrain` a GPU, and by default fine-tuning to do on it.
        photos: "download", or "dataset", a packed one that is imported.
        parts: of an imported dataset that are cleaned, and their bottlenecks computed, at the same
            time, each in pods of its own; the result is the same. Steps take one artifact where
            there is one part, and after a loop of several the list of theirs.
        continued: go on with the ledger and the decisions that are kept beside the published model,
            and end early where the photos are those of the last run. On a cluster a condition does
            that; on this machine whoever follows the run, since a condition hands out no artifacts.
        cluster: what its tasks are told; None on this machine. A graph for a cluster ends with
            `summarize`, whatever happened before, and for that reason hands out no outputs: KFP
            takes none from inside an exit handler.
    """
    listed = read_file(run_options.SPECIES_FILE)
    default = run_options.DEFAULTS | scheduling.option_defaults(cluster, gpu=gpu)
    preset = parameters.of_options(default)
    known_classes = as_document(listed.species, listed.subject)
    # What makes another model of the same photos, beside a run's parameters.
    images = [settings.DATA_IMAGE, settings.TRAIN_CUDA_IMAGE if gpu else settings.TRAIN_IMAGE]
    compiled = {name: value for name, value in preset.items() if name.startswith(PREFIX)}
    compiled |= {"images": images}
    compiled |= {"code": graph.code_hash()} if continued and not cluster else {}
    (other,) = {DOWNLOAD, DATASET} - {photos}

    @dsl.pipeline(
        name=PIPELINE_NAME,
        description="Gather, clean and split photos, retrain a network on them, and measure it.",
        pipeline_config=scheduling.configuration(cluster),
    )
    @described(*run_options.KINDS)
    @graph.shaped(options=preset, without=OWN_PARAMETERS[other], outputs=cluster is None)
    def wild_mushrooms(
        dataset_uri: str,
        classes: Dict[str, Any] = known_classes,
        **options: Any,
    ) -> graph.Outputs:
        """Gather, clean and split photos, retrain a network on them, and measure it.

        Args:
            dataset_uri: Packed photos, as `submit` uploads them.
            classes: The classes in the order of the model's scores, as species.yaml has them.
            **options: The options of the steps.
        """

        def of(step: Any) -> dict[str, Any]:
            """The options that a component takes."""
            inputs = step.component_spec.inputs
            taken = {name: options[name] for name in inputs if name in options}
            if OPTIONS in inputs:
                own = PREFIX + step.name.partition("-")[0]  # of curate-parts, download-if-new
                taken |= {OPTIONS: options[own], DEFAULTS: preset[own]}
            return taken

        last = found = None  # `found` gathers or compares the photos
        decided, before = options["decisions"], {}
        with contextlib.ExitStack() as groups:
            if cluster and cluster.exit_summary:
                last = summarize(**of(summarize)).set_caching_options(False)
                groups.enter_context(dsl.ExitHandler(last, name="all steps"))
            if photos == DATASET and parts > 1:
                gathered = None  # each part is read from there by who cleans it
            elif photos == DATASET:
                gathered = dsl.importer(artifact_uri=dataset_uri, artifact_class=dsl.Dataset).output
            elif continued:
                moment = dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER if cluster else graph.now()
                found = download_if_new(
                    classes=classes, compiled=compiled, asked_at=moment, **of(download_if_new)
                )
                gathered = found.outputs["images"]
            else:
                found = download(classes=classes, **of(download))
                gathered = found.outputs["images"]
            if continued and photos == DATASET:
                found = compare_photos(
                    dataset_uri=dataset_uri, compiled=compiled, **of(compare_photos)
                )
            if found and continued:
                found.set_caching_options(False)  # what is kept is no input that KFP knows
                if cluster:
                    is_new = found.outputs["is_new"] == "yes"
                    groups.enter_context(dsl.If(is_new, name="something new"))
                options["decisions"] = found.outputs["all_decisions"]
                before = {"placed_before": found.outputs["earlier_ledger"]}
            if parts > 1:
                each = [f"{part}/{parts}" for part in range(1, parts + 1)]
                # KFP finds the loop by its task's key; the name is only shown in its graph.
                with dsl.ParallelFor(each) as part:
                    usable = clean_part(dataset_uri=dataset_uri, part=part, **of(clean_part))
                    of_part = bottleneck(images=usable.outputs["cleaned"], **of(bottleneck))
                    # KFP opens the store of a list where its first item lies: an item that was
                    # taken from the cache lies elsewhere, and could not be read.
                    usable.set_caching_options(False)
                    of_part.set_caching_options(False)
                vectors = selected = curate_parts(
                    cleaned_listings=dsl.Collected(usable.outputs["cleaned_listing"]),
                    rejects_listings=dsl.Collected(usable.outputs["rejects_listing"]),
                    vectors=dsl.Collected(of_part.outputs["bottlenecks"]),
                    **of(curate_parts),
                    **before,
                )
            else:
                usable = clean(images=gathered, **of(clean))
                vectors = bottleneck(images=usable.outputs["cleaned"], **of(bottleneck))
                selected = curate(
                    images=usable.outputs["cleaned"],
                    clean_rejects=usable.outputs["rejects"],
                    bottlenecks=vectors.outputs["bottlenecks"],
                    **of(curate),
                    **before,
                )
            trained = retrain(
                training=selected.outputs["training"],
                bottlenecks=vectors.outputs["bottlenecks"],
                **of(retrain),
            )
            link = tensorboard(
                logs=trained.outputs["logs"],
                image=settings.TENSORBOARD_IMAGE,
                **scheduling.viewer_store(cluster),
            )
            measured = evaluate(
                model=trained.outputs["model"],
                training=selected.outputs["training"],
                demo=selected.outputs["demo"],
            )
            labelled = label_image(model=trained.outputs["model"], demo=selected.outputs["demo"])
            published = publish(
                model=trained.outputs["model"],
                demo=selected.outputs["demo"],
                metrics=measured.outputs["metrics"],
                ledger=selected.outputs["ledger"],
                **of(publish) | {"decisions": decided},
                **({"seen": found.outputs["seen"]} if found and continued else {}),
            )
            if continued:  # a run that fails is to be tried again
                published.after(link, labelled)
            # What is published may change between two runs whose inputs are the same.
            published.set_caching_options(False)
        if cluster:
            steps = [usable, selected, trained, link, measured, labelled, published]
            steps += [vectors] if vectors is not selected else []
            steps += [found] if found else []  # KFP imports without a pod of ours
            steps += [of_part] if parts > 1 else []
            steps += [last] if last else []
            for task in steps:
                scheduling.schedule(task, cluster, gpu=gpu)
            return None  # type: ignore[return-value]  # `shaped` took the annotation away
        return graph.Outputs(
            training=selected.outputs["training"],
            demo=selected.outputs["demo"],
            ledger=selected.outputs["ledger"],
            facts=selected.outputs["facts"],
            curation=selected.outputs["curation"],
            model=trained.outputs["model"],
            logs=trained.outputs["logs"],
            metrics=measured.outputs["metrics"],
            report=measured.outputs["report"],
            gallery=labelled.outputs["gallery"],
            comparison=published.outputs["comparison"],
            change=published.outputs["change"],
        )

    return wild_mushrooms  # type: ignore[no-any-return]


def compile_one(
    path: Path,
    *,
    gpu: bool,
    photos: str = DOWNLOAD,
    parts: int = 1,
    continued: bool = False,
    cluster: ClusterOptions | None = None,
) -> Path:
    """Compile one pipeline for a cluster into a file of two YAML documents, and return its path.

    Args:
        path: the file to write.
        gpu: as in `build`.
        photos: as in `build`.
        parts: as in `build`.
        continued: as in `build`.
        cluster: what compiling fixes; by default what `settings.ClusterOptions` says.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    graph_for_cluster = build(
        gpu=gpu,
        photos=photos,
        parts=parts,
        continued=continued,
        cluster=cluster or ClusterOptions(),
    )
    compiler.Compiler().compile(graph_for_cluster, str(path))
    return path


def compile_all(directory: Path, cluster: ClusterOptions) -> list[Path]:
    """Write `pipeline-cpu.yaml` and `pipeline-gpu.yaml` and return their paths."""
    return [
        compile_one(directory / f"pipeline-{kind}.yaml", gpu=kind == "gpu", cluster=cluster)
        for kind in ("cpu", "gpu")
    ]


def execute(request_file: Path) -> None:
    """Run the pipeline in this process, which the caller started for it alone.

    After parallel loops kfp.local leaves `print` and the root logger patched, and it writes
    hundreds of lines: neither is for the process that talks to a person.
    """
    warnings.filterwarnings("ignore", module="kfp")
    logging.getLogger("kfp").setLevel(logging.WARNING)
    request = run_options.with_usable_cache(Request.read(request_file))
    end_with_parent(request)
    if request.runner == containers.NAME:
        runner = local.DockerRunner(**containers.run_arguments(request))
        containers.use(request)
    else:
        runner = local.SubprocessRunner(use_venv=False)
        tasks.use_processes(request.run_dir / run_log.FULL, request.arguments)
    tasks.hand_over_values()
    local.init(runner, pipeline_root=str(request.run_dir / "artifacts"))
    run = build(continued=request.continued)
    outputs = run(**parameters.of_run(request.arguments)).outputs
    places: Mapping[str, str] = {
        name: getattr(value, "path", value) for name, value in outputs.items()
    }
    (request.run_dir / "outputs.json").write_text(json.dumps(dict(places), indent=2) + "\n")


def main() -> None:
    """The command line."""
    parser = CommandParser(
        prog="pipeline.py",
        description="Photos in, a trained and explained classifier out.",
        examples=("run --image_dir ~/photos", "run --help"),
    )
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="{run,compile,submit}", prog=parser.prog
    )
    run = commands.add_parser(
        "run",
        help="run everything on this machine",
        description="Photos to a trained, measured and published model, on this machine.",
        first=run_options.FIRST,
        examples=run_options.EXAMPLES,
    )
    run_options.add_to(run)
    compiled = commands.add_parser(
        "compile",
        help="write build/pipeline-{cpu,gpu}.yaml",
        description="Compile the pipeline for a cluster: with and without a GPU for retrain.",
        examples=("", "--output_dir compiled --cache_claim photos", "--pipeline label"),
    )
    _add_pipeline(compiled)
    compiled.add_argument(
        "--output_dir", type=Path, default=Path("build"), help="where to (default: build)"
    )
    scheduling.add_options(compiled)
    # Each pipeline has options of its own, and takes none of the other's in silence.
    chosen = submit_label if _is_for_label(sys.argv[1:]) else submit
    submitted = commands.add_parser(
        "submit",
        help="run on a cluster",
        description="Start the pipeline on a cluster with Kubeflow Pipelines.",
        first=chosen.FIRST,
        examples=chosen.EXAMPLES,
    )
    _add_pipeline(submitted)
    chosen.add_to(submitted)
    hidden = commands.add_parser(EXECUTE_COMMAND)
    hidden.add_argument("request", type=Path)
    run_command(parser.prog, parser, _dispatch)


def _add_pipeline(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--pipeline",
        choices=PIPELINES,
        default=TRAIN,
        help=f"{TRAIN}: photos to a model; {LABEL}: the photos of a bucket to answers (default: "
        f"{TRAIN})",
    )


def _is_for_label(words: list[str]) -> bool:
    """Whether a command line names the pipeline that labels."""
    return f"--pipeline={LABEL}" in words or ("--pipeline", LABEL) in itertools.pairwise(words)


def _run(arguments: argparse.Namespace) -> int:
    in_containers = arguments.runner == containers.NAME
    if in_containers:
        containers.check()  # before anything of the run is made
    request = run_options.request(arguments)
    if in_containers:
        request = containers.with_places(request)
    return run_locally(request, Path(__file__).resolve())


def _dispatch(arguments: argparse.Namespace) -> int:
    if arguments.command == "run":
        return _run(arguments)
    if arguments.command == EXECUTE_COMMAND:
        execute(arguments.request)
        # kfp.local may leave threads behind; everything is written, so leave at once.
        sys.stdout.flush()
        os._exit(0)
    if arguments.command == "submit":
        is_for_label = arguments.pipeline == LABEL
        if is_for_label != hasattr(arguments, "photos"):  # such as --pipe label
            raise InputError("--pipeline: write the name of this option in full, and once")
        if is_for_label:
            return submit_label.submit(arguments, compile_label)
        return submit.submit(arguments, compile_one)
    cluster = scheduling.cluster_options(arguments)
    if arguments.pipeline == LABEL:
        print(compile_label(arguments.output_dir / f"pipeline-{LABEL}.yaml", cluster))
        return 0
    cluster.check_gpu()  # one of the two has it
    for path in compile_all(arguments.output_dir, cluster):
        print(path)
    return 0


if __name__ == "__main__":
    main()
