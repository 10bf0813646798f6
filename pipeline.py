"""The pipeline: photos in, a trained and explained classifier out.

python pipeline.py run          on this machine
python pipeline.py compile      for a cluster, into build/
python pipeline.py --help       everything else
"""

import argparse
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

from kfp import compiler, dsl, local

from components import settings
from components.bottleneck.component import bottleneck
from components.clean.component import clean
from components.common.species import as_parameter, read_species
from components.common.step import run_command
from components.curate.component import curate
from components.download.component import download
from components.evaluate.component import evaluate
from components.label_image.component import label_image
from components.publish.component import compare, decide, publish
from components.retrain.component import retrain
from components.runner import containers
from components.runner import options as run_options
from components.runner.local import EXECUTE_COMMAND, run_locally
from components.runner.options import Request
from components.tensorboard.component import tensorboard

PIPELINE_NAME = "wild-mushrooms"
GPU_STEPS = ("bottleneck", "retrain")
# KFP passes the name of each output to its task; these are what the run's summary links.
Outputs = NamedTuple(
    "Outputs",
    [
        ("training", dsl.Dataset),
        ("demo", dsl.Dataset),
        ("ledger", dsl.Artifact),
        ("facts", dsl.Artifact),
        ("curation", dsl.HTML),
        ("model", dsl.Model),
        ("logs", dsl.Artifact),
        ("metrics", dsl.Metrics),
        ("report", dsl.HTML),
        ("gallery", dsl.HTML),
        ("comparison", dsl.Metrics),
        ("decision", str),
    ],
)


def sized(task: dsl.PipelineTask, name: str, *, gpu: bool) -> dsl.PipelineTask:
    """Give a task its CPU, memory and, in the GPU pipeline, its accelerator and image."""
    resources = settings.RESOURCES[name]
    task.set_cpu_request(resources.cpu).set_cpu_limit(resources.cpu)
    task.set_memory_request(resources.memory).set_memory_limit(resources.memory)
    if gpu and name in GPU_STEPS:
        # A limit without a type would compile silently and schedule no GPU.
        task.set_accelerator_type(settings.ACCELERATOR)
        task.set_accelerator_limit(resources.gpus)
        task.set_container_image(settings.TRAIN_CUDA_IMAGE)
    return task


def build(*, gpu: bool, parallelism: int = 1) -> Callable[..., Any]:
    """The pipeline's graph.

    Args:
        gpu: schedule `bottleneck` and `retrain` on a GPU.
        parallelism: classes downloaded at once; 1 for sources that limit requests per client.
    """
    listed = as_parameter(read_species(run_options.SPECIES_FILE))

    @dsl.pipeline(
        name=PIPELINE_NAME,
        description="Gather, clean and split photos, retrain MobileNet on them, and measure it.",
    )
    def wild_mushrooms(
        classes: List[str],
        species: Dict[str, Any] = listed,
        source: str = run_options.DEFAULTS["source"],
        image_dir: str = run_options.DEFAULTS["image_dir"],
        url_list: str = run_options.DEFAULTS["url_list"],
        imagenet: str = run_options.DEFAULTS["imagenet"],
        per_class: int = run_options.DEFAULTS["per_class"],
        min_per_class: int = run_options.DEFAULTS["min_per_class"],
        licences: str = run_options.DEFAULTS["licences"],
        per_observer: int = run_options.DEFAULTS["per_observer"],
        contact: str = run_options.DEFAULTS["contact"],
        allow_private_hosts: str = run_options.DEFAULTS["allow_private_hosts"],
        workers: int = run_options.DEFAULTS["workers"],
        min_bytes: int = run_options.DEFAULTS["min_bytes"],
        strict: bool = run_options.DEFAULTS["strict"],
        train_per_class: int = run_options.DEFAULTS["train_per_class"],
        demo_per_class: int = run_options.DEFAULTS["demo_per_class"],
        validation_percentage: int = run_options.DEFAULTS["validation_percentage"],
        testing_percentage: int = run_options.DEFAULTS["testing_percentage"],
        earlier_ledger: str = run_options.DEFAULTS["earlier_ledger"],
        decisions: str = run_options.DEFAULTS["decisions"],
        architecture: str = run_options.DEFAULTS["architecture"],
        weights: str = run_options.DEFAULTS["weights"],
        cache_dir: str = run_options.DEFAULTS["cache_dir"],
        how_many_training_steps: int = run_options.DEFAULTS["how_many_training_steps"],
        learning_rate: float = run_options.DEFAULTS["learning_rate"],
        train_batch_size: int = run_options.DEFAULTS["train_batch_size"],
        validation_batch_size: int = run_options.DEFAULTS["validation_batch_size"],
        test_batch_size: int = run_options.DEFAULTS["test_batch_size"],
        eval_step_interval: int = run_options.DEFAULTS["eval_step_interval"],
        optimizer: str = run_options.DEFAULTS["optimizer"],
        learning_rate_schedule: str = run_options.DEFAULTS["learning_rate_schedule"],
        l2: float = run_options.DEFAULTS["l2"],
        label_smoothing: float = run_options.DEFAULTS["label_smoothing"],
        class_weights: str = run_options.DEFAULTS["class_weights"],
        early_stopping_patience: int = run_options.DEFAULTS["early_stopping_patience"],
        flip_left_right: bool = run_options.DEFAULTS["flip_left_right"],
        random_crop: int = run_options.DEFAULTS["random_crop"],
        random_scale: int = run_options.DEFAULTS["random_scale"],
        random_brightness: int = run_options.DEFAULTS["random_brightness"],
        distorted_copies: int = run_options.DEFAULTS["distorted_copies"],
        fine_tune_steps: int = run_options.DEFAULTS["fine_tune_steps"],
        fine_tune_layers: int = run_options.DEFAULTS["fine_tune_layers"],
        fine_tune_learning_rate: float = run_options.DEFAULTS["fine_tune_learning_rate"],
        fine_tune_batch_size: int = run_options.DEFAULTS["fine_tune_batch_size"],
        checkpoint_interval: int = run_options.DEFAULTS["checkpoint_interval"],
        require_gpu: bool = run_options.DEFAULTS["require_gpu"],
        checkpoint_path: str = run_options.DEFAULTS["checkpoint_path"],
        sweep: bool = run_options.DEFAULTS["sweep"],
        min_accuracy: float = run_options.DEFAULTS["min_accuracy"],
        max_regression: float = run_options.DEFAULTS["max_regression"],
        publish_dir: str = run_options.DEFAULTS["publish_dir"],
        name: str = run_options.DEFAULTS["name"],
        seed: int = run_options.DEFAULTS["seed"],
    ) -> Outputs:
        with dsl.ParallelFor(classes, parallelism=parallelism) as label:
            found = download(
                label=label,
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
                cache_dir=cache_dir,
                seed=seed,
            )
            usable = clean(
                images=found.outputs["images"],
                min_bytes=min_bytes,
                strict=strict,
                decisions=decisions,
            )
        # The compiler changes a Collected as it goes: each consumer needs its own.
        vectors = bottleneck(
            images=dsl.Collected(usable.outputs["cleaned"]),
            architecture=architecture,
            weights=weights,
            cache_dir=cache_dir,
        )
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
        link = tensorboard(logs=trained.outputs["logs"], image=settings.TENSORBOARD_IMAGE)
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
        for task in (found, usable, vectors, selected, trained, link, measured, labelled):
            sized(task, task.name, gpu=gpu)
        for task in (compared, decision, published):
            sized(task, task.name, gpu=gpu)
        return Outputs(
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


def compile_all(directory: Path) -> list[Path]:
    """Write `pipeline-cpu.yaml` and `pipeline-gpu.yaml` and return their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for kind in ("cpu", "gpu"):
        path = directory / f"pipeline-{kind}.yaml"
        compiler.Compiler().compile(build(gpu=kind == "gpu"), str(path))
        written.append(path)
    return written


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
    compiled.add_argument("--output_dir", type=Path, default=Path("build"))
    commands.add_parser("submit", help="run on a cluster (not yet: compile and upload instead)")
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
        print(
            "submit does not exist yet: run `make compile` and upload build/pipeline-cpu.yaml or "
            "build/pipeline-gpu.yaml in the Kubeflow Pipelines page",
            file=sys.stderr,
        )
        return 1
    for path in compile_all(arguments.output_dir):
        print(path)
    return 0


if __name__ == "__main__":
    main()
