"""The pipeline: photos in, a trained and explained classifier out.

python pipeline.py run          on this machine
python pipeline.py compile      for a cluster, into build/
python pipeline.py --help       everything else
"""

import argparse
import contextlib
import dataclasses
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Dict, List

# kfp imports its client, and that one all of Kubernetes': a second at each start, for what `submit`
# alone needs. Told that it runs in a task's pod, kfp leaves the client out.
os.environ["_KFP_RUNTIME"] = "true"
import kfp  # noqa: F401

del os.environ["_KFP_RUNTIME"]

from kfp import compiler, dsl, local

from components import settings
from components.bottleneck.component import bottleneck, bottleneck_part, join_bottlenecks
from components.clean.component import clean
from components.common.base.step import run_command
from components.common.dataset.species import as_parameter, read_species
from components.curate.component import curate
from components.download.candidate import Options
from components.download.component import download
from components.evaluate.component import evaluate
from components.label_image.component import label_image
from components.publish.component import compare, decide, publish
from components.retrain.component import retrain
from components.settings import ClusterOptions
from components.summarize.component import summarize
from components.tensorboard.component import tensorboard
from programs.compile import graph, scheduling
from programs.compile.graph import DATASET, DOWNLOAD, PIPELINE_NAME
from programs.run import containers
from programs.run import options as run_options
from programs.run.local import EXECUTE_COMMAND, run_locally
from programs.run.options import Request
from programs.submit import submit

# Each way to the photos has parameters of its own.
_OF_SOURCES = {field.name for field in dataclasses.fields(Options)} - {"cache_dir", "seed"}
OWN_PARAMETERS = {
    DOWNLOAD: ("classes", "species", *sorted(_OF_SOURCES), "photos_as_of"),
    DATASET: ("dataset_uri",),
}


def build(
    *,
    gpu: bool = False,
    parallelism: int = 1,
    photos: str = DOWNLOAD,
    parts: int = 1,
    cluster: ClusterOptions | None = None,
) -> Callable[..., Any]:
    """The pipeline's graph.

    Args:
        gpu: give `retrain` a GPU, and by default fine-tuning to do on it.
        parallelism: classes downloaded at once; 1 for sources that limit requests per client.
        photos: "download", one class after another, or "dataset", a packed one that is imported.
        parts: of an imported dataset that are cleaned, and their bottlenecks computed, at the same
            time, each in pods of its own; the result is the same.
        cluster: what its tasks are told; None on this machine. A graph for a cluster ends with
            `summarize`, whatever happened before, and for that reason hands out no outputs: KFP
            takes none from inside an exit handler.
    """
    listed = as_parameter(read_species(run_options.SPECIES_FILE))
    default = run_options.DEFAULTS | scheduling.parameter_defaults(cluster, gpu=gpu)
    if photos == DATASET:
        default["name"] = run_options.NAME
    (other,) = {DOWNLOAD, DATASET} - {photos}

    @dsl.pipeline(
        name=PIPELINE_NAME,
        description="Gather, clean and split photos, retrain MobileNet on them, and measure it.",
        pipeline_config=scheduling.configuration(cluster),
    )
    @graph.shaped(without=OWN_PARAMETERS[other], outputs=cluster is None)
    def wild_mushrooms(
        classes: List[str],
        dataset_uri: str,
        species: Dict[str, Any] = listed,
        source: str = default["source"],
        image_dir: str = default["image_dir"],
        url_list: str = default["url_list"],
        imagenet: str = default["imagenet"],
        per_class: int = default["per_class"],
        min_per_class: int = default["min_per_class"],
        licences: str = default["licences"],
        per_observer: int = default["per_observer"],
        contact: str = default["contact"],
        allow_private_hosts: str = default["allow_private_hosts"],
        workers: int = default["workers"],
        photos_as_of: str = "",
        min_bytes: int = default["min_bytes"],
        strict: bool = default["strict"],
        train_per_class: int = default["train_per_class"],
        demo_per_class: int = default["demo_per_class"],
        validation_percentage: int = default["validation_percentage"],
        testing_percentage: int = default["testing_percentage"],
        earlier_ledger: str = default["earlier_ledger"],
        decisions: str = default["decisions"],
        architecture: str = default["architecture"],
        weights: str = default["weights"],
        weights_sha256: str = "",
        cache_dir: str = default["cache_dir"],
        how_many_training_steps: int = default["how_many_training_steps"],
        learning_rate: float = default["learning_rate"],
        train_batch_size: int = default["train_batch_size"],
        validation_batch_size: int = default["validation_batch_size"],
        test_batch_size: int = default["test_batch_size"],
        eval_step_interval: int = default["eval_step_interval"],
        optimizer: str = default["optimizer"],
        learning_rate_schedule: str = default["learning_rate_schedule"],
        l2: float = default["l2"],
        label_smoothing: float = default["label_smoothing"],
        class_weights: str = default["class_weights"],
        early_stopping_patience: int = default["early_stopping_patience"],
        flip_left_right: bool = default["flip_left_right"],
        random_crop: int = default["random_crop"],
        random_scale: int = default["random_scale"],
        random_brightness: int = default["random_brightness"],
        distorted_copies: int = default["distorted_copies"],
        fine_tune_steps: int = default["fine_tune_steps"],
        fine_tune_layers: int = default["fine_tune_layers"],
        fine_tune_learning_rate: float = default["fine_tune_learning_rate"],
        fine_tune_batch_size: int = default["fine_tune_batch_size"],
        checkpoint_interval: int = default["checkpoint_interval"],
        require_gpu: bool = default["require_gpu"],
        checkpoint_path: str = default["checkpoint_path"],
        sweep: bool = default["sweep"],
        min_accuracy: float = default["min_accuracy"],
        max_regression: float = default["max_regression"],
        publish_dir: str = default["publish_dir"],
        name: str = default["name"],
        seed: int = default["seed"],
    ) -> graph.Outputs:
        network = {
            "architecture": architecture,
            "weights": weights,
            "weights_sha256": weights_sha256,
            "cache_dir": cache_dir,
        }
        last = None
        if cluster and cluster.exit_summary:
            last = summarize(name=name).set_caching_options(False)
        with dsl.ExitHandler(last, name="all steps") if last else contextlib.nullcontext():
            if photos == DATASET:
                gathered = dsl.importer(artifact_uri=dataset_uri, artifact_class=dsl.Dataset)
                gathered.set_display_name(DATASET)
                # Also a loop of one: the steps after it take lists, which KFP makes of loops only.
                loop = dsl.ParallelFor([f"{part}/{parts}" for part in range(1, parts + 1)])
            else:
                loop = dsl.ParallelFor(classes, parallelism=parallelism)
            with loop as item:
                if photos == DOWNLOAD:
                    gathered = download(
                        label=item,
                        species=species,
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
                        photos_as_of=photos_as_of,
                        cache_dir=cache_dir,
                        seed=seed,
                    )
                usable = clean(
                    images=gathered.output,
                    min_bytes=min_bytes,
                    strict=strict,
                    decisions=decisions,
                    part=item if parts > 1 else "",
                )
                if parts > 1:
                    vectors_of_part = bottleneck_part(images=usable.outputs["cleaned"], **network)
            # The compiler changes a Collected as it goes: each consumer needs its own.
            if parts > 1:
                vectors = join_bottlenecks(
                    parts=dsl.Collected(vectors_of_part.outputs["bottlenecks"])
                )
            else:
                vectors = bottleneck(images=dsl.Collected(usable.outputs["cleaned"]), **network)
            selected = curate(
                images=dsl.Collected(usable.outputs["cleaned"]),
                clean_rejects=dsl.Collected(usable.outputs["rejects"]),
                bottlenecks=vectors.outputs["bottlenecks"],
                train_per_class=train_per_class,
                demo_per_class=demo_per_class,
                validation_percentage=validation_percentage,
                testing_percentage=testing_percentage,
                earlier_ledger=earlier_ledger,
                decisions=decisions,
            )
            trained = retrain(
                training=selected.outputs["training"],
                bottlenecks=vectors.outputs["bottlenecks"],
                how_many_training_steps=how_many_training_steps,
                learning_rate=learning_rate,
                train_batch_size=train_batch_size,
                validation_batch_size=validation_batch_size,
                test_batch_size=test_batch_size,
                eval_step_interval=eval_step_interval,
                optimizer=optimizer,
                learning_rate_schedule=learning_rate_schedule,
                l2=l2,
                label_smoothing=label_smoothing,
                class_weights=class_weights,
                early_stopping_patience=early_stopping_patience,
                flip_left_right=flip_left_right,
                random_crop=random_crop,
                random_scale=random_scale,
                random_brightness=random_brightness,
                distorted_copies=distorted_copies,
                fine_tune_steps=fine_tune_steps,
                fine_tune_layers=fine_tune_layers,
                fine_tune_learning_rate=fine_tune_learning_rate,
                fine_tune_batch_size=fine_tune_batch_size,
                checkpoint_interval=checkpoint_interval,
                require_gpu=require_gpu,
                checkpoint_path=checkpoint_path,
                sweep=sweep,
                seed=seed,
                weights=weights,
                cache_dir=cache_dir,
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
            compared = compare(
                model=trained.outputs["model"],
                demo=selected.outputs["demo"],
                metrics=measured.outputs["metrics"],
                publish_dir=publish_dir,
                name=name,
                min_accuracy=min_accuracy,
                max_regression=max_regression,
            )
            # What is published may change between two runs whose inputs are the same.
            compared.set_caching_options(False)
            decision = decide(comparison=compared.outputs["comparison"])
            with dsl.If(decision.output == "publish", name="good enough"):
                published = publish(
                    model=trained.outputs["model"],
                    metrics=measured.outputs["metrics"],
                    comparison=compared.outputs["comparison"],
                    publish_dir=publish_dir,
                    name=name,
                )
                published.set_caching_options(False)
        if cluster:
            steps = [usable, vectors, selected, trained, link, measured, labelled]
            steps += [compared, decision, published]
            steps += [gathered] if photos == DOWNLOAD else []  # KFP imports without a pod of ours
            steps += [vectors_of_part] if parts > 1 else []
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
            comparison=compared.outputs["comparison"],
            decision=decision.output,
        )

    return wild_mushrooms  # type: ignore[no-any-return]


def compile_one(
    path: Path,
    *,
    gpu: bool,
    photos: str = DOWNLOAD,
    parts: int = 1,
    cluster: ClusterOptions | None = None,
) -> Path:
    """Compile one pipeline for a cluster into a file of two YAML documents, and return its path.

    Args:
        path: the file to write.
        gpu: as in `build`.
        photos: as in `build`.
        parts: as in `build`.
        cluster: what compiling fixes; by default what `settings.ClusterOptions` says.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    graph_for_cluster = build(
        gpu=gpu, photos=photos, parts=parts, cluster=cluster or ClusterOptions()
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
    request = Request.read(request_file)
    if request.runner == containers.NAME:
        runner = local.DockerRunner(**containers.run_arguments(request))
    else:
        runner = local.SubprocessRunner(use_venv=False)
    local.init(runner, pipeline_root=str(request.run_dir / "artifacts"))
    outputs = build(gpu=False, parallelism=request.parallelism)(**request.arguments).outputs
    places: Mapping[str, str] = {
        name: getattr(value, "path", value) for name, value in outputs.items()
    }
    (request.run_dir / "outputs.json").write_text(json.dumps(dict(places), indent=2) + "\n")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="pipeline.py", description="Photos in, a trained and explained classifier out."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="{run,compile,submit}")
    run = commands.add_parser("run", help="run everything on this machine")
    run_options.add_to(run)
    compiled = commands.add_parser("compile", help="write build/pipeline-{cpu,gpu}.yaml")
    compiled.add_argument(
        "--output_dir", type=Path, default=Path("build"), help="where to (default: build)"
    )
    scheduling.add_options(compiled)
    submit.add_to(commands.add_parser("submit", help="run on a cluster"))
    hidden = commands.add_parser(EXECUTE_COMMAND)
    hidden.add_argument("request", type=Path)
    run_command("pipeline.py", parser, _dispatch)


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
        return submit.submit(arguments, compile_one)
    for path in compile_all(arguments.output_dir, scheduling.cluster_options(arguments)):
        print(path)
    return 0


if __name__ == "__main__":
    main()
